//! `check --all`: every mesh that is found, a line each, and one total.

use super::{
    Scene, charts,
    check::{Judged, documented, judge, next, target, tell},
    under_way::{self, Upgrade},
};
use crate::{
    cli::{CheckArgs, Global},
    error::{CommandError, Exit},
    installer::helm::Helm,
    ui::{Mark, Output, Ui, faint},
};
use serde_json::{Value, json};
use shared::{
    finding::{Finding, Report},
    mesh::{MeshView, SelectError},
    preflight::Purpose,
};

/// Runs `check --all` on what was observed.
///
/// # Errors
/// When there is no mesh, or a file that was named cannot be read.
pub async fn run(
    args: &CheckArgs,
    global: &Global,
    ui: Ui,
    scene: &Scene,
    helm: &Result<Helm, CommandError>,
) -> Result<Exit, CommandError> {
    if scene.meshes.is_empty() {
        return Err(CommandError::error(SelectError::None.to_string())
            .hint("name the clusters with --contexts, or see the meshes with: kubectl mesh-upgrade list"));
    }
    let mut judged = Vec::with_capacity(scene.meshes.len());
    let mut asked = charts::Asked::default();
    let journals = under_way::look(scene).await;
    let mut upgrades = Vec::with_capacity(scene.meshes.len());
    for mesh in &scene.meshes {
        let charts = charts::lookup(scene, mesh, args, helm, global, &mut asked).await?;
        let upgrade = under_way::of(&journals, scene, mesh);
        let target = target(args, charts, Purpose::Check, upgrade.as_ref());
        judged.push((mesh, judge(args, scene, mesh, &target)?));
        under_way::warn_unread(&journals, mesh, ui);
        tell(ui, upgrade.as_ref());
        upgrades.push(upgrade);
    }
    let exits: Vec<Exit> = judged.iter().map(|(_, judged)| judged.exit(args)).collect();
    let exit = [Exit::Blocked, Exit::Warnings]
        .into_iter()
        .find(|exit| exits.contains(exit))
        .unwrap_or(Exit::Done);
    if ui.output != Output::Text {
        let reports: Vec<Value> = judged
            .iter()
            .zip(&upgrades)
            .map(|((mesh, judged), upgrade)| document(args, mesh, judged, upgrade.as_ref()))
            .collect();
        let mut document = json!({
            "to": args.target.to.to_string(), "free": exits.iter().all(|exit| *exit != Exit::Blocked),
            "reports": reports, "catalog": scene.catalog.edition(),
        });
        scene.add_stats(global, &mut document);
        ui.document("CheckReportList", document)?;
        return Ok(exit);
    }
    ui.table(
        &["MESH", "FROM", "ANSWER", "BLOCKERS", "WARNINGS", "PASSED", "IN THE WAY"],
        judged.iter().map(|(mesh, judged)| line(ui, mesh, judged)),
    );
    ui.result(&total(ui, &judged));
    ui.note(&faint(&ui.lang.catalog_edition(scene.catalog.edition())));
    scene.print_stats(global, ui);
    // The first that needs somebody, or else the first of all.
    let chosen = judged.iter().position(|(_, judged)| !judged.free).unwrap_or_default();
    if let (Some((mesh, judged)), Some(upgrade)) = (judged.get(chosen), upgrades.get(chosen)) {
        // What is in the way is told by the check of that mesh alone.
        let next = next(args, scene, mesh, judged, upgrade.as_ref());
        ui.next(&next.unwrap_or_else(|check| check));
    }
    Ok(exit)
}

fn document(args: &CheckArgs, mesh: &MeshView, judged: &Judged, upgrade: Option<&Upgrade<'_>>) -> Value {
    let Report {
        findings,
        passed,
        waived,
        ..
    } = &judged.report;
    json!({
        "mesh": mesh.name, "from": from(mesh), "to": args.target.to.to_string(), "free": judged.free,
        "findings": findings.iter().map(documented).collect::<Vec<_>>(), "passed": passed, "waived": waived,
        "upgrade": upgrade.map(|upgrade| &upgrade.document),
    })
}

fn from(mesh: &MeshView) -> String {
    let version = mesh.version.as_ref();
    version.map_or_else(|| "unknown".to_owned(), ToString::to_string)
}

fn line(ui: Ui, mesh: &MeshView, judged: &Judged) -> Vec<String> {
    let report = &judged.report;
    let answer = if judged.free {
        format!("{} {}", ui.symbol(Mark::Pass), ui.lang.word("free"))
    } else {
        format!("{} {}", ui.symbol(Mark::Block), ui.lang.word("blocked"))
    };
    let mut codes: Vec<&str> = report.blockers().map(|finding: &Finding| finding.code.id()).collect();
    codes.sort_unstable();
    codes.dedup();
    let in_the_way = if codes.is_empty() {
        "-".to_owned()
    } else {
        codes.join(", ")
    };
    vec![
        mesh.name.clone(),
        ui.lang.word(&from(mesh)),
        answer,
        report.blockers().count().to_string(),
        report.warnings().count().to_string(),
        report.passed.len().to_string(),
        in_the_way,
    ]
}

fn total(ui: Ui, judged: &[(&MeshView, Judged)]) -> String {
    let free = judged.iter().filter(|(_, judged)| judged.free).count();
    let sum = |count: fn(&Report) -> usize| judged.iter().map(|(_, judged)| count(&judged.report)).sum::<usize>();
    let lang = ui.lang;
    lang.check_total(
        judged.len(),
        free,
        judged.len() - free,
        lang.blockers(sum(|report| report.blockers().count())),
        lang.warnings(sum(|report| report.warnings().count())),
        sum(|report| report.passed.len()),
    )
}
