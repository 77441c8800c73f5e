//! How the machine writes its decisions into the journal's status.

use super::{Decision, Next, Stop};
use crate::{
    api::{CONDITION_STALLED, HISTORY_LIMIT, JournalEvent, StepStatus},
    phase::Phase,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// Condition that carries why an upgrade was withdrawn.
const CONDITION_WITHDRAWN: &str = "Withdrawn";

impl Next<'_> {
    pub(super) fn time(&self) -> Time {
        Time(self.now)
    }

    /// A new driver's first step: its epoch and name go into the journal, and a stall is over until it happens again.
    pub(super) fn take_over(&mut self) {
        if self.status.epoch == self.driver.epoch || self.status.phase.is_final() {
            return;
        }
        let before = self.status.epoch;
        self.status.epoch = self.driver.epoch;
        self.status.holder = Some(self.driver.name.clone());
        self.set_condition(CONDITION_STALLED, false, "Driven", "a driver is at work");
        let what = match before {
            0 => format!("{} began the upgrade", self.driver.name),
            before => format!("{} took the upgrade over from epoch {before}", self.driver.name),
        };
        self.note(&what);
    }

    pub(super) fn add_missing_steps(&mut self) {
        for step in &self.spec.plan.steps {
            if !self.status.steps.iter().any(|known| known.id == step.id) {
                self.status.steps.push(StepStatus {
                    id: step.id.clone(),
                    ..StepStatus::default()
                });
            }
        }
    }

    /// Goes to the next phase. A transition that the phases do not allow leaves the journal as it is.
    pub(super) fn enter(&mut self, phase: Phase, why: &str) -> Decision {
        if self.status.phase.may_become(phase) {
            self.status.phase = phase;
            self.note(&format!("{phase}: {why}"));
        }
        (None, None)
    }

    pub(super) fn withdraw(&mut self, reasons: Vec<String>) -> Decision {
        self.enter(Phase::Withdrawn, &reasons.join("; "));
        self.set_condition(CONDITION_WITHDRAWN, true, "NotFreeToGo", &reasons.join("\n"));
        self.status.frozen_since = None;
        (None, Some(Stop::Withdrawn(reasons)))
    }

    pub(super) fn withdrawal_reasons(&self) -> Vec<String> {
        let condition = self
            .status
            .conditions
            .iter()
            .find(|condition| condition.type_ == CONDITION_WITHDRAWN);
        condition.map_or_else(Vec::new, |condition| {
            condition.message.lines().map(str::to_owned).collect()
        })
    }

    pub(super) fn stall(&mut self, reason: &'static str, message: &str) -> Decision {
        self.set_condition(CONDITION_STALLED, true, reason, message);
        self.note(&format!("stalled in {}: {message}", self.status.phase));
        (
            None,
            Some(Stop::Stalled {
                reason,
                message: message.to_owned(),
            }),
        )
    }

    pub(super) fn note(&mut self, what: &str) {
        let history = &mut self.status.history;
        history.push(JournalEvent {
            at: Time(self.now),
            what: what.to_owned(),
            epoch: self.driver.epoch,
        });
        let surplus = history.len().saturating_sub(HISTORY_LIMIT);
        history.drain(..surplus);
    }

    fn set_condition(&mut self, type_: &str, holds: bool, reason: &str, message: &str) {
        let new = Condition {
            type_: type_.to_owned(),
            status: if holds { "True" } else { "False" }.to_owned(),
            reason: reason.to_owned(),
            message: message.to_owned(),
            last_transition_time: self.time(),
            observed_generation: None,
        };
        match self
            .status
            .conditions
            .iter_mut()
            .find(|condition| condition.type_ == type_)
        {
            // The time tells when the answer changed, not when it was last given.
            Some(old) if old.status == new.status => {
                old.reason = new.reason;
                old.message = new.message;
            }
            Some(old) => *old = new,
            None => self.status.conditions.push(new),
        }
    }
}
