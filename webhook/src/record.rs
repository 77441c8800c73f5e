//! Keeps in each Mesh object the newest version that a control plane of it was seen to run, so that one that is made
//! anew after the last was deleted still has something to be compared with; and the older one that its owner went back to.
//!
//! Every replica tries; what is newer already stays, and a write that came late meets its resource version.

use k8s_openapi::jiff::Timestamp;
use kube::{Api, Client, api::PostParams};
use shared::{
    api::Mesh,
    guard::{Facts, Unrecorded, unrecorded},
    names,
    version::IstioVersion,
};
use std::{collections::BTreeSet, sync::Arc};
use tokio::sync::watch;

/// Records for ever, at each change of the facts.
pub(crate) async fn keep(client: Client, mut facts: watch::Receiver<Arc<Facts>>) {
    let meshes: Api<Mesh> = Api::all(client);
    // Known by their journals alone: there is nothing to write to.
    let mut absent = BTreeSet::new();
    loop {
        let known = Arc::clone(&facts.borrow_and_update());
        for due in unrecorded(&known, Timestamp::now()) {
            let mesh = due.mesh;
            if absent.contains(mesh) {
                continue;
            }
            match record(&meshes, &due).await {
                Ok(true) => {}
                Ok(false) => {
                    absent.insert(mesh.to_owned());
                }
                Err(error) => {
                    tracing::warn!(mesh, %error, "the mesh's version is not recorded; trying at the next change");
                }
            }
        }
        if facts.changed().await.is_err() {
            return std::future::pending().await;
        }
        // A Mesh may have been written meanwhile.
        absent.retain(|mesh: &String| !known_again(&facts.borrow(), &known, mesh));
    }
}

/// Whether more is known of a mesh than before.
fn known_again(now: &Facts, before: &Facts, mesh: &str) -> bool {
    let of = |facts: &Facts| facts.meshes.iter().find(|one| one.name == mesh).cloned();
    of(now) != of(before)
}

/// Writes the version, unless one as new stands there that nobody went back from; `false` when there is no such Mesh.
async fn record(meshes: &Api<Mesh>, due: &Unrecorded<'_>) -> Result<bool, kube::Error> {
    let &Unrecorded {
        mesh: name,
        version,
        goes_back,
    } = due;
    let Some(mut mesh) = meshes.get_opt(name).await? else {
        return Ok(false);
    };
    let status = mesh.status.get_or_insert_default();
    let recorded = status
        .version
        .as_deref()
        .and_then(|text| text.parse::<IstioVersion>().ok());
    if recorded.is_some_and(|recorded| version.cmp_release(&recorded).is_le() && !goes_back) {
        return Ok(true);
    }
    status.version = Some(version.to_string());
    let params = PostParams {
        dry_run: false,
        field_manager: Some(names::WEBHOOK.to_owned()),
    };
    meshes.replace_status(name, &params, &mesh).await?;
    tracing::info!(mesh = name, %version, goes_back, "recorded");
    Ok(true)
}
