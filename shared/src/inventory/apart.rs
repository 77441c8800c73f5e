//! Which pods a new one has to keep away from: required pod anti-affinity, as the scheduler reads it.

use super::{affinity::Demand, headroom::NodeRoom};
use std::collections::BTreeMap;

/// A pod of Istio's own, where it was placed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlacedPod {
    /// Its namespace.
    pub namespace: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its node.
    pub node: String,
}

/// A term of required pod anti-affinity in a pod's own namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Apart {
    /// What the labels of a pod are like that must not be near.
    pub from: Vec<(String, Demand)>,
    /// Label of nodes: those of one value are near each other.
    pub within: String,
}

impl Apart {
    /// Whether a pod that stands near a node keeps a new one of its namespace away from it. Of a pod on a node that is not
    /// among `nodes` nothing is known.
    #[must_use]
    pub fn forbids(&self, node: &NodeRoom, namespace: &str, placed: &[PlacedPod], nodes: &[NodeRoom]) -> bool {
        let Some(here) = node.labels.get(&self.within) else {
            return false;
        };
        let is_near = |pod: &&PlacedPod| {
            let mut nodes = nodes.iter();
            let host = nodes.find(|node| node.name == pod.node);
            host.and_then(|host| host.labels.get(&self.within)) == Some(here)
        };
        let mut near = placed.iter().filter(is_near);
        near.any(|pod| pod.namespace == namespace && self.is_from(&pod.labels))
    }

    fn is_from(&self, labels: &BTreeMap<String, String>) -> bool {
        let mut demands = self.from.iter();
        demands.all(|(key, demand)| demand.is_met_by(labels.get(key)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(of: &[(&str, &str)]) -> BTreeMap<String, String> {
        of.iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn a_pod_keeps_its_like_away_from_all_that_is_near() {
        let node = |name: &str, zone: &str| NodeRoom {
            name: name.to_owned(),
            labels: labels(&[("host", name), ("zone", zone)]),
            ..NodeRoom::default()
        };
        let nodes = [node("a", "north"), node("b", "north"), node("c", "south")];
        let placed = |namespace: &str, app: &str, node: &str| PlacedPod {
            namespace: namespace.to_owned(),
            labels: labels(&[("app", app)]),
            node: node.to_owned(),
        };
        let apart = |within: &str| Apart {
            from: vec![("app".to_owned(), Demand::In(vec!["istiod".to_owned()]))],
            within: within.to_owned(),
        };
        for (pod, within, forbidden) in [
            (placed("istio-system", "istiod", "a"), "host", &["a"][..]),
            (placed("istio-system", "istiod", "a"), "zone", &["a", "b"]),
            (placed("istio-system", "istiod", "a"), "rack", &[]),
            (placed("elsewhere", "istiod", "a"), "host", &[]),
            (placed("istio-system", "ingress", "a"), "host", &[]),
            (placed("istio-system", "istiod", "cordoned"), "zone", &[]),
        ] {
            let found: Vec<&str> = nodes
                .iter()
                .filter(|node| apart(within).forbids(node, "istio-system", std::slice::from_ref(&pod), &nodes))
                .map(|node| node.name.as_str())
                .collect();
            assert_eq!(found, forbidden, "{within} {pod:?}");
        }
    }
}
