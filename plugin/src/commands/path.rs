//! The way over several minors: hops of Istio, and where Kubernetes has to move in between.

use super::Scene;
use crate::{
    error::{CommandError, Exit},
    ui::{Output, Ui, strong},
};
use serde_json::{Value, json};
use shared::{
    finding::Code,
    mesh::MeshView,
    path::{self, Leg, PathCluster, PathError},
    version::IstioVersion,
};

/// The legs to a target; empty when it is no more than one hop away and no Kubernetes has to move.
///
/// # Errors
/// When a cluster did not answer, or with the proof that there is no way.
pub fn legs(scene: &Scene, mesh: &MeshView, to: &IstioVersion) -> Result<Vec<Leg>, CommandError> {
    let Some(from) = oldest(scene, mesh) else {
        return Ok(Vec::new());
    };
    if from.flavor != to.flavor || from.minor() >= to.minor() {
        return Ok(Vec::new());
    }
    if let Some((cluster, reason)) = mesh.unknown(&scene.inventory).next() {
        return Err(CommandError::blocked(format!(
            "there is no way to tell: cluster {cluster} could not be observed: {reason}"
        )));
    }
    let clusters: Vec<PathCluster> = mesh
        .observed(&scene.inventory)
        .map(|member| PathCluster {
            name: member.name().to_owned(),
            kubernetes: member.observed.kubernetes.minor,
        })
        .collect();
    let mut legs = match path::solve(from, to.minor(), &clusters, &scene.catalog) {
        Ok(legs) => legs,
        // One hop to a minor that the catalog does not know: the plan itself can be made, and check says what is missing.
        Err(PathError::UnknownMinor { .. }) if from.minor().next() == to.minor() => return Ok(Vec::new()),
        Err(error) => {
            return Err(
                CommandError::blocked(format!("mesh {} has no way to {to}: {error}", mesh.name)).hint(format!(
                    "see what else stands in the way: kubectl mesh-upgrade check {} --to {to}",
                    mesh.name
                )),
            );
        }
    };
    // The solver goes to the newest patch; the last hop is the one that was asked for.
    if let Some(Leg::Istio { to: last, .. }) = legs.last_mut() {
        last.clone_from(to);
    }
    Ok(if legs.len() > 1 { legs } else { Vec::new() })
}

/// The version that the whole mesh has left behind: a mesh is as far as its last control plane.
fn oldest<'a>(scene: &'a Scene, mesh: &'a MeshView) -> Option<&'a IstioVersion> {
    mesh.observed(&scene.inventory)
        .flat_map(|member| member.control_planes())
        .filter_map(|plane| plane.version.version.as_ref())
        .min_by(|a, b| a.cmp_release(b))
}

/// Prints the way, and what comes first on it.
///
/// # Errors
/// When the document cannot be written.
pub fn show(
    ui: Ui,
    scene: &Scene,
    mesh: &MeshView,
    legs: &[Leg],
    to: &IstioVersion,
    exit: Exit,
) -> Result<Exit, CommandError> {
    let from = oldest(scene, mesh).map(ToString::to_string).unwrap_or_default();
    let range = |version: &IstioVersion| scene.catalog.kubernetes_range(version).map(|range| range.to_string());
    if ui.output != Output::Text {
        let legs: Vec<Value> = legs.iter().map(|leg| document(scene, leg, &range)).collect();
        ui.document(
            "Path",
            json!({
                "mesh": mesh.name, "from": from, "to": to.to_string(), "legs": legs,
                "catalog": scene.catalog.edition(),
            }),
        )?;
        return Ok(exit);
    }
    let hops = legs.iter().filter(|leg| matches!(leg, Leg::Istio { .. })).count();
    ui.result(&strong(&format!(
        "Mesh {}: {from} to {to} in {hops} hops, each an upgrade of its own",
        mesh.name
    )));
    let rows = legs.iter().enumerate().map(|(index, leg)| {
        let mut row = vec![(index + 1).to_string()];
        row.extend(match leg {
            Leg::Kubernetes { cluster, from, to } => [
                "Kubernetes".to_owned(),
                cluster.clone(),
                from.to_string(),
                to.to_string(),
                "with your own tool".to_owned(),
            ],
            Leg::Istio { from, to, waive } => {
                let supported = range(to).map(|range| format!("Kubernetes {range}")).unwrap_or_default();
                let waivers: Vec<String> = waivers(scene, to, waive)
                    .map(|(cluster, code)| format!("{code} for {cluster}"))
                    .collect();
                let note = if waivers.is_empty() {
                    supported
                } else {
                    format!("{supported}; needs a waiver of {}", waivers.join(", "))
                };
                [
                    "Istio".to_owned(),
                    ui.lang.word("all"),
                    from.to_string(),
                    to.to_string(),
                    note,
                ]
            }
        });
        row
    });
    ui.table(&["LEG", "WHAT", "CLUSTER", "CURRENT", "TARGET", "NOTE"], rows);
    if legs
        .iter()
        .any(|leg| matches!(leg, Leg::Istio { waive, .. } if !waive.is_empty()))
    {
        ui.result("There is no way without a waiver: no release on it supports the Kubernetes of these clusters.");
    }
    ui.result("Nothing was changed.");
    match legs.first() {
        Some(Leg::Istio { to, .. }) => ui.next(&format!("kubectl mesh-upgrade check {} --to {to}", mesh.name)),
        Some(Leg::Kubernetes { cluster, to: minor, .. }) => ui.next(&format!(
            "upgrade Kubernetes of {cluster} to {minor}, then: kubectl mesh-upgrade plan {} --to {to}",
            mesh.name
        )),
        None => {}
    }
    Ok(exit)
}

/// What has to be waived for a hop, in which clusters.
fn waivers<'a>(scene: &Scene, to: &IstioVersion, clusters: &'a [String]) -> impl Iterator<Item = (&'a str, Code)> {
    clusters.iter().filter_map(move |cluster| {
        let kubernetes = scene.inventory.observed(cluster)?.kubernetes.minor;
        Some((cluster.as_str(), path::to_waive(&scene.catalog, to, kubernetes)))
    })
}

fn document(scene: &Scene, leg: &Leg, range: &dyn Fn(&IstioVersion) -> Option<String>) -> Value {
    match leg {
        Leg::Kubernetes { cluster, from, to } => {
            json!({ "kind": "Kubernetes", "cluster": cluster, "from": from.to_string(), "to": to.to_string() })
        }
        Leg::Istio { from, to, waive } => json!({
            "kind": "Istio", "from": from.to_string(), "to": to.to_string(), "supportedKubernetes": range(to),
            "needsWaiverIn": waive,
            "waivers": waivers(scene, to, waive)
                .map(|(cluster, code)| json!({ "cluster": cluster, "code": code.id() }))
                .collect::<Vec<_>>(),
        }),
    }
}
