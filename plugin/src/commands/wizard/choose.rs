//! The first step: which mesh, and which version it is to become. Only what one upgrade leads to is offered; of the rest it
//! is said why not.

use super::{Answer, Chosen, Step, heading};
use crate::{
    cli::Global,
    clock::today,
    cluster::{Cluster, ObserveOptions},
    commands::{Scene, journals::Journals},
    error::{CommandError, Exit},
    executor::journal,
    ui::{Mark, Ui, ask, faint, strong, table},
};
use shared::{
    api::MeshUpgrade,
    choice::{Choice, choices},
    mesh::MeshView,
};

pub(super) async fn run(global: &Global, ui: Ui) -> Result<Step, CommandError> {
    heading(ui, 1, "choose a mesh and its version");
    let options = ObserveOptions {
        ask_running_versions: true,
        ..ObserveOptions::default()
    };
    let scene = Scene::observe(global, ui, options).await?;
    let answered: Vec<Cluster> = scene.answered().cloned().collect();
    let journals = Journals::read(&answered).await;
    if let Some(begun) = journals.unfinished(None)?.first() {
        return Ok(go_on(&begun.journal, ui));
    }
    if scene.meshes.is_empty() {
        ui.note(&format!(
            "No mesh found in cluster {}: no Deployment of istiod in any namespace.",
            scene.cluster.name
        ));
        ui.note("Look at another cluster with: kubectl mesh-upgrade --context CONTEXT");
        return Ok(Step::Leave(None, Exit::Done));
    }
    let mesh = match scene.meshes.as_slice() {
        [only] => only,
        several => match which(several, ui) {
            Some(mesh) => mesh,
            None => return Ok(Step::Leave(None, Exit::Done)),
        },
    };
    let all = choices(mesh, &scene.inventory, &scene.catalog, today());
    show(mesh, &all, &scene, ui);
    let reachable: Vec<&Choice> = all.iter().filter(|choice| choice.is_reachable()).collect();
    let several = scene.meshes.len() > 1;
    let question = match (reachable.len(), several) {
        (0, false) => "r looks again, q quits:".to_owned(),
        (0, true) => "r looks again, b goes back, q quits:".to_owned(),
        (count, _) => format!("Choose a version, 1 to {count}; r looks again, q quits:"),
    };
    loop {
        match Answer::read(ask(&question).as_deref(), reachable.len()) {
            Answer::Pick(index) => {
                let Some(choice) = reachable.get(index) else { continue };
                return Ok(charts(mesh, choice, &scene, ui));
            }
            // Looked at anew, with the choice of the mesh.
            Answer::Again | Answer::Back => return Ok(Step::Choose),
            Answer::Quit => return Ok(Step::Leave(None, Exit::Done)),
            Answer::Enter | Answer::Unclear => {}
        }
    }
}

/// An upgrade that has begun takes no new target: the only way is on.
fn go_on(begun: &MeshUpgrade, ui: Ui) -> Step {
    let spec = &begun.spec;
    ui.note(&format!(
        "An upgrade of mesh {} to {} has begun and is in phase {}. It can only go on.",
        spec.mesh,
        spec.to,
        journal::phase(begun)
    ));
    loop {
        match Answer::read(ask("Enter goes on with it, q quits:").as_deref(), 0) {
            Answer::Enter => {
                return Step::Execute(Chosen {
                    mesh: spec.mesh.clone(),
                    to: None,
                    charts: None,
                });
            }
            Answer::Quit => return Step::Leave(None, Exit::Done),
            _ => {}
        }
    }
}

/// One of several meshes; `None` to leave.
fn which(meshes: &[MeshView], ui: Ui) -> Option<&MeshView> {
    let rows = meshes.iter().enumerate().map(|(index, mesh)| {
        let version = mesh.version.as_ref();
        vec![
            format!("  {}", index + 1),
            mesh.name.clone(),
            version.map_or_else(|| "unknown".to_owned(), ToString::to_string),
            mesh.clusters().collect::<Vec<_>>().join(","),
        ]
    });
    ui.note(&table(&["   ", "MESH", "VERSION", "CLUSTERS"], rows));
    let question = format!("Choose a mesh, 1 to {}; q quits:", meshes.len());
    loop {
        match Answer::read(ask(&question).as_deref(), meshes.len()) {
            Answer::Pick(index) => return meshes.get(index),
            Answer::Quit => return None,
            _ => {}
        }
    }
}

fn show(mesh: &MeshView, all: &[Choice], scene: &Scene, ui: Ui) {
    let version = mesh.version.as_ref();
    let version = version.map_or_else(|| "an unknown version".to_owned(), ToString::to_string);
    ui.note(&format!("Mesh {} runs {version}.", strong(&mesh.name)));
    let mut number = 0_usize;
    for choice in all.iter().filter(|choice| choice.is_reachable()) {
        number += 1;
        ui.note(&format!(
            "  {number}  {}  {}",
            strong(&choice.version.to_string()),
            faint(&choice.what)
        ));
    }
    if number == 0 {
        ui.note("One upgrade leads to no version that this catalog knows.");
    }
    for choice in all {
        if let Some(why) = &choice.hindrance {
            ui.note(&faint(&format!("  -  {}  not: {why}", choice.version)));
        }
    }
    ui.note(&faint(&format!("Catalog: {}", scene.catalog.edition())));
    if number > 0 {
        ui.note(&format!(
            "{} There is no way back: Istio is never taken to an older version.",
            ui.mark(Mark::Warn)
        ));
    }
}

fn charts(mesh: &MeshView, choice: &Choice, scene: &Scene, ui: Ui) -> Step {
    let usual = scene
        .catalog
        .chart_source(&choice.version.flavor)
        .unwrap_or("none is known");
    ui.note(&format!(
        "Charts come from {usual}, or from a directory, oci://… or https://… of yours."
    ));
    let given = ask("Enter takes them from there; or type the place; q quits:");
    match given.as_deref().map(str::trim) {
        None | Some("q") => Step::Leave(None, Exit::Done),
        Some("b") => Step::Choose,
        Some(place) => Step::Check(Chosen {
            mesh: mesh.name.clone(),
            to: Some(choice.version.to_string()),
            charts: (!place.is_empty()).then(|| place.to_owned()),
        }),
    }
}
