//! Before an old revision is taken away: what still refers to it, and who is still connected to it.

use super::effects::Effects;
use crate::{
    cluster::{self, Cluster, ObserveOptions},
    ui::Mark,
};
use shared::{
    api::{MeshUpgradeSpec, PlanStep, StepAction},
    canary,
    inventory::ClusterState,
};

impl Effects<'_> {
    /// What refers to the old revision is looked for once more, right before it is taken away: pods come at any time.
    pub(super) async fn may_go(&self, step: &PlanStep, cluster: &Cluster) -> Result<(), String> {
        let Some(revisions) = step.revisions.as_ref().filter(|_| step.action == StepAction::Remove) else {
            return Ok(());
        };
        let options = ObserveOptions {
            count_proxies: true,
            surroundings: true,
            ..self.options()
        };
        let uses = match cluster::observe(cluster, &options).await.state {
            ClusterState::Observed(observed) => canary::uses(&observed, revisions),
            ClusterState::Unknown { reason } => vec![reason],
        };
        if uses.is_empty() {
            return Ok(());
        }
        Err(format!(
            "revision {} is still in use: {}",
            revisions.old,
            uses.join("; ")
        ))
    }

    /// Proxies that are connected to a revision that is to go, wherever they run.
    pub(super) async fn still_served(&self, spec: &MeshUpgradeSpec) -> Vec<String> {
        let mut served = Vec::new();
        let removals = spec.plan.steps.iter().filter(|step| step.action == StepAction::Remove);
        for (step, revisions) in removals.filter_map(|step| Some((step, step.revisions.as_ref()?))) {
            let Ok(cluster) = self.cluster(&step.cluster) else {
                continue;
            };
            // One that does not tell serves nobody that could be asked for; pods are counted anyway.
            let connected = cluster::connected_to(cluster, &step.namespace, &revisions.old).await;
            match connected {
                Ok(0) => {}
                Ok(many) => served.push(format!(
                    "{}: {many} proxies are connected to revision {}",
                    step.cluster, revisions.old
                )),
                Err(why) => {
                    let says = format!("proxies of revision {} cannot be counted: {why}", revisions.old);
                    self.ui.progress(Mark::Warn, &says);
                }
            }
        }
        served
    }
}
