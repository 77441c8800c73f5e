//! Nodes: the versions of their kubelets, and what they can take.

use super::super::{
    ask::Asker,
    protobuf::{Fields, Value},
    requests::{Requests, quantities},
    stream,
};
use crate::cluster::error::ClusterError;
use shared::{
    inventory::{NodeRoom, Nodes, Taint, is_virtual},
    version::{KubernetesVersion, Minor},
};
use std::collections::BTreeMap;

/// What the nodes say.
#[derive(Default)]
pub(super) struct Found {
    pub by_kubelet: Vec<Nodes>,
    /// Those that are ready and take pods, with all that they can allocate.
    pub room: Vec<NodeRoom>,
}

/// Reads the nodes while the list arrives.
pub(super) async fn read(asker: Asker<'_>) -> Result<Found, ClusterError> {
    let mut by_kubelet = ByKubelet::default();
    let mut room = Vec::new();
    stream::each(asker, "list Nodes", "/api/v1/nodes", |node| {
        room.extend(takes_pods(node));
        by_kubelet.add(node);
    })
    .await?;
    Ok(Found {
        by_kubelet: by_kubelet.0.into_values().collect(),
        room,
    })
}

/// Nodes by the minor of their kubelet, virtual ones apart.
#[derive(Default)]
struct ByKubelet(BTreeMap<(Minor, bool), Nodes>);

impl ByKubelet {
    fn add(&mut self, node: Fields<'_>) {
        let Some((name, kubelet)) = kubelet(node) else {
            return;
        };
        let key = (kubelet.minor, is_virtual(&kubelet));
        let known = self.0.entry(key).or_insert_with(|| Nodes {
            kubelet,
            count: 0,
            example: name.to_owned(),
        });
        known.count = known.count.saturating_add(1);
    }
}

/// Takes off what pods request; nothing is left to tell where pods were not counted.
pub(super) fn left(room: Vec<NodeRoom>, requests: &Requests) -> Vec<NodeRoom> {
    if requests.by_node.is_empty() {
        return Vec::new();
    }
    let mut room = room;
    for node in &mut room {
        if let Some(taken) = requests.by_node.get(&node.name) {
            node.free = node.free.minus(*taken);
        }
    }
    room
}

fn message(node: Fields<'_>, number: u64) -> Fields<'_> {
    node.all(number).next().map_or(Fields(&[]), Value::fields)
}

/// Name and kubelet. Field numbers are those of k8s.io/api, `core/v1/generated.proto`.
fn kubelet(node: Fields<'_>) -> Option<(&str, KubernetesVersion)> {
    let info = message(message(node, 3), 7);
    // A kubelet that says no version is of no Kubernetes that has rules for it.
    Some((message(node, 1).text(1), info.text(7).parse().ok()?))
}

/// What a node can allocate, if it is ready and not cordoned.
fn takes_pods(node: Fields<'_>) -> Option<NodeRoom> {
    let (meta, spec, status) = (message(node, 1), message(node, 2), message(node, 3));
    let is_cordoned = matches!(spec.all(4).next(), Some(Value::Number(1)));
    let mut conditions = status.all(4).map(Value::fields);
    let is_ready = conditions.any(|condition| condition.text(1) == "Ready" && condition.text(2) == "True");
    if is_cordoned || !is_ready {
        return None;
    }
    let labels = meta.all(11).map(Value::fields);
    let taints = spec.all(5).map(Value::fields);
    Some(NodeRoom {
        name: meta.text(1).to_owned(),
        free: quantities(status, 2),
        labels: labels
            .map(|label| (label.text(1).to_owned(), label.text(2).to_owned()))
            .collect(),
        taints: taints
            .filter(|taint| taint.text(3) != "PreferNoSchedule")
            .map(|taint| Taint {
                key: taint.text(1).to_owned(),
                value: taint.text(2).to_owned(),
                effect: taint.text(3).to_owned(),
            })
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::{super::super::protobuf::tests::held, *};
    use shared::inventory::Resources;

    fn node(cordoned: bool, ready: &str) -> Vec<u8> {
        let pair = |key: &str, value: &str| [held(1, key), held(2, value)].concat();
        let quantity = |name: &str, amount: &str| held(2, [held(1, name), held(2, held(1, amount))].concat());
        let meta = [held(1, "node-0"), held(11, pair("pool", "infra"))].concat();
        let taint = |effect: &str| held(5, [pair("dedicated", "mesh"), held(3, effect)].concat());
        let cordon = if cordoned { vec![4 << 3, 1] } else { Vec::new() };
        let spec = [taint("NoSchedule"), taint("PreferNoSchedule"), cordon].concat();
        let status = [
            quantity("cpu", "2"),
            quantity("memory", "4Gi"),
            quantity("pods", "110"),
            held(4, pair("Ready", ready)),
            held(7, held(7, "v1.36.3")),
        ]
        .concat();
        [held(1, meta), held(2, spec), held(3, status)].concat()
    }

    #[test]
    fn virtual_nodes_are_counted_apart() {
        let mut found = ByKubelet::default();
        for version in ["v1.31.1", "v1.31.0-vk-azure-aci-1.6.2", "v1.31.4", "v1.36.3"] {
            let (name, status) = (held(1, held(1, "node-0")), held(7, held(7, version)));
            found.add(Fields(&[name, held(3, status)].concat()));
        }
        let told = found.0.values().map(|nodes| (nodes.kubelet.to_string(), nodes.count));
        let expected = [("1.31.1", 2), ("1.31.0-vk-azure-aci-1.6.2", 1), ("1.36.3", 1)];
        assert_eq!(
            told.collect::<Vec<_>>(),
            expected.map(|(version, count)| (version.to_owned(), count))
        );
    }

    #[test]
    fn a_node_that_takes_pods_tells_what_it_has_left() {
        let bytes = node(false, "True");
        let room = takes_pods(Fields(&bytes)).unwrap();
        assert_eq!(room.labels.get("pool").map(String::as_str), Some("infra"));
        assert_eq!((room.taints.len(), room.taints[0].key.as_str()), (1, "dedicated"));
        assert_eq!(kubelet(Fields(&bytes)).unwrap().0, "node-0");
        let mut requests = Requests::default();
        assert!(left(vec![room.clone()], &requests).is_empty(), "pods were not counted");
        let taken = Resources {
            milli_cpu: 1500,
            memory: 8 << 30,
            pods: 10,
        };
        requests.by_node.insert("node-0".to_owned(), taken);
        let expected = Resources {
            milli_cpu: 500,
            memory: 0,
            pods: 100,
        };
        assert_eq!(left(vec![room], &requests)[0].free, expected);
        for (cordoned, ready) in [(true, "True"), (false, "False"), (false, "Unknown")] {
            assert!(
                takes_pods(Fields(&node(cordoned, ready))).is_none(),
                "{cordoned} {ready}"
            );
        }
    }
}
