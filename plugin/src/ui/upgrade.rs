//! How an upgrade that is under way is shown: its phases for people, its events for programs.

use super::{Mark, Output, Ui, progress::HowFar, width};
use crate::{clock::now, error::CommandError};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt as _;
use serde_json::{Value, json};
use shared::{
    api::{CONDITION_STALLED, JournalEvent, MeshUpgrade, MeshUpgradeStatus},
    machine::{
        driving::Driving,
        progress::{self, Components},
    },
    phase::Phase,
};

/// Phases that take time, in their order.
const WAY: [Phase; 6] = [
    Phase::Checking,
    Phase::Pulling,
    Phase::Freezing,
    Phase::Upgrading,
    Phase::Verifying,
    Phase::Thawing,
];

/// All phases, each marked as done, as under way or as still to come. On a narrow terminal only the one that is under way has
/// its name.
#[must_use]
pub fn way(ui: Ui, now: Phase) -> String {
    way_within(ui, now, super::columns_beside())
}

fn way_within(ui: Ui, now: Phase, columns: Option<usize>) -> String {
    let mark = |phase: &Phase| {
        ui.mark(match phase.cmp(&now) {
            std::cmp::Ordering::Less => Mark::Pass,
            std::cmp::Ordering::Equal => Mark::Step,
            std::cmp::Ordering::Greater => Mark::Info,
        })
    };
    let named = |phase: &Phase| format!("{} {phase}", mark(phase));
    let whole = WAY.iter().map(named).collect::<Vec<_>>().join("  ");
    if columns.is_none_or(|columns| width(&whole) <= columns) {
        return whole;
    }
    let short = WAY
        .iter()
        .map(|phase| if *phase == now { named(phase) } else { mark(phase) });
    short.collect::<Vec<_>>().join(" ")
}

/// Shows how far an upgrade is, and what it waits for, below everything that is told.
pub fn show(ui: Ui, how_far: &HowFar, journal: &MeshUpgrade, driving: Driving, waits: Option<&str>) {
    let now = ui.lang.told(&progress::in_a_line(journal, driving));
    let waits = waits.map(|what| ui.lang.apply_waiting(what));
    how_far.set(&way(ui, journal.phase()), &now, waits.as_deref());
}

/// Says what is waited for where nothing shows it: in a line, and to programs as one of their events.
///
/// # Errors
/// When it cannot be written.
pub fn awaited(ui: Ui, how_far: &HowFar, journal: &MeshUpgrade, what: &str) -> Result<(), CommandError> {
    if !how_far.is_shown() {
        ui.progress(Mark::Info, &ui.lang.apply_waiting(what));
    }
    if ui.output == Output::Text {
        return Ok(());
    }
    let status = journal.status.clone().unwrap_or_default();
    let event = JournalEvent {
        at: Time(now()),
        what: ui.lang.apply_waiting(what),
        epoch: status.epoch,
    };
    ui.streamed("UpgradeEvent", document(journal, &status, &event, Some(what)))
}

/// One event of a journal as a document of a stream.
///
/// # Errors
/// When it cannot be written.
pub fn event(
    ui: Ui,
    journal: &MeshUpgrade,
    status: &MeshUpgradeStatus,
    event: &JournalEvent,
) -> Result<(), CommandError> {
    ui.streamed("UpgradeEvent", document(journal, status, event, None))
}

fn document(journal: &MeshUpgrade, status: &MeshUpgradeStatus, event: &JournalEvent, waits: Option<&str>) -> Value {
    let Components { done, of, running } = Components::of(status);
    json!({
        "at": event.at, "what": event.what, "epoch": event.epoch, "mesh": journal.spec.mesh, "journal": journal.name_any(),
        "phase": status.phase, "componentsDone": done, "components": of, "running": running.map(|step| &step.id),
        "stalled": stalled(status), "waitingFor": waits,
    })
}

/// Why it is stalled, if it is.
#[must_use]
pub fn stalled(status: &MeshUpgradeStatus) -> Option<&str> {
    let mut conditions = status.conditions.iter();
    let stalled = conditions.find(|condition| condition.type_ == CONDITION_STALLED && condition.status == "True")?;
    Some(&stalled.message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::Format;

    fn plain(now: Phase, columns: Option<usize>) -> String {
        let shown = way_within(Ui::new(Format::Text, None), now, columns);
        anstream::adapter::strip_str(&shown).to_string()
    }

    #[test]
    fn the_way_keeps_within_a_narrow_terminal_and_names_the_present() {
        for phase in WAY {
            let shown = plain(phase, Some(60));
            assert!(width(&shown) <= 60 && shown.contains(&phase.to_string()), "{shown}");
            assert_eq!(plain(phase, Some(200)), plain(phase, None));
        }
    }

    #[test]
    fn programs_are_told_what_is_waited_for_as_one_of_their_events() {
        let plan = shared::api::Plan::default();
        let spec = shared::api::MeshUpgradeSpec::of("shop", "1.30.3", "1.31.0", plan, "alice");
        let journal = MeshUpgrade::new("shop-1", spec);
        let event = JournalEvent {
            at: Time(k8s_openapi::jiff::Timestamp::UNIX_EPOCH),
            what: "waiting for istiod".to_owned(),
            epoch: 2,
        };
        let status = MeshUpgradeStatus::default();
        let told = document(&journal, &status, &event, Some("istiod"));
        assert_eq!(told["waitingFor"], "istiod");
        assert_eq!(
            (&told["what"], &told["epoch"]),
            (&json!("waiting for istiod"), &json!(2))
        );
        assert_eq!(document(&journal, &status, &event, None)["waitingFor"], Value::Null);
    }

    #[test]
    fn the_way_marks_what_is_done() {
        let shown = plain(Phase::Upgrading, Some(80));
        let phases: Vec<&str> = shown.split("  ").collect();
        assert_eq!(phases.len(), WAY.len());
        let mark = |at: usize| phases[at].split(' ').next().unwrap().to_owned();
        assert!(
            mark(0) == mark(2) && mark(2) != mark(3) && mark(3) != mark(4) && mark(4) == mark(5),
            "{shown}"
        );
    }
}
