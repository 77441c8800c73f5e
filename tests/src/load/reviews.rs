//! Reviews of a size, as the API server sends them: two versions of an object with managed fields, and who asks.

use serde_json::{Value, json};

/// What a review is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A VirtualService whose routes somebody changes.
    Changed,
    /// A VirtualService of which only book-keeping changes.
    Unchanged,
    /// A VirtualService that the holder of the freeze changes.
    Holder,
    /// istiod's Deployment on its way to the next minor.
    Istiod,
}

/// A review of about so many bytes.
#[must_use]
pub fn review(shape: Shape, bytes: usize) -> Vec<u8> {
    // Both versions grow by it; the smallest review is below any size that is asked for.
    let mut parts = 0;
    let mut made = with_parts(shape, parts);
    while made.len() < bytes {
        parts += 1;
        made = with_parts(shape, parts);
    }
    made
}

fn with_parts(shape: Shape, parts: usize) -> Vec<u8> {
    let (object, old) = match shape {
        Shape::Changed | Shape::Holder => (virtual_service(parts, 2, 90), virtual_service(parts, 1, 80)),
        Shape::Unchanged => (virtual_service(parts, 2, 90), virtual_service(parts, 1, 90)),
        Shape::Istiod => (istiod(parts, 2, "1.31.0"), istiod(parts, 1, "1.30.3")),
    };
    let (group, resource, kind) = match shape {
        Shape::Istiod => ("apps", "deployments", "Deployment"),
        _ => ("networking.istio.io", "virtualservices", "VirtualService"),
    };
    let user = match shape {
        // A driver would be late where no freeze stands.
        Shape::Changed | Shape::Unchanged | Shape::Istiod => json!({"username": "bob@example.com", "uid": "b0b",
            "groups": ["platform", "system:authenticated"],
            "extra": {"authentication.kubernetes.io/credential-id": ["X509SHA256=00112233445566778899aabbccddeeff"]}}),
        Shape::Holder => json!({
            "username": "system:serviceaccount:mesh-upgrade-system:mesh-upgrade-driver",
            "groups": ["system:serviceaccounts", "system:authenticated"], "extra": {"meshupgrade.io/epoch": ["3"]}}),
    };
    let (namespace, name) = match shape {
        Shape::Istiod => ("istio-system", "istiod"),
        _ => ("shop", "cart"),
    };
    let kind = json!({"group": group, "version": "v1", "kind": kind});
    let resource = json!({"group": group, "version": "v1", "resource": resource});
    json!({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": {
        "uid": "705ab4f5-6393-11e8-b7cc-42010a800002", "kind": kind, "resource": resource, "requestKind": kind,
        "requestResource": resource, "name": name, "namespace": namespace, "operation": "UPDATE", "userInfo": user,
        "object": object, "oldObject": old, "dryRun": false,
        "options": {"kind": "UpdateOptions", "apiVersion": "meta.k8s.io/v1", "fieldManager": "kubectl"}}})
    .to_string()
    .into_bytes()
}

fn metadata(namespace: &str, name: &str, generation: u64, managed: &Value) -> Value {
    json!({"name": name, "namespace": namespace, "uid": "1b2f4c1e-8a6d-4f6a-9d0f-0c1d2e3f4a5b",
        "resourceVersion": format!("{}", 70_000 + generation), "generation": generation,
        "creationTimestamp": "2026-01-01T00:00:00Z", "labels": {"app": name, "team": "checkout"},
        "annotations": {"owner": "checkout@example.com"},
        "managedFields": [{"manager": "kubectl", "operation": "Update", "apiVersion": "v1",
            "time": format!("2026-01-01T00:00:0{generation}Z"), "fieldsType": "FieldsV1", "fieldsV1": managed}]})
}

fn virtual_service(parts: usize, generation: u64, weight: u64) -> Value {
    let route = |number: usize| {
        json!({"match": [{"uri": {"prefix": format!("/cart/v{number}")}, "headers": {"x-canary": {"exact": "true"}}}],
            "route": [{"destination": {"host": "cart.shop.svc.cluster.local", "subset": "v1", "port": {"number": 8080}},
                "weight": weight}, {"destination": {"host": "cart.shop.svc.cluster.local", "subset": "v2"},
                "weight": 100 - weight}], "timeout": "5s", "retries": {"attempts": 3, "perTryTimeout": "2s"}})
    };
    let managed = json!({"f:spec": {"f:hosts": {}, "f:http": (0..parts).map(|number|
        (format!("k:{{\"n\":{number}}}"), json!({".": {}, "f:match": {}, "f:route": {}, "f:timeout": {}})))
        .collect::<serde_json::Map<_, _>>()}});
    json!({"apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
        "metadata": metadata("shop", "cart", generation, &managed),
        "spec": {"hosts": ["cart.shop.svc.cluster.local"], "gateways": ["mesh"],
            "http": (0..parts).map(route).collect::<Vec<_>>()}})
}

fn istiod(parts: usize, generation: u64, version: &str) -> Value {
    let variable = |number: usize| json!({"name": format!("PILOT_SETTING_{number}"), "value": format!("value of the setting number {number}")});
    let managed = json!({"f:spec": {"f:template": {"f:spec": {"f:containers": (0..parts).map(|number|
        (format!("k:{{\"name\":\"PILOT_SETTING_{number}\"}}"), json!({".": {}, "f:name": {}, "f:value": {}})))
        .collect::<serde_json::Map<_, _>>()}}}});
    let labels = json!({"app": "istiod", "istio": "pilot", "istio.io/rev": "default"});
    json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": metadata("istio-system", "istiod", generation, &managed),
        "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "istiod", "istio": "pilot"}},
            "template": {"metadata": {"labels": labels}, "spec": {"serviceAccountName": "istiod", "containers": [{
                "name": "discovery", "image": format!("docker.io/istio/pilot:{version}"), "args": ["discovery"],
                "env": (0..parts).map(variable).collect::<Vec<_>>(),
                "resources": {"requests": {"cpu": "500m", "memory": "2Gi"}}}]}}},
        "status": {"observedGeneration": generation, "replicas": 2, "readyReplicas": 2}})
}
