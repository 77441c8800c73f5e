//! Keeps in each Mesh object the newest version that a control plane of it was seen to run, so that one that is made
//! anew after the last was deleted still has something to be compared with.
//!
//! Every replica tries; what is newer already stays, and a write that came late meets its resource version.

use kube::{Api, Client, api::PostParams};
use shared::{
    api::Mesh,
    guard::{Facts, unrecorded},
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
        for (mesh, version) in unrecorded(&known) {
            if absent.contains(mesh) {
                continue;
            }
            match record(&meshes, mesh, version).await {
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

/// Writes the version, unless one as new stands there; `false` when there is no such Mesh.
async fn record(meshes: &Api<Mesh>, name: &str, version: &IstioVersion) -> Result<bool, kube::Error> {
    let Some(mut mesh) = meshes.get_opt(name).await? else {
        return Ok(false);
    };
    let status = mesh.status.get_or_insert_default();
    let recorded = status
        .version
        .as_deref()
        .and_then(|text| text.parse::<IstioVersion>().ok());
    if recorded.is_some_and(|recorded| version.cmp_release(&recorded).is_le()) {
        return Ok(true);
    }
    status.version = Some(version.to_string());
    let params = PostParams {
        dry_run: false,
        field_manager: Some(names::WEBHOOK.to_owned()),
    };
    meshes.replace_status(name, &params, &mesh).await?;
    tracing::info!(mesh = name, %version, "recorded");
    Ok(true)
}
