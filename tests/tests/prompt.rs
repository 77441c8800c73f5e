//! The prompt: `kubectl get meshes` tells where a mesh could go, and goes on telling it when a new catalog arrives, because
//! the guard's webhook keeps the status of each Mesh.

use std::time::Duration;

use anyhow::{Result, ensure};
use mesh_upgrade_tests::{
    harness::{Cluster, ClusterOptions, Istio, IstioOptions, wait_until},
    product::{Guard, kubeconfig_of, mesh_upgrade},
};
use serde_json::{Value, json};

/// How long a catalog may take from its arrival to the prompt.
const PROMPT: Duration = Duration::from_secs(30);
/// How long a report of another cluster may take.
const REPORTED: Duration = Duration::from_secs(30);

/// A patch that nobody has released, and a minor that has ended.
const CATALOG: &str = r#"
extends: embedded
flavors:
  - sources: {images: docker.io/istio, charts: "https://charts.example.com"}
    releases:
      - minor: "1.31"
        newestPatch: 1.31.99
        released: 2026-08-31
        endOfLife: {date: 2027-04-30, kind: estimate}
        kubernetes: ["1.34", "1.35", "1.36"]
      - minor: "1.30"
        newestPatch: 1.30.7
        released: 2026-05-18
        endOfLife: {date: 2026-05-19, kind: actual}
        kubernetes: ["1.34", "1.35", "1.36"]
"#;

#[test]
fn a_new_catalog_reaches_the_mesh_within_seconds() -> Result<()> {
    let cluster = Cluster::start(ClusterOptions::named("prompted"))?;
    Istio::install(&cluster, IstioOptions::version("1.30.3"))?;
    let _guard = Guard::install(&cluster)?;
    mesh_upgrade(&cluster, &["adopt", "--yes"])?.ok()?;
    let first = wait_until("the prompt of the built-in catalog", PROMPT, || {
        let mesh = mesh(&cluster)?;
        Ok(condition(&mesh, "UpgradeAvailable").map(|found| (mesh.clone(), found)))
    })?;
    ensure!(
        text(&first.1, "/status") == "True" && text(&first.1, "/reason") == "NewMinor",
        "{first:?}"
    );
    let known = text(&first.0, "/status/availableVersion").to_owned();
    ensure!(known.starts_with("1.31.") && known != "1.31.99", "{known}");

    let map = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"namespace": "mesh-upgrade-system", "name": "mesh-upgrade-catalog"},
        "data": {"catalog.yaml": CATALOG},
    });
    cluster.apply_stdin(&map.to_string())?.ok()?;
    wait_until("the prompt of the new catalog", PROMPT, || {
        let shown = cluster.kubectl(&["get", "meshes"])?;
        Ok(shown.ok()?.contains("1.31.99").then_some(()))
    })?;
    let mesh = mesh(&cluster)?;
    let ended = condition(&mesh, "EndOfLife").unwrap_or_default();
    ensure!(
        text(&ended, "/status") == "True" && text(&ended, "/message").contains("since 2026-05-19"),
        "{mesh:#}"
    );
    ensure!(text(&mesh, "/status/version") == "1.30.3", "{mesh:#}");
    for (reason, part) in [("UpgradeAvailable", "1.31.99"), ("EndOfLife", "1.30 gets no fixes")] {
        let field = format!("--field-selector=reason={reason}");
        let events = cluster.kubectl(&["get", "events.events.k8s.io", &field, "-o", "jsonpath={.items[*].note}"])?;
        ensure!(events.ok()?.contains(part), "{events}");
    }
    what_kubernetes_does_not_allow_is_not_available(&cluster)
}

/// The same catalog, but that the next minor does not support this cluster's Kubernetes.
fn what_kubernetes_does_not_allow_is_not_available(cluster: &Cluster) -> Result<()> {
    let narrow = CATALOG.replacen("[\"1.34\", \"1.35\", \"1.36\"]", "[\"1.34\", \"1.35\"]", 1);
    let map = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"namespace": "mesh-upgrade-system", "name": "mesh-upgrade-catalog"},
        "data": {"catalog.yaml": narrow},
    });
    cluster.apply_stdin(&map.to_string())?.ok()?;
    let said = "1.31.99 supports Kubernetes 1.34 to 1.35, and this cluster runs 1.36";
    wait_until("the prompt that weighs Kubernetes", PROMPT, || {
        let mesh = mesh(cluster)?;
        let found = condition(&mesh, "UpgradeAvailable").unwrap_or_default();
        ensure!(
            text(&found, "/message").contains(said) && text(&mesh, "/status/availableVersion") == "1.30.7",
            "{mesh:#}"
        );
        Ok(Some(()))
    })?;
    let list = mesh_upgrade(cluster, &["list"])?;
    ensure!(
        list.ok()?.contains("1.31.99 supports Kubernetes 1.34 to 1.35") && list.stdout.contains("↑ 1.30.7"),
        "list says something else: {list}"
    );
    Ok(())
}

/// A mesh of two clusters of which one is behind: each guard tells of its own, the member's with nothing but the right to
/// report to the home.
#[test]
fn a_cluster_that_is_behind_is_named_by_what_each_guard_reports() -> Result<()> {
    let east = Cluster::start(ClusterOptions::named("east"))?;
    let west = Cluster::start(ClusterOptions::named("west"))?;
    // A guard looks at istiod's Deployment and at nothing else of it.
    control_plane(&east, "1.31.0")?;
    control_plane(&west, "1.30.3")?;
    let _home = Guard::install(&east)?;
    let mesh_of_two = json!({
        "apiVersion": "meshupgrade.io/v1alpha1", "kind": "Mesh",
        "metadata": {"name": "default", "annotations": {"meshupgrade.io/cluster": "east"}},
        "spec": {"clusters": [{"name": "east"}, {"name": "west"}]},
    });
    east.apply_stdin(&mesh_of_two.to_string())?.ok()?;
    says(
        &east,
        "Unknown",
        "1.31.0 runs in east; no guard reports a version of west",
    )?;

    let namespace = "--namespace=mesh-upgrade-system";
    east.kubectl(&["create", "serviceaccount", "west", namespace])?.ok()?;
    let account = "--serviceaccount=mesh-upgrade-system:west";
    let role = "--clusterrole=mesh-upgrade-reporter";
    east.kubectl(&["create", "clusterrolebinding", "west", role, account])?
        .ok()?;
    let member = tempfile::tempdir()?;
    std::fs::write(member.path().join("cluster"), "west\n")?;
    let to_east = kubeconfig_of(&east, "west")?;
    std::fs::write(member.path().join("kubeconfig"), to_east.to_string())?;
    let _member = Guard::install_with(&west, &["--member-dir", &member.path().display().to_string()])?;
    says(&east, "False", "west runs 1.30.3, behind 1.31.0 of east")?;
    wait_until("an Event of the drift", PROMPT, || {
        let field = "--field-selector=reason=VersionsDiffer";
        let events = east.kubectl(&["get", "events.events.k8s.io", field, "-o", "jsonpath={.items[*].note}"])?;
        ensure!(events.ok()?.contains("west runs 1.30.3"), "{events}");
        Ok(Some(()))
    })?;

    // The one that is behind follows, and the mesh agrees within seconds.
    let image = "discovery=docker.io/istio/pilot:1.31.0";
    west.kubectl(&["set", "image", "deployment/istiod", image, "--namespace=istio-system"])?
        .ok()?;
    says(&east, "True", "1.31.0 runs in east, west")?;
    // What a member may do in the home is to report.
    for (verb, what, subresource, expected) in [
        ("list", "meshes.meshupgrade.io", "", true),
        ("update", "meshes.meshupgrade.io", "status", true),
        ("update", "meshes.meshupgrade.io", "", false),
        ("list", "secrets", "", false),
        ("list", "deployments.apps", "", false),
    ] {
        let subresource = format!("--subresource={subresource}");
        let who = "--as=system:serviceaccount:mesh-upgrade-system:west";
        let asked = east.kubectl(&["auth", "can-i", verb, what, &subresource, who])?;
        ensure!(asked.success() == expected, "{verb} {what} {subresource}: {asked}");
    }
    Ok(())
}

/// Deployment of an istiod, as far as a guard looks at it.
fn control_plane(cluster: &Cluster, version: &str) -> Result<()> {
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "istio-system"}});
    cluster.apply_stdin(&namespace.to_string())?.ok()?;
    let labels = json!({"app": "istiod", "istio": "pilot"});
    let image = format!("docker.io/istio/pilot:{version}");
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "istiod", "namespace": "istio-system", "labels": labels},
        "spec": {"selector": {"matchLabels": labels}, "template": {
            "metadata": {"labels": labels}, "spec": {"containers": [{"name": "discovery", "image": image}]},
        }},
    });
    cluster.apply_stdin(&deployment.to_string())?.ok()?;
    Ok(())
}

/// Waits until the Mesh says this of its clusters.
fn says(home: &Cluster, answer: &str, message: &str) -> Result<()> {
    wait_until(&format!("VersionsAgree to be {answer}"), REPORTED, || {
        let mesh = mesh(home)?;
        let found = condition(&mesh, "VersionsAgree").unwrap_or_default();
        ensure!(
            text(&found, "/status") == answer && text(&found, "/message") == message,
            "{mesh:#}"
        );
        Ok(Some(()))
    })
}

fn mesh(cluster: &Cluster) -> Result<Value> {
    cluster.kubectl(&["get", "mesh", "default", "-o", "json"])?.json()
}

fn condition(mesh: &Value, name: &str) -> Option<Value> {
    let conditions = mesh.pointer("/status/conditions")?.as_array()?;
    conditions.iter().find(|one| text(one, "/type") == name).cloned()
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}
