//! One mesh over three clusters, one report: Kubernetes 1.36 fits, 1.34 is too low, 1.37 is too high, each a real API
//! server of that version. Too low by a catalog that begins later: Istio 1.31 itself supports 1.34.

use anyhow::{Context as _, Result, ensure};
use mesh_upgrade_tests::{
    harness::{Cluster, ClusterOptions, Contexts, Istio, IstioOptions, OnDemand, Run, no_leftovers},
    product::mesh_upgrade_command,
};
use serde_json::{Value, json};

/// Istio 1.31 as if it supported Kubernetes 1.35 and 1.36 alone.
const CATALOG_THAT_BEGINS_LATER: &str = r#"
extends: embedded
flavors:
  - sources:
      images: docker.io/istio
      charts: https://blob.istio.io/istio-release/charts
    releases:
      - minor: "1.31"
        newestPatch: 1.31.3
        released: 2026-08-31
        endOfLife: {date: 2027-04-30, kind: estimate}
        kubernetes: ["1.35", "1.36"]
"#;

#[test]
fn three_clusters_have_three_outcomes_in_one_report() -> Result<()> {
    let server = |name: &str, api_server: OnDemand| ClusterOptions {
        api_server: Some(api_server),
        ..ClusterOptions::named(name)
    };
    let clusters = Cluster::start_many([
        ClusterOptions::named("fits"),
        server("low", OnDemand::KubeApiServer134),
        server("high", OnDemand::KubeApiServer137),
    ])?;
    for cluster in &clusters {
        let options = IstioOptions {
            replicas: 2,
            values: vec!["global.meshID=shop".to_owned()],
            ..IstioOptions::version("1.30.3")
        };
        Istio::install(cluster, options)?;
    }
    let [fits, low, high] = clusters.as_slice() else {
        anyhow::bail!("three clusters");
    };
    for (cluster, version) in [(fits, "v1.36.3"), (low, "v1.34.4"), (high, "v1.37.2")] {
        let told = cluster.kubectl(&["get", "--raw", "/version"])?.json()?;
        ensure!(
            told.get("gitVersion") == Some(&json!(version)),
            "{}: {told}",
            cluster.name()
        );
    }
    let mut contexts = Contexts::of(&fits.kubeconfig_for("alice")?)?;
    for cluster in [low, high] {
        let theirs = Contexts::of(&cluster.kubeconfig_for("alice")?)?;
        contexts = contexts.with(cluster.name(), &theirs.cluster(), &theirs.user());
    }
    let kubeconfig = contexts.write(fits.dir().join("three"))?;
    let catalog = fits.dir().join("catalog.yaml");
    std::fs::write(&catalog, CATALOG_THAT_BEGINS_LATER)?;
    let catalog = catalog.display().to_string();
    let arguments = [
        "check",
        "shop",
        "--to",
        "1.31.0",
        "--contexts",
        "fits,low,high",
        "--catalog",
        &catalog,
    ];
    let mut command = mesh_upgrade_command(fits, "alice", &arguments)?;
    command.args(["-o", "json"]).env("KUBECONFIG", &kubeconfig);
    let run = Run::of(command, None)?;
    ensure!(run.code == 3, "{run}");
    let report: Value = serde_json::from_str(&run.stdout).with_context(|| run.to_string())?;
    let kubernetes = |list: &str| -> Vec<String> {
        let all = report.get(list).and_then(Value::as_array).into_iter().flatten();
        let text = |one: &Value, field: &str| one.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        all.filter(|one| ["MU201", "MU202", "MU203", "MU204"].contains(&text(one, "code").as_str()))
            .map(|one| format!("{} {}", text(one, "cluster"), text(one, "code")))
            .collect()
    };
    let (mut found, passed) = (kubernetes("findings"), kubernetes("passed"));
    found.sort();
    ensure!(found == ["high MU203", "low MU201"], "{found:?}: {run}");
    ensure!(passed == ["fits MU201"], "{passed:?}: {run}");
    ensure!(
        run.stdout
            .contains("upgrade this cluster's Kubernetes to at least 1.35")
            && run
                .stdout
                .contains("no release of the flavor community supports it yet"),
        "{run}"
    );
    drop(clusters);
    no_leftovers()
}
