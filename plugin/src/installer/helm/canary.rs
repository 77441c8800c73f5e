//! The old revision of a canary is taken away, and the tags that it brought once stay with the new one.
//!
//! helm from 4.3 on leaves alone what another release owns by now; older ones delete by name whatever they once installed.
//! So what is missing afterwards is brought again at once, by the release that owns it.

use super::{Helm, recover, recover::Pending};
use crate::{error::api_message, installer::Change};
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use kube::{Api, Client, ResourceExt as _, api::ListParams};
use shared::api::{PlanStep, Revisions};

/// Label of an injector that belongs to a revision tag.
const TAG: &str = "istio.io/tag";

/// Uninstalls the old release and sees to the tags; may be called again after a kill at any moment.
pub(super) async fn remove(helm: &Helm, change: &Change<'_>, client: &Client) -> Result<(), String> {
    let step = change.step;
    if let Some(release) = recover::find(client, step, Pending::Keep).await? {
        let arguments = vec!["uninstall".to_owned(), step.release.clone()];
        let uninstalled = helm.run(change, &release, arguments, &[]).await;
        uninstalled.map_err(|why| format!("helm uninstall {} {why}", step.release))?;
    }
    let Some(revisions) = &step.revisions else {
        return Ok(());
    };
    if missing(client, revisions).await? || !is_deployed(client, step, revisions).await? {
        bring_again(helm, change, client, revisions).await?;
    }
    Ok(())
}

/// Whether the new release is whole: a try that was killed may have brought the tags again and left it pending.
async fn is_deployed(client: &Client, step: &PlanStep, revisions: &Revisions) -> Result<bool, String> {
    let stays = PlanStep {
        release: revisions.new_release.clone(),
        ..step.clone()
    };
    Ok(recover::status(client, &stays).await?.as_deref() == Some("deployed"))
}

/// Whether a tag went with the old release.
async fn missing(client: &Client, revisions: &Revisions) -> Result<bool, String> {
    let api: Api<MutatingWebhookConfiguration> = Api::all(client.clone());
    let found = api.list_metadata(&ListParams::default().labels(TAG)).await;
    let found = found.map_err(|error| format!("the list of injectors ({})", api_message(&error)))?;
    let is_there = |tag: &String| {
        let mut items = found.items.iter();
        items.any(|item| item.labels().get(TAG) == Some(tag))
    };
    Ok(!revisions.tags.iter().all(is_there))
}

async fn bring_again(helm: &Helm, change: &Change<'_>, client: &Client, revisions: &Revisions) -> Result<(), String> {
    let step = PlanStep {
        release: revisions.new_release.clone(),
        ..change.step.clone()
    };
    let chart = helm
        .at_hand(&Change {
            step: &step,
            ..change.clone()
        })
        .await?;
    let release = recover::settle(client, &step, Pending::Delete(change.hold)).await?;
    let mut arguments = vec!["upgrade".to_owned(), step.release.clone()];
    arguments.extend(chart.arguments.iter().cloned());
    arguments.push("--reset-then-reuse-values".to_owned());
    if helm.version.major >= 4 && release.server_side {
        arguments.push("--force-conflicts".to_owned());
    }
    let brought = helm.run(change, &release, arguments, &[]).await;
    brought.map_err(|why| format!("helm upgrade {} {why}", step.release))
}
