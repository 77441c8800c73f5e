//! GitOps: somebody merges the change where a controller looks, and the controller brings it. This tool says what to merge,
//! lets the controller through, and waits; it never writes the object itself.

use super::{Change, Installer, Prepared};
use crate::{
    cluster::{self, ObserveOptions},
    ui::{Mark, Ui},
};
use shared::{
    api::{InstallerKind, PlanStep},
    gitops,
    inventory::{ClusterState, Observed},
    plan,
};

/// Whatever follows a repository.
#[derive(Clone, Copy, Debug)]
pub struct GitOps {
    /// Prints what is to be merged.
    pub ui: Ui,
}

impl Installer for GitOps {
    /// Charts are the controller's to fetch; what was observed says whether it can be waited for.
    async fn prepare(&self, step: &PlanStep, _: &str) -> Result<Prepared, String> {
        Ok(Prepared::only(step.told()))
    }

    /// Worked out from what runs: values and charts are the controller's.
    async fn images(&self, change: &Change<'_>) -> Result<Vec<String>, String> {
        let observed = look(change).await?;
        refuse_pinned(change, &observed)?;
        plan::images_of_step(change.step, &observed)
    }

    /// The controller's own dry runs are its own.
    async fn rehearse(&self, _: &Change<'_>) -> Result<(), String> {
        Ok(())
    }

    /// Says what is to be merged, once the freeze is seen to stand. That it arrives is waited for by looking.
    async fn upgrade(&self, change: &Change<'_>) -> Result<(), String> {
        change.hold.free().await;
        let step = change.step;
        let observed = look(change).await?;
        let followed = gitops::of_step(&observed, step).ok_or_else(|| {
            let told = step.told();
            format!("the object that brings {told} is not to be found: put it back, then go on")
        })?;
        let release = observed.helm_release(&step.namespace, &step.release);
        let settings = release.filter(|_| step.installer == InstallerKind::Flux);
        let patch = gitops::patch(followed, settings.map(|release| &release.settings), step);
        if patch.is_empty() {
            return Ok(());
        }
        self.ui
            .progress(Mark::Step, &self.ui.lang.apply_merge(followed.told(), &step.to));
        self.ui.copied(patch.trim_end());
        Ok(())
    }
}

/// Refuses what the object's own values would keep from running the target.
pub(super) fn refuse_pinned(change: &Change<'_>, observed: &Observed) -> Result<(), String> {
    let followed = gitops::of_step(observed, change.step);
    followed
        .and_then(|followed| gitops::pinned(followed, change.step))
        .map_or(Ok(()), Err)
}

pub(super) async fn look(change: &Change<'_>) -> Result<Box<Observed>, String> {
    // On the heap: a look is large, and stands within all that leads here.
    let seen = Box::pin(cluster::observe(change.cluster, &ObserveOptions::default())).await;
    match seen.state {
        ClusterState::Observed(observed) => Ok(observed),
        ClusterState::Unknown { reason } => Err(format!("cluster {} is unknown: {reason}", change.cluster.name)),
    }
}
