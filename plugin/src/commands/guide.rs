//! `guide`: the runbook of an upgrade for whoever does it by hand; reads, and writes nothing.

use super::{
    Scene, again,
    chart_source::{absolute, chart_source},
    under_way,
};
use crate::{
    cli::{Global, GuideArgs, HowTo},
    clock::today,
    cluster::ObserveOptions,
    error::{CommandError, Exit},
    ui::{Output, Ui},
};
use shared::{
    charts::Location,
    guide::{self, Charts, GuideError, Strategy, Wish},
    mesh::MeshView,
};

/// Runs `guide`.
///
/// # Errors
/// When a cluster cannot be read, or there is no way to the target.
pub async fn run(args: &GuideArgs, global: &Global, ui: Ui) -> Result<Exit, CommandError> {
    let scene = Scene::observe(
        global,
        ui,
        ObserveOptions {
            ask_running_versions: true,
            count_proxies: true,
            data_plane: true,
            surroundings: true,
            ..ObserveOptions::default()
        },
    )
    .await?;
    let mesh = scene.mesh(args.target.mesh.mesh.as_deref())?;
    refuse_under_way(args, &scene, mesh, ui).await?;
    let wish = Wish {
        to: args.target.to.clone(),
        strategy: args.strategy.map(|how| match how {
            HowTo::InPlace => Strategy::InPlace,
            HowTo::Canary => Strategy::Canary,
        }),
        charts: charts(chart_source(
            args.target.charts.as_deref(),
            &scene.catalog,
            &args.target.to,
        )?)?,
        contexts: scene.contexts(),
    };
    let runbook = match guide::build(mesh, &scene.inventory, &wish, &scene.catalog, today()) {
        Ok(runbook) => runbook,
        Err(nothing @ GuideError::NothingToDo { .. }) => {
            ui.note(&format!("{nothing}."));
            let to = args.target.to.to_string();
            ui.nothing_to_do("guide", serde_json::json!({ "mesh": mesh.name, "to": to }))?;
            ui.next("kubectl mesh-upgrade list");
            return Ok(Exit::Done);
        }
        Err(error) => {
            return Err(CommandError::blocked(error.to_string()).hint(format!(
                "see what stands in the way: kubectl mesh-upgrade check {} --to {}",
                mesh.name, args.target.to
            )));
        }
    };
    if args.script {
        if ui.output != Output::Text {
            return Err(CommandError::usage("--script is a format of its own: leave -o out"));
        }
        ui.text(&guide::script(&runbook, &|text| ui.lang.told(text)));
        ui.next("read it, then: sh RUNBOOK; it stops before each step and asks");
        return Ok(Exit::Done);
    }
    if ui.output != Output::Text {
        let mut document = serde_json::to_value(&runbook)
            .map_err(|error| CommandError::error(format!("cannot write the result: {error}")))?;
        scene.add_stats(global, &mut document);
        ui.document("Guide", document)?;
        return Ok(Exit::Done);
    }
    ui.text(&guide::markdown(&runbook, &|text| ui.lang.told(text)));
    scene.print_stats(global, ui);
    ui.next(&format!(
        "the same as a script that asks at each step: kubectl mesh-upgrade guide {} --to {}{} --script > runbook.sh",
        mesh.name,
        args.target.to,
        again::target(&args.target, args.strategy)
    ));
    Ok(Exit::Done)
}

/// An upgrade by this tool that has begun is brought to its end by it: its freeze would refuse the runbook's commands.
async fn refuse_under_way(args: &GuideArgs, scene: &Scene, mesh: &MeshView, ui: Ui) -> Result<(), CommandError> {
    let journals = under_way::look(scene).await;
    // Whoever follows the guide meets the freeze, if there is one that may not be seen.
    under_way::warn_unread(&journals, mesh, ui);
    let Some(upgrade) = under_way::of(&journals, scene, mesh) else {
        return Ok(());
    };
    upgrade.refuse_newer()?;
    let refused = CommandError::blocked(format!(
        "mesh {} is being upgraded to {} by this tool: that is brought to its end first",
        mesh.name, upgrade.begun.to
    ));
    let refused = if upgrade.is_driven() {
        refused
    } else {
        refused.hint(upgrade.begun.finding(&args.target.to).fix)
    };
    Err(refused.hint(format!(
        "see it with: kubectl mesh-upgrade status {}",
        upgrade.begun.mesh
    )))
}

/// A place as the commands name it: a folder by its full path, and with the packages in it.
fn charts(source: String) -> Result<Charts, CommandError> {
    if Location::read(&source).is_address() {
        return Ok(Charts::Remote(source));
    }
    let folder = absolute(&source)?;
    let entries = std::fs::read_dir(&folder)
        .map_err(|error| CommandError::error(format!("cannot read the charts in {folder}: {error}")))?;
    let packaged = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.ends_with(".tgz"))
        .collect();
    Ok(Charts::Folder(folder, packaged))
}
