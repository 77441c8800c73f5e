//! The Sail Operator: it is told the version in its own object, by the holder, and brings it. What it says of itself and what
//! runs is waited for by looking.

use super::{
    Change, Installer, Prepared,
    gitops::{look, refuse_pinned},
};
use crate::{error::api_message, executor::writing_client};
use kube::{
    Api,
    api::{ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams},
    discovery,
};
use serde_json::json;
use shared::{
    api::PlanStep,
    gitops::{self, FollowedKind, SailKind},
    names, plan,
};

/// The operator that runs in the cluster.
#[derive(Clone, Copy, Debug)]
pub struct Sail;

impl Installer for Sail {
    /// The charts are inside of the operator; whether it knows the target is found by [`Self::rehearse`].
    async fn prepare(&self, step: &PlanStep, _: &str) -> Result<Prepared, String> {
        Ok(Prepared::only(step.runs()))
    }

    /// Worked out from what runs: values and charts are the operator's.
    async fn images(&self, change: &Change<'_>) -> Result<Vec<String>, String> {
        let observed = look(change).await?;
        refuse_pinned(change, &observed)?;
        plan::images_of_step(change.step, &observed)
    }

    /// An operator that does not know the target has no such version among those that its object takes.
    async fn rehearse(&self, change: &Change<'_>) -> Result<(), String> {
        tell(change, true).await
    }

    async fn upgrade(&self, change: &Change<'_>) -> Result<(), String> {
        tell(change, false).await
    }
}

/// Sets the version in the operator's object. Done twice it changes nothing.
async fn tell(change: &Change<'_>, dry_run: bool) -> Result<(), String> {
    let step = change.step;
    let observed = look(change).await?;
    let found = gitops::of_step(&observed, step);
    let Some((followed, FollowedKind::Sail(kind))) = found.map(|followed| (followed, followed.kind)) else {
        return Err(format!(
            "the object that brings {} is not to be found: put it back, then go on",
            step.told()
        ));
    };
    let client = writing_client(change.cluster, change.writer)?;
    let failed = |error: &kube::Error| {
        format!(
            "the version of {} could not be set to v{}: {}",
            followed.told(),
            step.to,
            api_message(error)
        )
    };
    let group = discovery::group(&client, SailKind::GROUP)
        .await
        .map_err(|error| failed(&error))?;
    let gvk = GroupVersionKind::gvk(SailKind::GROUP, group.preferred_version_or_latest(), kind.as_str());
    let objects: Api<DynamicObject> = Api::all_with(client, &ApiResource::from_gvk_with_plural(&gvk, kind.resource()));
    let patch = json!({"spec": {"version": format!("v{}", step.to)}});
    let params = PatchParams {
        dry_run,
        ..PatchParams::apply(names::FIELD_MANAGER)
    };
    if !dry_run {
        change.hold.free().await;
    }
    let patched = objects.patch(&followed.name, &params, &Patch::Merge(&patch)).await;
    patched.map(drop).map_err(|error| failed(&error))
}
