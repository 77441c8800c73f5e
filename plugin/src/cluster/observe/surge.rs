//! How a Deployment replaces its pods, and what one of them asks of a node.

use k8s_openapi::{
    api::{
        apps::v1::DeploymentSpec,
        core::v1::{Container, NodeSelectorRequirement, NodeSelectorTerm, PodAffinityTerm, PodSpec},
    },
    apimachinery::pkg::{api::resource::Quantity, util::intstr::IntOrString},
};
use shared::inventory::{Apart, Demand, NodeTerm, Resources, Surge, Toleration};
use std::collections::BTreeMap;

/// How the update of a Deployment begins, without what admission adds to its pods.
pub(super) fn of(deployment: &DeploymentSpec) -> Surge {
    let Some(pod) = &deployment.template.spec else {
        return Surge::default();
    };
    let tolerations = pod.tolerations.as_deref().unwrap_or_default();
    Surge {
        pod: requests(pod),
        selector: pod.node_selector.clone().unwrap_or_default(),
        affinity: affinity(pod),
        apart: apart(pod),
        tolerations: tolerations
            .iter()
            .map(|one| Toleration {
                key: one.key.clone().unwrap_or_default(),
                value: (one.operator.as_deref() != Some("Exists")).then(|| one.value.clone().unwrap_or_default()),
                effect: one.effect.clone().unwrap_or_default(),
            })
            .collect(),
        adds_first: adds_first(deployment),
    }
}

/// The terms of required node affinity. What is only preferred keeps no pod away.
fn affinity(pod: &PodSpec) -> Option<Vec<NodeTerm>> {
    let nodes = pod.affinity.as_ref()?.node_affinity.as_ref()?;
    let required = nodes.required_during_scheduling_ignored_during_execution.as_ref()?;
    Some(required.node_selector_terms.iter().map(term).collect())
}

fn term(term: &NodeSelectorTerm) -> NodeTerm {
    let demand = |one: &NodeSelectorRequirement| Demand::of(&one.operator, one.values.as_deref().unwrap_or_default());
    let labels = term.match_expressions.iter().flatten();
    let fields = term.match_fields.iter().flatten();
    NodeTerm {
        labels: labels.map(|one| (one.key.clone(), demand(one))).collect(),
        name: fields.map(demand).collect(),
    }
}

/// The terms of required pod anti-affinity within a pod's own namespace. One that compares pods with the new one's own
/// labels, as of its revision, keeps it from none that was there before.
fn apart(pod: &PodSpec) -> Vec<Apart> {
    let affinity = pod.affinity.as_ref();
    let pods = affinity.and_then(|affinity| affinity.pod_anti_affinity.as_ref());
    let required = pods.and_then(|pods| pods.required_during_scheduling_ignored_during_execution.as_ref());
    required.into_iter().flatten().filter_map(keeps_apart).collect()
}

fn keeps_apart(term: &PodAffinityTerm) -> Option<Apart> {
    let is_empty = |list: &Option<Vec<String>>| list.as_ref().is_none_or(Vec::is_empty);
    let is_plain = is_empty(&term.match_label_keys) && is_empty(&term.mismatch_label_keys);
    let is_at_home = is_empty(&term.namespaces) && term.namespace_selector.is_none();
    let selector = term.label_selector.as_ref().filter(|_| is_plain && is_at_home)?;
    let equal = selector.match_labels.iter().flatten();
    let equal = equal.map(|(key, value)| (key.clone(), Demand::In(vec![value.clone()])));
    let asked = selector.match_expressions.iter().flatten();
    let asked = asked.map(|one| {
        let values = one.values.as_deref().unwrap_or_default();
        (one.key.clone(), Demand::of(&one.operator, values))
    });
    Some(Apart {
        from: equal.chain(asked).collect(),
        within: term.topology_key.clone(),
    })
}

/// Whether no pod may be missing at the beginning: percentages of unavailable pods are rounded down.
fn adds_first(deployment: &DeploymentSpec) -> bool {
    let strategy = deployment.strategy.as_ref();
    if strategy.and_then(|strategy| strategy.type_.as_deref()) == Some("Recreate") {
        return false;
    }
    let unavailable = strategy
        .and_then(|strategy| strategy.rolling_update.as_ref())
        .and_then(|update| update.max_unavailable.clone());
    let replicas = i64::from(deployment.replicas.unwrap_or(1));
    let percent = |text: &str| text.trim_end_matches('%').parse::<i64>().unwrap_or(0);
    let missing = match unavailable {
        Some(IntOrString::Int(count)) => i64::from(count),
        Some(IntOrString::String(text)) => replicas.saturating_mul(percent(&text)) / 100,
        None => replicas / 4,
    };
    missing == 0
}

/// Containers that run side by side, or the greatest of those that run before them.
fn requests(pod: &PodSpec) -> Resources {
    let init = pod.init_containers.as_deref().unwrap_or_default();
    let (stay, end): (Vec<&Container>, Vec<&Container>) = init
        .iter()
        .partition(|container| container.restart_policy.as_deref() == Some("Always"));
    let together = pod.containers.iter().chain(stay);
    let together = together.map(of_container).fold(Resources::default(), Resources::plus);
    let before = end
        .into_iter()
        .map(of_container)
        .fold(Resources::default(), Resources::max);
    let mut overhead = Resources::default();
    note(&mut overhead, pod.overhead.as_ref());
    together.max(before).plus(overhead)
}

fn of_container(container: &Container) -> Resources {
    let mut asked = Resources::default();
    note(
        &mut asked,
        container
            .resources
            .as_ref()
            .and_then(|resources| resources.requests.as_ref()),
    );
    asked
}

fn note(resources: &mut Resources, quantities: Option<&BTreeMap<String, Quantity>>) {
    for (name, quantity) in quantities.into_iter().flatten() {
        resources.set(name, &quantity.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_update_adds_first_where_none_may_be_missing() {
        for (replicas, strategy, expected) in [
            (
                2,
                json!({"rollingUpdate": {"maxSurge": "100%", "maxUnavailable": "25%"}}),
                true,
            ),
            (4, json!({"rollingUpdate": {"maxUnavailable": "25%"}}), false),
            (3, json!({}), true),
            (4, json!({}), false),
            (1, json!({"rollingUpdate": {"maxUnavailable": 1}}), false),
            (9, json!({"rollingUpdate": {"maxUnavailable": 0}}), true),
            (1, json!({"type": "Recreate"}), false),
        ] {
            let deployment: DeploymentSpec = serde_json::from_value(json!({
                "replicas": replicas, "strategy": strategy, "selector": {}, "template": {"spec": {"containers": []}},
            }))
            .unwrap();
            assert_eq!(of(&deployment).adds_first, expected, "{replicas} {strategy}");
        }
    }

    #[test]
    fn pods_that_are_required_to_stand_apart_are_told() {
        let like =
            json!({"matchLabels": {"app": "istiod"}, "matchExpressions": [{"key": "old", "operator": "DoesNotExist"}]});
        let term = |more: serde_json::Value| {
            let mut term = json!({"topologyKey": "host", "labelSelector": like});
            term.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            term
        };
        let deployment: DeploymentSpec = serde_json::from_value(json!({
            "selector": {},
            "template": {"spec": {"containers": [], "affinity": {"podAntiAffinity": {
                "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "podAffinityTerm": term(json!({}))}],
                "requiredDuringSchedulingIgnoredDuringExecution": [
                    term(json!({})),
                    term(json!({"matchLabelKeys": ["pod-template-hash"]})),
                    term(json!({"namespaces": ["elsewhere"]})),
                    term(json!({"namespaceSelector": {}})),
                    {"topologyKey": "none"},
                ],
            }}}},
        }))
        .unwrap();
        let expected = Apart {
            from: vec![
                ("app".to_owned(), Demand::In(vec!["istiod".to_owned()])),
                ("old".to_owned(), Demand::DoesNotExist),
            ],
            within: "host".to_owned(),
        };
        assert_eq!(of(&deployment).apart, [expected]);
    }

    #[test]
    fn requests_are_summed_as_the_scheduler_does() {
        let container =
            |cpu: &str, memory: &str| json!({"name": "x", "resources": {"requests": {"cpu": cpu, "memory": memory}}});
        let mut native = container("100m", "128Mi");
        native["restartPolicy"] = json!("Always");
        let deployment: DeploymentSpec = serde_json::from_value(json!({
            "selector": {},
            "template": {"spec": {
                "containers": [container("500m", "2Gi"), {"name": "bare"}],
                "initContainers": [native, container("2", "1Mi")],
                "overhead": {"cpu": "10m"},
                "nodeSelector": {"pool": "infra"},
                "affinity": {"nodeAffinity": {
                    "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
                        {"matchExpressions": [{"key": "zone", "operator": "NotIn", "values": ["c"]}]},
                        {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["node-7"]}]},
                    ]},
                    "preferredDuringSchedulingIgnoredDuringExecution": [
                        {"weight": 1, "preference": {"matchExpressions": [{"key": "ssd", "operator": "Exists"}]}},
                    ],
                }},
                "tolerations": [{"key": "infra", "operator": "Exists"}, {"key": "a", "value": "b", "effect": "NoSchedule"}],
            }},
        }))
        .unwrap();
        let surge = of(&deployment);
        assert_eq!(
            surge.pod,
            Resources {
                milli_cpu: 2010,
                memory: (2048 + 128) << 20,
                pods: 0
            }
        );
        assert_eq!(surge.selector.get("pool").map(String::as_str), Some("infra"));
        assert_eq!(
            surge.affinity,
            Some(vec![
                NodeTerm {
                    labels: vec![("zone".to_owned(), Demand::NotIn(vec!["c".to_owned()]))],
                    name: Vec::new(),
                },
                NodeTerm {
                    labels: Vec::new(),
                    name: vec![Demand::In(vec!["node-7".to_owned()])],
                },
            ])
        );
        assert_eq!(
            (
                surge.tolerations[0].value.as_deref(),
                surge.tolerations[1].value.as_deref()
            ),
            (None, Some("b"))
        );
    }
}
