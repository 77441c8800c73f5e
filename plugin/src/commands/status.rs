//! `status`: the journal of the upgrade that runs, or ran last.

use super::{
    journals::{Held, Members},
    refuse_namespace, status_watch,
};
use crate::{
    cli::{Global, StatusArgs},
    error::{CommandError, Exit},
    executor::{journal, lease},
    ui::{Mark, Output, Ui, faint, strong},
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt as _;
use serde_json::json;
use shared::{
    api::{CONDITION_STALLED, MeshUpgrade, StepState},
    guard::own_objects::{CONDITION_UNLOCKED, FOUND_OPEN},
    machine::{driving::Driving, progress},
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
            Some(_) | None => status_watch::run(&latest, &members.clusters, ui).await,
        };
    }
    if ui.output != Output::Text {
        // An error is a document, too, and one is enough.
        if let Some(error) = missed {
            return Err(error);
        }
        let mut journals = Vec::new();
        for held in &latest {
            let Held { home, journal } = held;
            let driven = match driving(held).await {
                Some(Driving::Held) => Some(true),
                Some(Driving::Released | Driving::Silent(_) | Driving::Still) => Some(false),
                Some(Driving::Unknown) | None => None,
            };
            let mut document = json!({
                "name": journal.name_any(), "home": home.name, "driven": driven, "spec": journal.spec,
                "status": journal.status,
            });
            if journal::is_newer(journal)
                && let Some(fields) = document.as_object_mut()
            {
                fields.insert("writtenByNewerPlugin".to_owned(), json!(true));
            }
            journals.push(document);
        }
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
    let mut begun = None;
    for held in &latest {
        let driving = driving(held).await;
        print(ui, held, driving.unwrap_or_default());
        begun = begun.or(driving.map(|driving| (&held.journal, driving)));
    }
    match begun {
        Some((journal, driving)) => {
            let (command, about) = next(journal, driving);
            ui.next_with(&command, &about);
        }
        None => ui.next("kubectl mesh-upgrade list"),
    }
    Ok(Exit::Done)
}

/// Who drives an upgrade that is not over, as one look tells.
async fn driving(held: &Held) -> Option<Driving> {
    let Held { home, journal } = held;
    if journal.phase().is_final() {
        return None;
    }
    Some(lease::driving(&home.client, &journal.spec.mesh).await)
}

/// What follows on an upgrade that has begun, and what is to be said of it. Whoever takes over a living driver is turned away
/// after a while.
pub(super) fn next(journal: &MeshUpgrade, driving: Driving) -> (String, String) {
    let mesh = &journal.spec.mesh;
    let apply = format!("kubectl mesh-upgrade apply {mesh}");
    if progress::has_stopped(journal) || driving.is_nobody() {
        let about = if journal.phase().is_past_return() {
            "it goes on where it stopped".to_owned()
        } else {
            format!("it goes on where it stopped; or give it up: kubectl mesh-upgrade apply {mesh} --withdraw")
        };
        return (apply, about);
    }
    let watch = format!("kubectl mesh-upgrade status {mesh} --watch");
    (
        watch,
        format!("if nobody drives it any more: kubectl mesh-upgrade apply {mesh}"),
    )
}

/// What holds for an upgrade that is stalled, frozen or after something was changed.
pub(super) fn no_way_back(journal: &MeshUpgrade) -> Option<&'static str> {
    if journal.phase() < Phase::Upgrading {
        let says = "  The mesh stays frozen until the upgrade has ended, or is given up.";
        return progress::stays_frozen(journal).then_some(says);
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
    let begun = |held: &Held| !held.journal.phase().is_final();
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

/// Who drives, with the last driver's name where nobody does.
fn driver(journal: &MeshUpgrade, driving: Driving) -> String {
    let driver = progress::driver(journal);
    match (driving, progress::stays_frozen(journal)) {
        (Driving::Unknown | Driving::Held, _) => {
            let epoch = journal.status.as_ref().map(|status| status.epoch).unwrap_or_default();
            format!("  driver    {driver} (epoch {epoch})")
        }
        (Driving::Released, true) => format!("  driver    nobody ({driver} released it); the mesh stays frozen"),
        (Driving::Released, false) => format!("  driver    nobody ({driver} released it)"),
        (Driving::Silent(since), true) => format!(
            "  driver    nobody since {}, by the clock here ({driver} drove it); the mesh stays frozen",
            time(&Time(since))
        ),
        (Driving::Silent(since), false) => format!(
            "  driver    nobody since {}, by the clock here ({driver} drove it)",
            time(&Time(since))
        ),
        (Driving::Still, true) => format!("  driver    nobody ({driver} drove it); the mesh stays frozen"),
        (Driving::Still, false) => format!("  driver    nobody ({driver} drove it)"),
    }
}

fn print(ui: Ui, held: &Held, driving: Driving) {
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
    ui.result(&driver(journal, driving));
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
        api::{MeshUpgradeSpec, MeshUpgradeStatus, Plan, Unguarded},
        conditions,
    };

    fn journal(phase: Phase, unguarded: bool, holds: &[&str]) -> MeshUpgrade {
        let spec = MeshUpgradeSpec {
            unguarded: unguarded.then(|| Unguarded {
                reason: "no guard yet".to_owned(),
            }),
            ..MeshUpgradeSpec::of("shop", "1.30.3", "1.31.0", Plan::default(), "alice")
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
        for driving in [Driving::Held, Driving::Unknown] {
            let (command, about) = next(&journal(Phase::Upgrading, false, &[]), driving);
            assert_eq!(command, "kubectl mesh-upgrade status shop --watch");
            assert!(about.ends_with("kubectl mesh-upgrade apply shop"), "{about}");
        }
        for (stopped, driving) in [
            (&[CONDITION_STALLED][..], Driving::Held),
            (&[CONDITION_UNLOCKED], Driving::Unknown),
            (&[], Driving::Released),
            (&[], Driving::Silent(Timestamp::UNIX_EPOCH)),
        ] {
            let (command, about) = next(&journal(Phase::Upgrading, false, stopped), driving);
            assert_eq!(command, "kubectl mesh-upgrade apply shop");
            assert_eq!(about, "it goes on where it stopped");
            let (command, about) = next(&journal(Phase::Freezing, false, stopped), driving);
            assert_eq!(command, "kubectl mesh-upgrade apply shop");
            assert!(
                about.ends_with("give it up: kubectl mesh-upgrade apply shop --withdraw"),
                "{about}"
            );
        }
    }

    #[test]
    fn a_driver_that_is_gone_is_named_as_gone() {
        let at = Driving::Silent(Timestamp::UNIX_EPOCH);
        for (phase, driving, expected) in [
            (Phase::Upgrading, Driving::Held, "alice (epoch 2)"),
            (Phase::Upgrading, Driving::Unknown, "alice (epoch 2)"),
            (Phase::Pulling, Driving::Released, "nobody (alice released it)"),
            (
                Phase::Upgrading,
                Driving::Released,
                "nobody (alice released it); the mesh stays frozen",
            ),
            (Phase::Pulling, Driving::Still, "nobody (alice drove it)"),
            (
                Phase::Upgrading,
                Driving::Still,
                "nobody (alice drove it); the mesh stays frozen",
            ),
            (
                Phase::Pulling,
                at,
                "nobody since 1970-01-01T00:00:00Z, by the clock here (alice drove it)",
            ),
            (
                Phase::Verifying,
                at,
                "nobody since 1970-01-01T00:00:00Z, by the clock here (alice drove it); the mesh stays frozen",
            ),
        ] {
            let mut journal = journal(phase, false, &[]);
            journal.status.as_mut().unwrap().epoch = 2;
            assert_eq!(driver(&journal, driving), format!("  driver    {expected}"));
        }
    }

    #[test]
    fn what_is_frozen_before_its_first_change_is_said_to_stay_so() {
        let mut frozen = journal(Phase::Freezing, false, &[CONDITION_STALLED]);
        assert_eq!(no_way_back(&frozen), None);
        frozen.status.as_mut().unwrap().frozen_since = Some(Time(Timestamp::UNIX_EPOCH));
        assert!(no_way_back(&frozen).is_some_and(|says| says.contains("stays frozen")));
    }
}
