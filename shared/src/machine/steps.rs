//! How the machine goes over the steps of a plan, and what it proves between them and in the end.

use super::{Decision, Effect, Next, Observation, StepObservation, act, waves};
use crate::{
    api::{Component, StepState},
    phase::Phase,
};

/// What waits for a cluster to be verified.
#[derive(Clone, Copy)]
enum Before {
    TheNext,
    ItsGateways,
}

impl Next<'_> {
    pub(super) fn upgrading(&mut self, seen: &Observation) -> Decision {
        if let Err(decision) = self.closed(seen) {
            return decision;
        }
        match self.undone() {
            Some(id) => self.go_on(id, seen),
            None => self.enter(Phase::Verifying, "every component is at the target"),
        }
    }

    pub(super) fn verifying(&mut self, seen: &Observation) -> Decision {
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
                connections: self.status.connections.clone().map(Box::new),
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
            let of_gateways = spec.plan.step(&id);
            let of_gateways = of_gateways.filter(|step| step.component == Component::Gateway);
            let before = if of_gateways.is_some_and(|step| step.cluster == cluster) {
                Before::ItsGateways
            } else {
                Before::TheNext
            };
            let mut steps = self.status.steps.iter();
            // By its state: attempts of a time before it was taken back count no more.
            let was_begun = steps.any(|step| step.id == id && step.state == StepState::Running);
            // A gateway that rolls out half may be what its cluster is not healthy for: it is brought to its end first.
            if !(matches!(before, Before::ItsGateways) && was_begun) {
                return self.verify(cluster.to_owned(), before, seen);
            }
        }
        let Some(current) = self.status.steps.iter_mut().find(|step| step.id == id) else {
            return (None, None);
        };
        let plan = spec.plan.step(&id);
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
                connections: self.status.connections.clone().map(Box::new),
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
}
