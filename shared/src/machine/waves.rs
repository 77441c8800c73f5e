//! An upgrade goes over its clusters one after the other: what has to be proved before the next one is touched.

use crate::api::{Abilities, Component, PlanStep, StepAction};

/// The first cluster whose control plane was changed before this step, that is not verified, and that is not the step's
/// own: a cluster is proved healthy as a whole, when its turn is over. What leads to a new revision is moved, and gateways
/// are replaced, only after the control plane was proved in the step's own cluster, too.
pub(super) fn to_verify<'a>(steps: &'a [PlanStep], id: &str, verified: &[String]) -> Option<&'a str> {
    let at = steps.iter().position(|step| step.id == id)?;
    let step = steps.get(at)?;
    let needs_its_own = step.action == StepAction::MoveTags || step.component == Component::Gateway;
    let is_over = |one: &PlanStep| needs_its_own || one.cluster != step.cluster;
    let before = steps.iter().take(at);
    let mut turned = before.filter(|one| is_over(one) && takes_its_turn(one.component));
    let open = turned.find(|step| !verified.contains(&step.cluster))?;
    Some(&open.cluster)
}

/// CRDs come to all clusters before the first one's turn, and gateways after the last one's.
fn takes_its_turn(component: Component) -> bool {
    match component {
        Component::Istiod | Component::Cni | Component::Ztunnel | Component::Vendor => true,
        Component::Base | Component::Gateway => false,
    }
}

/// What was proved of one cluster's control planes.
pub(super) fn of_cluster(abilities: &[Abilities], cluster: &str) -> Vec<Abilities> {
    let of_it = abilities.iter().filter(|able| able.cluster == cluster);
    of_it.cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::tests::spec;

    #[test]
    fn gateways_are_replaced_when_every_control_plane_is_proved_their_own_included() {
        let template = spec().plan.steps[0].clone();
        let step = |cluster: &str, component: Component| PlanStep {
            id: format!("{cluster}/{component}"),
            cluster: cluster.to_owned(),
            component,
            ..template.clone()
        };
        let steps = [
            step("east", Component::Base),
            step("east", Component::Istiod),
            step("west", Component::Ztunnel),
            step("east", Component::Gateway),
            step("west", Component::Gateway),
        ];
        for (id, verified, expected) in [
            ("east/gateway", &[][..], Some("east")),
            ("east/gateway", &["east"], Some("west")),
            ("east/gateway", &["east", "west"], None),
            ("west/gateway", &["east", "west"], None),
        ] {
            let verified: Vec<String> = verified.iter().map(|name| (*name).to_owned()).collect();
            assert_eq!(to_verify(&steps, id, &verified), expected, "{id} {verified:?}");
        }
        // Where gateways alone are due, nothing was changed that had to be proved.
        let alone = [step("east", Component::Base), step("east", Component::Gateway)];
        assert_eq!(to_verify(&alone, "east/gateway", &[]), None);
    }

    #[test]
    fn tags_move_when_the_new_revision_is_proved_and_clusters_take_turns() {
        let template = spec().plan.steps[0].clone();
        let step = |cluster: &str, id: &str, component, action| PlanStep {
            id: format!("{cluster}/{id}"),
            cluster: cluster.to_owned(),
            component,
            action,
            ..template.clone()
        };
        let of = |cluster: &str| {
            [
                step(cluster, "base", Component::Base, StepAction::Upgrade),
                step(cluster, "istiod", Component::Istiod, StepAction::Install),
                step(cluster, "tags", Component::Istiod, StepAction::MoveTags),
                step(cluster, "cni", Component::Cni, StepAction::Upgrade),
            ]
        };
        let steps = [of("east"), of("west")].concat();
        for (id, verified, expected) in [
            ("east/base", &[][..], None),
            ("east/istiod", &[], None),
            ("east/tags", &[], Some("east")),
            ("east/tags", &["east"], None),
            ("east/cni", &[], None),
            ("west/istiod", &["east"], None),
            ("west/tags", &["east"], Some("west")),
        ] {
            let verified: Vec<String> = verified.iter().map(|name| (*name).to_owned()).collect();
            assert_eq!(to_verify(&steps, id, &verified), expected, "{id}");
        }
    }
}
