//! `plan`: the ordered steps of an upgrade; changes nothing.

use super::{
    Scene, again,
    chart_source::{absolute, charts_of, look_at_charts},
    observe_options, path, under_way, waivers,
};
use crate::{
    cli::{Global, HowTo, PlanArgs},
    clock::today,
    error::{CommandError, Exit},
    installer::{AskedHelm, Engines, Given},
    ui::{Mark, Output, Ui, strong},
};
use serde_json::json;
use shared::{
    api::{Component, InstallerKind, Plan, PlanStep, Revisions, StepAction},
    finding::Severity,
    inventory::Inventory,
    mesh::MeshView,
    plan::{self, PlanFile},
    preflight::Target,
    version::IstioVersion,
    ztunnel,
};
use std::path::Path;

/// Builds the plan of one hop.
///
/// # Errors
/// When there is no such plan; the reason names the hop to take instead.
pub fn build(scene: &Scene, mesh: &MeshView, target: &Target, charts: &str) -> Result<Plan, CommandError> {
    let to = &target.version;
    match plan::plan(mesh, &scene.inventory, target, charts, &scene.catalog) {
        Ok(plan) => Ok(plan),
        // A plan without steps.
        Err(plan::PlanError::NothingToDo { .. }) => Ok(Plan::default()),
        Err(error) => Err(CommandError::blocked(error.to_string()).hint(format!(
            "see what stands in the way: kubectl mesh-upgrade check {} --to {to}",
            mesh.name
        ))),
    }
}

/// Refuses to upgrade in place what the Sail Operator keeps in revisions.
///
/// # Errors
/// When somebody asks for that.
pub fn refuse_in_place(strategy: Option<HowTo>, mesh: &str, plan: &Plan) -> Result<(), CommandError> {
    if strategy != Some(HowTo::InPlace) || by_operator(plan).is_empty() {
        return Ok(());
    }
    Err(CommandError::usage(format!(
        "mesh {mesh} is not upgraded in place: the Sail Operator brings a new revision beside the old one, as its Istio says"
    ))
    .hint("leave --strategy out"))
}

/// Prints the plan for people.
pub fn print(ui: Ui, plan: &Plan, inventory: &Inventory) {
    print_steps(ui, plan, inventory);
    print_what_they_bring(ui, plan);
}

fn print_steps(ui: Ui, plan: &Plan, inventory: &Inventory) {
    let rows = plan.steps.iter().enumerate().map(|(index, step)| {
        vec![
            (index + 1).to_string(),
            step.cluster.clone(),
            step.chart().to_owned(),
            format!(
                "{} {}/{}{}",
                by(step.installer),
                step.namespace,
                step.release,
                done(step)
            ),
            step.from.clone(),
            step.to.clone(),
        ]
    });
    ui.table(
        &["STEP", "CLUSTER", "COMPONENT", "INSTALLED AS", "CURRENT", "TARGET"],
        rows,
    );
    for revisions in by_operator(plan) {
        ui.result(&ui.lang.plan_by_operator(&revisions.new, &revisions.old));
    }
    for cut in ztunnel::cuts(plan, inventory) {
        ui.result(&cut);
    }
}

fn print_what_they_bring(ui: Ui, plan: &Plan) {
    ui.result(&ui.lang.plan_images(plan.images.join("\n  ")));
    if plan.takes_charts() {
        ui.result(&ui.lang.plan_charts(&plan.charts.location));
    }
    // The settings are the mesh's, so that every cluster has the same.
    let settings = plan
        .clusters
        .first()
        .map(|cluster| cluster.scope.configuration.differences());
    for difference in settings.unwrap_or_default() {
        ui.result(&ui.lang.plan_freeze(difference));
    }
}

/// What the Sail Operator brings beside what runs, and takes away afterwards, each once.
fn by_operator(plan: &Plan) -> Vec<&Revisions> {
    let brought = plan.steps.iter().filter(|step| step.action == StepAction::Install);
    let mut revisions: Vec<&Revisions> = brought.filter_map(|step| step.revisions.as_ref()).collect();
    revisions.retain(|one| one.are_the_operators());
    revisions.dedup();
    revisions
}

/// What is done other than an upgrade where it stands.
fn done(step: &PlanStep) -> String {
    match (step.action, &step.revisions) {
        (StepAction::Install, _) => " (new)".to_owned(),
        (StepAction::MoveTags, Some(revisions)) if step.component != Component::Base => {
            format!(" (tags: {})", revisions.tags.join(", "))
        }
        (StepAction::MoveTags, _) => " (default validator)".to_owned(),
        (StepAction::Remove, _) => " (removed)".to_owned(),
        (StepAction::Upgrade, _) => String::new(),
    }
}

/// The engine, as it is called.
fn by(installer: InstallerKind) -> &'static str {
    match installer {
        InstallerKind::Helm => "helm",
        InstallerKind::Istioctl => "istioctl",
        InstallerKind::ArgoCd => "Application",
        InstallerKind::Flux => "flux",
        InstallerKind::Sail => "sail",
    }
}

fn write(path: &Path, scene: &Scene, mesh: &MeshView, to: &IstioVersion, plan: &Plan) -> Result<(), CommandError> {
    let from = mesh.version.as_ref().map(ToString::to_string).unwrap_or_default();
    let made = today().to_string();
    let file = PlanFile::new(
        &mesh.name,
        &from,
        &to.to_string(),
        &made,
        plan.clone(),
        &scene.inventory,
    );
    let failed = |error: &dyn std::fmt::Display| {
        CommandError::error(format!("cannot write the plan {}: {error}", path.display()))
    };
    let text = serde_json::to_string_pretty(&file).map_err(|error| failed(&error))?;
    std::fs::write(path, text + "\n").map_err(|error| failed(&error))
}

/// A plan file names the images that will run, so that it takes what tells of them; the hints say how.
fn no_plan_file(why: &CommandError) -> CommandError {
    let error = CommandError::error(format!("no plan was written: {why}"));
    let error = error.hint("a plan file names the images that the charts will run");
    why.hints().iter().fold(error, CommandError::hint)
}

/// Runs `plan`.
///
/// # Errors
/// When the cluster cannot be read, no mesh can be chosen, or there is no plan.
pub async fn run(args: &PlanArgs, global: &Global, ui: Ui) -> Result<Exit, CommandError> {
    let given = Given {
        helm: AskedHelm::begin(args.programs.helm.as_deref()),
        istioctl: args.programs.istioctl.as_deref(),
    };
    let scene = Scene::observe(global, ui, observe_options(true)).await?;
    let mesh = scene.mesh(args.target.mesh.mesh.as_deref())?;
    // A file that `apply` could not read is told of now.
    waivers::read(args.waivers.as_deref(), &scene, mesh)?;
    let begun = begun(args, &scene, mesh, ui).await?;
    let legs = path::legs(&scene, mesh, &args.target.to)?;
    if !legs.is_empty() {
        if args.out.is_some() {
            return Err(CommandError::usage(
                "a plan file holds one hop, and this way has several legs: nothing was written",
            )
            .hint("see them with the same command without --out"));
        }
        let exit = if args.detailed_exitcode {
            Exit::PlanHasChanges
        } else {
            Exit::Done
        };
        return path::show(ui, &scene, mesh, &legs, &args.target.to, exit);
    }
    let mut charts = charts_of(args.target.charts.as_deref(), &scene, mesh, &args.target.to)?;
    if args.out.is_some() {
        charts = absolute(&charts)?;
    }
    let target = Target::new(args.target.to.clone()).as_canary(HowTo::is_canary(args.strategy));
    let mut plan = build(&scene, mesh, &target, &charts)?;
    refuse_in_place(args.strategy, &mesh.name, &plan)?;
    // The charts take longest, and tell of images alone; where a file is to be written, they say whether there is a plan.
    let early = ui.output == Output::Text && args.out.is_none() && !plan.steps.is_empty();
    if early {
        print_heading(ui, args, &scene.inventory, mesh, &plan);
    }
    // A plan can be read without its engines and charts; only its images are then guessed from those that run now.
    let looked = match Engines::find(&plan.steps, given, ui).await {
        Ok(engines) => {
            let looked = look_at_charts(&engines, &scene, &mut plan).await;
            looked.map_err(|why| CommandError::error(why).hint("say where the charts are with --charts"))
        }
        Err(error) => Err(error),
    };
    match looked {
        Err(why) if args.out.is_some() => return Err(no_plan_file(&why)),
        Err(why) => {
            ui.progress(
                Mark::Warn,
                &format!("images are those of today with the target's tag: {why}"),
            );
            for hint in why.hints() {
                ui.note(&format!("  {}", ui.lang.told(hint)));
            }
        }
        Ok(()) => {}
    }
    if let Some(path) = args.out.as_deref().filter(|_| !plan.steps.is_empty()) {
        write(path, &scene, mesh, &args.target.to, &plan)?;
    }
    let exit = if args.detailed_exitcode && !plan.steps.is_empty() {
        Exit::PlanHasChanges
    } else {
        Exit::Done
    };
    if ui.output != Output::Text {
        let mut document =
            json!({ "mesh": mesh.name, "to": args.target.to.to_string(), "hash": plan::hash(&plan), "plan": plan });
        scene.add_stats(global, &mut document);
        ui.document("Plan", document)?;
        return Ok(exit);
    }
    if plan.steps.is_empty() {
        ui.result(&format!(
            "Mesh {} runs {} already: nothing to do.",
            mesh.name, args.target.to
        ));
        ui.next("kubectl mesh-upgrade list");
        return Ok(exit);
    }
    if !early {
        print_heading(ui, args, &scene.inventory, mesh, &plan);
    }
    print_what_they_bring(ui, &plan);
    ui.result("Nothing was changed.");
    scene.print_stats(global, ui);
    ui.next(&match begun {
        Some(mesh) => format!("kubectl mesh-upgrade apply {mesh}"),
        None => next(args, &mesh.name),
    });
    Ok(exit)
}

fn print_heading(ui: Ui, args: &PlanArgs, inventory: &Inventory, mesh: &MeshView, plan: &Plan) {
    ui.result(&strong(&format!(
        "Mesh {}: {} steps to {}",
        mesh.name,
        plan.steps.len(),
        args.target.to
    )));
    print_steps(ui, plan, inventory);
}

/// What an upgrade to this target that has begun calls the mesh.
///
/// # Errors
/// When it is to another, or cannot be gone on with: that is seen to first.
async fn begun(args: &PlanArgs, scene: &Scene, mesh: &MeshView, ui: Ui) -> Result<Option<String>, CommandError> {
    let journals = under_way::look(scene).await;
    under_way::warn_unread(&journals, mesh, ui);
    let Some(upgrade) = under_way::of(&journals, scene, mesh) else {
        return Ok(None);
    };
    upgrade.refuse_newer()?;
    let finding = upgrade.begun.finding(&args.target.to);
    if finding.severity == Severity::Blocker {
        return Err(CommandError::blocked(finding.one_line()).hint(finding.fix));
    }
    ui.progress(Mark::Info, &finding.cause);
    Ok(Some(upgrade.begun.mesh))
}

/// What performs the plan: the file, or the same command with the other verb.
fn next(args: &PlanArgs, mesh: &str) -> String {
    let more = again::waivers(args.waivers.as_deref()) + &again::programs(&args.programs);
    match &args.out {
        Some(path) => format!("kubectl mesh-upgrade apply {}{more}", again::plan_file(path)),
        None => format!(
            "kubectl mesh-upgrade apply {mesh} --to {}{}{more}",
            args.target.to,
            again::target(&args.target, args.strategy)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use std::ffi::OsString;

    #[test]
    fn what_was_waived_is_waived_when_the_plan_is_performed() {
        let next = |more: &[&str]| {
            let words = ["kubectl-mesh_upgrade", "plan", "--to", "1.31.0", "--waivers", "w.yaml"];
            let line = words.iter().chain(more).map(OsString::from);
            match Cli::read(line).unwrap().command {
                Some(Command::Plan(args)) => super::next(&args, "shop"),
                _ => panic!("plan"),
            }
        };
        assert_eq!(
            next(&[]),
            "kubectl mesh-upgrade apply shop --to 1.31.0 --waivers w.yaml"
        );
        assert_eq!(
            next(&["--out", "plan.json", "--helm", "/opt/helm"]),
            "kubectl mesh-upgrade apply plan.json --waivers w.yaml --helm /opt/helm"
        );
    }

    #[test]
    fn why_no_plan_was_written_keeps_what_helps() {
        let why = CommandError::error("istioctl: not found").hint("name it with --istioctl FILE");
        let told = no_plan_file(&why);
        assert_eq!(told.to_string(), "no plan was written: istioctl: not found");
        assert_eq!(
            told.hints().last().map(String::as_str),
            Some("name it with --istioctl FILE")
        );
        assert!(!told.hints().iter().any(|hint| hint.contains("--charts")));
    }
}
