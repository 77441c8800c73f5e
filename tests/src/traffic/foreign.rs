//! Foreigners, who try to change everything that a freeze guards, in every way there is.
//!
//! What would do harm if it passed is a dry run: it goes through admission like any other, and after the thaw, when it
//! does pass, the mesh is still whole.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;
use serde_json::{Value, json};

use super::call::{Caller, DRIVER, Identity};

/// Who they are: people, controllers, Istio itself beyond what it may, and the driver with another epoch.
pub const FOREIGNERS: [Identity; 7] = [
    Identity::of("mallory"),
    Identity::of("kubernetes-admin"),
    Identity::of("system:serviceaccount:argocd:argocd-application-controller"),
    Identity::of("system:serviceaccount:flux-system:helm-controller"),
    Identity::of("system:serviceaccount:shop:istiod"),
    Identity::driver(0),
    Identity::of(DRIVER),
];

/// One attempt: method, path, and body.
type Attempt = (&'static str, String, Value);

const NETWORKING: &str = "/apis/networking.istio.io/v1/namespaces/default";
const DRY: &str = "dryRun=All";

/// Tries everything, round after round, until it is done. Until the first refusal, which it tells, it only creates what
/// harms nobody.
///
/// # Errors
/// When the API server does not answer.
pub async fn try_everything(caller: &Caller, frozen: &AtomicBool, done: &AtomicBool) -> Result<()> {
    let mut count: usize = 0;
    let mut everybody = FOREIGNERS.iter().cycle();
    while !done.load(Ordering::Relaxed) {
        let round = if frozen.load(Ordering::Relaxed) {
            attempts(count)
        } else {
            vec![harmless(count)]
        };
        for (method, path, body) in round {
            count += 1;
            let Some(who) = everybody.next() else { break };
            let (status, answer) = caller.call(*who, method, &path, &body).await?;
            let message = answer.get("message").and_then(Value::as_str).unwrap_or_default();
            if status >= 400 && message.contains("mesh-freeze-") {
                frozen.store(true, Ordering::Relaxed);
            }
        }
        // So that each attempt is made by each of them in turn.
        everybody.next();
    }
    Ok(())
}

fn harmless(count: usize) -> Attempt {
    let name = format!("foreign-{count}");
    let spec = json!({"hosts": [name], "http": [{"route": [{"destination": {"host": name}}]}]});
    (
        "POST",
        format!("{NETWORKING}/virtualservices"),
        json!({"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": {"name": name}, "spec": spec}),
    )
}

fn attempts(count: usize) -> Vec<Attempt> {
    let mut all = vec![harmless(count)];
    all.extend(configuration(count));
    all.extend(core(count));
    all.extend(components(count));
    all.extend(owned_by_helm(count));
    all
}

/// Configuration of the mesh: every verb, older versions of the API, and each of Istio's groups.
fn configuration(count: usize) -> Vec<Attempt> {
    let existing = format!("{NETWORKING}/virtualservices/existing");
    let spec = |host: &str| json!({"spec": {"hosts": [format!("{host}-{count}")]}});
    let mut applied = spec("applied");
    merge(
        &mut applied,
        json!({"apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
        "metadata": {"name": "existing"}}),
    );
    let mut all = vec![
        ("PATCH", existing.clone(), spec("patched")),
        (
            "PATCH",
            existing.replace("/v1/", "/v1beta1/"),
            spec("patched-as-v1beta1"),
        ),
        ("PATCH", format!("{existing}?fieldManager=argocd&force=true"), applied),
        (
            "PATCH",
            existing.clone(),
            json!({"metadata": {"labels": {"istio.io/rev": format!("r{count}")}}}),
        ),
        (
            "PATCH",
            existing.clone(),
            json!({"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap",
            "name": "nobody", "uid": "00000000-0000-0000-0000-000000000000"}]}}),
        ),
        ("DELETE", format!("{existing}?{DRY}"), Value::Null),
        ("DELETE", format!("{NETWORKING}/virtualservices?{DRY}"), Value::Null),
    ];
    for (group, resource, kind, spec) in [
        (
            "networking.istio.io",
            "destinationrules",
            "DestinationRule",
            json!({"host": "foreign"}),
        ),
        (
            "networking.istio.io",
            "gateways",
            "Gateway",
            json!({"selector": {"istio": "ingress"},
            "servers": [{"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}]}),
        ),
        (
            "networking.istio.io",
            "serviceentries",
            "ServiceEntry",
            json!({"hosts": ["foreign.example"],
            "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}], "resolution": "DNS"}),
        ),
        (
            "networking.istio.io",
            "sidecars",
            "Sidecar",
            json!({"egress": [{"hosts": ["./*"]}]}),
        ),
        (
            "networking.istio.io",
            "workloadentries",
            "WorkloadEntry",
            json!({"address": "192.0.2.1"}),
        ),
        (
            "networking.istio.io",
            "workloadgroups",
            "WorkloadGroup",
            json!({"template": {"serviceAccount": "x"}}),
        ),
        (
            "security.istio.io",
            "authorizationpolicies",
            "AuthorizationPolicy",
            json!({"action": "DENY", "rules": [{}]}),
        ),
        (
            "security.istio.io",
            "peerauthentications",
            "PeerAuthentication",
            json!({"mtls": {"mode": "PERMISSIVE"}}),
        ),
        (
            "security.istio.io",
            "requestauthentications",
            "RequestAuthentication",
            json!({}),
        ),
        (
            "telemetry.istio.io",
            "telemetries",
            "Telemetry",
            json!({"accessLogging": [{"disabled": true}]}),
        ),
    ] {
        let metadata = json!({"name": format!("foreign-{count}")});
        all.push((
            "POST",
            format!("/apis/{group}/v1/namespaces/default/{resource}"),
            json!({"apiVersion": format!("{group}/v1"), "kind": kind, "metadata": metadata, "spec": spec}),
        ));
    }
    let name = format!("foreign-{count}");
    all.push((
        "POST",
        "/apis/networking.istio.io/v1alpha3/namespaces/default/envoyfilters".to_owned(),
        json!({"apiVersion": "networking.istio.io/v1alpha3", "kind": "EnvoyFilter", "metadata": {"name": name},
            "spec": {"configPatches": []}}),
    ));
    all.push((
        "POST",
        "/apis/extensions.istio.io/v1alpha1/namespaces/default/wasmplugins".to_owned(),
        json!({"apiVersion": "extensions.istio.io/v1alpha1", "kind": "WasmPlugin", "metadata": {"name": name},
            "spec": {"url": "oci://foreign.example/x:1"}}),
    ));
    all
}

/// ConfigMaps, CRDs, namespaces and helm's storage.
fn core(count: usize) -> Vec<Attempt> {
    let system = "/api/v1/namespaces/istio-system";
    let crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    let release = format!("sh.helm.release.v1.istiod.v{}", 900 + count);
    let storage = |kind: &str| {
        json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": release, "labels": {"owner": "helm",
            "name": "istiod", "status": "deployed", "version": format!("{}", 900 + count)}}})
    };
    vec![
        (
            "PATCH",
            format!("{system}/configmaps/istio?{DRY}"),
            json!({"data": {"mesh": format!("# {count}")}}),
        ),
        (
            "DELETE",
            format!("{system}/configmaps/istio-sidecar-injector?{DRY}"),
            Value::Null,
        ),
        (
            "PATCH",
            format!("{crds}/virtualservices.networking.istio.io?{DRY}"),
            json!({"metadata": {"labels": {"foreign": format!("{count}")}}}),
        ),
        (
            "DELETE",
            format!("{crds}/gateways.networking.istio.io?{DRY}"),
            Value::Null,
        ),
        (
            "DELETE",
            format!("{crds}/meshfreezes.meshupgrade.io?{DRY}"),
            Value::Null,
        ),
        ("DELETE", format!("/api/v1/namespaces/istio-system?{DRY}"), Value::Null),
        (
            "DELETE",
            format!("/api/v1/namespaces/mesh-upgrade-system?{DRY}"),
            Value::Null,
        ),
        ("POST", format!("{system}/secrets?{DRY}"), storage("Secret")),
        ("POST", format!("{system}/configmaps?{DRY}"), storage("ConfigMap")),
        (
            "DELETE",
            format!("{system}/secrets/sh.helm.release.v1.istiod.v1?{DRY}"),
            Value::Null,
        ),
        (
            "DELETE",
            format!("{system}/secrets?labelSelector=owner%3Dhelm&{DRY}"),
            Value::Null,
        ),
    ]
}

/// The control plane and the gateway: their workloads, scale and status.
fn components(count: usize) -> Vec<Attempt> {
    let mut all = Vec::new();
    for (namespace, name) in [
        ("istio-system", "istiod"),
        ("istio-ingressgateway", "istio-ingressgateway"),
    ] {
        let path = format!("/apis/apps/v1/namespaces/{namespace}/deployments/{name}");
        all.push((
            "PATCH",
            format!("{path}?{DRY}"),
            json!({"metadata": {"labels": {"foreign": format!("{count}")}}}),
        ));
        all.push((
            "PATCH",
            format!("{path}/scale?{DRY}"),
            json!({"spec": {"replicas": 7 + count % 2}}),
        ));
        all.push(("DELETE", format!("{path}?{DRY}"), Value::Null));
        all.push((
            "PATCH",
            format!("{path}/status?{DRY}"),
            json!({"metadata": {"annotations": {"meta.helm.sh/release-name": format!("other-{count}")}}}),
        ));
    }
    all
}

/// What belongs to a release of the mesh: its rights, its addresses, its scaling.
fn owned_by_helm(count: usize) -> Vec<Attempt> {
    [
        "/api/v1/namespaces/istio-system/serviceaccounts/istiod",
        "/api/v1/namespaces/istio-system/services/istiod",
        "/apis/autoscaling/v2/namespaces/istio-system/horizontalpodautoscalers/istiod",
        "/apis/policy/v1/namespaces/istio-system/poddisruptionbudgets/istiod",
        "/apis/rbac.authorization.k8s.io/v1/clusterroles/istiod-clusterrole-istio-system",
        "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/istiod-clusterrole-istio-system",
        "/apis/rbac.authorization.k8s.io/v1/namespaces/istio-system/roles/istiod",
        "/apis/rbac.authorization.k8s.io/v1/namespaces/istio-system/rolebindings/istiod",
    ]
    .iter()
    .map(|path| {
        let body = json!({"metadata": {"labels": {"foreign": format!("{count}")}}});
        ("PATCH", format!("{path}?{DRY}"), body)
    })
    .collect()
}

/// Members of the second object put into the first; nothing is in both but objects.
fn merge(target: &mut Value, more: Value) {
    match (target, more) {
        (Value::Object(target), Value::Object(more)) => {
            for (key, value) in more {
                merge(target.entry(key).or_insert(Value::Null), value);
            }
        }
        (target, more) => *target = more,
    }
}
