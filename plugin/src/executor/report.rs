//! Events of an upgrade, on its journal: for `kubectl describe meshupgrade` and whoever collects Events.

use crate::{clock::now, error::api_message};
use k8s_openapi::api::events::v1::Event;
use kube::{Api, Client, Resource as _, api::PostParams};
use shared::{
    api::{MeshUpgrade, MeshUpgradeStatus},
    event, names,
};

/// Makes Events of what the journal gained. An Event that cannot be written stops nothing: the journal has it all.
pub async fn publish(client: &Client, journal: &MeshUpgrade, before: &MeshUpgradeStatus, after: &MeshUpgradeStatus) {
    let events: Api<Event> = Api::namespaced(client.clone(), event::NAMESPACE);
    let about = journal.object_ref(&());
    for report in event::between(before, after) {
        let now = now();
        let event = event::event(&about, &report, names::FIELD_MANAGER, &now.to_string(), now);
        if let Err(error) = events.create(&PostParams::default(), &event).await {
            tracing::warn!(reason = report.reason, error = %api_message(&error), "cannot write an Event");
        }
    }
}
