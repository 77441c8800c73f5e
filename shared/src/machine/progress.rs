//! How far an upgrade is, told from its journal alone: by whoever watches it, from any machine.

use crate::{
    api::{CONDITION_STALLED, JournalEvent, MeshUpgrade, MeshUpgradeStatus, PlanStep, StepState, StepStatus},
    conditions,
    guard::own_objects::{CONDITION_UNLOCKED, is_drivers_reason},
    machine::driving::Driving,
    phase::Phase,
};

/// What a journal gained between two looks. History is bounded, so its new part is found by its end.
#[must_use]
pub fn news<'a>(before: &MeshUpgradeStatus, after: &'a MeshUpgradeStatus) -> &'a [JournalEvent] {
    let known = before.history.last();
    let start = after
        .history
        .iter()
        .rposition(|event| Some(event) == known)
        .map_or(0, |at| at.saturating_add(1));
    after.history.get(start..).unwrap_or_default()
}

/// The components of a plan, as far as they are done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Components<'a> {
    /// How many are done.
    pub done: usize,
    /// Of how many.
    pub of: usize,
    /// The one that is under way.
    pub running: Option<&'a StepStatus>,
}

impl<'a> Components<'a> {
    /// Counts them.
    #[must_use]
    pub fn of(status: &'a MeshUpgradeStatus) -> Self {
        let in_state = |state: StepState| status.steps.iter().filter(move |step| step.state == state);
        Self {
            done: in_state(StepState::Done).count(),
            of: status.steps.len(),
            running: in_state(StepState::Running).next(),
        }
    }
}

/// Steps of the plan that are not known to be done.
pub fn undone(journal: &MeshUpgrade) -> impl Iterator<Item = &PlanStep> {
    let is_done = |step: &&PlanStep| {
        let mut known = journal.status.iter().flat_map(|status| &status.steps);
        known.any(|known| known.id == step.id && known.state == StepState::Done)
    };
    journal.spec.plan.steps.iter().filter(move |step| !is_done(step))
}

/// Steps that whoever goes on may have to perform: what was done is looked at again where the mesh stood open meanwhile.
pub fn may_be_due(journal: &MeshUpgrade) -> impl Iterator<Item = &PlanStep> {
    let is_undone = |step: &PlanStep| undone(journal).any(|undone| undone.id == step.id);
    let all = journal.status.as_ref().is_some_and(|status| {
        matches!(status.phase, Phase::Upgrading | Phase::Verifying)
            && (journal.spec.unguarded.is_some() || conditions::holds(&status.conditions, CONDITION_UNLOCKED))
    });
    journal
        .spec
        .plan
        .steps
        .iter()
        .filter(move |step| all || is_undone(step))
}

/// The step that is under way, where somebody may be driving it on.
#[must_use]
pub fn under_way(journal: &MeshUpgrade, driving: Driving) -> Option<&PlanStep> {
    let status = journal.status.as_ref().filter(|status| !status.phase.is_final())?;
    if driving.is_nobody() || has_stopped(journal) {
        return None;
    }
    journal.spec.plan.step(&Components::of(status).running?.id)
}

/// Who drives.
#[must_use]
pub fn driver(journal: &MeshUpgrade) -> &str {
    let holder = journal.status.as_ref().and_then(|status| status.holder.as_deref());
    holder.unwrap_or(&journal.spec.requested_by)
}

/// Whether the freeze is known to stand: while it is taken down, and once it was lifted by hand, nobody can say.
#[must_use]
pub fn is_known_frozen(journal: &MeshUpgrade) -> bool {
    let Some(status) = &journal.status else { return false };
    journal.spec.unguarded.is_none()
        && matches!(status.phase, Phase::Upgrading | Phase::Verifying)
        && !conditions::holds(&status.conditions, CONDITION_UNLOCKED)
}

/// Whether the mesh stays frozen when nobody drives any more: known to be, or frozen with nothing changed yet.
#[must_use]
pub fn stays_frozen(journal: &MeshUpgrade) -> bool {
    let is_closed = |status: &MeshUpgradeStatus| {
        status.phase == Phase::Freezing
            && status.frozen_since.is_some()
            && journal.spec.unguarded.is_none()
            && !conditions::holds(&status.conditions, CONDITION_UNLOCKED)
    };
    is_known_frozen(journal) || journal.status.as_ref().is_some_and(is_closed)
}

/// Whether the journal itself says that nobody drives: its driver gave up, or was kept from going on. One that writes of an open
/// freeze is about to close it.
#[must_use]
pub fn has_stopped(journal: &MeshUpgrade) -> bool {
    let conditions = journal.status.iter().flat_map(|status| &status.conditions);
    conditions
        .filter(|condition| condition.status == "True")
        .any(|condition| match condition.type_.as_str() {
            CONDITION_STALLED => true,
            CONDITION_UNLOCKED => !is_drivers_reason(&condition.reason),
            _ => false,
        })
}

/// The present state in a line.
#[must_use]
pub fn in_a_line(journal: &MeshUpgrade, driving: Driving) -> String {
    let status = journal.status.clone().unwrap_or_default();
    let Components { done, of, running } = Components::of(&status);
    let mut line = format!("{done} of {of} components done");
    if driving.is_nobody() || has_stopped(journal) {
        line.push_str(", nobody drives it");
        return format!("{}: {line}", status.phase);
    }
    if let Some(step) = running {
        line.push_str(&match journal.spec.plan.step(&step.id) {
            Some(planned) => format!(
                ", {} {}/{} of cluster {} under way",
                planned.component, planned.namespace, planned.release, planned.cluster
            ),
            None => format!(", {} under way", step.id),
        });
        if step.attempts > 1 {
            line.push_str(&format!(" (attempt {})", step.attempts));
        }
    }
    line.push_str(&format!(", driven by {}", driver(journal)));
    format!("{}: {line}", status.phase)
}

/// The same in a sentence, for whom it is not the turn of.
#[must_use]
pub fn in_a_sentence(journal: &MeshUpgrade) -> String {
    let spec = &journal.spec;
    let status = journal.status.clone().unwrap_or_default();
    let Components { done, of, running } = Components::of(&status);
    let at = running
        .map(|step| format!(", {} is under way", step.id))
        .unwrap_or_default();
    format!(
        "the upgrade of mesh {} to {}, driven by {}, is in phase {}: {done} of {of} components are done{at}",
        spec.mesh,
        spec.to,
        driver(journal),
        status.phase,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        api::Unguarded,
        guard::own_objects::{FOUND_OPEN, FREEZING_AGAIN},
    };
    use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};

    fn event(what: &str) -> JournalEvent {
        JournalEvent {
            at: Time(Timestamp::UNIX_EPOCH),
            what: what.to_owned(),
            epoch: 1,
        }
    }

    fn with(history: &[&str]) -> MeshUpgradeStatus {
        MeshUpgradeStatus {
            history: history.iter().map(|what| event(what)).collect(),
            ..MeshUpgradeStatus::default()
        }
    }

    #[test]
    fn news_is_what_came_after_what_was_known() {
        for (before, after, expected) in [
            (&[][..], &["a", "b"][..], &["a", "b"][..]),
            (&["a"], &["a", "b"], &["b"]),
            (&["a", "b"], &["a", "b"], &[]),
            // The oldest are dropped, and the same thing happens twice.
            (&["a", "b"], &["b", "a", "b", "c"], &["c"]),
            (&["z"], &["a"], &["a"]),
        ] {
            let after = with(after);
            let found: Vec<&str> = news(&with(before), &after)
                .iter()
                .map(|event| event.what.as_str())
                .collect();
            assert_eq!(found, expected);
        }
    }

    fn at(phase: Phase, unguarded: bool, holds: &[&str]) -> MeshUpgrade {
        let mut spec = crate::machine::tests::spec();
        spec.unguarded = unguarded.then(|| Unguarded {
            reason: "no guard yet".to_owned(),
        });
        let mut journal = MeshUpgrade::new("x", spec);
        let mut status = MeshUpgradeStatus {
            phase,
            ..MeshUpgradeStatus::default()
        };
        for type_ in holds {
            conditions::upsert(&mut status.conditions, type_, true, "X", "x", Timestamp::UNIX_EPOCH);
        }
        journal.status = Some(status);
        journal
    }

    #[test]
    fn a_freeze_is_known_to_stand_only_while_components_change_under_a_guard() {
        for phase in Phase::ALL {
            let changes = matches!(phase, Phase::Upgrading | Phase::Verifying);
            for (unguarded, holds, expected) in [
                (false, &[][..], changes),
                (false, &[CONDITION_STALLED], changes),
                (false, &[CONDITION_STALLED, CONDITION_UNLOCKED], false),
                (true, &[], false),
                (true, &[CONDITION_STALLED], false),
            ] {
                let journal = at(phase, unguarded, holds);
                assert_eq!(is_known_frozen(&journal), expected, "{phase} {unguarded} {holds:?}");
            }
        }
        assert!(!is_known_frozen(&MeshUpgrade::new("x", crate::machine::tests::spec())));
    }

    #[test]
    fn what_was_frozen_stays_so_before_anything_is_changed_too() {
        for phase in Phase::ALL {
            for (unguarded, holds, closed, expected) in [
                (false, &[][..], true, matches!(phase, Phase::Freezing)),
                (false, &[], false, false),
                (false, &[CONDITION_UNLOCKED], true, false),
                (true, &[], true, false),
            ] {
                let mut journal = at(phase, unguarded, holds);
                let since = closed.then_some(Time(Timestamp::UNIX_EPOCH));
                journal.status.as_mut().unwrap().frozen_since = since;
                let expected = expected || is_known_frozen(&journal);
                assert_eq!(stays_frozen(&journal), expected, "{phase} {unguarded} {holds:?}");
            }
        }
    }

    #[test]
    fn what_the_journal_does_not_call_done_is_undone() {
        let mut journal = MeshUpgrade::new("x", crate::machine::tests::spec());
        let ids = |journal: &MeshUpgrade| undone(journal).map(|step| step.id.clone()).collect::<Vec<_>>();
        assert_eq!(ids(&journal), ["base", "istiod"]);
        for (state, expected) in [
            (StepState::Pending, &["base", "istiod"][..]),
            (StepState::Running, &["base", "istiod"]),
            (StepState::Done, &["istiod"]),
        ] {
            let base = StepStatus {
                id: "base".to_owned(),
                state,
                ..StepStatus::default()
            };
            journal.status = Some(MeshUpgradeStatus {
                steps: vec![base],
                ..MeshUpgradeStatus::default()
            });
            assert_eq!(ids(&journal), expected, "{state:?}");
        }
    }

    #[test]
    fn what_is_done_may_be_due_again_where_the_mesh_stood_open() {
        for (phase, unguarded, holds, expected) in [
            (Phase::Upgrading, false, &[][..], &["istiod"][..]),
            (Phase::Upgrading, false, &[CONDITION_STALLED], &["istiod"]),
            (Phase::Upgrading, false, &[CONDITION_UNLOCKED], &["base", "istiod"]),
            (Phase::Verifying, false, &[CONDITION_UNLOCKED], &["base", "istiod"]),
            (Phase::Verifying, true, &[], &["base", "istiod"]),
            // No phase leads back from here.
            (Phase::Thawing, true, &[], &["istiod"]),
            (Phase::Thawing, false, &[CONDITION_UNLOCKED], &["istiod"]),
        ] {
            let mut journal = at(phase, unguarded, holds);
            journal.status.as_mut().unwrap().steps = vec![StepStatus {
                id: "base".to_owned(),
                state: StepState::Done,
                ..StepStatus::default()
            }];
            let ids: Vec<&str> = may_be_due(&journal).map(|step| step.id.as_str()).collect();
            assert_eq!(ids, expected, "{phase} {unguarded} {holds:?}");
        }
    }

    /// As many as the machine itself takes back, so that neither forgets what the other knows.
    #[test]
    fn whoever_takes_over_looks_again_at_what_may_be_due() {
        let driver = crate::machine::Driver {
            name: "bob".to_owned(),
            epoch: 2,
        };
        for phase in [Phase::Upgrading, Phase::Verifying, Phase::Thawing] {
            for (unguarded, holds) in [(false, &[][..]), (false, &[CONDITION_UNLOCKED]), (true, &[])] {
                let mut journal = at(phase, unguarded, holds);
                let status = journal.status.as_mut().unwrap();
                status.epoch = 1;
                status.steps = ["base", "istiod"]
                    .map(|id| StepStatus {
                        id: id.to_owned(),
                        state: StepState::Done,
                        ..StepStatus::default()
                    })
                    .to_vec();
                let taken = crate::machine::step(
                    &journal.spec,
                    journal.status.as_ref().unwrap(),
                    &crate::machine::Observation::default(),
                    &driver,
                    Timestamp::UNIX_EPOCH,
                );
                let due = may_be_due(&journal).count();
                journal.status = Some(taken.status);
                assert_eq!(undone(&journal).count(), due, "{phase} {unguarded} {holds:?}");
            }
        }
    }

    #[test]
    fn an_upgrade_that_is_driven_has_not_stopped() {
        assert!(!has_stopped(&at(Phase::Upgrading, false, &[])));
        assert!(has_stopped(&at(Phase::Upgrading, false, &[CONDITION_STALLED])));
        assert!(has_stopped(&at(Phase::Upgrading, false, &[CONDITION_UNLOCKED])));
        for reason in [FOUND_OPEN, FREEZING_AGAIN] {
            let mut freezing = at(Phase::Upgrading, false, &[CONDITION_UNLOCKED]);
            reason.clone_into(&mut freezing.status.as_mut().unwrap().conditions[0].reason);
            assert!(!has_stopped(&freezing), "{reason}");
            assert!(!is_known_frozen(&freezing) && !stays_frozen(&freezing), "{reason}");
        }
    }

    #[test]
    fn the_component_under_way_is_named_with_its_attempts() {
        let step = |id: &str, state: StepState, attempts: i32| StepStatus {
            id: id.to_owned(),
            state,
            attempts,
            started_at: None,
            finished_at: None,
            evidence: None,
        };
        let mut journal = MeshUpgrade::new("x", crate::machine::tests::spec());
        let steps = vec![
            step("east/base", StepState::Done, 1),
            step("east/istiod", StepState::Running, 2),
            step("east/gateway", StepState::Pending, 0),
        ];
        journal.status = Some(MeshUpgradeStatus {
            steps,
            ..MeshUpgradeStatus::default()
        });
        for driving in [Driving::Held, Driving::Unknown] {
            assert_eq!(
                in_a_line(&journal, driving),
                "Pending: 1 of 3 components done, east/istiod under way (attempt 2), driven by alice"
            );
        }
        let stopped = "Pending: 1 of 3 components done, nobody drives it";
        for driving in [Driving::Released, Driving::Silent(Timestamp::UNIX_EPOCH)] {
            assert_eq!(in_a_line(&journal, driving), stopped);
        }
        let mut stalled = journal.clone();
        let conditions = &mut stalled.status.as_mut().unwrap().conditions;
        conditions::upsert(conditions, CONDITION_STALLED, true, "X", "x", Timestamp::UNIX_EPOCH);
        assert_eq!(in_a_line(&stalled, Driving::Held), stopped);
        assert!(in_a_sentence(&journal).ends_with("1 of 3 components are done, east/istiod is under way"));
        // Where the plan knows it, by what it is and where.
        let planned = &mut journal.spec.plan.steps[1];
        "east/istiod".clone_into(&mut planned.id);
        assert_eq!(
            in_a_line(&journal, Driving::Held),
            "Pending: 1 of 3 components done, istiod istio-system/istiod of cluster east under way (attempt 2), driven by alice"
        );
    }
}
