//! `dataplane status`: proxies by version, namespace and workload, who is due, and what a restart would meet.

use super::Scene;
use crate::{
    cli::{Global, MeshArgs},
    cluster::ObserveOptions,
    error::{CommandError, Exit},
    ui::{Mark, Output, Ui, completed, strong},
};
use shared::data_plane::{self, DataPlaneStatus, Row, SidecarHotUpgrade};

/// Runs `dataplane status`.
///
/// # Errors
/// When a cluster cannot be read, or no mesh can be chosen.
pub async fn run(args: &MeshArgs, global: &Global, ui: Ui) -> Result<Exit, CommandError> {
    let options = ObserveOptions {
        ask_running_versions: true,
        data_plane: true,
        ..ObserveOptions::default()
    };
    let scene = Scene::observe(global, ui, options).await?;
    let mesh = scene.mesh(args.mesh.as_deref())?;
    let status = data_plane::status(mesh, &scene.inventory, &scene.contexts());
    let hot = data_plane::sidecar_hot_upgrade(mesh, &scene.inventory, &scene.catalog);
    if ui.output != Output::Text {
        let mut document = serde_json::to_value(&status)
            .map_err(|error| CommandError::error(format!("cannot write the result: {error}")))?;
        if let Some(document) = document.as_object_mut().filter(|_| !hot.is_empty()) {
            document.insert("sidecarHotUpgrade".to_owned(), serde_json::json!(hot));
        }
        scene.add_stats(global, &mut document);
        ui.document("DataPlaneStatus", document)?;
        return Ok(exit(&status));
    }
    print(ui, &status, &hot);
    scene.print_stats(global, ui);
    Ok(exit(&status))
}

/// A cluster whose pods cannot be read is not fine.
fn exit(status: &DataPlaneStatus) -> Exit {
    if status.unknown_clusters.is_empty() {
        Exit::Done
    } else {
        Exit::Error
    }
}

fn print(ui: Ui, status: &DataPlaneStatus, hot: &[SidecarHotUpgrade]) {
    let planes: Vec<&str> = status.control_planes.iter().map(String::as_str).collect();
    let due: u64 = pods(status.workloads.iter().filter(|row| row.due));
    let all: u64 = pods(status.workloads.iter());
    ui.result(&strong(&format!(
        "Mesh {}: {all} proxies, {due} of them behind; control plane {}",
        status.mesh,
        planes.join(", ")
    )));
    if !status.versions.is_empty() {
        let versions = status.versions.iter();
        ui.table(
            &["VERSION", "PROXIES"],
            versions.map(|(version, pods)| vec![version.clone(), pods.to_string()]),
        );
    } else if status.unknown_clusters.is_empty() {
        ui.result("No pod has a proxy: nothing is to be restarted.");
    }
    if !status.workloads.is_empty() {
        let rows = status.workloads.iter().map(|row| {
            vec![
                row.cluster.clone(),
                row.namespace.clone(),
                row.workload.clone(),
                ui.lang.word(row.kind),
                row.version.clone(),
                row.revision.clone().unwrap_or_else(|| "-".to_owned()),
                row.pods.to_string(),
                ui.lang.word(row.skew.told()),
            ]
        });
        ui.result("");
        ui.table(
            &[
                "CLUSTER",
                "NAMESPACE",
                "WORKLOAD",
                "KIND",
                "VERSION",
                "REVISION",
                "PODS",
                "AGAINST ITS ISTIOD",
            ],
            rows,
        );
    }
    for row in &status.workloads {
        for meets in &row.meets {
            ui.result(&format!(
                "{} {} {}/{}: {meets}",
                ui.mark(Mark::Warn),
                row.cluster,
                row.namespace,
                row.workload
            ));
        }
    }
    for SidecarHotUpgrade {
        cluster,
        is_possible,
        minimum_kubernetes,
    } in hot
    {
        ui.result(&if *is_possible {
            format!(
                "{} {cluster}: this build can exchange sidecars in running pods, without a restart",
                ui.mark(Mark::Info)
            )
        } else {
            format!(
                "{} {cluster}: this build exchanges sidecars in running pods from Kubernetes {minimum_kubernetes} on, which this cluster is below",
                ui.mark(Mark::Warn)
            )
        });
    }
    for (cluster, reason) in &status.unknown_clusters {
        ui.result(&format!(
            "{} cluster {cluster} is Unknown: {reason}",
            ui.mark(Mark::Block)
        ));
    }
    let mut commands: Vec<&String> = status.workloads.iter().filter_map(|row| row.command.as_ref()).collect();
    commands.dedup();
    if !commands.is_empty() {
        ui.result("\nTo restart what is behind, one after the other:");
        for command in &commands {
            // One of a cluster without a context of the operator's own is for none of this run's contexts.
            ui.result(&if leads(command) {
                completed(command)
            } else {
                (*command).clone()
            });
        }
    }
    match commands.iter().find(|command| leads(command)) {
        Some(command) => ui.next(command),
        None => ui.next("kubectl mesh-upgrade list"),
    }
}

/// Whether a command names the cluster that it is for.
fn leads(command: &str) -> bool {
    command.contains(" --context=") || command.contains(" '--context=")
}

fn pods<'a>(rows: impl Iterator<Item = &'a Row>) -> u64 {
    rows.map(|row| u64::from(row.pods)).sum()
}
