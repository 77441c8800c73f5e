//! `status`: the journal of the upgrade that runs, or ran last.

use super::refuse_contexts;
use crate::{
    cli::{Global, MeshArgs},
    cluster::{self, Cluster},
    error::{CommandError, Exit},
    executor::journal,
    ui::{Mark, Output, Ui, faint, strong, table},
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt as _;
use serde_json::json;
use shared::{
    api::{CONDITION_STALLED, MeshUpgrade, StepState},
    guard::own_objects::CONDITION_UNLOCKED,
    phase::Phase,
};

/// How many of the journal's last events are shown.
const EVENTS: usize = 8;

/// Runs `status`.
///
/// # Errors
/// When the cluster cannot be read.
pub async fn run(args: &MeshArgs, global: &Global, ui: Ui) -> Result<Exit, CommandError> {
    refuse_contexts(global, "status")?;
    let cluster = cluster::connect(&global.cluster()).await?;
    let latest = latest(&cluster, args.mesh.as_deref()).await?;
    if ui.output != Output::Text {
        let journals: Vec<_> = latest
            .iter()
            .map(|journal| json!({ "name": journal.name_any(), "spec": journal.spec, "status": journal.status }))
            .collect();
        ui.document("UpgradeStatus", json!({ "upgrades": journals }))?;
        return Ok(Exit::Done);
    }
    if latest.is_empty() {
        ui.result("No upgrade has been made here by kubectl mesh-upgrade.");
        ui.next("kubectl mesh-upgrade list");
        return Ok(Exit::Done);
    }
    for journal in &latest {
        print(ui, journal);
    }
    let unfinished = latest.iter().find(|journal| !journal::phase(journal).is_final());
    match unfinished {
        Some(journal) => ui.next(&format!(
            "kubectl mesh-upgrade apply {}   (goes on where it stopped)",
            journal.spec.mesh
        )),
        None => ui.next("kubectl mesh-upgrade list"),
    }
    Ok(Exit::Done)
}

/// The newest journal of each mesh, or of the one that was named.
async fn latest(cluster: &Cluster, mesh: Option<&str>) -> Result<Vec<MeshUpgrade>, CommandError> {
    let mut latest: Vec<MeshUpgrade> = Vec::new();
    for journal in journal::all(&cluster.client).await? {
        if mesh.is_some_and(|mesh| mesh != journal.spec.mesh) {
            continue;
        }
        match latest.iter_mut().find(|known| known.spec.mesh == journal.spec.mesh) {
            Some(older) => *older = journal,
            None => latest.push(journal),
        }
    }
    Ok(latest)
}

fn print(ui: Ui, journal: &MeshUpgrade) {
    let status = journal.status.clone().unwrap_or_default();
    let spec = &journal.spec;
    ui.result(&strong(&format!(
        "Mesh {}: {} to {}  {}",
        spec.mesh, spec.from, spec.to, status.phase
    )));
    ui.result(&format!("  journal   {}", journal.name_any()));
    let holder = status.holder.as_deref().unwrap_or(&spec.requested_by);
    ui.result(&format!("  driver    {holder} (epoch {})", status.epoch));
    let condition = |type_: &str| {
        let mut conditions = status.conditions.iter();
        conditions.find(|condition| condition.type_ == type_ && condition.status == "True")
    };
    let unlocked = condition(CONDITION_UNLOCKED);
    match (&spec.unguarded, &status.frozen_since) {
        (Some(unguarded), _) => ui.result(&format!("  unguarded {}", unguarded.reason)),
        _ if unlocked.is_some() => {
            let lifted = unlocked.map(|condition| condition.message.as_str()).unwrap_or_default();
            ui.result(&format!("  UNLOCKED  by {lifted}"));
        }
        (None, Some(since)) if !status.phase.is_final() => ui.result(&format!("  frozen    since {}", time(since))),
        (None, _) => {}
    }
    let rows = status.steps.iter().map(|step| {
        let state = match step.state {
            StepState::Pending => "Pending",
            StepState::Running => "Running",
            StepState::Done => "Done",
        };
        vec![
            format!("  {}", step.id),
            state.to_owned(),
            step.attempts.to_string(),
            step.evidence.clone().unwrap_or_default(),
        ]
    });
    ui.result("");
    ui.result(&table(&["  STEP", "STATE", "ATTEMPTS", "EVIDENCE"], rows));
    ui.result("");
    let start = status.history.len().saturating_sub(EVENTS);
    for event in status.history.iter().skip(start) {
        ui.result(&format!("  {}  {}", faint(&time(&event.at)), event.what));
    }
    if let Some(stalled) = condition(CONDITION_STALLED) {
        ui.result(&format!(
            "\n{} {}",
            ui.mark(Mark::Block),
            strong(&format!("Stalled ({})", stalled.reason))
        ));
        for line in stalled.message.lines() {
            ui.result(&format!("  {line}"));
        }
        if status.phase >= Phase::Upgrading && unlocked.is_none() {
            ui.result("  The mesh stays frozen. There is no way back: mend the cause, then go on.");
        }
    }
}

fn time(time: &Time) -> String {
    time.0.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
