//! The machine where the operator gives an upgrade up.

use super::tests::{NOW, driver, spec};
use super::*;

fn abandoned() -> Observation {
    Observation {
        abandoned: Some("given up by alice".to_owned()),
        ..Observation::default()
    }
}

fn at(phase: Phase) -> MeshUpgradeStatus {
    MeshUpgradeStatus {
        phase,
        epoch: 1,
        ..MeshUpgradeStatus::default()
    }
}

#[test]
fn what_is_given_up_before_the_freeze_ends_at_once() {
    for phase in [Phase::Pending, Phase::Checking, Phase::Pulling] {
        let mut seen = abandoned();
        seen.check = Some(CheckResult::Free);
        seen.images = Some(Ok("pulled".to_owned()));
        let next = step(&spec(), &at(phase), &seen, &driver(2), NOW);
        let why = vec!["given up by alice".to_owned()];
        assert_eq!(next.stop, Some(Stop::Withdrawn(why)), "{phase}");
        assert_eq!((next.status.phase, next.effect), (Phase::Withdrawn, None), "{phase}");
        let mut conditions = next.status.conditions.iter();
        assert!(
            conditions.any(|one| one.type_ == "Withdrawn" && one.reason == "GivenUp"),
            "{phase}"
        );
    }
}

#[test]
fn a_mesh_that_is_being_frozen_is_thawed_before_it_is_given_up() {
    for freeze in [
        FreezeState::Unproved,
        FreezeState::Closed,
        FreezeState::Failed("no policy".to_owned()),
    ] {
        let mut seen = Observation {
            recheck: Some(CheckResult::Free),
            freeze,
            ..abandoned()
        };
        let thawing = step(&spec(), &at(Phase::Freezing), &seen, &driver(2), NOW);
        assert_eq!(
            (thawing.effect, thawing.stop),
            (Some(Effect::Thaw), None),
            "{:?}",
            seen.freeze
        );
        assert_eq!(thawing.status.phase, Phase::Freezing);
        seen.thaw = Some(Err("west is Unknown".to_owned()));
        let stalled = step(&spec(), &thawing.status, &seen, &driver(2), NOW);
        assert!(matches!(
            stalled.stop,
            Some(Stop::Stalled {
                reason: "ThawFailed",
                ..
            })
        ));
        seen.thaw = Some(Ok("thawed".to_owned()));
        let ended = step(&spec(), &thawing.status, &seen, &driver(2), NOW);
        assert!(matches!(ended.stop, Some(Stop::Withdrawn(_))), "{:?}", ended.stop);
        assert_eq!(ended.status.phase, Phase::Withdrawn);
    }
}

#[test]
fn from_the_first_change_on_a_wish_changes_nothing() {
    for phase in [
        Phase::Upgrading,
        Phase::Verifying,
        Phase::Thawing,
        Phase::Succeeded,
        Phase::Withdrawn,
    ] {
        let wished = step(&spec(), &at(phase), &abandoned(), &driver(1), NOW);
        let not = step(&spec(), &at(phase), &Observation::default(), &driver(1), NOW);
        assert_eq!(wished, not, "{phase}");
    }
}
