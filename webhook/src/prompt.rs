//! Keeps in the status of each Mesh object where its mesh could go, whether its minor has ended, whether it may go back and
//! which upgrade runs, and says so with an Event when it is new. It asks nobody: what the rules look at tells it all.
//!
//! Every replica tries. Events come first and have one name for all of them; the status meets its resource version.

use crate::events::create;
use k8s_openapi::{api::events::v1::Event, jiff::Timestamp};
use kube::{Api, Client, Resource as _, api::PostParams};
use shared::{
    api::Mesh,
    catalog::Catalog,
    event,
    guard::{Facts, decide::KnownMesh},
    names,
    prompt::{self, Here, Seen},
};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::sync::watch;

/// After something that could not be written, or that somebody else wrote meanwhile.
const RETRY: Duration = Duration::from_secs(1);
/// How often it is looked whether a day has ended a minor.
const DAYS_PASS: Duration = Duration::from_secs(3600);

/// What a status was made of.
type Basis = (KnownMesh, Seen, Arc<Catalog>, i64, bool);

/// Tells for ever, from the moment at which all caches have been filled.
pub(crate) async fn keep(
    client: Client,
    mut facts: watch::Receiver<Arc<Facts>>,
    mut catalog: watch::Receiver<Option<Arc<Catalog>>>,
    mut here: watch::Receiver<Here>,
    synced: Arc<AtomicBool>,
) {
    let meshes: Api<Mesh> = Api::all(client.clone());
    let events: Api<Event> = Api::namespaced(client, event::NAMESPACE);
    while !synced.load(Ordering::Relaxed) {
        tokio::time::sleep(RETRY).await;
    }
    let mut told: BTreeMap<String, Basis> = BTreeMap::new();
    loop {
        let known = Arc::clone(&facts.borrow_and_update());
        let in_use = catalog.borrow_and_update().clone();
        let is_here = here.borrow_and_update().clone();
        let now = Timestamp::now();
        let mut pause = DAYS_PASS;
        if let Some(in_use) = in_use {
            told.retain(|name, _| known.meshes.iter().any(|mesh| mesh.name == *name));
            for mesh in &known.meshes {
                let hour = now.as_second() / DAYS_PASS.as_secs().cast_signed();
                let seen = Seen::of(mesh, &known, &is_here);
                let open_for = seen.open_for(now);
                if let Some(open_for) = open_for {
                    // Rounded up: a moment too early would not be told again.
                    let open_for = Duration::try_from(open_for).unwrap_or_default() + RETRY;
                    pause = pause.min(open_for);
                }
                let basis = (mesh.clone(), seen, Arc::clone(&in_use), hour, open_for.is_some());
                if told.get(&mesh.name).is_some_and(|last| is_same(last, &basis)) {
                    continue;
                }
                match tell(&meshes, &events, &mesh.name, &basis.1, &in_use, now).await {
                    Ok(()) => {
                        told.insert(mesh.name.clone(), basis);
                    }
                    // Another replica, or the recorder of versions, was quicker.
                    Err(kube::Error::Api(status)) if status.code == 409 => pause = RETRY,
                    Err(error) => {
                        tracing::warn!(mesh = mesh.name, %error, "the mesh's status is not written; trying again");
                        pause = RETRY;
                    }
                }
            }
        }
        tokio::select! {
            changed = facts.changed() => if changed.is_err() { return std::future::pending().await },
            changed = here.changed() => if changed.is_err() { return std::future::pending().await },
            changed = catalog.changed() => if changed.is_err() { return std::future::pending().await },
            () = tokio::time::sleep(pause) => {}
        }
    }
}

fn is_same(last: &Basis, now: &Basis) -> bool {
    Arc::ptr_eq(&last.2, &now.2) && (&last.0, &last.1, last.3, last.4) == (&now.0, &now.1, now.3, now.4)
}

/// Writes a mesh's status where it is another one, and what is new of it.
async fn tell(
    meshes: &Api<Mesh>,
    events: &Api<Event>,
    name: &str,
    seen: &Seen,
    catalog: &Catalog,
    now: Timestamp,
) -> Result<(), kube::Error> {
    // Known by its journals alone, or just deleted: there is nothing to write to.
    let Some(mut mesh) = meshes.get_opt(name).await? else {
        return Ok(());
    };
    let before = mesh.status.clone().unwrap_or_default();
    let after = prompt::status(&mesh, seen, catalog, now);
    if after == before {
        return Ok(());
    }
    for report in prompt::between(&before, &after) {
        let occasion = after.available_version.clone().unwrap_or_default();
        let event = event::event(&mesh.object_ref(&()), &report, names::WEBHOOK, &occasion, now);
        create(events, &event).await?;
    }
    mesh.status = Some(after);
    let params = PostParams {
        dry_run: false,
        field_manager: Some(names::WEBHOOK.to_owned()),
    };
    meshes.replace_status(name, &params, &mesh).await?;
    tracing::info!(mesh = name, "status written");
    Ok(())
}
