//! How long a component's rollout is waited for: as long as something of it comes on.

use super::{effects::Effects, fault::Fault, frozen::Telling, pauses::Pauses, step::because};
use crate::{
    cluster::{self, Cluster},
    ui::Mark,
};
use shared::{
    api::{MeshUpgradeSpec, PlanStep, WorkloadKind},
    arrival::Arrival,
    inventory::ClusterState,
    machine::{News, StepObservation},
    patience::{self, Limits, Patience},
};
use std::time::{Duration, Instant};

/// How often a component that rolls out is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// The same where somebody has to merge something first.
const LOOK_FOR_A_MERGE_EVERY: Duration = Duration::from_secs(2);

/// The same beside an engine that looks itself, and takes hours.
const LOOK_BESIDE_AN_ENGINE_EVERY: Duration = Duration::from_secs(10);

/// Runs an engine to its end, or until something else is over first: dropped in the middle, it is ended with all of its
/// processes, as by somebody who leaves at once, and what it has left is taken up by the next one.
pub(super) async fn unless(
    engine: impl Future<Output = Result<(), String>>,
    over: impl Future<Output = String>,
) -> Result<(), String> {
    tokio::select! {
        biased;
        ended = engine => ended,
        why = over => Err(why),
    }
}

/// Returns with what was waited for in vain, once nothing has come on for so long.
async fn until_standstill<F: Future<Output = Result<(Arrival, i64), Fault>>>(
    standstill: Duration,
    every: Duration,
    mut look: impl FnMut() -> F,
) -> String {
    let started = Instant::now();
    let mut patience = Patience::of(standstill);
    loop {
        tokio::time::sleep(every).await;
        let (what, done) = match look().await {
            // Its engine has only to see it.
            Ok((Arrival::Arrived(_), _)) => continue,
            Ok((Arrival::Waiting(what), done)) => (what, Some(done)),
            Err(fault) => (fault.to_string(), None),
        };
        if patience.is_over(started.elapsed(), done) {
            return in_vain(standstill, &what);
        }
    }
}

fn in_vain(time: Duration, what: &str) -> String {
    let seconds = time.as_secs();
    format!("waited {seconds} s in vain for {what}")
}

impl Effects<'_> {
    /// How long a step may take: what runs on each node is replaced node by node.
    pub(super) async fn limits_of(&self, step: &PlanStep, cluster: &Cluster) -> Limits {
        let mut workloads = step.workloads.iter();
        if !workloads.any(|workload| workload.kind == WorkloadKind::DaemonSet) {
            return Limits::usual(self.step_timeout);
        }
        match cluster::observe(cluster, &self.options()).await.state {
            ClusterState::Observed(observed) => {
                patience::of_step(step, &observed, self.step_timeout, self.merge_timeout)
            }
            ClusterState::Unknown { .. } => Limits::usual(self.step_timeout),
        }
    }

    /// Looks at a component beside its engine, which would wait for hours for one node that never comes. Returns with what was
    /// waited for in vain.
    pub(super) async fn stands_still(&self, spec: &MeshUpgradeSpec, step: &PlanStep, standstill: Duration) -> String {
        until_standstill(standstill, LOOK_BESIDE_AN_ENGINE_EVERY, || self.look(spec, step)).await
    }

    /// The engine's word is not enough: the component is looked at until it is at the target, or nothing of it has come on
    /// for too long.
    pub(super) async fn wait_for(
        &self,
        spec: &MeshUpgradeSpec,
        step: &PlanStep,
        standstill: Duration,
        news: &Telling,
    ) -> StepObservation {
        let started = Instant::now();
        let is_merged = step.installer.is_merged();
        let (longest, every) = if is_merged {
            (self.merge_timeout, LOOK_FOR_A_MERGE_EVERY)
        } else {
            (standstill, LOOK_EVERY)
        };
        let mut patience = Patience::of(longest);
        let mut pauses = Pauses::up_to(every);
        let mut said = String::new();
        loop {
            let (what, done) = match self.look(spec, step).await {
                Ok((Arrival::Arrived(evidence), _)) => return StepObservation::AtTarget(evidence),
                Ok((Arrival::Waiting(what), done)) => (what, Some(done)),
                Err(fault) => (fault.to_string(), None),
            };
            if patience.is_over(started.elapsed(), done) {
                let why = in_vain(longest, &what);
                return StepObservation::Failed(match self.cluster(&step.cluster) {
                    Ok(cluster) => because(why, cluster, step).await,
                    Err(_) => why,
                });
            }
            if what != said {
                if is_merged {
                    // Told here as it comes into the journal, for whoever looks from elsewhere; nobody listens any more
                    // only when the upgrade is being left.
                    news.send(News::Awaited(format!("{}: waits for {what}", step.id))).ok();
                } else {
                    self.ui.progress(Mark::Info, &self.ui.lang.apply_waiting(&what));
                }
                said = what;
            }
            pauses.pause().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_engine_is_left_once_nothing_comes_on() {
        let waiting = |done: i64| Ok((Arrival::Waiting("ztunnel".to_owned()), done));
        let arrived = || Ok((Arrival::Arrived("at the target".to_owned()), 3));
        for (looks, expected) in [
            // With no time at all, each look has to find more than the one before it.
            (
                vec![waiting(0), waiting(1), waiting(2), waiting(2)],
                "in vain for ztunnel",
            ),
            (
                vec![waiting(0), waiting(1), Err(Fault::passing("no answer".to_owned()))],
                "in vain for no answer",
            ),
            (vec![waiting(1), arrived(), waiting(1)], "in vain for ztunnel"),
        ] {
            let mut looks = looks.into_iter();
            let over = until_standstill(Duration::ZERO, Duration::from_millis(1), || {
                std::future::ready(looks.next().unwrap())
            });
            let ended = unless(std::future::pending(), over).await;
            let why = ended.unwrap_err();
            assert!(why.contains(expected), "{why}");
            assert_eq!(looks.len(), 0, "left too early: {expected}");
        }
    }

    #[tokio::test]
    async fn an_engine_that_ends_has_the_last_word() {
        for ended in [Ok(()), Err("helm says no".to_owned())] {
            let over = std::future::ready("stands still".to_owned());
            assert_eq!(unless(std::future::ready(ended.clone()), over).await, ended);
        }
    }
}
