//! Control planes beside the old mesh, as objects without a process: each in a namespace of its own, so each a mesh of that
//! name, with what is wrong with it. They are scaled to nothing, so that the real istiod stays the only one that serves.

use std::io::Write as _;

use anyhow::Result;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use flate2::{Compression, write::GzEncoder};
use mesh_upgrade_tests::harness::Cluster;
use serde_json::{Value, json};

use super::case::kubectl;

/// Namespace, revision, and image without its registry.
const CONTROL_PLANES: [(&str, &str, &str); 11] = [
    (
        "unread",
        "default",
        "pilot@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    ),
    ("mixed", "default", "pilot:1.30.3"),
    ("mixed", "canary", "pilot:1.30.3-mspider"),
    ("halfway", "default", "pilot:1.30.3"),
    ("halfway", "canary", "pilot:1.31.0"),
    ("twice", "default", "pilot:1.30.3"),
    ("twice", "canary", "pilot:1.30.3"),
    ("half-rolled", "default", "pilot:1.30.3"),
    ("of-old", "default", "pilot:1.30.3"),
    ("operated", "default", "pilot:1.30.3"),
    ("vendor", "default", "pilot:1.30.3-mspider"),
];

/// Applies all of them.
pub fn apply(cluster: &Cluster) -> Result<()> {
    let mut items = Vec::new();
    for (namespace, revision, image) in CONTROL_PLANES {
        items.push(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}));
        items.push(control_plane(namespace, revision, image));
    }
    let list = json!({"apiVersion": "v1", "kind": "List", "items": items});
    cluster.apply_stdin(&list.to_string())?.ok().map(drop)
}

fn control_plane(namespace: &str, revision: &str, image: &str) -> Value {
    let name = if revision == "default" {
        "istiod".to_owned()
    } else {
        format!("istiod-{revision}")
    };
    let annotations = if namespace == "of-old" {
        json!({"meta.helm.sh/release-name": "istiod", "meta.helm.sh/release-namespace": namespace})
    } else {
        json!({})
    };
    let labels = json!({"app": "istiod", "istio.io/rev": revision});
    let metadata = json!({"name": name, "namespace": namespace, "labels": labels, "annotations": annotations});
    let container = json!({"name": "discovery", "image": format!("docker.io/istio/{image}")});
    deployment(&metadata, &container)
}

/// A Deployment that is scaled to nothing.
pub fn deployment(metadata: &Value, container: &Value) -> Value {
    let (selected, pods) = pods(metadata, container);
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata,
        "spec": {"replicas": 0, "selector": {"matchLabels": selected}, "template": pods}})
}

/// A DaemonSet, whose pods are there.
pub fn daemon_set(metadata: &Value, container: &Value) -> Value {
    let (selected, pods) = pods(metadata, container);
    json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": metadata,
        "spec": {"selector": {"matchLabels": selected}, "template": pods}})
}

fn pods(metadata: &Value, container: &Value) -> (Value, Value) {
    let selected = json!({"stand-in": metadata.get("name")});
    let pods = json!({"metadata": {"labels": selected}, "spec": {"containers": [container]}});
    (selected, pods)
}

/// A release as helm stored it in its days: its manifest holds a PodDisruptionBudget of the API that is gone.
pub fn release(cluster: &Cluster, namespace: &str, name: &str, chart: &str, version: &str) -> Result<()> {
    let release = json!({
        "name": name, "namespace": namespace, "version": 1, "info": {"status": "deployed"},
        "chart": {"metadata": {"name": chart, "version": version, "appVersion": version}},
        "manifest": "---\napiVersion: policy/v1beta1\nkind: PodDisruptionBudget\nmetadata: {name: istiod}\n",
    });
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(release.to_string().as_bytes())?;
    let stored = STANDARD.encode(gzip.finish()?);
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1",
        "metadata": {"name": format!("sh.helm.release.v1.{name}.v1"), "namespace": namespace,
            "labels": {"owner": "helm", "name": name, "status": "deployed", "version": "1"}},
        "stringData": {"release": stored},
    });
    cluster.apply_stdin(&secret.to_string())?.ok().map(drop)
}

/// Two ready pods of one control plane: a port-forward to the second tells an older version than the istiod that runs.
pub fn pods_that_differ(cluster: &Cluster) -> Result<()> {
    let pod = |name: &str| {
        json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": "half-rolled", "labels": {"app": "istiod", "istio.io/rev": "default"}},
            "spec": {"containers": [{"name": "discovery", "image": "docker.io/istio/pilot:1.30.3"}]}})
    };
    for name in ["istiod-here", "istiod-left-behind"] {
        cluster.apply_stdin(&pod(name).to_string())?.ok()?;
    }
    let ready = ["wait", "--for=condition=Ready", "--timeout=30s", "pod", "--all"];
    kubectl(cluster, &[&["-n", "half-rolled"][..], &ready].concat()).map(drop)
}
