//! A mesh of two revisions, as a canary has it: an old one with tags and workloads, and what is seen of the new one.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::Value;

use crate::harness::{Cluster, Istio, IstioOptions, wait_until};

const FROM: &str = "1.30.3";
const DEADLINE: Duration = Duration::from_secs(120);

/// A namespace with its label, and a workload in it.
fn workload(namespace: &str, label: &str, name: &str) -> String {
    format!(
        "\
apiVersion: v1
kind: Namespace
metadata: {{name: {namespace}, labels: {{{label}}}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}, namespace: {namespace}}}
spec:
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec: {{containers: [{{name: app, image: example/app:1}}]}}
"
    )
}

/// Installs Istio 1.30.3 as revision 1-30-3 with the tags `default` and `prod`.
///
/// # Errors
/// When it does not come to serve.
pub fn install(cluster: &Cluster) -> Result<Istio> {
    Istio::install(cluster, options())
}

/// The same, for who adds something.
#[must_use]
pub fn options() -> IstioOptions {
    IstioOptions {
        istiod_release: "istiod-1-30-3".to_owned(),
        values: [
            "revision=1-30-3",
            "defaultRevision=1-30-3",
            "revisionTags={default,prod}",
        ]
        .map(String::from)
        .to_vec(),
        ..IstioOptions::version(FROM)
    }
}

/// Brings two workloads, and waits until the old revision has given them a sidecar: one in a namespace whose label goes by a
/// tag, one in a namespace that names the revision.
///
/// # Errors
/// When it does not.
pub fn run_workloads(cluster: &Cluster, by_tag: &str, revision: &str) -> Result<()> {
    let by_name = format!("istio.io/rev: {revision}");
    let workloads = [workload("pay", by_tag, "ledger"), workload("shop", &by_name, "reviews")];
    cluster.apply_stdin(&workloads.join("---\n"))?.ok()?;
    wait_for_proxies(cluster, FROM)
}

/// Moves them to a revision, which runs this version, as their owners do: one by its label, one by a restart alone.
///
/// # Errors
/// When they do not arrive there.
pub fn move_workloads(cluster: &Cluster, revision: &str, version: &str) -> Result<()> {
    let label = format!("istio.io/rev={revision}");
    cluster
        .kubectl(&["label", "namespace", "shop", "--overwrite", &label])?
        .ok()?;
    for namespace in ["shop", "pay"] {
        cluster
            .kubectl(&["rollout", "restart", "deployment", "--namespace", namespace])?
            .ok()?;
    }
    wait_for_proxies(cluster, version)
}

/// Helm's releases of the control plane.
///
/// # Errors
/// When helm fails.
pub fn releases(cluster: &Cluster) -> Result<Vec<String>> {
    let list = cluster.helm(&["list", "--namespace", "istio-system", "--short"])?;
    Ok(list.ok()?.lines().map(str::to_owned).collect())
}

/// Sees that the tags lead to revision 1-31-0 and belong to its release.
///
/// # Errors
/// What is otherwise.
pub fn tags_lead_to_the_new_revision(cluster: &Cluster) -> Result<()> {
    for tag in ["default", "prod"] {
        let name = format!("istio-revision-tag-{tag}");
        let found = cluster.kubectl(&["get", "mutatingwebhookconfiguration", &name, "-o", "json"])?;
        let found = found.json()?;
        ensure!(text(&found, "/metadata/labels/istio.io~1rev") == "1-31-0", "{found:#}");
        let owner = text(&found, "/metadata/annotations/meta.helm.sh~1release-name");
        ensure!(owner == "istiod-1-31-0", "{name} belongs to {owner}");
    }
    Ok(())
}

/// Waits until both workloads have a sidecar, and of this version.
///
/// # Errors
/// When they do not within the deadline.
pub fn wait_for_proxies(cluster: &Cluster, version: &str) -> Result<()> {
    wait_until(&format!("proxies of {version}"), DEADLINE, || {
        for namespace in ["pay", "shop"] {
            let images =
                "jsonpath={range .items[*]}{.spec.initContainers[*].image} {.spec.containers[*].image}{\"\\n\"}{end}";
            let pods = cluster.kubectl(&["get", "pods", "--namespace", namespace, "-o", images])?;
            let mut pods = pods.ok()?.lines().peekable();
            let proxy = format!("proxyv2:{version}");
            let is_one = pods.peek().is_some();
            ensure!(is_one && pods.all(|images| images.contains(&proxy)), "{namespace}");
        }
        Ok(Some(()))
    })
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}
