//! How the machine writes its decisions into the journal's status.

use super::{Decision, Next, Stop};
use crate::{
    api::{CONDITION_STALLED, HISTORY_LIMIT, JournalEvent, StepState, StepStatus},
    conditions, connections,
    guard::own_objects::{CONDITION_UNLOCKED, FOUND_OPEN, FREEZING_AGAIN, is_drivers_reason},
    phase::Phase,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// Condition that carries why an upgrade was withdrawn.
const CONDITION_WITHDRAWN: &str = "Withdrawn";

/// Longer texts are cut: a journal is one object, and etcd takes 1.5 MiB of it.
const LONGEST_TEXT: usize = 2048;

pub(super) fn shorten(text: &str) -> String {
    if text.chars().count() <= LONGEST_TEXT {
        return text.to_owned();
    }
    text.chars().take(LONGEST_TEXT).chain(['…']).collect()
}

/// Whether an entry of the history tells of a freeze that was lifted, or was found open: however long an upgrade takes, these stay.
fn tells_of_open(what: &str) -> bool {
    what.split(' ').take(3).eq(["the", "freeze", "was"])
}

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
        let was_lifted = self.take_back_unlocking();
        self.status.epoch = self.driver.epoch;
        self.status.holder = Some(self.driver.name.clone());
        self.set_condition(CONDITION_STALLED, false, "Driven", "a driver is at work");
        let what = match before {
            0 => format!("{} began the upgrade", self.driver.name),
            before => format!("{} took the upgrade over from epoch {before}", self.driver.name),
        };
        self.note(&what);
        if was_lifted || (self.spec.unguarded.is_some() && before != 0) {
            self.look_again();
        }
    }

    /// Whether somebody with the right to do so has ever lifted this upgrade's freeze.
    pub(super) fn was_unlocked(&self) -> bool {
        let mut conditions = self.status.conditions.iter();
        conditions.any(|condition| condition.type_ == CONDITION_UNLOCKED)
    }

    /// While the mesh stood open anybody may have taken back what was done, and proved. A look finds what is at the target
    /// still, and nothing of that is changed a second time.
    fn look_again(&mut self) {
        if !matches!(self.status.phase, Phase::Upgrading | Phase::Verifying) {
            return;
        }
        let steps = self.status.steps.iter_mut();
        let mut count = 0_usize;
        for step in steps.filter(|step| step.state == StepState::Done) {
            step.state = StepState::Pending;
            step.finished_at = None;
            step.evidence = None;
            count = count.saturating_add(1);
        }
        self.status.verified_clusters.clear();
        if count > 0 {
            self.note(&format!(
                "nothing kept the mesh frozen meanwhile: the {count} components that were done are looked at again"
            ));
        }
    }

    /// Somebody lifted the freeze by hand meanwhile, and said why in a condition; it goes into the history, and the mesh
    /// is frozen again before anything else is changed, since no driver goes on without its own proof. Until then it stands open,
    /// so that the condition stays, and tells the next driver, should this one be killed before. Tells whether it was.
    fn take_back_unlocking(&mut self) -> bool {
        let Some(open) = self.unlocked() else { return false };
        let (reason, why) = (open.reason.clone(), open.message.clone());
        self.freezes_anew();
        // What a driver wrote stands in the history already.
        if !is_drivers_reason(&reason) {
            self.note(&format!("the freeze was lifted by hand, by {why}"));
            self.forget_who_may_have_left();
            self.set_condition(CONDITION_UNLOCKED, true, FREEZING_AGAIN, &why);
        }
        true
    }

    /// The word about a freeze that was lifted, as long as it is not closed again.
    fn unlocked(&self) -> Option<&Condition> {
        let mut conditions = self.status.conditions.iter();
        conditions.find(|condition| condition.type_ == CONDITION_UNLOCKED && condition.status == "True")
    }

    /// Machines that were retired would be waited for without an end, and clusters that were taken out. Somebody who may unlock, and
    /// has said why, is the word for it that nothing else could give; pods are counted as before.
    fn forget_who_may_have_left(&mut self) {
        let kept = self
            .status
            .abilities
            .iter_mut()
            .map(|able| std::mem::take(&mut able.keeps));
        if kept.filter(|kept| !kept.is_empty()).count() > 0 {
            self.note(
                "the mesh stood open, and nobody can tell which gateways istiod was told to keep no more: they are not waited for \
                 any more",
            );
        }
        let Some(before) = &mut self.status.connections else {
            return;
        };
        let had_remotes = !before.remotes.is_empty();
        before.remotes.clear();
        let machines = connections::of_pods(before).map(|(of_pods, machines)| {
            *before = of_pods;
            machines
        });
        if let Some(machines) = machines {
            self.note(&format!(
                "the mesh stood open, and nobody can tell which machines were retired: {machines} proxies without a pod are not \
                 waited for any more"
            ));
        }
        if had_remotes {
            self.note(
                "the mesh stood open, and nobody can tell which clusters were taken out of it: what istiods reached before is not \
                 waited for any more",
            );
        }
    }

    /// The freeze that the journal says stands was open when this driver came, by the hand of somebody who left no word. Of one
    /// that was lifted between its first look at the journal and its first write there is one.
    pub(super) fn found_open(&mut self, what: &str) {
        if self.unlocked().is_some() {
            return;
        }
        self.note(&format!(
            "the freeze was found open, and the journal does not say why: {what}"
        ));
        self.freezes_anew();
        self.set_condition(CONDITION_UNLOCKED, true, FOUND_OPEN, what);
        self.look_again();
    }

    /// Once it is closed again, what was open is a thing of the past.
    pub(super) fn frozen_again(&mut self) {
        self.open_no_more("FrozenAgain");
    }

    fn open_no_more(&mut self, reason: &str) {
        if let Some(what) = self.unlocked().map(|open| open.message.clone()) {
            self.set_condition(CONDITION_UNLOCKED, false, reason, &what);
        }
    }

    fn freezes_anew(&mut self) {
        if self.status.frozen_since.is_some() {
            self.status.frozen_since = Some(self.time());
        }
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

    /// Goes to the next phase. A transition that the phases do not allow stalls instead.
    pub(super) fn enter(&mut self, phase: Phase, why: &str) -> Decision {
        if !self.status.phase.may_become(phase) {
            let from = self.status.phase;
            return self.stall("IllegalPhase", &format!("{phase} may not follow {from}"));
        }
        self.status.phase = phase;
        if phase.is_final() {
            // It is open for good, and nothing is left that could be frozen again.
            self.open_no_more("Ended");
        }
        self.note(&format!("{phase}: {why}"));
        (None, None)
    }

    pub(super) fn withdraw(&mut self, reasons: Vec<String>) -> Decision {
        self.end_withdrawn("NotFreeToGo", reasons)
    }

    /// Withdraws as the operator wishes.
    pub(super) fn give_up(&mut self, reasons: Vec<String>) -> Decision {
        self.end_withdrawn("GivenUp", reasons)
    }

    fn end_withdrawn(&mut self, reason: &str, reasons: Vec<String>) -> Decision {
        self.enter(Phase::Withdrawn, &reasons.join("; "));
        self.set_condition(CONDITION_WITHDRAWN, true, reason, &reasons.join("\n"));
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
            what: shorten(what),
            epoch: self.driver.epoch,
        });
        while history.len() > HISTORY_LIMIT {
            let oldest = history.iter().position(|event| !tells_of_open(&event.what));
            history.remove(oldest.unwrap_or_default());
        }
    }

    fn set_condition(&mut self, type_: &str, holds: bool, reason: &str, message: &str) {
        conditions::upsert(
            &mut self.status.conditions,
            type_,
            holds,
            reason,
            &shorten(message),
            self.now,
        );
    }
}
