//! `status`: the journal of the upgrade that runs, or ran last.

use super::{
    journals::{Held, Members},
    refuse_namespace, status_watch,
};
use crate::{
    cli::{Global, StatusArgs},
    error::{CommandError, Exit},
    executor::journal,
    ui::{Mark, Output, Ui, faint, strong},
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt as _;
use serde_json::json;
use shared::{
    api::{CONDITION_STALLED, MeshUpgrade, StepState},
    guard::own_objects::{CONDITION_UNLOCKED, FOUND_OPEN},
    machine::progress,
    phase::Phase,
};
use std::collections::{BTreeMap, BTreeSet};

/// How many of the journal's last events are shown.
const EVENTS: usize = 8;

/// Runs `status`.
///
/// # Errors
/// When the cluster cannot be read.
pub async fn run(args: &StatusArgs, global: &Global, ui: Ui) -> Result<Exit, CommandError> {
    refuse_namespace(global, "status")?;
    let members = Members::reach(global).await?;
    let mesh = args.mesh.mesh.as_deref();
    let latest = latest(&members, mesh)?;
    let unknown = members.unknown();
    let missed = missed(&members, mesh, latest.is_empty(), &unknown);
    if args.watch {
        return match missed {
            Some(error) if latest.is_empty() => Err(error),
            Some(_) | None => status_watch::run(&latest, ui).await,
        };
    }
    if ui.output != Output::Text {
        // An error is a document, too, and one is enough.
        if let Some(error) = missed {
            return Err(error);
        }
        let upgrade = |held: &&Held| {
            let Held { home, journal } = held;
            let mut document = json!({
                "name": journal.name_any(), "home": home.name, "spec": journal.spec, "status": journal.status,
            });
            if journal::is_newer(journal)
                && let Some(fields) = document.as_object_mut()
            {
                fields.insert("writtenByNewerPlugin".to_owned(), json!(true));
            }
            document
        };
        let journals: Vec<_> = latest.iter().map(upgrade).collect();
        let document = json!({ "upgrades": journals, "unknownClusters": unknown });
        ui.document("UpgradeStatus", document)?;
        return Ok(Exit::Done);
    }
    for (cluster, why) in &unknown {
        ui.progress(
            Mark::Warn,
            &format!("cluster {cluster} is Unknown, and with it its journals: {why}"),
        );
    }
    if let Some(error) = missed {
        return Err(error);
    }
    if latest.is_empty() {
        ui.result(&match mesh {
            Some(mesh) => format!("No upgrade of mesh {mesh} has been made here by kubectl mesh-upgrade."),
            None => "No upgrade has been made here by kubectl mesh-upgrade.".to_owned(),
        });
        let known: BTreeSet<&str> = members
            .journals
            .all
            .iter()
            .map(|held| held.journal.spec.mesh.as_str())
            .collect();
        if !known.is_empty() {
            let known: Vec<&str> = known.into_iter().collect();
            ui.result(&format!("Upgrades were made here of: {}", known.join(", ")));
        }
        ui.next("kubectl mesh-upgrade list");
        return Ok(Exit::Done);
    }
    for held in &latest {
        print(ui, held);
    }
    let mut journals = latest.iter().map(|held| &held.journal);
    match journals.find(|journal| !journal::phase(journal).is_final()) {
        Some(journal) => {
            let (command, about) = next(journal);
            ui.next_with(&command, &about);
        }
        None => ui.next("kubectl mesh-upgrade list"),
    }
    Ok(Exit::Done)
}

/// What follows on an upgrade that has begun, and what is to be said of it. Whether a driver lives the journal does not
/// say, unless it has stopped; and whoever takes over a living one is turned away after a while.
fn next(journal: &MeshUpgrade) -> (String, String) {
    let mesh = &journal.spec.mesh;
    let apply = format!("kubectl mesh-upgrade apply {mesh}");
    if progress::has_stopped(journal) {
        return (apply, "it goes on where it stopped".to_owned());
    }
    let watch = format!("kubectl mesh-upgrade status {mesh} --watch");
    (
        watch,
        format!("if nobody drives it any more: kubectl mesh-upgrade apply {mesh}"),
    )
}

/// What holds for an upgrade that is stalled after something was changed.
fn no_way_back(journal: &MeshUpgrade) -> Option<&'static str> {
    if journal::phase(journal) < Phase::Upgrading {
        return None;
    }
    Some(if progress::is_known_frozen(journal) {
        "  The mesh stays frozen. There is no way back: mend the cause, then go on."
    } else {
        "  There is no way back: mend the cause, then go on."
    })
}

/// Why what was found is not all that there is.
fn missed(
    members: &Members,
    mesh: Option<&str>,
    found_none: bool,
    unknown: &BTreeMap<String, String>,
) -> Option<CommandError> {
    if let Some(elsewhere) = members.journals.elsewhere(mesh) {
        return Some(elsewhere.error("it was not found there"));
    }
    let (cluster, why) = unknown.first_key_value().filter(|_| found_none)?;
    Some(
        CommandError::error(format!(
            "no upgrade was found in the clusters that answered; cluster {cluster} did not: {why}"
        ))
        .hint("nothing was changed; name a context that reaches it, with --context or --contexts"),
    )
}

/// The newest journal of each mesh, or of the one that was named. One that is under way comes before what an earlier
/// home of the mesh still holds.
fn latest<'a>(members: &'a Members, mesh: Option<&str>) -> Result<Vec<&'a Held>, CommandError> {
    let mut latest: Vec<&Held> = Vec::new();
    let begun = |held: &Held| !journal::phase(&held.journal).is_final();
    let age = |held: &Held| (begun(held), held.journal.creation_timestamp());
    members.refuse_unreadable()?;
    for held in &members.journals.all {
        if mesh.is_some_and(|mesh| mesh != held.journal.spec.mesh) {
            continue;
        }
        match latest
            .iter_mut()
            .find(|known| known.journal.spec.mesh == held.journal.spec.mesh)
        {
            Some(known) if age(known) > age(held) => {}
            Some(older) => *older = held,
            None => latest.push(held),
        }
    }
    Ok(latest)
}

fn print(ui: Ui, held: &Held) {
    let Held { home, journal } = held;
    let status = journal.status.clone().unwrap_or_default();
    let spec = &journal.spec;
    ui.result(&strong(&format!(
        "Mesh {}: {} to {}  {}",
        spec.mesh, spec.from, spec.to, status.phase
    )));
    let many = spec.plan.clusters.len() > 1;
    let at = if many {
        format!(" in cluster {}", home.name)
    } else {
        String::new()
    };
    ui.result(&format!("  journal   {}{at}", journal.name_any()));
    if journal::is_newer(journal) {
        ui.result(&format!(
            "  newer     its journal version is {}, which this plugin does not know: not all of it is shown",
            spec.journal_version
        ));
    }
    if many {
        let names: Vec<&str> = spec.plan.clusters.iter().map(|cluster| cluster.name.as_str()).collect();
        ui.result(&format!("  clusters  {}", names.join(", ")));
    }
    let driver = progress::driver(journal);
    ui.result(&format!("  driver    {driver} (epoch {})", status.epoch));
    let condition = |type_: &str| {
        let mut conditions = status.conditions.iter();
        conditions.find(|condition| condition.type_ == type_ && condition.status == "True")
    };
    let unlocked = condition(CONDITION_UNLOCKED);
    match (&spec.unguarded, &status.frozen_since) {
        (Some(unguarded), _) => ui.result(&format!("  unguarded {}", unguarded.reason)),
        _ if unlocked.is_some() => {
            let lifted = unlocked.map(|condition| condition.message.as_str()).unwrap_or_default();
            ui.result(&if unlocked.is_some_and(|condition| condition.reason == FOUND_OPEN) {
                format!("  UNLOCKED  {lifted}")
            } else {
                format!("  UNLOCKED  by {lifted}")
            });
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
    ui.table(&["  STEP", "STATE", "ATTEMPTS", "EVIDENCE"], rows);
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
        if let Some(says) = no_way_back(journal) {
            ui.result(says);
        }
    }
}

fn time(time: &Time) -> String {
    time.0.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::jiff::Timestamp;
    use shared::{
        api::{JOURNAL_VERSION, MeshUpgradeSpec, MeshUpgradeStatus, Plan, Unguarded},
        conditions,
    };

    fn journal(phase: Phase, unguarded: bool, holds: &[&str]) -> MeshUpgrade {
        let spec = MeshUpgradeSpec {
            journal_version: JOURNAL_VERSION,
            mesh: "shop".to_owned(),
            from: "1.30.3".to_owned(),
            to: "1.31.0".to_owned(),
            plan: Plan::default(),
            plan_hash: String::new(),
            requested_by: "alice".to_owned(),
            unguarded: unguarded.then(|| Unguarded {
                reason: "no guard yet".to_owned(),
            }),
            skip_image_pull: false,
            waivers: Vec::new(),
        };
        let mut status = MeshUpgradeStatus {
            phase,
            ..MeshUpgradeStatus::default()
        };
        for type_ in holds {
            conditions::upsert(&mut status.conditions, type_, true, "X", "x", Timestamp::UNIX_EPOCH);
        }
        let mut journal = MeshUpgrade::new("shop-1", spec);
        journal.status = Some(status);
        journal
    }

    #[test]
    fn only_a_mesh_that_is_frozen_is_said_to_stay_so() {
        const STALLED: &[&str] = &[CONDITION_STALLED];
        const UNLOCKED: &[&str] = &[CONDITION_STALLED, CONDITION_UNLOCKED];
        for (phase, unguarded, holds, says_frozen) in [
            (Phase::Checking, false, STALLED, None),
            (Phase::Freezing, true, STALLED, None),
            (Phase::Upgrading, false, STALLED, Some(true)),
            (Phase::Verifying, false, STALLED, Some(true)),
            (Phase::Thawing, false, STALLED, Some(false)),
            (Phase::Upgrading, true, STALLED, Some(false)),
            (Phase::Verifying, true, STALLED, Some(false)),
            (Phase::Upgrading, false, UNLOCKED, Some(false)),
        ] {
            let says = no_way_back(&journal(phase, unguarded, holds));
            let found = says.map(|says| says.contains("stays frozen"));
            assert_eq!(found, says_frozen, "{phase} {unguarded} {holds:?}: {says:?}");
        }
    }

    #[test]
    fn an_upgrade_that_runs_is_watched_and_one_that_stopped_goes_on() {
        let (command, about) = next(&journal(Phase::Upgrading, false, &[]));
        assert_eq!(command, "kubectl mesh-upgrade status shop --watch");
        assert!(about.ends_with("kubectl mesh-upgrade apply shop"), "{about}");
        for stopped in [CONDITION_STALLED, CONDITION_UNLOCKED] {
            let (command, about) = next(&journal(Phase::Upgrading, false, &[stopped]));
            assert_eq!(command, "kubectl mesh-upgrade apply shop");
            assert_eq!(about, "it goes on where it stopped");
        }
    }
}
