//! Tells of each way back that is used with an Event of its Mesh. Reviews hand on what to tell and never wait for it.

use crate::events::create;
use k8s_openapi::{api::events::v1::Event, jiff::Timestamp};
use kube::{Api, Client, Resource as _};
use shared::{
    api::{Mesh, MeshSpec},
    event::{self, Report},
    guard::{Verdict, review::Request},
    names,
};
use std::time::Duration;
use tokio::sync::mpsc;

/// Uses that wait for being told; an upgrade has some dozen objects.
const WAITING: usize = 256;
/// Between attempts to write an Event.
const RETRY: Duration = Duration::from_secs(1);
/// An Event that cannot be written so often is left to the audit log and to this process's own.
const ATTEMPTS: usize = 60;

/// A way back that was used.
#[derive(Clone, Debug)]
struct Use {
    mesh: String,
    /// The review that asked for it.
    uid: String,
    note: String,
}

/// Hands on what is to be told.
#[derive(Clone, Debug)]
pub struct WaysBack(mpsc::Sender<Use>);

/// What was handed on.
#[derive(Debug)]
pub struct Uses(mpsc::Receiver<Use>);

/// Both ends.
#[must_use]
pub fn ways_back() -> (WaysBack, Uses) {
    let (sender, receiver) = mpsc::channel(WAITING);
    (WaysBack(sender), Uses(receiver))
}

impl WaysBack {
    /// Hands on a use; a dry run uses nothing.
    pub(crate) fn tell(&self, request: &Request<'_>, verdict: &Verdict) {
        let Verdict::Warn(ruling) = verdict else { return };
        let Some(mesh) = ruling.allowed_for.clone().filter(|_| !request.dry_run) else {
            return;
        };
        let told = self.0.try_send(Use {
            mesh,
            uid: request.uid.to_string(),
            note: ruling.message.clone(),
        });
        if let Err(error) = told {
            tracing::error!(%error, "a way back was used, and there will be no Event of it");
        }
    }
}

impl Uses {
    /// Writes Events for ever.
    pub(crate) async fn keep(mut self, client: Client) {
        let meshes: Api<Mesh> = Api::all(client.clone());
        let events: Api<Event> = Api::namespaced(client, event::NAMESPACE);
        while let Some(used) = self.0.recv().await {
            for _ in 0..ATTEMPTS {
                match write(&meshes, &events, &used).await {
                    Ok(()) => break,
                    Err(error) => tracing::warn!(mesh = used.mesh, %error, "cannot write an Event; trying again"),
                }
                tokio::time::sleep(RETRY).await;
            }
        }
        std::future::pending::<()>().await;
    }
}

async fn write(meshes: &Api<Mesh>, events: &Api<Event>, used: &Use) -> Result<(), kube::Error> {
    let about = match meshes.get_opt(&used.mesh).await? {
        Some(mesh) => mesh.object_ref(&()),
        // It was used all the same, and its Mesh is gone since.
        None => Mesh::new(&used.mesh, MeshSpec::default()).object_ref(&()),
    };
    let report = Report::went_back(used.note.as_str());
    let event = event::event(&about, &report, names::WEBHOOK, &used.uid, Timestamp::now());
    create(events, &event).await
}
