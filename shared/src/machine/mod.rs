//! The upgrade machine: from the journal and what was observed to the next status and the next effect.
//!
//! `step` decides everything; the executor persists the status it returns, and only then performs the effect. Each
//! effect may run twice: a killed driver's successor starts from the journal and from fresh observations.

mod journal;
pub mod progress;
mod watched;
mod waves;

pub use watched::{Drift, News, drift_condition, heard};

use crate::{
    api::{Abilities, Component, Fingerprint, MeshUpgradeSpec, MeshUpgradeStatus, ProxyConnections, StepState},
    phase::Phase,
};
use k8s_openapi::jiff::Timestamp;
use std::collections::BTreeMap;

/// Who drives the upgrade now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Driver {
    /// The person, as the API server knows them.
    pub name: String,
    /// Grows with each driver; carried by every write.
    pub epoch: i64,
}

/// Result of a check of the mesh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CheckResult {
    /// No blocker.
    Free,
    /// Blockers, one line each.
    Blocked(Vec<String>),
}

/// Whether the freeze holds for this driver, in every cluster that the upgrade writes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum FreezeState {
    /// Not proved by this driver.
    #[default]
    Unproved,
    /// Canaries were refused by each barrier on its own, and the holder is let through.
    Closed,
    /// It could not be closed; why.
    Failed(String),
}

/// What was seen of a step's component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepObservation {
    /// At the target and healthy; the evidence in a sentence.
    AtTarget(String),
    /// Not there yet; its effect may be performed.
    Due,
    /// Its effect was performed and failed, or its deadline passed; why.
    Failed(String),
}

/// Result of an effect that is done or not.
pub type Outcome = Result<String, String>;

/// What this driver has observed since it began.
#[derive(Clone, Debug, Default)]
pub struct Observation {
    /// The check before anything is changed.
    pub check: Option<CheckResult>,
    /// What the control planes were proved to do at the last check.
    pub abilities: Vec<Abilities>,
    /// The proxies as they were at the last check, where they could be counted.
    pub connections: Option<ProxyConnections>,
    /// Whether all images could be pulled.
    pub images: Option<Outcome>,
    /// The freeze.
    pub freeze: FreezeState,
    /// The check after the freeze.
    pub recheck: Option<CheckResult>,
    /// Steps by id.
    pub steps: BTreeMap<String, StepObservation>,
    /// Health of clusters whose control plane has just been changed, by name.
    pub verified: BTreeMap<String, Outcome>,
    /// The mesh's health after the last step.
    pub health: Option<Outcome>,
    /// Whether the freeze was taken down.
    pub thaw: Option<Outcome>,
    /// What no guard is asked about, by cluster: what later looks are compared with.
    pub fingerprints: BTreeMap<String, Vec<Fingerprint>>,
    /// How it differs from that, as far as the upgrade itself does not explain it.
    pub drift: Drift,
}

/// Something for the executor to do, after the status was persisted. Every one may be done twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Observe and check the mesh, into [`Observation::check`], [`Observation::abilities`] and
    /// [`Observation::connections`].
    Check,
    /// Pull the target's images, into [`Observation::images`].
    PullImages,
    /// Put up the freeze with this driver's epoch and prove it, into [`Observation::freeze`].
    Freeze {
        /// Id of the step that is under way, whose controller is let through as before: one that is refused half-way may
        /// never try again by itself.
        step: Option<String>,
    },
    /// Observe and check once more, frozen, into [`Observation::recheck`]; the rest as in [`Effect::Check`], since the
    /// journal's may be old.
    Recheck,
    /// Look at a step's component, into [`Observation::steps`].
    Observe {
        /// Id of the step.
        step: String,
    },
    /// Change a step's component and wait for it, into [`Observation::steps`].
    Apply {
        /// Id of the step.
        step: String,
    },
    /// Prove the health of one cluster before the next one's control plane is changed, or a gateway is replaced, into
    /// [`Observation::verified`].
    VerifyCluster {
        /// Name of the cluster.
        cluster: String,
        /// As in [`Effect::Verify`], of this cluster.
        abilities: Vec<Abilities>,
        /// As in [`Effect::Verify`]: proxies of other clusters may be connected to this one's istiods.
        connections: Option<Box<ProxyConnections>>,
    },
    /// Prove the mesh's health, into [`Observation::health`].
    Verify {
        /// What has to work as it did before; a control plane that is not among them has to do everything.
        abilities: Vec<Abilities>,
        /// The proxies that have to be connected again.
        connections: Option<Box<ProxyConnections>>,
    },
    /// Take the freeze down, into [`Observation::thaw`].
    Thaw,
}

/// Why the machine stops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The mesh runs the target and is open.
    Succeeded,
    /// Given up before anything was changed; why, one line each.
    Withdrawn(Vec<String>),
    /// It cannot go on by itself; the mesh stays as it is, frozen, and the upgrade can be resumed.
    Stalled {
        /// Machine-readable reason, as `StepFailed`.
        reason: &'static str,
        /// What was tried and what happened.
        message: String,
    },
}

/// What comes next.
#[derive(Clone, Debug, PartialEq)]
#[must_use = "a transition must be persisted, and its effect performed"]
pub struct Transition {
    /// Status to persist before the effect is performed.
    pub status: MeshUpgradeStatus,
    /// The effect to perform, at most one.
    pub effect: Option<Effect>,
    /// Set when there is nothing more to do for this driver.
    pub stop: Option<Stop>,
}

/// Decides the next status and effect.
pub fn step(
    spec: &MeshUpgradeSpec,
    status: &MeshUpgradeStatus,
    observation: &Observation,
    driver: &Driver,
    now: Timestamp,
) -> Transition {
    let mut next = Next {
        spec,
        status: status.clone(),
        driver,
        now,
    };
    next.take_over();
    next.take_in(observation);
    next.add_missing_steps();
    let (effect, stop) = next.decide(observation);
    Transition {
        status: next.status,
        effect,
        stop,
    }
}

type Decision = (Option<Effect>, Option<Stop>);

/// What waits for a cluster to be verified.
#[derive(Clone, Copy)]
enum Before {
    TheNext,
    ItsGateways,
}

/// The status under construction.
struct Next<'a> {
    spec: &'a MeshUpgradeSpec,
    status: MeshUpgradeStatus,
    driver: &'a Driver,
    now: Timestamp,
}

impl Next<'_> {
    fn decide(&mut self, seen: &Observation) -> Decision {
        match self.status.phase {
            Phase::Pending => self.enter(Phase::Checking, "checking the mesh against the target"),
            Phase::Checking => match &seen.check {
                None => act(Effect::Check),
                Some(CheckResult::Blocked(blockers)) => self.withdraw(blockers.clone()),
                Some(CheckResult::Free) => {
                    self.status.abilities.clone_from(&seen.abilities);
                    self.status.connections = seen.connections;
                    self.enter(Phase::Pulling, "free to go: no blocker")
                }
            },
            Phase::Pulling if self.spec.skip_image_pull => {
                self.enter(Phase::Freezing, "images not pulled first, as the operator asked")
            }
            Phase::Pulling => match &seen.images {
                None => act(Effect::PullImages),
                Some(Ok(evidence)) => self.enter(Phase::Freezing, evidence),
                Some(Err(why)) => self.withdraw(vec![why.clone()]),
            },
            Phase::Freezing => self.freezing(seen),
            Phase::Upgrading => self.upgrading(seen),
            Phase::Verifying => self.verifying(seen),
            Phase::Thawing => match &seen.thaw {
                None => act(Effect::Thaw),
                Some(Ok(evidence)) => {
                    self.enter(Phase::Succeeded, evidence);
                    (None, Some(Stop::Succeeded))
                }
                Some(Err(why)) => self.stall("ThawFailed", why),
            },
            Phase::Succeeded => (None, Some(Stop::Succeeded)),
            Phase::Withdrawn => (None, Some(Stop::Withdrawn(self.withdrawal_reasons()))),
        }
    }

    /// Until a component is changed there is a way back: whatever fails here takes the freeze down and withdraws.
    fn freezing(&mut self, seen: &Observation) -> Decision {
        let failure = match (&seen.freeze, &seen.recheck) {
            (FreezeState::Failed(why), _) => vec![why.clone()],
            (FreezeState::Closed, Some(CheckResult::Blocked(blockers))) => blockers.clone(),
            (FreezeState::Closed, Some(CheckResult::Free)) => {
                // The check before the freeze may have been another driver's, days ago.
                self.status.abilities.clone_from(&seen.abilities);
                self.status.connections = seen.connections;
                return self.enter(Phase::Upgrading, "frozen and checked once more: no way back from here");
            }
            (FreezeState::Closed, None) => {
                if self.status.frozen_since.is_none() && self.spec.unguarded.is_none() {
                    self.status.frozen_since = Some(self.time());
                    self.note("the freeze is closed: canaries refused by each barrier on its own");
                }
                return act(Effect::Recheck);
            }
            (FreezeState::Unproved, _) => return act(Effect::Freeze { step: None }),
        };
        match &seen.thaw {
            None => act(Effect::Thaw),
            Some(Ok(_)) => self.withdraw(failure),
            Some(Err(why)) => self.stall(
                "ThawFailed",
                &format!("{why}; to be withdrawn, since {}", failure.join("; ")),
            ),
        }
    }

    fn upgrading(&mut self, seen: &Observation) -> Decision {
        if let Err(decision) = self.closed(seen) {
            return decision;
        }
        match self.undone() {
            Some(id) => self.go_on(id, seen),
            None => self.enter(Phase::Verifying, "every component is at the target"),
        }
    }

    fn verifying(&mut self, seen: &Observation) -> Decision {
        if let Err(decision) = self.closed(seen) {
            return decision;
        }
        // What went back while the mesh stood open is brought to the target again: no phase leads back.
        if let Some(id) = self.undone() {
            return self.go_on(id, seen);
        }
        match &seen.health {
            None => act(Effect::Verify {
                abilities: self.status.abilities.clone(),
                connections: self.status.connections.map(Box::new),
            }),
            Some(Ok(evidence)) => self.enter(Phase::Thawing, evidence),
            Some(Err(why)) => self.stall("Unhealthy", why),
        }
    }

    fn undone(&self) -> Option<String> {
        let mut steps = self.status.steps.iter();
        let undone = steps.find(|step| step.state != StepState::Done);
        undone.map(|step| step.id.clone())
    }

    /// Goes on with the first step that is not done.
    fn go_on(&mut self, id: String, seen: &Observation) -> Decision {
        let (time, epoch, spec) = (self.time(), self.driver.epoch, self.spec);
        if let Some(cluster) = waves::to_verify(&self.spec.plan.steps, &id, &self.status.verified_clusters) {
            let of_gateways = spec.plan.steps.iter().find(|step| step.id == id);
            let of_gateways = of_gateways.filter(|step| step.component == Component::Gateway);
            let before = if of_gateways.is_some_and(|step| step.cluster == cluster) {
                Before::ItsGateways
            } else {
                Before::TheNext
            };
            return self.verify(cluster.to_owned(), before, seen);
        }
        let Some(current) = self.status.steps.iter_mut().find(|step| step.id == id) else {
            return (None, None);
        };
        let plan = spec.plan.steps.iter().find(|step| step.id == id);
        let is_repeated = plan.is_some_and(|step| step.installer.is_repeated_until_it_ends());
        let seen = match seen.steps.get(&id) {
            // What a killed driver began is not known to be done by a look: its effect is performed again.
            None if is_repeated && current.state == StepState::Running => Some(&StepObservation::Due),
            seen => seen,
        };
        match seen {
            None => act(Effect::Observe { step: id }),
            Some(StepObservation::AtTarget(evidence)) => {
                current.state = StepState::Done;
                current.finished_at = Some(time);
                current.evidence = Some(evidence.clone());
                self.note(&format!("{id}: {evidence}"));
                // Persisted on its own, so that a kill between two components finds the first one done.
                (None, None)
            }
            Some(StepObservation::Due) => {
                current.state = StepState::Running;
                current.attempts = current.attempts.saturating_add(1);
                current.started_at.get_or_insert(time);
                let attempt = current.attempts;
                self.note(&format!("{id}: attempt {attempt} begins (epoch {epoch})"));
                act(Effect::Apply { step: id })
            }
            Some(StepObservation::Failed(why)) => self.stall("StepFailed", &format!("{id}: {why}")),
        }
    }

    /// A cluster that is not healthy stops the wave: neither the next one is touched nor a gateway.
    fn verify(&mut self, cluster: String, before: Before, seen: &Observation) -> Decision {
        match seen.verified.get(&cluster) {
            None => act(Effect::VerifyCluster {
                abilities: waves::of_cluster(&self.status.abilities, &cluster),
                connections: self.status.connections.map(Box::new),
                cluster,
            }),
            Some(Ok(evidence)) => {
                self.note(&match before {
                    Before::TheNext => format!("verified before the next cluster: {evidence}"),
                    Before::ItsGateways => format!("verified before its gateways: {evidence}"),
                });
                self.status.verified_clusters.push(cluster);
                (None, None)
            }
            Some(Err(why)) => self.stall("Unhealthy", why),
        }
    }

    /// Nothing is changed unless this driver has proved the freeze closed.
    fn closed(&mut self, seen: &Observation) -> Result<(), Decision> {
        match &seen.freeze {
            FreezeState::Closed => Ok(()),
            FreezeState::Unproved => {
                // What this driver has brought to an end waits for nobody any more.
                let is_under_way = |id: &str, state| state == StepState::Running && !seen.steps.contains_key(id);
                let mut steps = self.status.steps.iter();
                let under_way = steps.find(|step| is_under_way(&step.id, step.state));
                let step = under_way.map(|step| step.id.clone());
                Err(act(Effect::Freeze { step }))
            }
            FreezeState::Failed(why) => Err(self.stall("FreezeNotClosed", why)),
        }
    }
}

fn act(effect: Effect) -> Decision {
    (Some(effect), None)
}

#[cfg(test)]
mod baseline_tests;
#[cfg(test)]
mod clusters_tests;
#[cfg(test)]
mod reopened_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod watched_tests;
