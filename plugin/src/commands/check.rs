//! `check`: can this mesh go to that version, what stands in the way, and what to do about it.

use super::{Scene, waivers};
use crate::{
    cli::{CheckArgs, FailOn, Global},
    clock::today,
    cluster::{ObserveOptions, permissions_for_apply, permissions_for_unguarded_apply},
    error::{CommandError, Exit},
    ui::{Output, Ui, print_report, strong},
};
use serde_json::json;
use shared::{
    finding::Severity,
    preflight::{self, Target},
};

/// What `check` and `apply` look at before anything is changed.
#[must_use]
pub fn observe_options(guarded: bool) -> ObserveOptions {
    let permissions = if guarded {
        permissions_for_apply()
    } else {
        permissions_for_unguarded_apply()
    };
    ObserveOptions {
        ask_running_versions: true,
        count_proxies: true,
        permissions,
        ..ObserveOptions::default()
    }
}

/// Runs `check`.
///
/// # Errors
/// When the cluster cannot be read or no mesh can be chosen.
pub async fn run(args: &CheckArgs, global: &Global, ui: Ui) -> Result<Exit, CommandError> {
    let scene = Scene::observe(global, ui, observe_options(true)).await?;
    let mesh = scene.mesh(args.mesh.mesh.as_deref())?;
    let target = Target::new(args.to.clone());
    let report = preflight::check(mesh, &scene.inventory, &target, &scene.catalog, today());
    let report = waivers::apply(report, args.waivers.as_deref(), &scene, mesh)?;
    let warned = report
        .findings
        .iter()
        .any(|finding| finding.severity == Severity::Warning);
    let exit = if !report.is_free() {
        Exit::Blocked
    } else if warned && args.fail_on == Some(FailOn::Warning) {
        Exit::Warnings
    } else {
        Exit::Done
    };
    let from = mesh
        .version
        .as_ref()
        .map_or_else(|| "unknown".to_owned(), ToString::to_string);
    if ui.output != Output::Text {
        let mut document = json!({
            "mesh": mesh.name, "from": from, "to": args.to.to_string(), "free": report.is_free(),
            "findings": report.findings, "passed": report.passed, "waived": report.waived,
            "catalog": scene.catalog.edition(),
        });
        scene.add_stats(global, &mut document);
        ui.document("CheckReport", document)?;
        return Ok(exit);
    }
    ui.result(&strong(&format!("Mesh {}: {from} to {}", mesh.name, args.to)));
    print_report(ui, &report, args.verbose);
    scene.print_stats(global, ui);
    if report.is_free() {
        ui.next(&format!("kubectl mesh-upgrade plan {} --to {}", mesh.name, args.to));
    } else {
        ui.next(&format!(
            "mend what is marked, then: kubectl mesh-upgrade check {} --to {}",
            mesh.name, args.to
        ));
    }
    Ok(exit)
}
