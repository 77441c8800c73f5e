//! Istio's Gateways, against the pods of gateways that istiod made out of the Gateway API: since 1.31 those take up only the
//! Gateways of their own namespace (istio/istio, `pilot/pkg/model/push_context.go`).

use super::{Object, objects::GATEWAYS};
use crate::inventory::PlacedPod;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Gateways that are remembered; enough for any mesh, and no more than some megabytes.
const MAX: usize = 20_000;

/// Label of the pods of a managed gateway, with its name.
const LABEL: &str = "gateway.networking.k8s.io/gateway-name";
/// Label of the same pods, and what it says of those that take up Istio's Gateways; waypoints take up none.
const MANAGED: &str = "gateway.istio.io/managed";
const BY_GATEWAYS: &str = "istio.io-gateway-controller";

/// A Gateway of Istio's own.
#[derive(Debug)]
struct Selecting {
    named: String,
    namespace: String,
    /// Empty where it is for all gateways.
    selector: Vec<(String, String)>,
}

impl Selecting {
    fn selects(&self, labels: &BTreeMap<String, String>) -> bool {
        let mut selector = self.selector.iter();
        selector.all(|(key, value)| labels.get(key) == Some(value))
    }
}

/// What is known of Gateways while objects are listed.
#[derive(Debug, Default)]
pub(super) struct Merged(Vec<Selecting>);

impl Merged {
    pub(super) fn look(&mut self, object: &Object<'_>, named: &str) {
        if object.definition != GATEWAYS || self.0.len() >= MAX {
            return;
        }
        let selector = object.spec.get("selector").and_then(Value::as_object);
        let labels = selector.into_iter().flatten();
        self.0.push(Selecting {
            named: named.to_owned(),
            namespace: object.namespace.to_owned(),
            selector: labels
                .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
                .collect(),
        });
    }

    pub(super) fn add(&mut self, other: Self) {
        self.0.extend(other.0);
        self.0.truncate(MAX);
    }

    /// Gateways that managed ones of other namespaces take up; where no pods were counted, those that ask for a managed one
    /// by its name.
    pub(super) fn hits(&self, placed: Option<&[PlacedPod]>) -> Vec<(String, String)> {
        // Replicas have the same labels.
        let managed: Option<BTreeSet<_>> = placed.map(|placed| {
            let managed = placed
                .iter()
                .filter(|pod| pod.labels.get(MANAGED).is_some_and(|by| by == BY_GATEWAYS));
            managed.map(|pod| (pod.namespace.as_str(), &pod.labels)).collect()
        });
        let detail = |gateway: &Selecting| {
            let Some(managed) = &managed else {
                let (_, gateway) = gateway.selector.iter().find(|(key, _)| key == LABEL)?;
                return Some(format!("selects {LABEL}={gateway}"));
            };
            let mut managed = managed.iter();
            let (namespace, labels) =
                managed.find(|(namespace, labels)| *namespace != gateway.namespace && gateway.selects(labels))?;
            let name = labels.get(LABEL).map_or("", String::as_str);
            Some(format!("selects pods of the managed gateway {namespace}/{name}"))
        };
        let hits = self.0.iter();
        hits.filter_map(|gateway| Some((gateway.named.clone(), detail(gateway)?)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_a_managed_gateway_of_another_namespace_takes_up_is_hit() {
        let placed = |namespace: &str, by: &str| PlacedPod {
            namespace: namespace.to_owned(),
            labels: [(LABEL, "edge"), (MANAGED, by), ("istio", "ingressgateway")]
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into(),
            node: "node-0".to_owned(),
        };
        let old = PlacedPod {
            labels: [("istio".to_owned(), "ingressgateway".to_owned())].into(),
            ..placed("istio-ingress", "")
        };
        let of_its_name = json!({"selector": {LABEL: "edge"}});
        let of_a_label = json!({"selector": {"istio": "ingressgateway"}});
        let of_another = json!({"selector": {"istio": "ingressgateway", "app": "other"}});
        let everywhere = Some("selects pods of the managed gateway edge/edge");
        let by_name = Some("selects gateway.networking.k8s.io/gateway-name=edge");
        for (spec, pods, expected) in [
            (&of_its_name, Some(vec![placed("edge", BY_GATEWAYS)]), everywhere),
            (&of_its_name, Some(vec![placed("shop", BY_GATEWAYS)]), None),
            (
                &of_its_name,
                Some(vec![placed("shop", BY_GATEWAYS), placed("edge", BY_GATEWAYS)]),
                everywhere,
            ),
            // Labels that spec.infrastructure.labels of a Gateway gives its pods.
            (&of_a_label, Some(vec![placed("edge", BY_GATEWAYS)]), everywhere),
            (&of_a_label, Some(vec![old]), None),
            (&of_another, Some(vec![placed("edge", BY_GATEWAYS)]), None),
            (
                &json!({"servers": []}),
                Some(vec![placed("edge", BY_GATEWAYS)]),
                everywhere,
            ),
            (&json!({}), Some(vec![placed("edge", "istio.io-mesh-controller")]), None),
            (&json!({}), Some(Vec::new()), None),
            (&of_its_name, None, by_name),
            (&of_a_label, None, None),
            (&json!({}), None, None),
        ] {
            let none = BTreeMap::new();
            let mut merged = Merged::default();
            let object = Object {
                definition: GATEWAYS,
                kind: "Gateway",
                namespace: "shop",
                name: "public",
                labels: &none,
                annotations: &none,
                spec,
            };
            merged.look(&object, "Gateway shop/public");
            let hits = merged.hits(pods.as_deref());
            let found = hits.first().map(|(object, detail)| (object.as_str(), detail.as_str()));
            let expected = expected.map(|detail| ("Gateway shop/public", detail));
            assert_eq!(found, expected, "{spec} with {pods:?}");
        }
    }
}
