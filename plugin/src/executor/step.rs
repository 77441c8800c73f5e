//! One step: how far it is, and its change, watched over.

use super::{
    effects::Effects,
    fault::{Fault, patiently},
    frozen::{Lost, Telling},
    rollout, stuck,
    watch::Ring,
};
use crate::{
    cluster::{self, Cluster, ObserveOptions},
    installer::{Change, Hold, Installer as _},
    ui::Mark,
};
use shared::{
    api::{MeshUpgradeSpec, PlanStep, StepAction},
    arrival::{self, Arrival},
    canary, charts,
    inventory::ClusterState,
    machine::StepObservation,
    ztunnel,
};

/// What one look says of a step.
pub(super) struct Looked {
    pub arrival: Arrival,
    /// Pods of it that are done.
    pub done: i64,
    /// The step that comes next, where it is seen to be due.
    pub due: Option<String>,
}

/// What came of a change.
pub(super) struct Changed {
    pub seen: StepObservation,
    /// The step that comes next, where it was seen to be due.
    pub due: Option<String>,
    /// Whether nothing was told of the freeze since the last look at it.
    pub is_quiet: bool,
}

impl Changed {
    pub(super) fn to(seen: StepObservation) -> Self {
        Self {
            seen,
            due: None,
            is_quiet: false,
        }
    }
}

impl Effects<'_> {
    pub(super) fn change<'c>(
        &'c self,
        spec: &'c MeshUpgradeSpec,
        step: &'c PlanStep,
        cluster: &'c Cluster,
        hold: &'c Hold,
    ) -> Change<'c> {
        Change {
            cluster,
            step,
            charts: self.charts.unwrap_or(&spec.plan.charts.location),
            digest: self.digest_of(step),
            writer: &self.writer,
            timeout: self.step_timeout,
            hold,
            tenure: Some(&self.tenure),
        }
    }

    fn digest_of(&self, step: &PlanStep) -> Option<&str> {
        let digest = self.chart_digests.get(&charts::name(step.chart(), &step.to));
        digest.map(String::as_str)
    }

    /// How far a step is, how many of its pods, and what the same look says of the step that comes next.
    pub(super) async fn look(&self, spec: &MeshUpgradeSpec, step: &PlanStep) -> Result<Looked, Fault> {
        let cluster = self.cluster(&step.cluster).map_err(Fault::lasting)?;
        let options = ObserveOptions {
            surroundings: canary::looks_around(step),
            ..self.options()
        };
        let seen = cluster::observe(cluster, &options).await;
        match seen.state {
            ClusterState::Observed(observed) => match arrival::unseen(step, &observed, &spec.waivers) {
                Some(what) => Err(Fault::passing(format!("not everything could be read: {what}"))),
                None => Ok(Looked {
                    arrival: arrival::of_step(step, &observed),
                    done: arrival::rolled_out(step, &observed),
                    due: arrival::next_due(&spec.plan.steps, step, &observed, &spec.waivers).map(str::to_owned),
                }),
            },
            ClusterState::Unknown { reason } => {
                Err(Fault::passing(format!("cluster {} is unknown: {reason}", step.cluster)))
            }
        }
    }

    pub(super) async fn observe_step(&self, spec: &MeshUpgradeSpec, step: &PlanStep) -> StepObservation {
        match patiently(|| self.look(spec, step)).await {
            Ok(looked) => match looked.arrival {
                Arrival::Arrived(evidence) => StepObservation::AtTarget(evidence),
                Arrival::Waiting(_) => StepObservation::Due,
            },
            Err(why) => StepObservation::Failed(why.to_string()),
        }
    }

    /// Changes a component, watched over.
    pub(super) async fn apply(&self, spec: &MeshUpgradeSpec, step: &PlanStep, news: &Telling) -> Result<Changed, Lost> {
        let failed = |why: String| Changed::to(StepObservation::Failed(why));
        let cluster = match self.cluster(&step.cluster) {
            Ok(cluster) => cluster,
            Err(why) => return Ok(failed(why)),
        };
        let hold = Hold::default();
        let nodes = self.seen_of_nodes(step, cluster).await;
        let limits = self.limits_of(step, nodes.as_deref());
        let change = Change {
            timeout: limits.in_all,
            ..self.change(spec, step, cluster, &hold)
        };
        let what = format!("{} ({}): {} to {}", step.runs(), step.cluster, step.from, step.to);
        self.ui.progress(Mark::Step, &what);
        if let Some(cut) = nodes.and_then(|nodes| ztunnel::cut_by(step, &nodes)) {
            self.ui.progress(Mark::Info, &cut);
        }
        let changed = async {
            // Whether an old revision may go is seen while the mesh is frozen.
            if step.action == StepAction::Remove {
                hold.free().await;
            }
            if let Err(why) = self.may_go(step, cluster).await {
                return failed(why);
            }
            let upgrading = rollout::told_of(self.engines.upgrade(&change), self.tell_beside(cluster, step, news));
            let upgraded = if limits.outlast_a_standstill() {
                rollout::unless(upgrading, self.stands_still(spec, step, limits.standstill)).await
            } else {
                upgrading.await
            };
            match upgraded {
                Ok(()) => self.wait_for(spec, step, limits.standstill, news).await,
                Err(why) => failed(because(why, cluster, step).await),
            }
        };
        if spec.unguarded.is_some() {
            return Ok(changed.await);
        }
        self.let_through(spec, step, Some(step)).await.map_err(Lost::Freeze)?;
        let bell = self.stand_watch(spec, step).await;
        let mut bell = bell.map_err(|fault| Lost::Freeze(fault.to_string()))?;
        // What the engine writes is let go by the first look: between the last proof and now somebody may have been at the
        // freeze.
        hold.hold_writes();
        let outcome = tokio::select! {
            outcome = changed => outcome,
            lost = self.keep_frozen(spec, step, &mut bell, &hold, news) => return Err(lost),
        };
        let is_quiet = bell.rung() < Some(Ring::Freeze);
        self.watch.keep(bell);
        let ended = self.end_watch(spec, step).await;
        ended.map_err(|fault| Lost::Freeze(fault.to_string()))?;
        // Who failed to arrive may still come: that is seen by whoever goes on.
        self.let_through(spec, step, None).await.map_err(Lost::Freeze)?;
        Ok(Changed { is_quiet, ..outcome })
    }
}

/// An engine's failure with what the component's pods say of themselves.
pub(super) async fn because(why: String, cluster: &Cluster, step: &PlanStep) -> String {
    match stuck::why(&cluster.client, step).await {
        Some(pods) => format!("{why}; {pods}"),
        None => why,
    }
}
