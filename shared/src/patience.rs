//! How long something is waited for: what takes its time and goes on is no failure, what stands still is.

use crate::{
    api::{PlanStep, WorkloadKind},
    inventory::{Observed, Pace},
};
use std::time::Duration;

/// What a new pod takes on a node beside the end of the old one.
const START: u64 = 30;

/// Kubernetes' own, where a DaemonSet's is not known.
const USUAL_PACE: Pace = Pace {
    nodes_at_once: Some(1),
    grace_seconds: 30,
};

/// No rollout is waited for longer, however large the numbers are that a cluster tells.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

/// A deadline that begins anew with each progress.
#[derive(Clone, Debug)]
pub struct Patience {
    longest: Duration,
    best: Option<i64>,
    since: Duration,
}

impl Patience {
    /// One that ends when nothing has come on for so long.
    #[must_use]
    pub fn of(longest: Duration) -> Self {
        Self {
            longest,
            best: None,
            since: Duration::ZERO,
        }
    }

    /// Whether it is over, so long after the wait began; `done` is how much is done by now, if that is known. Only more than
    /// ever before is progress: what goes up and down is not waited for for ever.
    pub fn is_over(&mut self, elapsed: Duration, done: Option<i64>) -> bool {
        if done > self.best {
            self.best = done;
            self.since = elapsed;
        }
        elapsed.saturating_sub(self.since) > self.longest
    }
}

/// How long an engine may take for a step: as long as `usual`, or as its DaemonSets need to go over their nodes at their own
/// pace. Where somebody has to delete each pod, they get the time that people get, `by_hand`.
#[must_use]
pub fn of_step(step: &PlanStep, observed: &Observed, usual: Duration, by_hand: Duration) -> Duration {
    let nodes = observed.node_components.iter();
    let nodes = nodes.map(|node| (&node.workload, node.pace, node.rollout.desired));
    let vendors = observed.vendor_components.iter();
    let vendors = vendors.filter(|found| found.workload.kind == WorkloadKind::DaemonSet);
    let vendors = vendors.map(|found| (&found.workload, USUAL_PACE, found.rollout.desired));
    let of_it = nodes.chain(vendors).filter(|(name, ..)| step.workloads.contains(name));
    let longest = of_it.map(|(_, pace, desired)| over_nodes(pace, desired, by_hand)).max();
    longest.unwrap_or_default().max(usual)
}

fn over_nodes(pace: Pace, nodes: i32, by_hand: Duration) -> Duration {
    let Some(at_once) = pace.nodes_at_once else {
        return by_hand;
    };
    let count = |number: i32| u64::try_from(number).unwrap_or_default();
    let rounds = count(nodes).div_ceil(count(at_once).max(1));
    let grace = u64::try_from(pace.grace_seconds).unwrap_or_default();
    Duration::from_secs(rounds.saturating_mul(grace.saturating_add(START))).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        api::{Component, WorkloadName},
        inventory::sample,
    };

    fn step(workloads: Vec<WorkloadName>) -> PlanStep {
        PlanStep {
            workloads,
            ..crate::machine::tests::spec().plan.steps[0].clone()
        }
    }

    const fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn a_deadline_begins_anew_with_progress_and_with_nothing_else() {
        for (looks, over) in [
            // Nodes one after the other, each in time.
            (
                &[(0, Some(0)), (90, Some(1)), (180, Some(2)), (270, Some(3))][..],
                false,
            ),
            (&[(0, Some(0)), (90, Some(1)), (191, Some(1))], true),
            // Up and down.
            (&[(0, Some(0)), (90, Some(1)), (140, Some(0)), (191, Some(1))], true),
            // Lost proxies, as what is done: the fewer the more.
            (&[(0, Some(-15_000)), (90, Some(-8_000)), (180, Some(-1_000))], false),
            (&[(0, Some(-3)), (101, Some(-3))], true),
            (&[(0, Some(-3)), (90, Some(-4)), (101, Some(-4))], true),
            // Nothing is known.
            (&[(0, None), (100, None)], false),
            (&[(0, None), (101, None)], true),
            (&[(0, Some(2)), (90, None), (101, None)], true),
        ] {
            let mut patience = Patience::of(seconds(100));
            let all: Vec<bool> = looks
                .iter()
                .map(|(at, done)| patience.is_over(seconds(*at), *done))
                .collect();
            let (last, before) = all.split_last().unwrap();
            assert!(*last == over && !before.contains(&true), "{looks:?}: {all:?}");
        }
    }

    #[test]
    fn a_daemon_set_gets_the_time_that_its_nodes_need() {
        let workload = sample::workload(WorkloadKind::DaemonSet, "istio-system", "ztunnel");
        for (nodes, nodes_at_once, grace_seconds, expected) in [
            (3, Some(1), 30, 600),
            (10, Some(1), 30, 600),
            (200, Some(1), 30, 12_000),
            (200, Some(50), 30, 600),
            (201, Some(10), 300, 21 * 330),
            (200, None, 30, 3600),
            (200, Some(0), 30, 12_000),
            (-1, Some(-1), -1, 600),
            (i32::MAX, Some(1), i64::MAX, LONGEST.as_secs()),
        ] {
            let mut inventory = sample::one("1.30.3", "v1.36.3");
            let observed = inventory.seen(0);
            let mut ztunnel = sample::node(Component::Ztunnel, "1.30.3");
            ztunnel.workload = workload.clone();
            ztunnel.rollout = sample::rollout(nodes);
            ztunnel.pace = Pace {
                nodes_at_once,
                grace_seconds,
            };
            observed.node_components = vec![ztunnel];
            let time = |workloads| of_step(&step(workloads), observed, seconds(600), seconds(3600));
            assert_eq!(
                time(vec![workload.clone()]),
                seconds(expected),
                "{nodes} {nodes_at_once:?}"
            );
            assert_eq!(time(Vec::new()), seconds(600), "of another step");
        }
    }

    #[test]
    fn a_vendors_daemon_set_goes_at_the_usual_pace() {
        let mut inventory = sample::one("1.30.3-mspider", "v1.36.3");
        let mut found = sample::merbridge("1.30.3-mspider", true);
        found.rollout = sample::rollout(100);
        found.workload.kind = WorkloadKind::DaemonSet;
        let step = step(vec![found.workload.clone()]);
        inventory.seen(0).vendor_components = vec![found];
        let time = of_step(&step, inventory.seen(0), seconds(600), seconds(3600));
        assert_eq!(time, seconds(6000));
    }
}
