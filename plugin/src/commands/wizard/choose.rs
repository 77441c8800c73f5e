//! The first step: which mesh, and which version it is to become. Only what one upgrade leads to is offered; of the rest it
//! is said why not.

use super::{Answer, Chosen, Step, heading, none_of_these};
use crate::{
    cli::Global,
    clock::today,
    cluster::{Cluster, ObserveOptions},
    commands::{
        Scene,
        chart_source::chart_source,
        journals::{Held, Journals},
    },
    error::{CommandError, Exit},
    ui::{Mark, Ui, ask, completed, faint, strong, upgrade},
};
use shared::{
    api::MeshUpgrade,
    choice::{self, Choice, choices},
    mesh::MeshView,
};

pub(super) async fn run(global: &Global, ui: Ui) -> Result<Step, CommandError> {
    heading(ui, 1, &ui.lang.wizard_choose());
    let options = ObserveOptions {
        ask_running_versions: true,
        ..ObserveOptions::default()
    };
    let scene = Scene::observe(global, ui, options).await?;
    let answered: Vec<Cluster> = scene.answered().cloned().collect();
    let journals = Journals::read(&answered).await;
    match journals.unfinished(None)?.as_slice() {
        [] => {}
        [only] => return Ok(go_on(&only.journal, ui)),
        several => {
            let chosen = which_begun(several, ui).map(on);
            return Ok(chosen.unwrap_or(Step::Leave(None, Exit::Done)));
        }
    }
    if scene.meshes.is_empty() {
        ui.note(&ui.lang.list_no_mesh(&scene.cluster.name));
        ui.note(&ui.lang.wizard_look_elsewhere());
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
        (0, false) => ui.lang.wizard_ask_to_look_again(),
        (0, true) => ui.lang.wizard_ask_to_look_again_or_back(),
        (count, _) => ui.lang.wizard_ask_version(count),
    };
    let names: Vec<String> = reachable.iter().map(|choice| choice.version.to_string()).collect();
    loop {
        let text = ask(&question);
        match Answer::read_named(text.as_deref(), names.iter().map(String::as_str)) {
            Answer::Pick(index) => {
                let Some(choice) = reachable.get(index) else { continue };
                return Ok(charts(mesh, choice, &scene, ui));
            }
            // Looked at anew, with the choice of the mesh.
            Answer::Again | Answer::Back => return Ok(Step::Choose),
            Answer::Quit => return Ok(Step::Leave(None, Exit::Done)),
            Answer::Enter | Answer::Unclear => none_of_these(ui, text.as_deref()),
        }
    }
}

/// An upgrade that has begun takes no new target: the way is on, or out while nothing was changed.
fn go_on(begun: &MeshUpgrade, ui: Ui) -> Step {
    let spec = &begun.spec;
    let phase = begun.phase();
    if phase.is_past_return() {
        ui.note(&ui.lang.wizard_begun(&spec.mesh, &spec.to, phase));
    } else {
        ui.note(&ui.lang.wizard_begun_unchanged(&spec.mesh, &spec.to, phase));
        ui.note(&completed(&ui.lang.wizard_may_give_up(&spec.mesh)));
    }
    if let Some(why) = begun.status.as_ref().and_then(upgrade::stalled) {
        let stalled = ui.lang.told(&format!("stalled: {why}"));
        ui.note(&format!("{} {stalled}", ui.mark(Mark::Block)));
    }
    loop {
        let text = ask(&ui.lang.wizard_ask_to_go_on());
        match Answer::read(text.as_deref(), 0) {
            Answer::Enter => return on(begun),
            Answer::Quit => return Step::Leave(None, Exit::Done),
            _ => none_of_these(ui, text.as_deref()),
        }
    }
}

/// On with an upgrade that has begun.
fn on(begun: &MeshUpgrade) -> Step {
    Step::Execute(Chosen {
        mesh: begun.spec.mesh.clone(),
        to: None,
        charts: None,
    })
}

/// One of several upgrades that have begun; `None` to leave.
fn which_begun<'a>(begun: &[&'a Held], ui: Ui) -> Option<&'a MeshUpgrade> {
    ui.note(&ui.lang.wizard_several_begun());
    let rows = begun.iter().enumerate().map(|(index, held)| {
        let spec = &held.journal.spec;
        vec![
            format!("  {}", index + 1),
            spec.mesh.clone(),
            spec.to.clone(),
            held.journal.phase().to_string(),
        ]
    });
    ui.choices(&["   ", "MESH", "TO", "PHASE"], rows);
    let name = |held: &&'a Held| held.journal.spec.mesh.as_str();
    let held = pick(begun, name, &ui.lang.wizard_ask_begun(begun.len()), ui)?;
    Some(&held.journal)
}

/// One of several, by its number or its name; `None` to leave.
fn pick<'a, T>(several: &'a [T], name: impl Fn(&'a T) -> &'a str, question: &str, ui: Ui) -> Option<&'a T> {
    loop {
        let text = ask(question);
        match Answer::read_named(text.as_deref(), several.iter().map(&name)) {
            Answer::Pick(index) => return several.get(index),
            Answer::Quit => return None,
            _ => none_of_these(ui, text.as_deref()),
        }
    }
}

/// One of several meshes; `None` to leave.
fn which<'m>(meshes: &'m [MeshView], ui: Ui) -> Option<&'m MeshView> {
    let rows = meshes.iter().enumerate().map(|(index, mesh)| {
        let version = mesh.version.as_ref();
        vec![
            format!("  {}", index + 1),
            mesh.name.clone(),
            version.map_or_else(|| ui.lang.word("unknown"), ToString::to_string),
            mesh.clusters().collect::<Vec<_>>().join(","),
        ]
    });
    ui.choices(&["   ", "MESH", "VERSION", "CLUSTERS"], rows);
    let name = |mesh: &'m MeshView| mesh.name.as_str();
    pick(meshes, name, &ui.lang.wizard_ask_mesh(meshes.len()), ui)
}

fn show(mesh: &MeshView, all: &[Choice], scene: &Scene, ui: Ui) {
    let version = mesh.version.as_ref();
    let version = version.map_or_else(|| ui.lang.wizard_unknown_version(), ToString::to_string);
    ui.note(&ui.lang.wizard_mesh_runs(strong(&mesh.name), version));
    let place = ui.lang.place(&scene.places(mesh.clusters()));
    ui.note(&faint(&ui.lang.wizard_place(place)));
    let mut number = 0_usize;
    for choice in all.iter().filter(|choice| choice.is_reachable()) {
        number += 1;
        ui.note(&format!(
            "  {number}  {}  {}",
            strong(&choice.version.to_string()),
            faint(&ui.lang.choice(choice))
        ));
    }
    if choice::is_newest(all) {
        ui.note(&ui.lang.wizard_newest(&mesh.name, scene.catalog.edition()));
        return;
    }
    if number == 0 {
        ui.note(&ui.lang.wizard_nothing_in_reach());
    }
    for choice in all {
        if let Some(why) = &choice.hindrance {
            ui.note(&faint(&ui.lang.wizard_not(&choice.version, why)));
        }
    }
    ui.note(&faint(&ui.lang.catalog_edition(scene.catalog.edition())));
    if number > 0 {
        ui.note(&format!("{} {}", ui.mark(Mark::Warn), ui.lang.wizard_no_way_back()));
    }
}

fn charts(mesh: &MeshView, choice: &Choice, scene: &Scene, ui: Ui) -> Step {
    // Why those of a catalog cannot be taken is told once they are asked for.
    let usual = chart_source(None, &scene.catalog, &choice.version).ok();
    let usual = usual.unwrap_or_else(|| ui.lang.wizard_no_charts_known());
    ui.note(&ui.lang.wizard_charts_from(usual));
    let given = ask(&ui.lang.wizard_ask_charts());
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
