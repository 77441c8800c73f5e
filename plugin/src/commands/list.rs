//! `list`: meshes, their versions, and where a newer Istio is available.

use super::{Scene, journals::Journals, under_way};
use crate::{
    cli::Global,
    cluster::{Cluster, ObserveOptions},
    error::{CommandError, Exit},
    ui::{Mark, Output, Ui, faint},
};
use k8s_openapi::jiff::Timestamp;
use serde_json::json;
use shared::{inventory::ClusterState, prompt};
use std::collections::BTreeMap;

/// Clusters that could not be read, with the reason.
fn unknown(scene: &Scene) -> BTreeMap<&str, &str> {
    let clusters = scene.inventory.clusters.iter();
    clusters
        .filter_map(|cluster| match &cluster.state {
            ClusterState::Unknown { reason } => Some((cluster.name.as_str(), reason.as_str())),
            ClusterState::Observed(_) => None,
        })
        .collect()
}

/// Runs `list`.
///
/// # Errors
/// When the cluster cannot be read.
pub async fn run(global: &Global, ui: Ui) -> Result<Exit, CommandError> {
    let scene = Scene::observe(
        global,
        ui,
        ObserveOptions {
            ask_running_versions: true,
            installation: false,
            ..ObserveOptions::default()
        },
    )
    .await?;
    let answered: Vec<Cluster> = scene.answered().cloned().collect();
    // In whichever cluster: the mesh may have had another home when the upgrade began.
    let journals = Journals::read(&answered).await;
    drop(journals.unfinished(None)?);
    for (cluster, why) in &journals.unread {
        ui.progress(Mark::Warn, &format!("cluster {cluster}: {why}"));
    }
    let mut rows = Vec::new();
    let mut documents = Vec::new();
    let mut told: Vec<(Mark, String)> = Vec::new();
    let mut next = None;
    for mesh in &scene.meshes {
        let version = mesh
            .version
            .as_ref()
            .map_or_else(|| "unknown".to_owned(), ToString::to_string);
        let reachable = prompt::reachable_from(mesh, &scene.inventory, &scene.catalog);
        let available = reachable.version.map(|version| version.to_string()).unwrap_or_default();
        let withheld = reachable.withheld.map(|withheld| withheld.why);
        let drift = prompt::drift(mesh, &scene.inventory, Timestamp::now());
        told.extend(
            withheld
                .iter()
                .map(|why| (Mark::Info, format!("mesh {}: {why}", mesh.name))),
        );
        told.extend(
            drift
                .iter()
                .map(|drift| (Mark::Warn, format!("mesh {}: {drift}", mesh.name))),
        );
        let running = under_way::of(&journals, &scene, mesh);
        let upgrade = running.as_ref().map(|running| {
            let to = &running.begun.to;
            match running.journal {
                Some(journal) => format!("to {to} ({})", journal.phase()),
                None => format!("to {to} (frozen)"),
            }
        });
        if let Some(running) = &running {
            next.get_or_insert_with(|| running.see());
        } else if !available.is_empty() {
            next.get_or_insert_with(|| format!("kubectl mesh-upgrade check {} --to {available}", mesh.name));
        }
        let clusters: Vec<&str> = mesh.members.iter().map(|member| member.cluster.as_str()).collect();
        let flavor = mesh
            .flavor
            .as_ref()
            .map_or_else(|| "unknown".to_owned(), ToString::to_string);
        documents.push(json!({
            "name": mesh.name, "management": mesh.management.as_str(), "version": version, "flavor": flavor,
            "istioNamespace": mesh.istio_namespace, "clusters": clusters, "availableVersion": available,
            "upgrade": running.as_ref().and_then(|running| running.document.get("name")), "withheld": withheld, "drift": drift,
        }));
        let newer = if available.is_empty() {
            "-".to_owned()
        } else {
            format!("{} {available}", ui.symbol(Mark::Newer))
        };
        rows.push(vec![
            mesh.name.clone(),
            mesh.management.as_str().to_owned(),
            ui.lang.word(&version),
            ui.lang.word(&flavor),
            clusters.join(","),
            newer,
            upgrade.unwrap_or_else(|| "-".to_owned()),
        ]);
    }
    let unknown = unknown(&scene);
    if ui.output != Output::Text {
        let mut document = json!({ "meshes": documents, "unknownClusters": unknown });
        scene.add_stats(global, &mut document);
        ui.document("MeshList", document)?;
        return Ok(Exit::Done);
    }
    if rows.is_empty() {
        ui.note(&match &global.namespace {
            Some(namespace) => ui.lang.list_no_mesh_in(&scene.cluster.name, namespace),
            None => ui.lang.list_no_mesh(&scene.cluster.name),
        });
        ui.next("kubectl mesh-upgrade list --context CONTEXT");
        return Ok(Exit::Done);
    }
    ui.table(
        &[
            "MESH",
            "MANAGEMENT",
            "VERSION",
            "FLAVOR",
            "CLUSTERS",
            "AVAILABLE",
            "UPGRADE",
        ],
        rows,
    );
    let undeclared: Vec<&str> = scene
        .meshes
        .iter()
        .filter(|mesh| !mesh.has_object)
        .map(|mesh| mesh.name.as_str())
        .collect();
    if !undeclared.is_empty() {
        let told = ui.lang.list_undeclared(undeclared.join(", "));
        ui.note(&faint(&told));
    }
    for (mark, what) in &told {
        ui.result(&format!("{} {what}", ui.mark(*mark)));
    }
    for (cluster, reason) in &unknown {
        ui.result(&format!(
            "{} {}",
            ui.mark(Mark::Block),
            ui.lang.cluster_unknown(cluster, reason)
        ));
    }
    scene.print_stats(global, ui);
    match next {
        Some(command) => ui.next(&command),
        None => ui.note(&faint(&ui.lang.list_all_newest())),
    }
    Ok(Exit::Done)
}
