//! What replacing ztunnel does to the connections that go through it: said before it is done.

use crate::{
    api::{Component, Plan, PlanStep, StepAction},
    inventory::{Inventory, Observed, Pace},
};

/// In a sentence.
#[must_use]
pub fn cut(pace: Pace) -> String {
    let Pace {
        nodes_at_once,
        grace_seconds,
    } = pace;
    let cut =
        format!("connections through ztunnel that last longer than {grace_seconds} s are cut when it is replaced");
    match nodes_at_once {
        Some(..=1) => format!("{cut}, on one node after the other"),
        Some(nodes) => format!("{cut}, on up to {nodes} nodes at the same time"),
        None => format!(
            "{cut}, and its update strategy is OnDelete: the upgrade waits until somebody has deleted each of its pods"
        ),
    }
}

/// What a step cuts, if it replaces ztunnel; `observed` is its cluster.
#[must_use]
pub fn cut_by(step: &PlanStep, observed: &Observed) -> Option<String> {
    if step.component != Component::Ztunnel || step.action != StepAction::Upgrade {
        return None;
    }
    let mut nodes = observed.node_components.iter();
    let ztunnel = nodes.find(|node| step.workloads.contains(&node.workload))?;
    Some(cut(ztunnel.pace))
}

/// What a plan cuts, cluster by cluster.
#[must_use]
pub fn cuts(plan: &Plan, inventory: &Inventory) -> Vec<String> {
    let cuts = plan.steps.iter().filter_map(|step| {
        let cut = cut_by(step, inventory.observed(&step.cluster)?)?;
        Some(format!("cluster {}: {cut}", step.cluster))
    });
    cuts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::sample;

    #[test]
    fn the_step_that_replaces_ztunnel_says_what_it_cuts() {
        let mut inventory = sample::one("1.30.3", "1.36");
        let observed = inventory.seen(0);
        let ztunnel = sample::node(Component::Ztunnel, "1.30.3");
        let cni = sample::node(Component::Cni, "1.30.3");
        let step = |component, action, workload: &crate::api::WorkloadName| PlanStep {
            component,
            action,
            workloads: vec![workload.clone()],
            ..crate::machine::tests::spec().plan.steps[0].clone()
        };
        for (nodes_at_once, expected) in [
            (Some(1), "cut when it is replaced, on one node after the other"),
            (Some(3), "on up to 3 nodes at the same time"),
            (None, "until somebody has deleted each of its pods"),
        ] {
            let mut ztunnel = ztunnel.clone();
            ztunnel.pace = Pace {
                nodes_at_once,
                grace_seconds: 30,
            };
            let workload = ztunnel.workload.clone();
            observed.node_components = vec![cni.clone(), ztunnel];
            let said = cut_by(&step(Component::Ztunnel, StepAction::Upgrade, &workload), observed);
            assert!(said.as_ref().is_some_and(|said| said.contains(expected)), "{said:?}");
        }
        assert_eq!(
            cut_by(&step(Component::Cni, StepAction::Upgrade, &cni.workload), observed),
            None
        );
    }
}
