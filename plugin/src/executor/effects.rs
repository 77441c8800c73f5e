//! Performs the machine's effects in the clusters of a mesh; each may run twice.

use super::{
    fault::{Fault, patiently},
    frozen::{Lost, Telling},
    health, images,
    inherited::Inherited,
    members::Members,
    rollout, stuck,
    tenure::Tenure,
    watch::Watch,
    writing_client,
};
use crate::{
    clock::today,
    cluster::{self, Cluster, ObserveOptions},
    error::CommandError,
    installer::{Change, Engines, Hold, Installer as _, Writer},
    ui::{Mark, Ui},
};
use futures::future::join_all;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::Client;
use shared::{
    api::{Abilities, MeshUpgradeSpec, PlanCluster, PlanStep},
    arrival::{self, Arrival},
    canary,
    catalog::Catalog,
    inventory::{ClusterState, Inventory, Observed},
    journals,
    machine::{CheckResult, Effect, FreezeState, Observation, StepObservation},
    mesh, plan,
    preflight::{self, Purpose, Target},
    waiver,
};
use std::{sync::Arc, time::Duration};

/// What effects need.
pub struct Effects<'a> {
    /// Prints.
    pub ui: Ui,
    /// The clusters of the mesh.
    pub members: &'a Members,
    /// Whose rights changes are made with.
    pub writer: Writer,
    /// Name of the journal.
    pub journal: String,
    /// Who drives, for the freeze's record.
    pub holder: String,
    /// Epoch of the driver.
    pub epoch: i64,
    /// How sure the driver is of its Lease.
    pub tenure: Tenure,
    /// Versions that are known.
    pub catalog: Arc<Catalog>,
    /// What makes the steps' changes.
    pub engines: &'a Engines,
    /// A folder of charts in the place of the journal's.
    pub charts: Option<&'a str>,
    /// How long one component may take.
    pub step_timeout: Duration,
    /// How long somebody may take to merge the change of one component.
    pub merge_timeout: Duration,
    /// When the mesh was frozen, if it was before this driver came.
    pub frozen_since: Option<Time>,
    /// What the journal says of the freeze that was left to this driver.
    pub inherited: Inherited,
    /// The home cluster, as the writer: where the journal is.
    pub home: Client,
    /// Identity of the journal: one of the same name is another.
    pub journal_uid: Option<String>,
    /// What no guard is asked about.
    pub watch: Watch,
}

impl Effects<'_> {
    /// Performs one effect and notes what came of it; what happens meanwhile is told at once.
    ///
    /// # Errors
    /// When the journal is gone. Whatever else fails is noted: the machine decides what it means.
    pub async fn perform(
        &self,
        effect: &Effect,
        spec: &MeshUpgradeSpec,
        seen: &mut Observation,
        news: &Telling,
    ) -> Result<(), CommandError> {
        match effect {
            Effect::Check => {
                // Side by side; what is found first to be in the way is told.
                let counted = async { Ok(self.connections(spec).await) };
                let looked = tokio::try_join!(
                    self.check(spec, false),
                    self.prove_abilities(spec),
                    counted,
                    self.hides_the_freeze(spec)
                );
                seen.check = Some(match looked {
                    Ok(((), abilities, connections, ())) => {
                        seen.abilities = abilities;
                        seen.connections = self.comparable(connections);
                        CheckResult::Free
                    }
                    Err(blockers) => CheckResult::Blocked(blockers),
                });
            }
            Effect::Recheck => {
                // Proved anew where another driver did, who knows when.
                let is_known = seen.check.is_some();
                let abilities = async {
                    if is_known {
                        return Ok(None);
                    }
                    self.prove_abilities(spec).await.map(Some)
                };
                let looked = async {
                    let counted = async { Ok(self.connections(spec).await) };
                    let ((), abilities, counted) = tokio::try_join!(self.check(spec, true), abilities, counted)?;
                    self.rehearse(spec).await?;
                    Ok((abilities, counted))
                };
                seen.recheck = Some(match looked.await {
                    Ok((abilities, counted)) => {
                        if let Some(abilities) = abilities {
                            seen.abilities = abilities;
                        }
                        // What this driver counted a moment ago is better than nothing.
                        if counted.is_ok() || seen.connections.is_none() {
                            seen.connections = self.comparable(counted);
                        }
                        CheckResult::Free
                    }
                    Err(blockers) => CheckResult::Blocked(blockers),
                });
            }
            Effect::PullImages => seen.images = Some(self.pull(spec).await),
            Effect::Freeze { step } => {
                let step = step.as_deref().and_then(|step| find(spec, step));
                // By now the journal has it.
                seen.found_open = None;
                let left = self.look_at_what_was_left(spec).await;
                match left.open {
                    Some(what) => seen.found_open = Some(what),
                    None => seen.freeze = self.freeze(spec, step, &left.unseen, news).await,
                }
            }
            Effect::Observe { step } => {
                if let Some(step) = find(spec, step) {
                    let outcome = self.observe_step(spec, step).await;
                    // It has arrived without this driver, whose freeze may have let its controller through.
                    if matches!(outcome, StepObservation::AtTarget(_))
                        && let Err(why) = self.let_through(spec, step, None).await
                    {
                        seen.freeze = FreezeState::Failed(why);
                    }
                    seen.steps.insert(step.id.clone(), outcome);
                }
            }
            Effect::Apply { step } => {
                if let Some(step) = find(spec, step) {
                    // On the heap, as it is large.
                    match Box::pin(self.apply(spec, step, news)).await {
                        Ok(outcome) => drop(seen.steps.insert(step.id.clone(), outcome)),
                        Err(Lost::Freeze(why)) => seen.freeze = FreezeState::Failed(why),
                        Err(Lost::Journal(error)) => return Err(error),
                    }
                    self.prove_anew_if_disturbed(spec, seen).await;
                }
            }
            Effect::VerifyCluster {
                cluster,
                abilities,
                connections,
            } => {
                let planned = spec.plan.clusters.iter().find(|planned| planned.name == *cluster);
                if let Some(planned) = planned {
                    let proved = self.verify_cluster(spec, planned, abilities, false).await;
                    let proved = self.connected_again(spec, proved, connections.as_deref(), true).await;
                    seen.verified.insert(cluster.clone(), proved);
                }
                self.prove_anew_if_disturbed(spec, seen).await;
            }
            Effect::Verify { abilities, connections } => {
                let proved = self.verify(spec, abilities).await;
                seen.health = Some(self.connected_again(spec, proved, connections.as_deref(), false).await);
                self.prove_anew_if_disturbed(spec, seen).await;
            }
            Effect::Thaw => seen.thaw = Some(self.thaw(spec).await),
        }
        seen.fingerprints = self.watch.fingerprints();
        seen.drift = self.watch.drift();
        Ok(())
    }

    /// A freeze that was taken away meanwhile is put up again before anything else is done.
    async fn prove_anew_if_disturbed(&self, spec: &MeshUpgradeSpec, seen: &mut Observation) {
        if seen.freeze != FreezeState::Closed {
            return;
        }
        if let Err(what) = self.freeze_stands(spec, None).await {
            if what.is_passing() {
                seen.freeze = FreezeState::Failed(what.to_string());
                return;
            }
            self.ui.progress(Mark::Warn, &self.ui.lang.apply_prove_again(what));
            seen.freeze = FreezeState::Unproved;
        }
    }

    /// What is seen of every cluster: also what a vendor brings, which a step may be about.
    pub(super) fn options(&self) -> ObserveOptions {
        ObserveOptions {
            catalog: Some(Arc::clone(&self.catalog)),
            ..ObserveOptions::default()
        }
    }

    /// As much as the operator's own check saw: what has come since must not slip through.
    async fn observe(&self) -> Inventory {
        let options = ObserveOptions {
            ask_running_versions: true,
            count_proxies: true,
            surroundings: true,
            ..self.options()
        };
        self.members.observe(&options).await
    }

    /// Whether the mesh is free to go; what is in its way, one line each.
    async fn check(&self, spec: &MeshUpgradeSpec, frozen: bool) -> Result<(), Vec<String>> {
        let inventory = self.observe().await;
        let meshes = mesh::meshes(&inventory);
        // It may be called otherwise than where the upgrade began: from there more clusters were seen, or fewer.
        let mesh = match journals::mesh_of(&spec.plan.clusters, &spec.mesh, &meshes, &inventory) {
            Some(mesh) => mesh,
            None => mesh::select(&meshes, Some(&spec.mesh)).map_err(|error| vec![error.to_string()])?,
        };
        let Ok(version) = spec.to.parse() else {
            return Err(vec![format!("the journal's target {:?} is no version", spec.to)]);
        };
        let purpose = if spec.unguarded.is_some() {
            Purpose::ApplyUnguarded
        } else {
            Purpose::Apply
        };
        let target = Target::new(version)
            .for_purpose(purpose)
            .as_canary(spec.plan.is_canary())
            .once_frozen(frozen);
        let report = preflight::check(mesh, &inventory, &target, &self.catalog, today());
        let report = waiver::apply(report, &waiver::recorded(&spec.waivers), today());
        let mut blockers: Vec<String> = report
            .blockers()
            .map(|finding| format!("{} {}", finding.code.id(), finding.cause))
            .collect();
        blockers.extend(plan::drift(&spec.plan, &inventory));
        match plan::plan(mesh, &inventory, &target, &spec.plan.charts.location, &self.catalog) {
            Ok(now) => blockers.extend(plan::joined(&spec.plan, &now)),
            // Told above.
            Err(plan::PlanError::NothingToDo { .. } | plan::PlanError::Unknown { .. }) => {}
            Err(error) => blockers.push(error.to_string()),
        }
        blockers.extend(self.still_served(spec).await);
        none_of(blockers)
    }

    /// What does not work before the upgrade could not be proved after it: it is found out before anything is changed.
    async fn prove_abilities(&self, spec: &MeshUpgradeSpec) -> Result<Vec<Abilities>, Vec<String>> {
        let proving = spec.plan.clusters.iter().map(|planned| async move {
            let cluster = self.cluster(&planned.name)?;
            let writer = writing_client(cluster, &self.writer)?;
            let configures = spec.plan.configures(&planned.name);
            let proved = health::abilities(self.ui, cluster, &writer, planned, configures).await;
            proved.map_err(|why| format!("{}: {why}", planned.name))
        });
        let proved = join_all(proving).await;
        let (proved, failed): (Vec<_>, Vec<_>) = proved.into_iter().partition(Result::is_ok);
        none_of(failed.into_iter().filter_map(Result::err).collect())?;
        Ok(proved.into_iter().flatten().flatten().collect())
    }

    /// Frozen, so that the driver's dry runs pass everywhere, and before anything is changed.
    async fn rehearse(&self, spec: &MeshUpgradeSpec) -> Result<(), Vec<String>> {
        let hold = Hold::default();
        let trying = spec.plan.steps.iter().map(|step| async {
            let cluster = self.cluster(&step.cluster)?;
            let change = self.change(spec, step, cluster, &hold);
            let tried = self.engines.rehearse(&change).await;
            tried.map_err(|why| format!("{}: {why}", step.id))
        });
        let tried = join_all(trying).await;
        none_of(tried.into_iter().filter_map(Result::err).collect())
    }

    fn change<'c>(
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
            writer: &self.writer,
            timeout: self.step_timeout,
            hold,
            tenure: Some(&self.tenure),
        }
    }

    /// In all clusters at once: each has its own nodes, and its own way to the registry.
    async fn pull(&self, spec: &MeshUpgradeSpec) -> Result<String, String> {
        let pulling = spec.plan.clusters.iter().map(|planned| async move {
            let cluster = self.cluster(&planned.name)?;
            let client = writing_client(cluster, &self.writer)?;
            let images = if planned.images.is_empty() {
                &spec.plan.images
            } else {
                &planned.images
            };
            images::pull(cluster, &client, images::place(planned), images).await
        });
        all_or_why(join_all(pulling).await)
    }

    /// How far a step is, and how many of its pods.
    pub(super) async fn look(&self, spec: &MeshUpgradeSpec, step: &PlanStep) -> Result<(Arrival, i64), Fault> {
        let cluster = self.cluster(&step.cluster).map_err(Fault::lasting)?;
        let options = ObserveOptions {
            surroundings: canary::looks_around(step),
            ..self.options()
        };
        let seen = cluster::observe(cluster, &options).await;
        match seen.state {
            ClusterState::Observed(observed) => match arrival::unseen(step, &observed, &spec.waivers) {
                Some(what) => Err(Fault::passing(format!("not everything could be read: {what}"))),
                None => Ok((arrival::of_step(step, &observed), arrival::rolled_out(step, &observed))),
            },
            ClusterState::Unknown { reason } => {
                Err(Fault::passing(format!("cluster {} is unknown: {reason}", step.cluster)))
            }
        }
    }

    async fn observe_step(&self, spec: &MeshUpgradeSpec, step: &PlanStep) -> StepObservation {
        match patiently(|| self.look(spec, step)).await {
            Ok((Arrival::Arrived(evidence), _)) => StepObservation::AtTarget(evidence),
            Ok((Arrival::Waiting(_), _)) => StepObservation::Due,
            Err(why) => StepObservation::Failed(why.to_string()),
        }
    }

    /// Changes a component, watched over.
    async fn apply(&self, spec: &MeshUpgradeSpec, step: &PlanStep, news: &Telling) -> Result<StepObservation, Lost> {
        let cluster = match self.cluster(&step.cluster) {
            Ok(cluster) => cluster,
            Err(why) => return Ok(StepObservation::Failed(why)),
        };
        let hold = Hold::default();
        let limits = self.limits_of(step, cluster).await;
        let change = Change {
            timeout: limits.in_all,
            ..self.change(spec, step, cluster, &hold)
        };
        let what = format!("{} ({}): {} to {}", step.runs(), step.cluster, step.from, step.to);
        self.ui.progress(Mark::Step, &what);
        let changed = async {
            hold.free().await;
            if let Err(why) = self.may_go(step, cluster).await {
                return StepObservation::Failed(why);
            }
            let upgrading = self.engines.upgrade(&change);
            let upgraded = if limits.outlast_a_standstill() {
                rollout::unless(upgrading, self.stands_still(spec, step, limits.standstill)).await
            } else {
                upgrading.await
            };
            match upgraded {
                Ok(()) => self.wait_for(spec, step, limits.standstill, news).await,
                Err(why) => StepObservation::Failed(because(why, cluster, step).await),
            }
        };
        if spec.unguarded.is_some() {
            return Ok(changed.await);
        }
        self.let_through(spec, step, Some(step)).await.map_err(Lost::Freeze)?;
        let bell = self.stand_watch(spec, step).await;
        let bell = bell.map_err(|fault| Lost::Freeze(fault.to_string()))?;
        // Let go by the first look: between the last proof and now somebody may have been at the freeze.
        hold.hold();
        let outcome = tokio::select! {
            outcome = changed => outcome,
            lost = self.keep_frozen(spec, step, bell, &hold, news) => return Err(lost),
        };
        let ended = self.end_watch(spec, step).await;
        ended.map_err(|fault| Lost::Freeze(fault.to_string()))?;
        // Who failed to arrive may still come: that is seen by whoever goes on.
        self.let_through(spec, step, None).await.map_err(Lost::Freeze)?;
        Ok(outcome)
    }

    async fn verify(&self, spec: &MeshUpgradeSpec, abilities: &[Abilities]) -> Result<String, String> {
        let proving = spec
            .plan
            .clusters
            .iter()
            .map(|planned| self.verify_cluster(spec, planned, abilities, true));
        all_or_why(join_all(proving).await)
    }

    async fn verify_cluster(
        &self,
        spec: &MeshUpgradeSpec,
        planned: &PlanCluster,
        abilities: &[Abilities],
        gateways: bool,
    ) -> Result<String, String> {
        let cluster = self.cluster(&planned.name)?;
        let writer = writing_client(cluster, &self.writer)?;
        health::prove(self.ui, cluster, &writer, planned, &spec.to, abilities, gateways).await
    }

    pub(super) fn cluster(&self, name: &str) -> Result<&Cluster, String> {
        self.members.cluster(name)
    }
}

fn none_of(blockers: Vec<String>) -> Result<(), Vec<String>> {
    if blockers.is_empty() { Ok(()) } else { Err(blockers) }
}

/// What was done in each cluster; or all that failed, since a person mends them all at once.
pub(super) fn all_or_why(each: Vec<Result<String, String>>) -> Result<String, String> {
    let (done, failed): (Vec<_>, Vec<_>) = each.into_iter().partition(Result::is_ok);
    let failed: Vec<String> = failed.into_iter().filter_map(Result::err).collect();
    if failed.is_empty() {
        Ok(done.into_iter().flatten().collect::<Vec<_>>().join("; "))
    } else {
        Err(failed.join("; "))
    }
}

/// An engine's failure with what the component's pods say of themselves.
pub(super) async fn because(why: String, cluster: &Cluster, step: &PlanStep) -> String {
    match stuck::why(&cluster.client, step).await {
        Some(pods) => format!("{why}; {pods}"),
        None => why,
    }
}

fn find<'a>(spec: &'a MeshUpgradeSpec, id: &str) -> Option<&'a PlanStep> {
    spec.plan.steps.iter().find(|step| step.id == id)
}

/// The cluster's contents, when it could be observed.
#[must_use]
pub fn observed<'a>(inventory: &'a Inventory, name: &str) -> Option<&'a Observed> {
    inventory
        .clusters
        .iter()
        .find(|cluster| cluster.name == name)
        .and_then(|cluster| match &cluster.state {
            ClusterState::Observed(observed) => Some(observed.as_ref()),
            ClusterState::Unknown { .. } => None,
        })
}
