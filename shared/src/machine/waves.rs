//! An upgrade goes over its clusters one after the other: what has to be proved before the next one is touched.

use crate::api::{Abilities, Component, PlanStep};

/// The first cluster whose control plane was changed before this step, that is not verified, and that is not the step's
/// own: a cluster is proved healthy as a whole, when its turn is over.
pub(super) fn to_verify<'a>(steps: &'a [PlanStep], id: &str, verified: &[String]) -> Option<&'a str> {
    let at = steps.iter().position(|step| step.id == id)?;
    let own = &steps.get(at)?.cluster;
    let before = steps.iter().take(at);
    let mut turned = before.filter(|step| step.cluster != *own && takes_its_turn(step.component));
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
