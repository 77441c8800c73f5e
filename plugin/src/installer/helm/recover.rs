//! A release as helm left it: the newest revision, freed of a `pending-*` that a killed helm left behind.
//!
//! Helm refuses to work on a release whose newest revision is pending. The pending one carries nothing that is not in
//! the cluster: the release's objects name their release, so helm adopts them again. It is deleted, and the upgrade
//! done again from the last deployed revision.

use crate::{error::api_message, installer::Hold};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{
    Api, Client, Resource, ResourceExt as _,
    api::{DeleteParams, ListParams},
};
use serde_json::Value;
use shared::{api::PlanStep, helm};

/// What an upgrade needs of a release.
pub struct Settled {
    /// Values that the user set.
    pub values: Value,
    /// Helm's storage driver.
    pub driver: &'static str,
    /// Whether its objects are applied on the server.
    pub server_side: bool,
}

/// What to do with revisions that a killed helm left pending.
#[derive(Clone, Copy, Debug)]
pub enum Pending<'h> {
    /// Look past them.
    Keep,
    /// Delete them as soon as nothing is held, so that helm works on the release again.
    Delete(&'h Hold),
    /// The same, even when nothing is left of the release: it is installed anew.
    Forget(&'h Hold),
}

/// Reads the revision of a step's release that helm will upgrade from.
///
/// # Errors
/// When it cannot be read, or no revision of it was ever deployed.
pub async fn settle(client: &Client, step: &PlanStep, pending: Pending<'_>) -> Result<Settled, String> {
    let release = find(client, step, pending).await?;
    release.ok_or_else(|| unreadable(step, "no revision of it is stored in the cluster"))
}

/// The same of a release that need not be there.
///
/// # Errors
/// When it cannot be read.
pub async fn find(client: &Client, step: &PlanStep, pending: Pending<'_>) -> Result<Option<Settled>, String> {
    let secrets: Api<Secret> = Api::namespaced(client.clone(), &step.namespace);
    if let Some(newest) = settled(&secrets, step, pending).await? {
        let secret = secrets
            .get(&newest)
            .await
            .map_err(|error| unreadable(step, &api_message(&error)))?;
        let payload = secret.data.unwrap_or_default().remove("release").unwrap_or_default().0;
        return decoded(step, &payload, "secret").map(Some);
    }
    let config_maps: Api<ConfigMap> = Api::namespaced(client.clone(), &step.namespace);
    if let Some(newest) = settled(&config_maps, step, pending).await? {
        let config_map = config_maps
            .get(&newest)
            .await
            .map_err(|error| unreadable(step, &api_message(&error)))?;
        let payload = config_map
            .data
            .unwrap_or_default()
            .remove("release")
            .unwrap_or_default();
        return decoded(step, payload.as_bytes(), "configmap").map(Some);
    }
    Ok(None)
}

/// What helm calls the newest revision of a step's release, as `deployed`; `None` without any.
///
/// # Errors
/// When it cannot be read.
pub async fn status(client: &Client, step: &PlanStep) -> Result<Option<String>, String> {
    let secrets: Api<Secret> = Api::namespaced(client.clone(), &step.namespace);
    let mut found = revisions(&secrets, step).await?;
    if found.is_empty() {
        let config_maps: Api<ConfigMap> = Api::namespaced(client.clone(), &step.namespace);
        found = revisions(&config_maps, step).await?;
    }
    Ok(found.pop().map(|(_, status, _)| status))
}

fn decoded(step: &PlanStep, payload: &[u8], driver: &'static str) -> Result<Settled, String> {
    let release = helm::decode(payload).map_err(|error| unreadable(step, &error.to_string()))?;
    Ok(Settled {
        server_side: release.server_side,
        values: release.values.into_value(),
        driver,
    })
}

fn unreadable(step: &PlanStep, why: &str) -> String {
    format!("helm release {}/{} cannot be read: {why}", step.namespace, step.release)
}

/// Name of the revision that helm will upgrade from; what becomes of pending ones above it is said by `pending`.
/// `None` without any revision.
async fn settled<K>(api: &Api<K>, step: &PlanStep, pending: Pending<'_>) -> Result<Option<String>, String>
where
    K: Resource<DynamicType = ()> + Clone + std::fmt::Debug + serde::de::DeserializeOwned,
{
    let mut found = revisions(api, step).await?;
    if found.last().is_some_and(is_pending)
        && let Pending::Delete(hold) | Pending::Forget(hold) = pending
    {
        hold.free().await;
        // Somebody may have brought it to its end while it was held.
        found = revisions(api, step).await?;
    }
    while found.last().is_some_and(is_pending) {
        let Some((_, status, name)) = found.pop() else {
            break;
        };
        if found.is_empty() && !matches!(pending, Pending::Forget(_)) {
            return Err(unreadable(step, "its only revision was never deployed"));
        }
        if !matches!(pending, Pending::Keep) {
            let deleted = api.delete(&name, &DeleteParams::default()).await;
            deleted.map_err(|error| format!("cannot free {name} of its {status}: {}", api_message(&error)))?;
        }
    }
    Ok(current(&found).map(str::to_owned))
}

fn is_pending((_, status, _): &(i64, String, String)) -> bool {
    status.starts_with("pending-")
}

/// The revisions of a step's release, oldest first: helm's count, its word for them, and the object's name.
async fn revisions<K>(api: &Api<K>, step: &PlanStep) -> Result<Vec<(i64, String, String)>, String>
where
    K: Resource<DynamicType = ()> + Clone + std::fmt::Debug + serde::de::DeserializeOwned,
{
    let selector = ListParams::default().labels(&format!("owner=helm,name={}", step.release));
    let found = api
        .list_metadata(&selector)
        .await
        .map_err(|error| unreadable(step, &api_message(&error)))?;
    let label = |object: &kube::core::PartialObjectMeta<K>, key: &str| object.labels().get(key).cloned();
    let revisions = found.items.iter().filter_map(|object| {
        let revision = label(object, "version")?.parse().ok()?;
        Some((revision, label(object, "status").unwrap_or_default(), object.name_any()))
    });
    let mut revisions: Vec<_> = revisions.collect();
    revisions.sort();
    Ok(revisions)
}

/// The revision whose values helm will reuse: the newest deployed one, as after a failed upgrade; else the newest.
fn current(revisions: &[(i64, String, String)]) -> Option<&str> {
    let deployed = revisions.iter().rev().find(|(_, status, _)| status == "deployed");
    deployed.or(revisions.last()).map(|(_, _, name)| name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn revisions(all: &[(i64, &str)]) -> Vec<(i64, String, String)> {
        let made = all
            .iter()
            .map(|(revision, status)| (*revision, (*status).to_owned(), format!("v{revision}")));
        made.collect()
    }

    #[test]
    fn a_failed_upgrade_is_repeated_from_what_was_deployed() {
        assert_eq!(
            current(&revisions(&[(1, "superseded"), (2, "deployed"), (3, "failed")])),
            Some("v2")
        );
        assert_eq!(current(&revisions(&[(1, "failed")])), Some("v1"));
        assert_eq!(current(&[]), None);
    }
}
