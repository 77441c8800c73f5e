//! The machine, walked through whole upgrades by a small world that can be killed at every persisted step.

use super::*;
use crate::api::{Component, InstallerKind, ObjectName, Plan, PlanStep, Unguarded};
use crate::guard::own_objects::CONDITION_UNLOCKED;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

pub(super) const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn plan_step(id: &str) -> PlanStep {
    let at = ObjectName {
        namespace: "istio-system".to_owned(),
        name: id.to_owned(),
    };
    let (istiod, helm) = (Component::Istiod, InstallerKind::Helm);
    PlanStep {
        id: id.to_owned(),
        release_revision: 1,
        ..PlanStep::upgrade("east", istiod, helm, at, "1.30.3", "1.31.0")
    }
}

pub(crate) fn spec() -> MeshUpgradeSpec {
    let plan = Plan {
        steps: vec![plan_step("base"), plan_step("istiod")],
        ..Plan::default()
    };
    MeshUpgradeSpec::of("default", "1.30.3", "1.31.0", plan, "alice")
}

pub(super) fn driver(epoch: i64) -> Driver {
    Driver {
        name: "alice".to_owned(),
        epoch,
    }
}

/// What really is, apart from what the journal says; effects change it as often as they are performed.
#[derive(Default)]
pub(super) struct World {
    frozen: bool,
    at_target: Vec<String>,
    blocked: bool,
    blocked_after_freeze: bool,
    images_missing: bool,
    failing_step: Option<String>,
    unhealthy: bool,
    changed_while_open: bool,
}

impl World {
    /// One that a killed driver has left, with what has arrived by then.
    pub(super) fn frozen_with(arrived: &[&str]) -> Self {
        Self {
            frozen: true,
            at_target: arrived.iter().map(|id| (*id).to_owned()).collect(),
            ..Self::default()
        }
    }

    pub(super) fn perform(&mut self, effect: &Effect, seen: &mut Observation) {
        let check = |blocked: bool| {
            if blocked {
                CheckResult::Blocked(vec!["MU101".to_owned()])
            } else {
                CheckResult::Free
            }
        };
        match effect {
            Effect::Check => seen.check = Some(check(self.blocked)),
            Effect::Recheck => seen.recheck = Some(check(self.blocked_after_freeze)),
            Effect::PullImages if self.images_missing => seen.images = Some(Err("ErrImagePull".to_owned())),
            Effect::PullImages => seen.images = Some(Ok("pulled".to_owned())),
            Effect::Freeze { .. } => {
                self.frozen = true;
                seen.freeze = FreezeState::Closed;
            }
            Effect::Observe { step } => {
                let there = self.at_target.contains(step);
                let what = if there {
                    StepObservation::AtTarget("there".to_owned())
                } else {
                    StepObservation::Due
                };
                seen.steps.insert(step.clone(), what);
            }
            Effect::Apply { step } => {
                self.changed_while_open |= !self.frozen;
                let outcome = if self.failing_step.as_ref() == Some(step) {
                    StepObservation::Failed("helm failed".to_owned())
                } else {
                    self.at_target.push(step.clone());
                    StepObservation::AtTarget("upgraded".to_owned())
                };
                seen.steps.insert(step.clone(), outcome);
            }
            Effect::VerifyCluster { cluster, .. } => {
                seen.verified.insert(cluster.clone(), Ok("healthy".to_owned()));
            }
            Effect::Verify { .. } if self.unhealthy => seen.health = Some(Err("istiod reports 1.30.3".to_owned())),
            Effect::Verify { .. } => seen.health = Some(Ok("healthy".to_owned())),
            Effect::Thaw => {
                self.frozen = false;
                seen.thaw = Some(Ok("thawed".to_owned()));
            }
        }
    }

    fn drive(
        &mut self,
        spec: &MeshUpgradeSpec,
        status: &mut MeshUpgradeStatus,
        epoch: i64,
        writes: usize,
    ) -> Option<Stop> {
        drive(spec, status, epoch, writes, |effect, seen| self.perform(effect, seen))
    }
}

/// Drives until the machine stops, or until the journal was written `writes` times (the kill).
pub(super) fn drive(
    spec: &MeshUpgradeSpec,
    status: &mut MeshUpgradeStatus,
    epoch: i64,
    mut writes: usize,
    mut perform: impl FnMut(&Effect, &mut Observation),
) -> Option<Stop> {
    let mut seen = Observation::default();
    for _ in 0..200 {
        let transition = step(spec, status, &seen, &driver(epoch), NOW);
        if transition.status != *status {
            if writes == 0 {
                return None;
            }
            writes -= 1;
            assert!(status.phase.may_become(transition.status.phase), "illegal phase change");
            *status = transition.status;
        }
        if let Some(stop) = transition.stop {
            return Some(stop);
        }
        if let Some(effect) = transition.effect {
            perform(&effect, &mut seen);
        }
    }
    panic!("the machine does not come to an end in {:?}", status.phase);
}

#[test]
fn goes_through_all_phases() {
    let (mut world, mut status) = (World::default(), MeshUpgradeStatus::default());
    assert_eq!(world.drive(&spec(), &mut status, 1, usize::MAX), Some(Stop::Succeeded));
    assert_eq!(world.at_target, ["base", "istiod"]);
    assert!(!world.frozen && !world.changed_while_open);
    assert!(
        status
            .steps
            .iter()
            .all(|step| step.state == StepState::Done && step.attempts == 1)
    );
}

#[test]
fn killed_after_every_journal_write_it_reaches_the_same_end() {
    for kill in 0.. {
        let (mut world, mut status) = (World::default(), MeshUpgradeStatus::default());
        let stop = world.drive(&spec(), &mut status, 1, kill);
        if status.phase.is_past_return() && status.phase != Phase::Thawing {
            assert!(world.frozen, "open after kill {kill}");
        }
        if stop.is_some() {
            assert!(kill > 8, "only {kill} writes");
            return;
        }
        assert_eq!(
            world.drive(&spec(), &mut status, 2, usize::MAX),
            Some(Stop::Succeeded),
            "kill {kill}"
        );
        assert_eq!(
            world.at_target,
            ["base", "istiod"],
            "kill {kill}: a component was changed twice"
        );
        assert!(!world.frozen && !world.changed_while_open, "kill {kill}");
    }
}

#[test]
fn blockers_withdraw_before_anything_is_changed() {
    for world in [
        World {
            blocked: true,
            ..World::default()
        },
        World {
            images_missing: true,
            ..World::default()
        },
        World {
            blocked_after_freeze: true,
            ..World::default()
        },
    ] {
        let (mut world, mut status) = (world, MeshUpgradeStatus::default());
        let stop = world.drive(&spec(), &mut status, 1, usize::MAX);
        assert!(matches!(stop, Some(Stop::Withdrawn(_))), "{stop:?}");
        assert_eq!(status.phase, Phase::Withdrawn);
        assert!(world.at_target.is_empty() && !world.frozen);
    }
}

#[test]
fn a_failing_step_stalls_frozen_and_resumes() {
    let mut world = World {
        failing_step: Some("istiod".to_owned()),
        ..World::default()
    };
    let mut status = MeshUpgradeStatus::default();
    let stop = world.drive(&spec(), &mut status, 1, usize::MAX);
    assert!(
        matches!(
            stop,
            Some(Stop::Stalled {
                reason: "StepFailed",
                ..
            })
        ),
        "{stop:?}"
    );
    assert!(world.frozen);
    assert_eq!(status.phase, Phase::Upgrading);
    let stalled = |status: &MeshUpgradeStatus| {
        status
            .conditions
            .iter()
            .any(|condition| condition.type_ == "Stalled" && condition.status == "True")
    };
    assert!(stalled(&status));

    world.failing_step = None;
    assert_eq!(world.drive(&spec(), &mut status, 2, usize::MAX), Some(Stop::Succeeded));
    assert!(!stalled(&status));
    assert_eq!(
        status.steps.iter().map(|step| step.attempts).collect::<Vec<_>>(),
        [1, 2]
    );
}

#[test]
fn an_unhealthy_mesh_is_not_thawed() {
    let (mut world, mut status) = (
        World {
            unhealthy: true,
            ..World::default()
        },
        MeshUpgradeStatus::default(),
    );
    let stop = world.drive(&spec(), &mut status, 1, usize::MAX);
    assert!(
        matches!(
            stop,
            Some(Stop::Stalled {
                reason: "Unhealthy",
                ..
            })
        ),
        "{stop:?}"
    );
    assert!(world.frozen);
}

#[test]
fn nothing_is_changed_without_a_closed_freeze_even_late() {
    let mut status = MeshUpgradeStatus {
        phase: Phase::Upgrading,
        epoch: 1,
        ..MeshUpgradeStatus::default()
    };
    let transition = step(&spec(), &status, &Observation::default(), &driver(1), NOW);
    assert_eq!(transition.effect, Some(Effect::Freeze { step: None }));
    let failed = Observation {
        freeze: FreezeState::Failed("no policy".to_owned()),
        ..Observation::default()
    };
    let transition = step(&spec(), &status, &failed, &driver(1), NOW);
    assert!(matches!(
        transition.stop,
        Some(Stop::Stalled {
            reason: "FreezeNotClosed",
            ..
        })
    ));
    status.phase = Phase::Verifying;
    let transition = step(&spec(), &status, &Observation::default(), &driver(1), NOW);
    assert_eq!(transition.effect, Some(Effect::Freeze { step: None }));
}

#[test]
fn whoever_takes_over_lets_the_controller_of_the_step_under_way_through() {
    let (mut world, mut status) = (World::default(), MeshUpgradeStatus::default());
    let mut kill = 0;
    while !status.steps.iter().any(|step| step.state == StepState::Running) {
        (world, status) = (World::default(), MeshUpgradeStatus::default());
        kill += 1;
        world.drive(&spec(), &mut status, 1, kill);
    }
    let taken_over = step(&spec(), &status, &Observation::default(), &driver(2), NOW);
    let under_way = Some("base".to_owned());
    assert_eq!(taken_over.effect, Some(Effect::Freeze { step: under_way }));
    // Disturbed at its very end, the freeze is proved anew with nobody let through.
    let ended = Observation {
        steps: [("base".to_owned(), StepObservation::AtTarget("there".to_owned()))].into(),
        ..Observation::default()
    };
    let proved_anew = step(&spec(), &status, &ended, &driver(1), NOW);
    assert_eq!(proved_anew.effect, Some(Effect::Freeze { step: None }));
    status.steps[0].state = StepState::Done;
    let between = step(&spec(), &status, &Observation::default(), &driver(2), NOW);
    assert_eq!(between.effect, Some(Effect::Freeze { step: None }));
    assert!(world.frozen);
}

#[test]
fn unguarded_upgrades_say_nothing_of_a_freeze() {
    let mut unguarded = spec();
    unguarded.unguarded = Some(Unguarded {
        reason: "no admission here".to_owned(),
    });
    let (mut world, mut status) = (World::default(), MeshUpgradeStatus::default());
    assert_eq!(
        world.drive(&unguarded, &mut status, 1, usize::MAX),
        Some(Stop::Succeeded)
    );
    assert_eq!(status.frozen_since, None);
}

#[test]
fn the_journal_stays_small_whatever_an_effect_says() {
    let status = MeshUpgradeStatus {
        phase: Phase::Pulling,
        epoch: 1,
        ..MeshUpgradeStatus::default()
    };
    let seen = Observation {
        images: Some(Err("é".repeat(1_000_000))),
        ..Observation::default()
    };
    let transition = step(&spec(), &status, &seen, &driver(1), NOW);
    assert!(serde_json::to_vec(&transition.status).unwrap().len() < 20_000);
}

#[test]
fn history_is_bounded() {
    let mut status = MeshUpgradeStatus::default();
    for epoch in 1..500 {
        status = step(&spec(), &status, &Observation::default(), &driver(epoch), NOW).status;
        status.phase = Phase::Pending;
        if epoch == 7 {
            status.history.push(crate::api::JournalEvent {
                what: "the freeze was lifted by hand, by alice: it hung".to_owned(),
                ..status.history[0].clone()
            });
        }
    }
    assert!(status.history.len() <= crate::api::HISTORY_LIMIT);
    assert!(status.history[0].what.ends_with("by alice: it hung"));
}

#[test]
fn a_freeze_that_was_lifted_by_hand_is_remembered_and_put_up_again() {
    let unlocked = |status: &MeshUpgradeStatus| {
        let mut conditions = status.conditions.iter();
        let found = conditions.find(|condition| condition.type_ == CONDITION_UNLOCKED);
        found.map(|found| (found.status.clone(), found.message.clone()))
    };
    let mut status = MeshUpgradeStatus {
        phase: Phase::Upgrading,
        epoch: 1,
        frozen_since: Some(Time(NOW)),
        ..MeshUpgradeStatus::default()
    };
    crate::conditions::upsert(
        &mut status.conditions,
        CONDITION_UNLOCKED,
        true,
        "ByHand",
        "bob: pager 7",
        NOW,
    );
    let later = Timestamp::from_second(60).unwrap();
    let next = step(&spec(), &status, &Observation::default(), &driver(2), later);
    assert_eq!(
        next.effect,
        Some(Effect::Freeze { step: None }),
        "nothing is changed before it is frozen again"
    );
    assert_eq!(
        unlocked(&next.status),
        Some(("True".to_owned(), "bob: pager 7".to_owned())),
        "it stands open until it is closed"
    );
    assert_eq!(next.status.frozen_since, Some(Time(later)));
    let history: Vec<&str> = next.status.history.iter().map(|event| event.what.as_str()).collect();
    assert!(
        history.contains(&"the freeze was lifted by hand, by bob: pager 7"),
        "{history:?}"
    );
    // Once is enough.
    let again = step(&spec(), &next.status, &Observation::default(), &driver(3), later);
    let told = again
        .status
        .history
        .iter()
        .filter(|event| event.what.contains("by hand"))
        .count();
    assert_eq!(told, 1);
}

#[test]
fn what_istioctl_began_is_done_again_by_the_next_driver_and_not_by_the_same() {
    let applies = |installer: InstallerKind, state: StepState| {
        let mut spec = spec();
        spec.plan.steps.truncate(1);
        spec.plan.steps[0].installer = installer;
        let mut status = MeshUpgradeStatus {
            phase: Phase::Upgrading,
            epoch: 1,
            steps: vec![crate::api::StepStatus {
                id: "base".to_owned(),
                state,
                attempts: 1,
                ..crate::api::StepStatus::default()
            }],
            ..MeshUpgradeStatus::default()
        };
        // Everything looks as it should already.
        let mut world = World {
            at_target: vec!["base".to_owned()],
            ..World::default()
        };
        let mut applied = 0;
        let stop = drive(&spec, &mut status, 2, 200, |effect, seen| {
            applied += usize::from(matches!(effect, Effect::Apply { .. }));
            world.perform(effect, seen);
        });
        assert_eq!(stop, Some(Stop::Succeeded));
        applied
    };
    for (installer, state, expected) in [
        (InstallerKind::Helm, StepState::Running, 0),
        (InstallerKind::Istioctl, StepState::Running, 1),
        (InstallerKind::Istioctl, StepState::Pending, 0),
        (InstallerKind::Istioctl, StepState::Done, 0),
    ] {
        assert_eq!(applies(installer, state), expected, "{installer:?} {state:?}");
    }
}
