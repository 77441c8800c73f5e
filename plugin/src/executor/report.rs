//! Events of an upgrade, on its journal: for `kubectl describe meshupgrade` and whoever collects Events. They are written
//! beside the drive, in their order: nothing waits for them but its end.

use crate::{clock::now, error::api_message};
use k8s_openapi::api::events::v1::Event;
use kube::{Api, Client, Resource as _, ResourceExt as _, api::PostParams};
use shared::{
    api::{MeshUpgrade, MeshUpgradeStatus},
    event, names,
};
use std::time::Duration;
use tokio::{sync::mpsc, task::JoinHandle};

/// How long the last ones are waited for.
const WRITTEN_WITHIN: Duration = Duration::from_secs(10);

/// Writes Events.
pub struct Reporter {
    events: mpsc::UnboundedSender<Event>,
    writing: JoinHandle<()>,
}

impl Reporter {
    /// With the writer's client of the home cluster.
    pub fn begin(client: &Client) -> Self {
        let (events, told) = mpsc::unbounded_channel();
        let api = Api::namespaced(client.clone(), event::NAMESPACE);
        Self {
            events,
            writing: tokio::spawn(write(api, told)),
        }
    }

    /// Makes Events of what the journal gained.
    pub fn publish(&self, journal: &MeshUpgrade, before: &MeshUpgradeStatus, after: &MeshUpgradeStatus) {
        let about = journal.object_ref(&());
        for report in event::between(before, after) {
            let now = now();
            let event = event::event(&about, &report, names::FIELD_MANAGER, &now.to_string(), now);
            // Nobody listens any more only where writing has broken off.
            self.events.send(event).ok();
        }
    }

    /// Waits until all are written, or it takes too long: the journal has it all.
    pub async fn end(self) {
        drop(self.events);
        let stop = self.writing.abort_handle();
        if tokio::time::timeout(WRITTEN_WITHIN, self.writing).await.is_err() {
            tracing::warn!("not every Event could be written in time");
            stop.abort();
        }
    }
}

/// An Event that cannot be written stops nothing.
async fn write(api: Api<Event>, mut told: mpsc::UnboundedReceiver<Event>) {
    while let Some(event) = told.recv().await {
        if let Err(error) = api.create(&PostParams::default(), &event).await {
            tracing::warn!(event = event.name_any(), error = %api_message(&error), "cannot write an Event");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{Request, Response};
    use kube::client::Body;
    use shared::{api::MeshUpgradeSpec, phase::Phase};
    use std::sync::{Arc, Mutex};

    #[tokio::test]
    async fn events_are_written_in_their_order_and_all_of_them_in_the_end() {
        let written: Arc<Mutex<Vec<String>>> = Arc::default();
        let seen = Arc::clone(&written);
        let server = tower::service_fn(move |request: Request<Body>| {
            let seen = Arc::clone(&seen);
            async move {
                let body = request.into_body().collect_bytes().await.unwrap();
                let event: Event = serde_json::from_slice(&body).unwrap();
                seen.lock().unwrap().extend(event.reason);
                Ok::<_, std::convert::Infallible>(Response::new(Body::from(body.to_vec())))
            }
        });
        let spec: MeshUpgradeSpec = serde_json::from_value(serde_json::json!({
            "journalVersion": 1, "mesh": "shop", "from": "1.30.3", "to": "1.31.0", "planHash": "", "requestedBy": "alice",
            "plan": {"clusters": [], "steps": [], "charts": {"location": ""}},
        }))
        .unwrap();
        let journal = MeshUpgrade::new("shop-1", spec);
        let of = |epoch: i64, phase: Phase| MeshUpgradeStatus {
            epoch,
            phase,
            ..MeshUpgradeStatus::default()
        };
        let reporter = Reporter::begin(&Client::new(server, "default"));
        let statuses = [
            of(0, Phase::Pending),
            of(1, Phase::Pending),
            of(1, Phase::Upgrading),
            of(1, Phase::Succeeded),
        ];
        for pair in statuses.windows(2) {
            reporter.publish(&journal, &pair[0], &pair[1]);
        }
        reporter.end().await;
        assert_eq!(*written.lock().unwrap(), ["Begun", "Upgrading", "Succeeded"]);
    }
}
