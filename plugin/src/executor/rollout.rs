//! How long a component's rollout is waited for: as long as something of it comes on.

use super::{
    effects::Effects,
    fault::Fault,
    frozen::Telling,
    step::{Changed, because},
    wait::{Waiting, in_vain, once_each, within},
};
use crate::cluster::{self, Cluster};
use shared::{
    api::{MeshUpgradeSpec, PlanStep, WorkloadKind},
    arrival::Arrival,
    inventory::{ClusterState, Observed},
    machine::{News, StepObservation},
    patience::{self, Limits, Patience},
};
use std::{
    convert::Infallible,
    time::{Duration, Instant},
};

/// How often it is looked whether somebody has merged something.
const LOOK_FOR_A_MERGE_EVERY: Duration = Duration::from_secs(2);

/// The same for a component beside an engine that looks itself, and takes hours.
const LOOK_BESIDE_AN_ENGINE_EVERY: Duration = Duration::from_secs(10);

/// How often it is looked what an engine waits for: one small request, of which an engine that has ended by then makes none.
const TELL_EVERY: Duration = Duration::from_secs(5);

/// Runs an engine to its end, while something else tells of it.
pub(super) async fn told_of<T>(engine: impl Future<Output = T>, telling: impl Future<Output = Infallible>) -> T {
    tokio::select! {
        biased;
        ended = engine => ended,
        never = telling => match never {},
    }
}

/// Tells what is waited for whenever it is something else.
async fn tell_changes<F: Future<Output = Option<String>>>(
    every: Duration,
    news: &Telling,
    mut look: impl FnMut() -> F,
) -> Infallible {
    let mut told = None;
    loop {
        tokio::time::sleep(every).await;
        let what = look().await;
        if what != told {
            // Nobody listens any more only when the upgrade is being left.
            news.send(News::Waits(what.clone())).ok();
            told = what;
        }
    }
}

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

impl Effects<'_> {
    /// The step's cluster, where the step is about what runs on each node.
    pub(super) async fn seen_of_nodes(&self, step: &PlanStep, cluster: &Cluster) -> Option<Box<Observed>> {
        let mut workloads = step.workloads.iter();
        if !workloads.any(|workload| workload.kind == WorkloadKind::DaemonSet) {
            return None;
        }
        match cluster::observe(cluster, &self.options()).await.state {
            ClusterState::Observed(observed) => Some(observed),
            ClusterState::Unknown { .. } => None,
        }
    }

    /// How long a step may take: what runs on each node is replaced node by node.
    pub(super) fn limits_of(&self, step: &PlanStep, nodes: Option<&Observed>) -> Limits {
        match nodes {
            Some(observed) => patience::of_step(step, observed, self.step_timeout, self.merge_timeout),
            None => Limits::usual(self.step_timeout),
        }
    }

    /// Looks at a component beside its engine, which would wait for hours for one node that never comes. Returns with what was
    /// waited for in vain.
    pub(super) async fn stands_still(&self, spec: &MeshUpgradeSpec, step: &PlanStep, standstill: Duration) -> String {
        let look = || async {
            let looked = self.look(spec, step).await?;
            Ok::<_, Fault>((looked.arrival, looked.done))
        };
        until_standstill(standstill, LOOK_BESIDE_AN_ENGINE_EVERY, look).await
    }

    /// Tells what an engine waits for, which says nothing itself before it has ended.
    pub(super) async fn tell_beside(&self, cluster: &Cluster, step: &PlanStep, news: &Telling) -> Infallible {
        tell_changes(TELL_EVERY, news, || cluster::awaited(&cluster.client, step)).await
    }

    /// The engine's word is not enough: the component is looked at until it is at the target, or nothing of it has come on
    /// for too long.
    pub(super) async fn wait_for(
        &self,
        spec: &MeshUpgradeSpec,
        step: &PlanStep,
        standstill: Duration,
        news: &Telling,
    ) -> Changed {
        let is_merged = step.installer.is_merged();
        let say = once_each(|what: &str| {
            let what = what.to_owned();
            let waits = if is_merged {
                // It comes into the journal, for whoever looks from elsewhere.
                News::Awaited {
                    step: step.id.clone(),
                    what,
                }
            } else {
                News::Waits(Some(what))
            };
            news.send(waits).ok();
        });
        let look = || async {
            let looked = self.look(spec, step).await;
            let looked = looked.map_err(|fault| Waiting::from(fault.to_string()))?;
            match looked.arrival {
                Arrival::Arrived(evidence) => Ok(Changed {
                    due: looked.due,
                    ..Changed::to(StepObservation::AtTarget(evidence))
                }),
                Arrival::Waiting(what) => Err(Waiting {
                    what,
                    come: Some(looked.done),
                }),
            }
        };
        let waiting = if is_merged {
            within(self.merge_timeout, say).looking_every(LOOK_FOR_A_MERGE_EVERY)
        } else {
            within(standstill, say)
        };
        match waiting.wait_for(look).await {
            Ok(changed) => changed,
            Err(why) => Changed::to(StepObservation::Failed(match self.cluster(&step.cluster) {
                Ok(cluster) => because(why, cluster, step).await,
                Err(_) => why,
            })),
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
    async fn what_an_engine_waits_for_is_told_once_until_it_changes() {
        let (news, mut heard) = tokio::sync::mpsc::unbounded_channel();
        let looks = ["a", "a", "b", ""];
        let mut left = looks.into_iter();
        let (ends, ended) = tokio::sync::oneshot::channel();
        let mut ends = Some(ends);
        let telling = tell_changes(Duration::from_millis(1), &news, || {
            let found = left.next().map(str::to_owned).filter(|what| !what.is_empty());
            if left.len() == 0
                && let Some(ends) = ends.take()
            {
                ends.send("done").unwrap();
            }
            std::future::ready(found)
        });
        assert_eq!(told_of(ended, telling).await.unwrap(), "done");
        drop(news);
        let mut told = Vec::new();
        while let Some(News::Waits(what)) = heard.recv().await {
            told.push(what);
        }
        assert_eq!(told, [Some("a".to_owned()), Some("b".to_owned()), None]);
    }

    #[tokio::test]
    async fn an_engine_that_ends_has_the_last_word() {
        for ended in [Ok(()), Err("helm says no".to_owned())] {
            let over = std::future::ready("stands still".to_owned());
            assert_eq!(unless(std::future::ready(ended.clone()), over).await, ended);
        }
    }
}
