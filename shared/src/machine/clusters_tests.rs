//! The machine over a mesh of three clusters, two primaries and a remote, in a world where each cluster is frozen, cut
//! off and healthy on its own.

use super::tests::{drive, spec};
use super::*;
use crate::api::{Component, PlanCluster, PlanStep};
use proptest::prelude::*;
use std::collections::BTreeSet;

const CLUSTERS: [&str; 3] = ["east", "west", "north"];

fn plan_of_three() -> MeshUpgradeSpec {
    let mut spec = spec();
    let template = spec.plan.steps[0].clone();
    let step = |cluster: &str, component: Component| PlanStep {
        id: format!("{cluster}/{component}"),
        cluster: cluster.to_owned(),
        component,
        ..template.clone()
    };
    let mut steps: Vec<PlanStep> = CLUSTERS.iter().map(|cluster| step(cluster, Component::Base)).collect();
    for cluster in CLUSTERS {
        steps.push(step(cluster, Component::Istiod));
        if cluster != "north" {
            steps.push(step(cluster, Component::Cni));
        }
    }
    steps.extend(["east", "north"].map(|cluster| step(cluster, Component::Gateway)));
    spec.plan.steps = steps;
    spec.plan.clusters = CLUSTERS
        .iter()
        .map(|name| PlanCluster {
            name: (*name).to_owned(),
            ..PlanCluster::default()
        })
        .collect();
    spec
}

/// What really is in each cluster.
#[derive(Debug, Default)]
struct World {
    /// Epochs by which clusters are frozen.
    frozen: BTreeMap<String, i64>,
    /// What was changed, in order.
    changes: Vec<String>,
    /// Clusters that were verified, and how many changes had been made by then.
    verified: Vec<(String, usize)>,
    cut_off: BTreeSet<String>,
    unhealthy: BTreeSet<String>,
    failing: BTreeSet<String>,
    /// What may never be.
    faults: Vec<String>,
}

impl World {
    fn reach(&self, cluster: &str) -> Outcome {
        if self.cut_off.contains(cluster) {
            return Err(format!("cluster {cluster} could not be observed: connection refused"));
        }
        Ok(cluster.to_owned())
    }

    fn all(&self) -> Outcome {
        let reached: Result<Vec<String>, String> = CLUSTERS.iter().map(|cluster| self.reach(cluster)).collect();
        reached.map(|all| all.join(", "))
    }

    fn perform(&mut self, effect: &Effect, seen: &mut Observation, epoch: i64, spec: &MeshUpgradeSpec) {
        let check = |outcome: Outcome| match outcome {
            Ok(_) => CheckResult::Free,
            Err(why) => CheckResult::Blocked(vec![why]),
        };
        let find = |id: &String| spec.plan.steps.iter().find(|step| step.id == *id).unwrap();
        match effect {
            Effect::Check => seen.check = Some(check(self.all())),
            Effect::Recheck => seen.recheck = Some(check(self.all())),
            Effect::PullImages => seen.images = Some(self.all()),
            Effect::Freeze { .. } => {
                // Cluster by cluster: those before one that is cut off are frozen all the same.
                for cluster in CLUSTERS {
                    if let Err(why) = self.reach(cluster) {
                        seen.freeze = FreezeState::Failed(why);
                        return;
                    }
                    self.frozen.insert(cluster.to_owned(), epoch);
                }
                seen.freeze = FreezeState::Closed;
            }
            Effect::Observe { step } => {
                let there = self.changes.contains(step);
                let what = match self.reach(&find(step).cluster) {
                    Err(why) => StepObservation::Failed(why),
                    Ok(_) if there => StepObservation::AtTarget("there".to_owned()),
                    Ok(_) => StepObservation::Due,
                };
                seen.steps.insert(step.clone(), what);
            }
            Effect::Apply { step } => {
                let cluster = &find(step).cluster;
                let outcome = match self.reach(cluster) {
                    Err(why) => StepObservation::Failed(why),
                    Ok(_) if self.failing.contains(step) => StepObservation::Failed("helm failed".to_owned()),
                    Ok(_) => {
                        for cluster in CLUSTERS {
                            if self.frozen.get(cluster) != Some(&epoch) {
                                let fault = format!("{step} was changed while {cluster} was not frozen by {epoch}");
                                self.faults.push(fault);
                            }
                        }
                        self.changes.push(step.clone());
                        StepObservation::AtTarget("upgraded".to_owned())
                    }
                };
                seen.steps.insert(step.clone(), outcome);
            }
            Effect::VerifyCluster { cluster, .. } => {
                self.verified.push((cluster.clone(), self.changes.len()));
                let healthy = self.reach(cluster).and_then(|_| self.health(cluster));
                seen.verified.insert(cluster.clone(), healthy);
            }
            Effect::Verify { .. } => {
                let each = CLUSTERS
                    .iter()
                    .map(|cluster| self.health(cluster))
                    .collect::<Result<Vec<_>, _>>();
                seen.health = Some(self.all().and_then(|_| each.map(|all| all.join(", "))));
            }
            Effect::Thaw => {
                for cluster in CLUSTERS {
                    if self.reach(cluster).is_ok() {
                        self.frozen.remove(cluster);
                    }
                }
                seen.thaw = Some(self.all());
            }
        }
    }

    fn health(&self, cluster: &str) -> Outcome {
        if self.unhealthy.contains(cluster) {
            return Err(format!("{cluster}: istiod reports 1.30.3"));
        }
        Ok(format!("{cluster} is healthy"))
    }

    fn drive(&mut self, status: &mut MeshUpgradeStatus, epoch: i64, writes: usize) -> Option<Stop> {
        let spec = plan_of_three();
        drive(&spec, status, epoch, writes, |effect, seen| {
            self.perform(effect, seen, epoch, &spec);
        })
    }

    /// The end that every way has to come to.
    fn arrived(&self, status: &MeshUpgradeStatus) {
        let planned: Vec<String> = plan_of_three().plan.steps.into_iter().map(|step| step.id).collect();
        assert_eq!(status.phase, Phase::Succeeded);
        assert_eq!(self.changes, planned, "each component once, in the plan's order");
        assert_eq!(self.frozen, BTreeMap::new(), "a cluster was left frozen");
        assert_eq!(self.faults, Vec::<String>::new());
        for cluster in ["east", "west", "north"] {
            assert!(
                self.verified.iter().any(|(verified, _)| verified == cluster),
                "{cluster} was not verified"
            );
        }
    }
}

fn stalled(stop: Option<Stop>, reason: &str, says: &str) {
    match stop {
        Some(Stop::Stalled { reason: told, message }) => {
            assert_eq!(told, reason, "{message}");
            assert!(message.contains(says), "{message}");
        }
        other => panic!("not stalled: {other:?}"),
    }
}

#[test]
fn each_cluster_is_verified_before_the_next_is_touched() {
    let (mut world, mut status) = (World::default(), MeshUpgradeStatus::default());
    assert_eq!(world.drive(&mut status, 1, usize::MAX), Some(Stop::Succeeded));
    world.arrived(&status);
    // Three CRDs, then two of east, two of west, one of north; its proof comes before the first gateway.
    let expected = [("east", 5), ("west", 7), ("north", 8)].map(|(cluster, at)| (cluster.to_owned(), at));
    assert_eq!(world.verified, expected);
    assert_eq!(status.verified_clusters, CLUSTERS);
}

#[test]
fn a_control_plane_that_is_not_well_keeps_the_gateways_of_its_own_cluster() {
    let mut spec = plan_of_three();
    spec.plan.clusters.retain(|planned| planned.name == "east");
    spec.plan.steps.retain(|step| step.cluster == "east");
    let (mut world, mut status) = (World::default(), MeshUpgradeStatus::default());
    world.unhealthy.insert("east".to_owned());
    let stop = drive(&spec, &mut status, 1, usize::MAX, |effect, seen| {
        world.perform(effect, seen, 1, &spec);
    });
    stalled(stop, "Unhealthy", "east: istiod reports 1.30.3");
    assert_eq!(world.changes, ["east/base", "east/istiod", "east/cni"]);
}

#[test]
fn a_gateway_that_was_begun_is_brought_to_its_end_before_its_cluster_has_to_be_well() {
    let mut spec = plan_of_three();
    spec.plan.clusters.retain(|planned| planned.name == "east");
    spec.plan.steps.retain(|step| step.cluster == "east");
    let (mut world, mut status) = (World::default(), MeshUpgradeStatus::default());
    world.failing.insert("east/gateway".to_owned());
    let run = |world: &mut World, status: &mut MeshUpgradeStatus, epoch: i64| {
        drive(&spec, status, epoch, usize::MAX, |effect, seen| {
            world.perform(effect, seen, epoch, &spec);
        })
    };
    stalled(
        run(&mut world, &mut status, 1),
        "StepFailed",
        "east/gateway: helm failed",
    );
    // Its proofs are gone, as after an unlock, and the half gateway keeps the cluster from being healthy.
    status.verified_clusters.clear();
    world.failing.clear();
    world.unhealthy.insert("east".to_owned());
    stalled(
        run(&mut world, &mut status, 2),
        "Unhealthy",
        "east: istiod reports 1.30.3",
    );
    assert_eq!(world.changes.last().map(String::as_str), Some("east/gateway"));
}

#[test]
fn killed_after_every_journal_write_three_clusters_reach_the_same_end() {
    for kill in 0.. {
        let (mut world, mut status) = (World::default(), MeshUpgradeStatus::default());
        let stop = world.drive(&mut status, 1, kill);
        if status.phase.is_past_return() && !matches!(status.phase, Phase::Thawing | Phase::Succeeded) {
            assert_eq!(world.frozen.len(), 3, "a cluster was open after kill {kill}");
        }
        if stop.is_some() {
            assert!(kill > 20, "only {kill} writes");
            return;
        }
        assert_eq!(
            world.drive(&mut status, 2, usize::MAX),
            Some(Stop::Succeeded),
            "kill {kill}"
        );
        world.arrived(&status);
    }
}

#[test]
fn a_cluster_that_fails_stops_the_wave() {
    type Spoil = fn(&mut World);
    let cases: [(Spoil, &str, &str, usize); 4] = [
        (
            |w| {
                w.failing.insert("west/istiod".to_owned());
            },
            "StepFailed",
            "west/istiod: helm failed",
            5,
        ),
        (
            |w| {
                w.unhealthy.insert("east".to_owned());
            },
            "Unhealthy",
            "east: istiod reports 1.30.3",
            5,
        ),
        (
            |w| {
                w.unhealthy.insert("west".to_owned());
            },
            "Unhealthy",
            "west: istiod reports 1.30.3",
            7,
        ),
        (
            |w| {
                w.failing.insert("north/istiod".to_owned());
            },
            "StepFailed",
            "north/istiod: helm failed",
            7,
        ),
    ];
    for (spoil, reason, says, changed) in cases {
        let (mut world, mut status) = (World::default(), MeshUpgradeStatus::default());
        spoil(&mut world);
        stalled(world.drive(&mut status, 1, usize::MAX), reason, says);
        assert_eq!(world.changes.len(), changed, "{says}: {:?}", world.changes);
        assert_eq!(world.frozen.len(), 3, "{says}: it stays frozen everywhere");
        world.unhealthy.clear();
        world.failing.clear();
        assert_eq!(world.drive(&mut status, 2, usize::MAX), Some(Stop::Succeeded), "{says}");
        world.arrived(&status);
    }
}

#[test]
fn a_cluster_that_is_cut_off_blocks_before_and_stalls_during() {
    let cut_off = || World {
        cut_off: BTreeSet::from(["west".to_owned()]),
        ..World::default()
    };
    let (mut world, mut status) = (cut_off(), MeshUpgradeStatus::default());
    let stop = world.drive(&mut status, 1, usize::MAX);
    assert!(
        matches!(&stop, Some(Stop::Withdrawn(why)) if why[0].contains("west")),
        "{stop:?}"
    );
    assert_eq!(world.changes, Vec::<String>::new());
    assert_eq!(world.frozen, BTreeMap::new());

    // At every write: what was frozen stays so, and with the cluster back it arrives.
    for cut in 0.. {
        let (mut world, mut status) = (World::default(), MeshUpgradeStatus::default());
        if world.drive(&mut status, 1, cut).is_some() {
            return;
        }
        let changes = world.changes.len();
        world.cut_off = BTreeSet::from(["west".to_owned()]);
        match world.drive(&mut status, 2, usize::MAX) {
            Some(Stop::Withdrawn(_)) => {
                assert_eq!((changes, world.changes.len()), (0, 0), "cut {cut}");
                continue;
            }
            stop => stalled(stop, stall_reason(&status), "west"),
        }
        world.cut_off.clear();
        match world.drive(&mut status, 3, usize::MAX) {
            Some(Stop::Succeeded) => world.arrived(&status),
            // What could not be thawed after a withdrawal before the first change.
            Some(Stop::Withdrawn(_)) => assert_eq!(world.changes.len(), 0, "cut {cut}"),
            stop => panic!("cut {cut}: {stop:?}"),
        }
    }
}

fn stall_reason(status: &MeshUpgradeStatus) -> &'static str {
    match status.phase {
        Phase::Freezing | Phase::Thawing => "ThawFailed",
        _ => "FreezeNotClosed",
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    /// Drivers that are killed anywhere, clusters that come and go, health that fails for a while: never a change in a
    /// mesh that is not frozen everywhere by the one who makes it, never twice, and an end with nothing left frozen.
    #[test]
    fn whatever_happens_it_arrives_or_was_never_begun(
        troubles in proptest::collection::vec((0_usize..40, 0_usize..4, 0_usize..4), 0..6)
    ) {
        let (mut world, mut status) = (World::default(), MeshUpgradeStatus::default());
        let of = |which: usize| CLUSTERS.get(which).map(|cluster| (*cluster).to_owned()).into_iter().collect();
        let mut epoch = 0;
        for (writes, cut_off, unhealthy) in troubles {
            world.cut_off = of(cut_off);
            world.unhealthy = of(unhealthy);
            epoch += 1;
            world.drive(&mut status, epoch, writes);
        }
        world.cut_off.clear();
        world.unhealthy.clear();
        match world.drive(&mut status, epoch + 1, usize::MAX) {
            Some(Stop::Succeeded) => world.arrived(&status),
            Some(Stop::Withdrawn(_)) => prop_assert!(world.changes.is_empty() && world.frozen.is_empty()),
            stop => prop_assert!(false, "{:?}", stop),
        }
    }
}
