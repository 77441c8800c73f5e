//! The prompt: `kubectl get meshes` tells where a mesh could go, and goes on telling it when a new catalog arrives, because
//! the guard's webhook keeps the status of each Mesh.

use std::time::Duration;

use anyhow::{Result, ensure};
use mesh_upgrade_tests::{
    harness::{Cluster, ClusterOptions, Istio, IstioOptions, wait_until},
    product::{Guard, mesh_upgrade},
};
use serde_json::{Value, json};

/// How long a catalog may take from its arrival to the prompt.
const PROMPT: Duration = Duration::from_secs(10);

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
    Ok(())
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
