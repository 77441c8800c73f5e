//! What the pods of a cluster request of their nodes, where those of Istio are, and how many there are, while the list arrives.

use super::protobuf::{Fields, Value};
use shared::inventory::{PlacedPod, Resources};
use std::collections::BTreeMap;

/// Labels of which Istio's own pods have one: istiod and the gateways of its charts the first, those that istiod makes for a
/// Gateway the second.
const OF_ISTIO: [&str; 2] = ["istio", "gateway.networking.k8s.io/gateway-name"];

/// Sums over pods.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Requests {
    /// By node.
    pub by_node: BTreeMap<String, Resources>,
    /// How many pods there are.
    pub all: u64,
    /// Pods of Istio's own.
    pub placed: Vec<PlacedPod>,
}

impl Requests {
    /// Field numbers are those of k8s.io/api, `core/v1/generated.proto`.
    pub(super) fn pod(&mut self, pod: Fields<'_>) {
        let message = |number| pod.all(number).next().map_or(Fields(&[]), Value::fields);
        let (meta, spec) = (message(1), message(2));
        self.all = self.all.saturating_add(1);
        let node = spec.text(10);
        if node.is_empty() {
            return;
        }
        let labels = || meta.all(11).map(Value::fields);
        if labels().any(|label| OF_ISTIO.contains(&label.text(1))) {
            self.placed.push(PlacedPod {
                namespace: meta.text(3).to_owned(),
                labels: labels()
                    .map(|label| (label.text(1).to_owned(), label.text(2).to_owned()))
                    .collect(),
                node: node.to_owned(),
            });
        }
        let asked = Resources {
            pods: 1,
            ..of_spec(spec)
        };
        match self.by_node.get_mut(node) {
            Some(known) => *known = known.plus(asked),
            None => drop(self.by_node.insert(node.to_owned(), asked)),
        }
    }
}

/// Containers that run side by side, or the greatest of those that run before them.
fn of_spec(spec: Fields<'_>) -> Resources {
    let mut together = Resources::default();
    let mut before = Resources::default();
    for container in spec.all(2).map(Value::fields) {
        together = together.plus(of_container(container));
    }
    for container in spec.all(20).map(Value::fields) {
        let asked = of_container(container);
        if container.text(24) == "Always" {
            together = together.plus(asked);
        } else {
            before = before.max(asked);
        }
    }
    together.max(before).plus(quantities(spec, 32))
}

fn of_container(container: Fields<'_>) -> Resources {
    let resources = container.all(8).next().map_or(Fields(&[]), Value::fields);
    quantities(resources, 2)
}

/// A map of quantities at a field.
pub(super) fn quantities(message: Fields<'_>, number: u64) -> Resources {
    let mut found = Resources::default();
    for entry in message.all(number).map(Value::fields) {
        let quantity = entry.all(2).next().map_or(Fields(&[]), Value::fields);
        found.set(entry.text(1), quantity.text(1));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{super::protobuf::tests::held, *};

    fn quantity(name: &str, amount: &str) -> Vec<u8> {
        [held(1, name), held(2, held(1, amount))].concat()
    }

    fn container(cpu: &str, restart: &str) -> Vec<u8> {
        [held(8, held(2, quantity("cpu", cpu))), held(24, restart)].concat()
    }

    #[test]
    fn pods_are_summed_by_their_node() {
        let pod = |node: &str, label: &str| {
            let labelled = held(11, [held(1, label), held(2, "pilot")].concat());
            let meta = [held(3, "istio-system"), labelled].concat();
            let spec = [
                held(2, container("100m", "")),
                held(20, container("50m", "Always")),
                held(20, container("120m", "")),
                held(10, node),
            ];
            [held(1, meta), held(2, spec.concat())].concat()
        };
        let mut requests = Requests::default();
        for pod in [pod("a", "app"), pod("a", "app"), pod("b", "istio"), pod("", "app")] {
            requests.pod(Fields(&pod));
        }
        let on = |node: &str| requests.by_node.get(node).map(|found| (found.milli_cpu, found.pods));
        assert_eq!((on("a"), on("b"), on("")), (Some((300, 2)), Some((150, 1)), None));
        assert_eq!(requests.all, 4);
        let pilot = PlacedPod {
            namespace: "istio-system".to_owned(),
            labels: [("istio".to_owned(), "pilot".to_owned())].into(),
            node: "b".to_owned(),
        };
        assert_eq!(requests.placed, [pilot]);
    }
}
