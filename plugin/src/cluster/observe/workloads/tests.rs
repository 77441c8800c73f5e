//! Which workloads count as what, and when a rollout is complete.

use super::*;
use serde_json::{Value, json};

/// A workload of `kind` with these labels, pod template and status.
fn object<T: serde::de::DeserializeOwned>(labels: &Value, template: &Value, status: &Value) -> T {
    serde_json::from_value(json!({
        "metadata": {"name": "it", "namespace": "mesh", "generation": 4, "labels": labels,
            "annotations": {"meta.helm.sh/release-name": "r", "meta.helm.sh/release-namespace": "n"}},
        "spec": {"replicas": 2, "selector": {}, "template": template},
        "status": status,
    }))
    .unwrap()
}

fn deployed(labels: &Value, template: &Value, status: &Value) -> Workloads {
    let mut found = Workloads::default();
    found.deployment(&object(labels, template, status));
    found
}

fn spread(template: &Value, status: &Value) -> Workloads {
    let mut found = Workloads::default();
    let counts = json!({"currentNumberScheduled": 0, "desiredNumberScheduled": 0, "numberMisscheduled": 0,
        "numberReady": 0});
    let status = if status.is_null() { &counts } else { status };
    found.daemon_set(&object(&json!({}), template, status));
    found
}

fn pod(containers: &Value) -> Value {
    json!({"spec": {"containers": containers}})
}

#[test]
fn an_istiod_is_known_by_its_container() {
    let template = json!({"spec": {"serviceAccountName": "istiod-1-31", "containers": [
        {"name": "sidecar", "image": "logs:2"},
        {"name": "discovery", "image": "istio/pilot:1.31.0",
            "env": [{"name": "SHARED_MESH_CONFIG", "value": "istio-shared-configmap-1-31"}]},
    ]}});
    let labels = json!({"istio": "pilot", "istio.io/rev": "1-31"});
    let found = deployed(&labels, &template, &json!({"observedGeneration": 4})).control_planes;
    let istiod = found.first().unwrap();
    assert_eq!(istiod.control_plane.revision, "1-31");
    assert_eq!(istiod.control_plane.image, "istio/pilot:1.31.0");
    assert_eq!(istiod.control_plane.user, "system:serviceaccount:mesh:istiod-1-31");
    assert_eq!(
        istiod.control_plane.helm_release,
        Some(("n".to_owned(), "r".to_owned()))
    );
    assert_eq!(istiod.shared_config_map.as_deref(), Some("istio-shared-configmap-1-31"));
    assert!(istiod.control_plane.rollout.observed);

    let plain = pod(&json!([{"name": "discovery", "image": "istio/pilot:1.31.0"}]));
    let found = deployed(&json!({"app": "istiod"}), &plain, &json!({"observedGeneration": 3})).control_planes;
    let istiod = found.first().unwrap();
    assert_eq!(istiod.control_plane.revision, "default");
    assert_eq!(istiod.control_plane.user, "system:serviceaccount:mesh:default");
    assert!(
        !istiod.control_plane.rollout.observed,
        "the controller has not seen generation 4"
    );
}

#[test]
fn only_gateways_of_their_own_are_gateways() {
    let injected = json!({"metadata": {"annotations": {"inject.istio.io/templates": "sidecar, gateway"}},
        "spec": {"containers": [{"name": "istio-proxy", "image": "x"}, {"name": "extra"}]}});
    let auto = pod(&json!([{"name": "istio-proxy", "image": "auto"}, {"name": "extra"}]));
    let alone = pod(&json!([{"name": "istio-proxy", "image": "istio/proxyv2:1.31.0"}]));
    let beside = pod(&json!([{"name": "app"}, {"name": "istio-proxy", "image": "istio/proxyv2:1.31.0"}]));
    let app = pod(&json!([{"name": "app"}]));
    let own = json!({"istio": "ingressgateway"});
    let managed = json!({"istio": "x", "gateway.istio.io/managed": "istio.io-gateway-controller"});
    for (what, labels, template, expected) in [
        ("injected by template", &own, &injected, true),
        ("image auto", &own, &auto, true),
        ("of Istio's own example, without labels", &json!({}), &injected, true),
        ("only a proxy", &own, &alone, true),
        ("a workload with a proxy beside it", &own, &beside, false),
        ("a workload", &own, &app, false),
        ("managed by istiod", &managed, &alone, false),
    ] {
        let found = deployed(labels, template, &json!({}));
        assert_eq!(!found.gateways.is_empty(), expected, "{what}");
        assert!(found.control_planes.is_empty(), "{what}");
    }
    assert_eq!(
        spread(&injected, &Value::Null).gateways.len(),
        1,
        "a DaemonSet may be a gateway"
    );
}

#[test]
fn node_components_are_known_by_their_pods() {
    for (labels, container, expected) in [
        (
            json!({"k8s-app": "istio-cni-node"}),
            "install-cni",
            Some(Component::Cni),
        ),
        (json!({"app": "ztunnel"}), "istio-proxy", Some(Component::Ztunnel)),
        (json!({"app": "ztunnel"}), "other", None),
        (json!({"app": "fluentd"}), "fluentd", None),
    ] {
        let template = json!({"metadata": {"labels": labels},
            "spec": {"containers": [{"name": container, "image": "istio/x:1.31.0"}]}});
        let found = spread(&template, &Value::Null);
        assert_eq!(
            found.node_components.first().map(|node| node.component),
            expected,
            "{labels} {container}"
        );
        assert!(found.gateways.is_empty(), "{labels} {container}");
    }
}

#[test]
fn old_pods_do_not_count_as_ready() {
    let template = pod(&json!([{"name": "discovery", "image": "istio/pilot:1.31.0"}]));
    for (what, replicas, updated, ready, complete) in [
        ("done", 2, 2, 2, true),
        ("begun: one new pod, not ready, beside two old ones", 3, 1, 2, false),
        ("all new, one old pod serves in place of a new one", 3, 2, 2, false),
        ("all new ready, an old one still ends", 3, 2, 3, true),
        ("new but not ready", 2, 2, 1, false),
    ] {
        let status = json!({"observedGeneration": 4, "replicas": replicas, "updatedReplicas": updated,
            "readyReplicas": ready});
        let found = deployed(&json!({}), &template, &status);
        let rollout = found.control_planes.first().unwrap().control_plane.rollout;
        assert_eq!(rollout.is_complete(), complete, "{what}: {rollout:?}");
    }
    let template = json!({"metadata": {"labels": {"app": "ztunnel"}},
        "spec": {"containers": [{"name": "istio-proxy", "image": "istio/ztunnel:1.31.0"}]}});
    for (updated, ready, complete) in [(3, 3, true), (1, 3, false), (3, 2, false)] {
        let status = json!({"observedGeneration": 4, "desiredNumberScheduled": 3, "currentNumberScheduled": 3,
            "numberMisscheduled": 0, "updatedNumberScheduled": updated, "numberReady": ready});
        let found = spread(&template, &status);
        let rollout = found.node_components.first().unwrap().rollout;
        assert_eq!(rollout.is_complete(), complete, "{rollout:?}");
    }
}
