//! Steps that nobody has begun and that were seen, in passing, to be due: they need no look of their own. That one has arrived
//! is said by its own look alone.

use super::{Arrival, of_step, unseen};
use crate::{
    api::{PlanStep, RecordedWaiver},
    canary,
    inventory::Observed,
};

/// Whether a step is seen not to be at its target yet.
#[must_use]
pub fn is_due(step: &PlanStep, observed: &Observed, waivers: &[RecordedWaiver]) -> bool {
    let is_judged = !canary::looks_around(step) || observed.surroundings.is_some();
    is_judged && unseen(step, observed, waivers).is_none() && matches!(of_step(step, observed), Arrival::Waiting(_))
}

/// The step after one that has arrived, where the same look at its cluster shows that it is due.
#[must_use]
pub fn next_due<'s>(
    steps: &'s [PlanStep],
    step: &PlanStep,
    observed: &Observed,
    waivers: &[RecordedWaiver],
) -> Option<&'s str> {
    let after = steps.iter().skip_while(|one| one.id != step.id).nth(1);
    let next = after.filter(|next| next.cluster == step.cluster && is_due(next, observed, waivers));
    next.map(|next| next.id.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        api::{Component, Revisions, StepAction},
        inventory::sample,
        machine::tests::spec,
    };

    #[test]
    fn the_step_after_is_due_where_the_look_says_so_and_nothing_is_hidden() {
        let template = spec().plan.steps[0].clone();
        let step = |id: &str, to: &str| PlanStep {
            id: id.to_owned(),
            component: Component::Istiod,
            release: "istiod".to_owned(),
            workloads: vec![
                sample::one("1.30.3", "v1.36.3").seen(0).control_planes[0]
                    .workload
                    .clone(),
            ],
            to: to.to_owned(),
            ..template.clone()
        };
        let (first, behind) = (step("first", "1.30.3"), step("behind", "1.31.0"));
        let elsewhere = PlanStep {
            cluster: "elsewhere".to_owned(),
            ..behind.clone()
        };
        let moves_tags = PlanStep {
            action: StepAction::MoveTags,
            revisions: Some(Revisions::default()),
            ..behind.clone()
        };
        let next = |next: &PlanStep, unreadable: Option<&str>| {
            let mut inventory = sample::one("1.30.3", "v1.36.3");
            let observed = inventory.seen(0);
            observed.surroundings = None;
            observed.unreadable.extend(unreadable.map(str::to_owned));
            let steps = [first.clone(), next.clone()];
            next_due(&steps, &first, observed, &[]).map(str::to_owned)
        };
        assert_eq!(next(&behind, None).as_deref(), Some("behind"));
        assert_eq!(
            next(&behind, Some("helm releases: no answer")),
            None,
            "not all was seen"
        );
        assert_eq!(next(&elsewhere, None), None, "another cluster was not looked at");
        assert_eq!(next(&moves_tags, None), None, "webhooks were not looked at");
        let mut inventory = sample::one("1.30.3", "v1.36.3");
        assert_eq!(
            next_due(std::slice::from_ref(&first), &first, inventory.seen(0), &[]),
            None,
            "the last one"
        );
    }
}
