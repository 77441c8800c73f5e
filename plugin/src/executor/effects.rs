//! Performs the machine's effects in the clusters of a mesh; each may run twice.

use super::{
    frozen::{Lost, Telling},
    inherited::Inherited,
    members::Members,
    tenure::Tenure,
    watch::Watch,
};
use crate::{
    cluster::{Cluster, ObserveOptions},
    error::CommandError,
    installer::{Engines, Writer},
    ui::{Mark, Ui},
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::Client;
use shared::{
    api::MeshUpgradeSpec,
    catalog::Catalog,
    charts::Digests,
    inventory::Inventory,
    machine::{CheckResult, Effect, FreezeState, Observation, StepObservation},
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
    /// What charts the upgrade goes by.
    pub chart_digests: Digests,
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
    /// What was seen of all clusters before the upgrade was written down, and when that was begun, by [`crate::clock::passed`].
    pub lately: Option<(Duration, &'a Inventory)>,
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
        if !matches!(effect, Effect::Apply { .. }) {
            // Its watches end where nobody listens.
            drop(self.watch.kept());
        }
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
                    // Not frozen yet, so that what is due is not taken from here.
                    Ok((_, abilities, connections, ())) => {
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
                    let (due, abilities, counted) = tokio::try_join!(self.check(spec, true), abilities, counted)?;
                    self.rehearse(spec).await?;
                    Ok((due, abilities, counted))
                };
                seen.recheck = Some(match looked.await {
                    Ok((due, abilities, counted)) => {
                        seen.is_due(due);
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
                let step = step.as_deref().and_then(|step| spec.plan.step(step));
                // By now the journal has it.
                seen.found_open = None;
                let left = self.look_at_what_was_left(spec).await;
                match left.open {
                    Some(what) => seen.found_open = Some(what),
                    None => seen.freeze = self.freeze(spec, step, &left.unseen, news).await,
                }
            }
            Effect::Observe { step } => {
                if let Some(step) = spec.plan.step(step) {
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
                if let Some(step) = spec.plan.step(step) {
                    // On the heap, as it is large.
                    match Box::pin(self.apply(spec, step, news)).await {
                        Ok(changed) => {
                            // The next change begins held, with a look, and what proves the mesh's health ends with one.
                            let is_looked_at = changed.is_quiet && matches!(changed.seen, StepObservation::AtTarget(_));
                            seen.steps.insert(step.id.clone(), changed.seen);
                            seen.is_due(changed.due);
                            if !is_looked_at {
                                self.prove_anew_if_disturbed(spec, seen).await;
                            }
                        }
                        Err(Lost::Freeze(why)) => seen.freeze = FreezeState::Failed(why),
                        Err(Lost::Journal(error)) => return Err(error),
                    }
                }
            }
            Effect::VerifyCluster {
                cluster,
                abilities,
                connections,
            } => {
                if let Some(planned) = spec.plan.cluster(cluster) {
                    let proved = self.verify_cluster(spec, planned, abilities, false, news).await;
                    let proved = self
                        .connected_again(spec, proved, connections.as_deref(), true, news)
                        .await;
                    seen.verified.insert(cluster.clone(), proved);
                }
                self.prove_anew_if_disturbed(spec, seen).await;
            }
            Effect::Verify { abilities, connections } => {
                let proved = self.verify(spec, abilities, news).await;
                seen.health = Some(
                    self.connected_again(spec, proved, connections.as_deref(), false, news)
                        .await,
                );
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

    pub(super) fn cluster(&self, name: &str) -> Result<&Cluster, String> {
        self.members.cluster(name)
    }
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
