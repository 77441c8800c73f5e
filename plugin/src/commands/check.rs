//! `check`: can this mesh go to that version, what stands in the way, and what to do about it.

use super::{
    Scene, again, charts, check_all, observe_options, plan,
    under_way::{self, Upgrade},
    waivers,
};
use crate::{
    cli::{CheckArgs, FailOn, Global, HowTo},
    clock::today,
    cluster::{Marks, ObserveOptions},
    error::{CommandError, Exit},
    installer::helm::Helm,
    ui::{Layout, Mark, Output, Ui, faint, print_report, strong},
};
use serde_json::json;
use shared::{
    api::Management,
    choice,
    finding::{Baseline, Finding, Report, Severity, codes},
    mesh::MeshView,
    preflight::{self, ChartLookup, Purpose, Target},
    version::IstioVersion,
};
use std::time::Duration;

/// How long changes may follow each other before `--watch` checks again.
const SETTLE: Duration = Duration::from_secs(2);

/// Pause before clusters that could not be observed are tried again.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(10);

/// Runs `check`.
///
/// # Errors
/// When the cluster cannot be read or no mesh can be chosen.
pub async fn run(args: &CheckArgs, global: &Global, ui: Ui) -> Result<Exit, CommandError> {
    let observed = || {
        let options = ObserveOptions {
            to: Some(args.target.to.minor()),
            ..observe_options(true)
        };
        Scene::observe(global, ui, options)
    };
    // helm is found beside the observing: its start takes a while.
    let (scene, helm) = futures::join!(observed(), Helm::find(args.programs.helm.as_deref()));
    let mut scene = scene?;
    if args.all {
        return check_all::run(args, global, ui, &scene, &helm).await;
    }
    if !args.watch {
        return once(args, global, ui, &scene, &helm, Purpose::Check).await;
    }
    loop {
        // Marked before it is looked at (the first time again), so that what changes meanwhile is a change, too.
        let marks = Marks::take(&scene.clusters, &scene.inventory).await;
        scene = loop {
            match observed().await {
                Ok(scene) => break scene,
                // Whoever watches a cluster through its upgrade sees it go and come.
                Err(error) => ui.progress(
                    Mark::Warn,
                    &format!("nothing could be observed, and is tried again: {error}"),
                ),
            }
            tokio::time::sleep(TRY_AGAIN_AFTER).await;
        };
        once(args, global, ui, &scene, &helm, Purpose::Check).await?;
        let what = marks.change().await;
        // Changes come in groups; a moment later all of them are seen.
        tokio::time::sleep(SETTLE).await;
        ui.progress(Mark::Info, &format!("checked again, because of {what}"));
    }
}

/// The same, once, with what only `apply` would need: for whoever goes on to it.
///
/// # Errors
/// When the cluster cannot be read or no mesh can be chosen.
pub async fn for_apply(args: &CheckArgs, global: &Global, ui: Ui) -> Result<Exit, CommandError> {
    let options = ObserveOptions {
        to: Some(args.target.to.minor()),
        ..observe_options(true)
    };
    let helm = Helm::find(args.programs.helm.as_deref());
    let (scene, helm) = futures::join!(Scene::observe(global, ui, options), helm);
    once(args, global, ui, &scene?, &helm, Purpose::Apply).await
}

async fn once(
    args: &CheckArgs,
    global: &Global,
    ui: Ui,
    scene: &Scene,
    helm: &Result<Helm, CommandError>,
    purpose: Purpose,
) -> Result<Exit, CommandError> {
    let mesh = scene.mesh(args.target.mesh.mesh.as_deref())?;
    let mut asked = charts::Asked::default();
    let (charts, journals) = futures::join!(
        charts::lookup(scene, mesh, args, helm, global, &mut asked),
        under_way::look(scene)
    );
    let upgrade = under_way::of(&journals, scene, mesh);
    let judged = judge(args, scene, mesh, &target(args, charts?, purpose, upgrade.as_ref()))?;
    under_way::warn_unread(&journals, mesh, ui);
    tell(ui, upgrade.as_ref());
    let exit = judged.exit(args);
    let next = next(args, scene, mesh, &judged, upgrade.as_ref());
    let next = next.unwrap_or_else(|again| ui.lang.check_mend_and_repeat(again));
    let Judged { report, known, free } = judged;
    let from = mesh
        .version
        .as_ref()
        .map_or_else(|| ui.lang.check_unknown_version(), ToString::to_string);
    if ui.output != Output::Text {
        let mut document = json!({
            "mesh": mesh.name, "from": from, "to": args.target.to.to_string(), "free": free,
            "findings": report.findings.iter().map(documented).collect::<Vec<_>>(), "passed": report.passed, "waived": report.waived,
            "known": known, "catalog": scene.catalog.edition(), "upgrade": upgrade.map(|upgrade| upgrade.document),
        });
        scene.add_stats(global, &mut document);
        if args.watch {
            ui.streamed("CheckReport", document)?;
        } else {
            ui.document("CheckReport", document)?;
        }
        return Ok(exit);
    }
    let title = ui.lang.check_title(&mesh.name, from, &args.target.to);
    ui.result(&match ui.layout {
        Layout::Markdown => format!("# {title}\n"),
        Layout::Lines | Layout::Wide => strong(&title),
    });
    print_report(ui, &report, args.verbose);
    if args.baseline.is_some() {
        let blockers = known
            .iter()
            .filter(|finding| finding.severity == Severity::Blocker)
            .count();
        ui.result(&ui.lang.check_in_the_baseline(known.len(), blockers));
    }
    ui.note(&faint(&ui.lang.catalog_edition(scene.catalog.edition())));
    scene.print_stats(global, ui);
    let fixes = report.findings.iter().map(|finding| finding.fix.as_str());
    if let Some(flags) = ui.same_flags(fixes) {
        ui.note(&faint(&flags));
    }
    ui.next(&next);
    Ok(exit)
}

/// What comes next. A target that can never be is not asked for again.
///
/// # Errors
/// The same check once more, where something is in the way of it that can be mended.
pub(super) fn next(
    args: &CheckArgs,
    scene: &Scene,
    mesh: &MeshView,
    judged: &Judged,
    upgrade: Option<&Upgrade<'_>>,
) -> Result<String, String> {
    if let Some(upgrade) = upgrade {
        return Ok(upgrade.see());
    }
    let found = judged.report.findings.iter().chain(&judged.known);
    let is_there = found.clone().any(|finding| finding.code == codes::ALREADY_AT_TARGET);
    if judged.free && is_there && has_nothing_to_do(args, scene, mesh) {
        return Ok("kubectl mesh-upgrade list".to_owned());
    }
    if judged.free {
        return Ok(format!(
            "kubectl mesh-upgrade {} {} --to {}{}",
            on_to(mesh),
            mesh.name,
            args.target.to,
            follow_up(args, mesh.management)
        ));
    }
    let again = |to: &IstioVersion| {
        format!(
            "kubectl mesh-upgrade check {} --to {to}{}",
            mesh.name,
            again::check(args)
        )
    };
    if !choice::is_out_of_reach(found) {
        return Err(again(&args.target.to));
    }
    let day = args.on.unwrap_or_else(today);
    let farthest = choice::farthest(mesh, &scene.inventory, &scene.catalog, day);
    Ok(farthest.map_or_else(|| "kubectl mesh-upgrade list".to_owned(), |other| again(&other)))
}

/// Whether `plan` would have no step.
fn has_nothing_to_do(args: &CheckArgs, scene: &Scene, mesh: &MeshView) -> bool {
    let target = Target::new(args.target.to.clone()).as_canary(HowTo::is_canary(args.strategy));
    mesh.management != Management::External
        && plan::build(scene, mesh, &target, "").is_ok_and(|plan| plan.steps.is_empty())
}

/// Says that an upgrade is under way: what is found meanwhile may be half of its way, and no fault of the mesh's.
pub(super) fn tell(ui: Ui, upgrade: Option<&Upgrade<'_>>) {
    if let Some(upgrade) = upgrade {
        let says = &upgrade.says;
        ui.progress(
            Mark::Warn,
            &format!("{says}; until it is over there is no other target, and what is found now may be of its making"),
        );
    }
}

/// The flags that the verb that follows takes over.
fn follow_up(args: &CheckArgs, management: Management) -> String {
    let target = again::target(&args.target, args.strategy);
    match management {
        Management::External => target,
        Management::Dedicated | Management::Hosted => {
            target + &again::waivers(args.waivers.as_deref()) + &again::programs(&args.programs)
        }
    }
}

/// The verb that follows: what its owner does by hand is written down, not planned.
fn on_to(mesh: &MeshView) -> &'static str {
    match mesh.management {
        Management::External => "guide",
        Management::Dedicated | Management::Hosted => "plan",
    }
}

/// What a check of one mesh came to.
pub(super) struct Judged {
    /// What is new.
    pub report: Report,
    /// What was in the baseline.
    pub known: Vec<Finding>,
    /// Whether nothing blocks.
    pub free: bool,
}

impl Judged {
    /// How the verb ends by it.
    pub fn exit(&self, args: &CheckArgs) -> Exit {
        if !self.free {
            Exit::Blocked
        } else if self.report.warnings().next().is_some() && args.fail_on == Some(FailOn::Warning) {
            Exit::Warnings
        } else {
            Exit::Done
        }
    }
}

/// What is checked for, as the command line says, with what was found out beside the inventory.
pub(super) fn target(
    args: &CheckArgs,
    charts: Option<ChartLookup>,
    purpose: Purpose,
    upgrade: Option<&Upgrade<'_>>,
) -> Target {
    Target::new(args.target.to.clone())
        .with_charts(charts)
        .for_purpose(purpose)
        .once_frozen(upgrade.is_some_and(|upgrade| upgrade.frozen))
        .as_canary(HowTo::is_canary(args.strategy))
        .amid(upgrade.map(|upgrade| upgrade.begun.clone()))
}

/// Checks one mesh.
///
/// # Errors
/// When waivers or a baseline cannot be read.
pub(super) fn judge(args: &CheckArgs, scene: &Scene, mesh: &MeshView, target: &Target) -> Result<Judged, CommandError> {
    let day = args.on.unwrap_or_else(today);
    let report = preflight::check(mesh, &scene.inventory, target, &scene.catalog, day);
    let report = waivers::apply(report, args.waivers.as_deref(), scene, mesh, day)?;
    let free = report.is_free();
    let (report, known) = match baseline(args)? {
        Some(baseline) => baseline.split(report),
        None => (report, Vec::new()),
    };
    Ok(Judged { report, known, free })
}

/// A finding with the place in the reference that tells of it.
pub(super) fn documented(finding: &Finding) -> serde_json::Value {
    let mut value = json!(finding);
    if let Some(fields) = value.as_object_mut() {
        fields.insert("doc".to_owned(), json!(finding.code.anchor()));
    }
    value
}

fn baseline(args: &CheckArgs) -> Result<Option<Baseline>, CommandError> {
    let Some(path) = &args.baseline else {
        return Ok(None);
    };
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|error| CommandError::error(format!("cannot read the baseline {shown}: {error}")))?;
    Baseline::read(&text, &shown)
        .map(Some)
        .map_err(|error| CommandError::error(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use std::ffi::OsString;

    #[test]
    fn what_was_waived_is_waived_in_what_follows() {
        let words = ["kubectl-mesh_upgrade", "check", "--to", "1.31.0", "--waivers", "w.yaml"];
        let Some(Command::Check(args)) = Cli::read(words.map(OsString::from)).unwrap().command else {
            panic!("check")
        };
        for (management, expected) in [
            (Management::Dedicated, " --waivers w.yaml"),
            (Management::Hosted, " --waivers w.yaml"),
            // A runbook takes none.
            (Management::External, ""),
        ] {
            assert_eq!(follow_up(&args, management), expected, "{management:?}");
        }
    }
}
