//! The machine after the mesh stood open in the middle of an upgrade, and somebody took back what was done.

use super::tests::{NOW, drive, driver, spec};
use super::*;
use crate::{
    api::{Component, PlanStep, RemoteClusters, Unguarded},
    guard::own_objects::{CONDITION_UNLOCKED, FREEZING_AGAIN},
    machine::progress,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use std::collections::BTreeSet;

/// What runs, and what was done about it.
#[derive(Default)]
struct World {
    at_target: BTreeSet<String>,
    applied: Vec<String>,
    looked_at: Vec<String>,
    /// What was changed and what was verified, in this order.
    log: Vec<String>,
    /// Components of the plan.
    of: usize,
}

impl World {
    fn perform(&mut self, effect: &Effect, seen: &mut Observation) {
        match effect {
            Effect::Check => seen.check = Some(CheckResult::Free),
            Effect::PullImages => seen.images = Some(Ok("pulled".to_owned())),
            Effect::Freeze { .. } => seen.freeze = FreezeState::Closed,
            Effect::Recheck => seen.recheck = Some(CheckResult::Free),
            Effect::Observe { step } => {
                self.looked_at.push(step.clone());
                let what = if self.at_target.contains(step) {
                    StepObservation::AtTarget("there".to_owned())
                } else {
                    StepObservation::Due
                };
                seen.steps.insert(step.clone(), what);
            }
            Effect::Apply { step } => {
                self.applied.push(step.clone());
                self.log.push(format!("apply {step}"));
                self.at_target.insert(step.clone());
                seen.steps
                    .insert(step.clone(), StepObservation::AtTarget("upgraded".to_owned()));
            }
            Effect::VerifyCluster { cluster, .. } => {
                self.log.push(format!("verify {cluster}"));
                seen.verified.insert(cluster.clone(), Ok("healthy".to_owned()));
            }
            Effect::Verify { .. } => {
                assert_eq!(
                    self.at_target.len(),
                    self.of,
                    "verified before everything is at the target again"
                );
                seen.health = Some(Ok("healthy".to_owned()));
            }
            Effect::Thaw => seen.thaw = Some(Ok("thawed".to_owned())),
        }
    }

    fn drive(
        &mut self,
        spec: &MeshUpgradeSpec,
        status: &mut MeshUpgradeStatus,
        epoch: i64,
        writes: usize,
    ) -> Option<Stop> {
        self.of = spec.plan.steps.len();
        drive(spec, status, epoch, writes, |effect, seen| self.perform(effect, seen))
    }
}

/// Drives until the phase is reached and all of `done` is done, and stops as by a kill.
fn until(spec: &MeshUpgradeSpec, phase: Phase, done: usize) -> (World, MeshUpgradeStatus) {
    for writes in 0..100 {
        let (mut world, mut status) = (World::default(), MeshUpgradeStatus::default());
        world.drive(spec, &mut status, 1, writes);
        let count = status.steps.iter().filter(|step| step.state == StepState::Done).count();
        if status.phase == phase && count == done {
            return (world, status);
        }
    }
    panic!("never in {phase} with {done} done");
}

fn unlock(status: &mut MeshUpgradeStatus) {
    let conditions = &mut status.conditions;
    crate::conditions::upsert(conditions, CONDITION_UNLOCKED, true, "ByHand", "bob: pager 7", NOW);
}

/// The condition that tells of an unlocking.
fn unlocked(status: &MeshUpgradeStatus) -> &Condition {
    let mut conditions = status.conditions.iter();
    conditions.find(|it| it.type_ == CONDITION_UNLOCKED).unwrap()
}

fn told(status: &MeshUpgradeStatus, what: &str) -> usize {
    status.history.iter().filter(|event| event.what.contains(what)).count()
}

#[test]
fn the_word_of_whoever_unlocked_outlives_drivers_that_are_killed_before_they_freeze() {
    for (phase, done) in [(Phase::Upgrading, 1), (Phase::Verifying, 2)] {
        let (mut world, mut status) = until(&spec(), phase, done);
        unlock(&mut status);
        world.applied.clear();
        world.at_target.remove("base");
        // Each is killed after its takeover was written, and before it has frozen anything.
        for epoch in 2..4 {
            assert_eq!(world.drive(&spec(), &mut status, epoch, 1), None, "{phase}");
            let open = unlocked(&status);
            let found = (open.status.as_str(), open.reason.as_str(), open.message.as_str());
            assert_eq!(found, ("True", FREEZING_AGAIN, "bob: pager 7"), "{phase}");
            let mut journal = crate::api::MeshUpgrade::new("x", spec());
            journal.status = Some(status.clone());
            // So that nobody looks whether it was opened without a word, or calls it frozen, or left by its driver.
            assert!(!progress::is_known_frozen(&journal), "{phase}");
            assert!(!progress::stays_frozen(&journal), "{phase}");
            assert!(!progress::has_stopped(&journal), "{phase}");
            assert_eq!(progress::may_be_due(&journal).count(), 2, "{phase}");
        }
        assert_eq!(
            world.drive(&spec(), &mut status, 4, usize::MAX),
            Some(Stop::Succeeded),
            "{phase}"
        );
        let open = unlocked(&status);
        let found = (open.status.as_str(), open.reason.as_str(), open.message.as_str());
        assert_eq!(found, ("False", "FrozenAgain", "bob: pager 7"), "{phase}");
        assert_eq!(told(&status, "lifted by hand, by bob: pager 7"), 1, "{phase}");
        assert_eq!(told(&status, "found open"), 0, "{phase}");
        let expected: &[&str] = if done == 1 { &["base", "istiod"] } else { &["base"] };
        assert_eq!(world.applied, expected, "{phase}");
    }
}

#[test]
fn what_was_unlocked_between_a_look_and_a_takeover_is_not_found_open_without_a_word() {
    let (_, mut status) = until(&spec(), Phase::Upgrading, 1);
    unlock(&mut status);
    let taken = step(&spec(), &status, &Observation::default(), &driver(2), NOW);
    let open = Observation {
        found_open: Some("east: MeshFreeze default is gone".to_owned()),
        ..Observation::default()
    };
    let next = step(&spec(), &taken.status, &open, &driver(2), NOW);
    assert_eq!(unlocked(&next.status).message, "bob: pager 7");
    assert_eq!(told(&next.status, "found open"), 0);
}

#[test]
fn a_word_of_an_unlocking_ends_with_the_freeze_or_with_the_upgrade() {
    let closed = Observation {
        freeze: FreezeState::Closed,
        ..Observation::default()
    };
    let failed = Observation {
        freeze: FreezeState::Failed("a canary came through".to_owned()),
        thaw: Some(Ok("thawed".to_owned())),
        ..Observation::default()
    };
    let thawed = Observation {
        thaw: Some(Ok("thawed".to_owned())),
        ..Observation::default()
    };
    for (phase, seen, expected) in [
        (Phase::Freezing, &closed, ("False", "FrozenAgain")),
        (Phase::Freezing, &failed, ("False", "Ended")),
        (Phase::Freezing, &Observation::default(), ("True", FREEZING_AGAIN)),
        (Phase::Upgrading, &closed, ("False", "FrozenAgain")),
        (Phase::Thawing, &thawed, ("False", "Ended")),
        (Phase::Thawing, &Observation::default(), ("True", FREEZING_AGAIN)),
    ] {
        let mut status = MeshUpgradeStatus {
            phase,
            epoch: 1,
            ..MeshUpgradeStatus::default()
        };
        unlock(&mut status);
        let next = step(&spec(), &status, seen, &driver(2), NOW).status;
        let open = unlocked(&next);
        assert_eq!(
            (open.status.as_str(), open.reason.as_str()),
            expected,
            "{phase} {seen:?}"
        );
        assert_eq!(open.message, "bob: pager 7", "{phase} {seen:?}");
    }
}

#[test]
fn what_was_taken_back_after_an_unlock_is_brought_to_the_target_again() {
    for (phase, done) in [(Phase::Upgrading, 1), (Phase::Verifying, 2)] {
        let (mut world, mut status) = until(&spec(), phase, done);
        status.verified_clusters.push("east".to_owned());
        unlock(&mut status);
        world.at_target.remove("base");
        world.applied.clear();
        assert_eq!(
            world.drive(&spec(), &mut status, 2, usize::MAX),
            Some(Stop::Succeeded),
            "{phase}"
        );
        let expected: &[&str] = if done == 1 { &["base", "istiod"] } else { &["base"] };
        assert_eq!(world.applied, expected, "{phase}: only what is not at the target");
        assert_eq!(world.at_target.len(), 2, "{phase}");
        assert!(status.steps.iter().all(|step| step.state == StepState::Done), "{phase}");
        assert_eq!(status.steps[0].attempts, 2, "{phase}");
    }
}

#[test]
fn a_freeze_that_is_found_open_is_written_down_before_it_is_closed_again() {
    for (phase, done) in [(Phase::Upgrading, 1), (Phase::Verifying, 2)] {
        // Killed once it is written down, and not killed.
        for writes in [2, usize::MAX] {
            let (mut world, mut status) = until(&spec(), phase, done);
            world.of = spec().plan.steps.len();
            world.at_target.remove("base");
            world.applied.clear();
            let mut is_open = true;
            let mut perform = |effect: &Effect, seen: &mut Observation| {
                if matches!(effect, Effect::Freeze { .. }) {
                    seen.found_open =
                        std::mem::take(&mut is_open).then(|| "east: MeshFreeze default is gone".to_owned());
                    if seen.found_open.is_some() {
                        return;
                    }
                }
                world.perform(effect, seen);
            };
            let mut ended = drive(&spec(), &mut status, 2, writes, &mut perform);
            if ended.is_none() {
                assert!(
                    crate::conditions::holds(&status.conditions, CONDITION_UNLOCKED),
                    "{phase}"
                );
                assert!(
                    status.steps.iter().all(|step| step.state == StepState::Pending),
                    "{phase}"
                );
                ended = drive(&spec(), &mut status, 3, usize::MAX, &mut perform);
            }
            assert_eq!(ended, Some(Stop::Succeeded), "{phase} {writes}");
            let unlocked = unlocked(&status);
            assert_eq!(
                (unlocked.status.as_str(), unlocked.message.as_str()),
                ("False", "east: MeshFreeze default is gone")
            );
            assert_eq!(told(&status, "found open"), 1, "{phase} {writes}: {:?}", status.history);
            let expected: &[&str] = if done == 1 { &["base", "istiod"] } else { &["base"] };
            assert_eq!(world.applied, expected, "{phase} {writes}");
        }
    }
}

#[test]
fn gateways_that_were_taken_back_wait_again_for_their_control_plane_to_be_proved() {
    let mut spec = spec();
    for (step, component) in spec.plan.steps.iter_mut().zip([Component::Base, Component::Istiod]) {
        step.component = component;
    }
    let gateway = PlanStep {
        id: "gateway".to_owned(),
        component: Component::Gateway,
        ..spec.plan.steps[1].clone()
    };
    spec.plan.steps.push(gateway);
    let (mut world, mut status) = until(&spec, Phase::Verifying, 3);
    unlock(&mut status);
    world.at_target.remove("istiod");
    world.at_target.remove("gateway");
    world.log.clear();
    assert_eq!(world.drive(&spec, &mut status, 2, usize::MAX), Some(Stop::Succeeded));
    assert_eq!(world.log, ["apply istiod", "verify east", "apply gateway"]);
    // One that a killed driver had begun is brought to its end first.
    let (mut world, mut status) = until(&spec, Phase::Upgrading, 2);
    status.verified_clusters.clear();
    status.steps[2].state = StepState::Running;
    status.steps[2].attempts = 1;
    world.log.clear();
    assert_eq!(world.drive(&spec, &mut status, 2, usize::MAX), Some(Stop::Succeeded));
    assert_eq!(world.log.first().map(String::as_str), Some("apply gateway"));
}

#[test]
fn nothing_is_changed_twice_that_is_at_the_target_still() {
    let mut unguarded = spec();
    unguarded.unguarded = Some(Unguarded {
        reason: "no admission here".to_owned(),
    });
    for (spec, is_unlocked, looks_again) in [(spec(), true, true), (unguarded, false, true), (spec(), false, false)] {
        let (mut world, mut status) = until(&spec, Phase::Verifying, 2);
        if is_unlocked {
            unlock(&mut status);
        }
        world.applied.clear();
        world.looked_at.clear();
        assert_eq!(world.drive(&spec, &mut status, 2, usize::MAX), Some(Stop::Succeeded));
        assert_eq!(world.applied, Vec::<String>::new());
        let expected: &[&str] = if looks_again { &["base", "istiod"] } else { &[] };
        assert_eq!(world.looked_at, expected, "unlocked {is_unlocked}");
        assert!(status.steps.iter().all(|step| step.attempts == 1));
    }
}

#[test]
fn a_cluster_that_is_gone_for_good_keeps_no_journal_that_was_unlocked() {
    let gone = Observation {
        freeze: FreezeState::Failed("cluster west is Unknown: gone".to_owned()),
        thaw: Some(Err("west: cluster west is Unknown: gone".to_owned())),
        ..Observation::default()
    };
    let mut status = MeshUpgradeStatus {
        phase: Phase::Freezing,
        epoch: 1,
        ..MeshUpgradeStatus::default()
    };
    let stalled = step(&spec(), &status, &gone, &driver(2), NOW);
    match stalled.stop {
        Some(Stop::Stalled { reason, message }) => {
            assert_eq!(reason, "ThawFailed");
            assert!(
                message.contains("kubectl mesh-upgrade unlock default --reason TEXT"),
                "{message}"
            );
        }
        other => panic!("not stalled: {other:?}"),
    }
    unlock(&mut status);
    let ended = step(&spec(), &status, &gone, &driver(2), NOW);
    assert!(matches!(&ended.stop, Some(Stop::Withdrawn(why)) if why.iter().any(|why| why.contains("west"))));
    assert_eq!(ended.status.phase, Phase::Withdrawn);
    // Where something was changed there is no such way out.
    status.phase = Phase::Thawing;
    let thawing = step(&spec(), &status, &gone, &driver(2), NOW);
    assert!(matches!(thawing.stop, Some(Stop::Stalled { .. })));
}

#[test]
fn remote_clusters_are_given_up_by_an_unlock_alone() {
    let remotes = vec![RemoteClusters {
        cluster: "east".to_owned(),
        known: 1,
        reached: vec!["west".to_owned()],
    }];
    for (by_unlock, expected) in [(true, Vec::new()), (false, remotes.clone())] {
        let (_, mut status) = until(&spec(), Phase::Verifying, 2);
        status.connections = Some(ProxyConnections {
            remotes: remotes.clone(),
            ..ProxyConnections::default()
        });
        if by_unlock {
            unlock(&mut status);
        }
        let taken = step(&spec(), &status, &Observation::default(), &driver(2), NOW).status;
        assert_eq!(taken.connections.unwrap().remotes, expected, "{by_unlock}");
        let told = taken
            .history
            .iter()
            .any(|event| event.what.contains("which clusters were taken out"));
        assert_eq!(told, by_unlock);
    }
}

#[test]
fn machines_that_were_retired_are_given_up_by_an_unlock_alone() {
    let counted = |ready: i64, connected: i64| {
        Some(ProxyConnections {
            ready,
            connected,
            ..ProxyConnections::default()
        })
    };
    for (by_unlock, before, expected) in [
        (true, counted(10, 12), counted(10, 10)),
        (true, counted(10, 9), counted(10, 9)),
        (true, None, None),
        (false, counted(10, 12), counted(10, 12)),
    ] {
        let (_, mut status) = until(&spec(), Phase::Verifying, 2);
        status.connections.clone_from(&before);
        if by_unlock {
            unlock(&mut status);
        }
        let taken = step(&spec(), &status, &Observation::default(), &driver(2), NOW);
        assert_eq!(taken.status.connections, expected, "{by_unlock} {before:?}");
        let told = taken
            .status
            .history
            .iter()
            .any(|event| event.what.contains("2 proxies without a pod"));
        assert_eq!(told, expected != before);
    }
    // Nobody has said why it was open.
    let (_, mut status) = until(&spec(), Phase::Verifying, 2);
    status.connections = counted(10, 12);
    let open = Observation {
        found_open: Some("east: MeshFreeze default is gone".to_owned()),
        ..Observation::default()
    };
    let found = step(&spec(), &status, &open, &driver(2), NOW);
    let next = step(&spec(), &found.status, &Observation::default(), &driver(3), NOW);
    assert_eq!(next.status.connections, counted(10, 12));
}
