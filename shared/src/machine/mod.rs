//! The upgrade machine: from the journal and what was observed to the next status and the next effect.
//!
//! `step` decides everything; the executor persists the status it returns, and only then performs the effect. Each
//! effect may run twice: a killed driver's successor starts from the journal and from fresh observations.

pub mod driving;
mod journal;
pub mod progress;
pub mod standing;
mod steps;
mod watched;
mod waves;

pub use watched::{Drift, News, drift_condition, heard};

use crate::{
    api::{Abilities, Fingerprint, MeshUpgradeSpec, MeshUpgradeStatus, ProxyConnections, StepState},
    charts::Digests,
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
    /// Why the upgrade is given up, where the operator asked for it; from the first change on it counts no more.
    pub abandoned: Option<String>,
    /// Digests of the charts at hand, which the upgrade goes by from now on: whoever drives has seen to it that those the journal
    /// knows otherwise were named by somebody.
    pub chart_digests: Digests,
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
    /// What was open of a freeze that the journal says stands, in a sentence. Set by [`Effect::Freeze`], which closes nothing
    /// then: it is written down first, or a kill in between would leave a closed freeze and nobody who knows.
    pub found_open: Option<String>,
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

impl Observation {
    /// Takes note that a step that nobody has begun was seen, in passing, not to be there yet. What is known of it better stays.
    pub fn is_due(&mut self, step: Option<String>) {
        if let Some(step) = step {
            self.steps.entry(step).or_insert(StepObservation::Due);
        }
    }
}

/// Something for the executor to do, after the status was persisted. Every one may be done twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Observe and check the mesh, into [`Observation::check`], [`Observation::abilities`] and
    /// [`Observation::connections`].
    Check,
    /// Pull the target's images, into [`Observation::images`].
    PullImages,
    /// Put up the freeze with this driver's epoch and prove it, into [`Observation::freeze`]; or say that the one that is
    /// to stand does not, into [`Observation::found_open`].
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

/// The status under construction.
struct Next<'a> {
    spec: &'a MeshUpgradeSpec,
    status: MeshUpgradeStatus,
    driver: &'a Driver,
    now: Timestamp,
}

impl Next<'_> {
    fn decide(&mut self, seen: &Observation) -> Decision {
        if let Some(why) = &seen.abandoned
            && matches!(self.status.phase, Phase::Pending | Phase::Checking | Phase::Pulling)
        {
            return self.give_up(vec![why.clone()]);
        }
        match self.status.phase {
            Phase::Pending => self.enter(Phase::Checking, "checking the mesh against the target"),
            Phase::Checking => match &seen.check {
                None => act(Effect::Check),
                Some(CheckResult::Blocked(blockers)) => self.withdraw(blockers.clone()),
                Some(CheckResult::Free) => {
                    self.status.abilities.clone_from(&seen.abilities);
                    self.status.connections.clone_from(&seen.connections);
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
        if let Some(why) = &seen.abandoned {
            return self.give_back(vec![why.clone()], seen);
        }
        let failure = match (&seen.freeze, &seen.recheck) {
            (FreezeState::Failed(why), _) => vec![why.clone()],
            (FreezeState::Closed, Some(CheckResult::Blocked(blockers))) => blockers.clone(),
            (FreezeState::Closed, Some(CheckResult::Free)) => {
                // The check before the freeze may have been another driver's, days ago.
                self.status.abilities.clone_from(&seen.abilities);
                self.status.connections.clone_from(&seen.connections);
                return self.enter(Phase::Upgrading, "frozen and checked once more: no way back from here");
            }
            (FreezeState::Closed, None) => {
                self.frozen_again();
                if self.status.frozen_since.is_none() && self.spec.unguarded.is_none() {
                    self.status.frozen_since = Some(self.time());
                    self.note("the freeze is closed: canaries refused by each barrier on its own");
                }
                return act(Effect::Recheck);
            }
            (FreezeState::Unproved, _) => return act(Effect::Freeze { step: None }),
        };
        self.give_back(failure, seen)
    }

    /// Takes the freeze down, and then withdraws.
    fn give_back(&mut self, failure: Vec<String>, seen: &Observation) -> Decision {
        match &seen.thaw {
            None => act(Effect::Thaw),
            Some(Ok(_)) if seen.abandoned.is_some() => self.give_up(failure),
            Some(Ok(_)) => self.withdraw(failure),
            Some(Err(why)) if self.was_unlocked() => {
                let left = format!("lifted by hand, so that nothing waits for what could not be thawed: {why}");
                self.withdraw([failure, vec![left]].concat())
            }
            Some(Err(why)) => {
                let (failure, mesh) = (failure.join("; "), &self.spec.mesh);
                let message = format!(
                    "{why}; to be withdrawn, since {failure} (if a cluster is gone for good: kubectl mesh-upgrade unlock \
                     {mesh} --reason TEXT, then kubectl mesh-upgrade apply {mesh})"
                );
                self.stall("ThawFailed", &message)
            }
        }
    }

    /// Nothing is changed unless this driver has proved the freeze closed.
    fn closed(&mut self, seen: &Observation) -> Result<(), Decision> {
        match &seen.freeze {
            FreezeState::Closed => {
                self.frozen_again();
                Ok(())
            }
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
mod abandoned_tests;
#[cfg(test)]
mod baseline_tests;
#[cfg(test)]
mod clusters_tests;
#[cfg(test)]
mod older_tests;
#[cfg(test)]
mod reopened_tests;
#[cfg(test)]
pub(crate) mod tests;
#[cfg(test)]
mod watched_tests;
