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

/// How far apart the counts of one thing that is waited for are told where each is a line that stays.
const COUNTS_APART: Duration = Duration::from_secs(30);

/// Which of the things that are waited for are told where each is a line that stays: what is new at once, and of what goes on
/// the counts now and then.
#[derive(Clone, Debug, Default)]
pub struct Sparing {
    told: Option<(String, Duration)>,
}

impl Sparing {
    /// Whether it is to be told, so long after the first; if so, it counts as told.
    pub fn is_due(&mut self, what: &str, elapsed: Duration) -> bool {
        // Counts stand in brackets.
        let matter = |text: &str| text.split(" (").next().unwrap_or_default().to_owned();
        let is_due = self.told.as_ref().is_none_or(|(told, at)| {
            told != what && (matter(told) != matter(what) || elapsed.saturating_sub(*at) >= COUNTS_APART)
        });
        if is_due {
            self.told = Some((what.to_owned(), elapsed));
        }
        is_due
    }
}

/// What is waited for, where it can be counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// How much of it is left to come.
    pub count: i64,
    /// In words.
    pub what: String,
}

/// How long a step is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// In all, which an engine is told: it cannot tell what comes on from what stands still.
    pub in_all: Duration,
    /// As long as nothing of it comes on.
    pub standstill: Duration,
}

impl Limits {
    /// Of what gets no more time than others.
    #[must_use]
    pub fn usual(usual: Duration) -> Self {
        Self {
            in_all: usual,
            standstill: usual,
        }
    }

    /// Whether a standstill would be noticed long after it has begun, if only the engine looked.
    #[must_use]
    pub fn outlast_a_standstill(self) -> bool {
        self.in_all > self.standstill
    }
}

/// How long a step is waited for: as long as `usual`, or as its DaemonSets need to go over their nodes at their own pace, of
/// which a standstill is what one round does not take. Where somebody has to delete each pod, they get the time that people
/// get, `by_hand`.
#[must_use]
pub fn of_step(step: &PlanStep, observed: &Observed, usual: Duration, by_hand: Duration) -> Limits {
    let nodes = observed.node_components.iter();
    let nodes = nodes.map(|node| (&node.workload, node.pace, node.rollout.desired));
    let vendors = observed.vendor_components.iter();
    let vendors = vendors.map(|found| (&found.workload, found.rollout.desired));
    let gateways = observed.gateways.iter();
    let gateways = gateways.map(|found| (&found.workload, found.rollout.desired));
    let others = vendors.chain(gateways);
    let others = others.filter(|(name, _)| name.kind == WorkloadKind::DaemonSet);
    let others = others.map(|(name, desired)| (name, USUAL_PACE, desired));
    let of_it = nodes.chain(others).filter(|(name, ..)| step.workloads.contains(name));
    of_it.fold(Limits::usual(usual), |limits, (_, pace, desired)| {
        let Limits { in_all, standstill } = over_nodes(pace, desired, by_hand);
        Limits {
            in_all: limits.in_all.max(in_all),
            standstill: limits.standstill.max(standstill),
        }
    })
}

fn over_nodes(pace: Pace, nodes: i32, by_hand: Duration) -> Limits {
    let Some(at_once) = pace.nodes_at_once else {
        return Limits::usual(by_hand);
    };
    let count = |number: i32| u64::try_from(number).unwrap_or_default();
    let rounds = count(nodes).div_ceil(count(at_once).max(1));
    let round = u64::try_from(pace.grace_seconds)
        .unwrap_or_default()
        .saturating_add(START);
    let over = |rounds: u64| Duration::from_secs(rounds.saturating_mul(round)).min(LONGEST);
    Limits {
        in_all: over(rounds),
        standstill: over(rounds.min(1)),
    }
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
    fn what_is_waited_for_is_told_when_it_is_new_and_its_counts_now_and_then() {
        let mut sparing = Sparing::default();
        for (at, what, expected) in [
            (5, "ztunnel to run 1.31.0 (now 1.30.3)", true),
            (10, "ztunnel to run 1.31.0 (now 1.30.3)", false),
            (15, "ztunnel to roll out (0/9 nodes ready and new)", true),
            (20, "ztunnel to roll out (1/9 nodes ready and new)", false),
            (40, "ztunnel to roll out (4/9 nodes ready and new)", false),
            (45, "ztunnel to roll out (5/9 nodes ready and new)", true),
            (99, "ztunnel to roll out (5/9 nodes ready and new)", false),
            (100, "istiod to roll out (5/9 pods ready and new)", true),
        ] {
            assert_eq!(sparing.is_due(what, seconds(at)), expected, "{at}: {what}");
        }
    }

    #[test]
    fn a_daemon_set_gets_the_time_that_its_nodes_need() {
        let workload = sample::workload(WorkloadKind::DaemonSet, "istio-system", "ztunnel");
        for (nodes, nodes_at_once, grace_seconds, in_all, standstill) in [
            (3, Some(1), 30, 600, 600),
            (10, Some(1), 30, 600, 600),
            (300, Some(1), 30, 18_000, 600),
            (200, Some(50), 30, 600, 600),
            (201, Some(10), 300, 21 * 330, 600),
            // A pod that may take an hour to end is no standstill until then.
            (300, Some(1), 3600, 300 * 3630, 3630),
            (200, None, 30, 3600, 3600),
            (200, Some(0), 30, 12_000, 600),
            (0, Some(1), 3600, 600, 600),
            (-1, Some(-1), -1, 600, 600),
            (i32::MAX, Some(1), i64::MAX, LONGEST.as_secs(), LONGEST.as_secs()),
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
            let expected = Limits {
                in_all: seconds(in_all).min(LONGEST),
                standstill: seconds(standstill),
            };
            let found = time(vec![workload.clone()]);
            assert_eq!(found, expected, "{nodes} {nodes_at_once:?}");
            assert_eq!(found.outlast_a_standstill(), expected.in_all > expected.standstill);
            assert_eq!(time(Vec::new()), Limits::usual(seconds(600)), "of another step");
        }
    }

    #[test]
    fn a_gateway_on_each_node_goes_at_the_usual_pace() {
        for (kind, in_all) in [(WorkloadKind::DaemonSet, 6000), (WorkloadKind::Deployment, 600)] {
            let mut inventory = sample::one("1.30.3", "v1.36.3");
            let mut gateway = sample::gateway("istio-system", "edge");
            gateway.rollout = sample::rollout(100);
            gateway.workload.kind = kind;
            let step = step(vec![gateway.workload.clone()]);
            inventory.seen(0).gateways = vec![gateway];
            let time = of_step(&step, inventory.seen(0), seconds(600), seconds(3600));
            assert_eq!(
                (time.in_all, time.standstill),
                (seconds(in_all), seconds(600)),
                "{kind:?}"
            );
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
        assert_eq!((time.in_all, time.standstill), (seconds(6000), seconds(600)));
    }
}
