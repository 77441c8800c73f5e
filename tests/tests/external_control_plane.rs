//! Istio's external control plane over two real API servers: istiod in one, and the cluster whose configuration it reads
//! found by the Secret beside it; listed as one hosted mesh, checked in both, refused by `apply` with nothing changed, and
//! guided with each command in the right cluster.
//!
//! The Secret is as `istioctl create-remote-secret --type=config` writes it. The process behind istiod's pod reads the
//! cluster that it runs in all the same: the test control plane leads no istiod to another API server.

use anyhow::{Result, ensure};
use mesh_upgrade_tests::{
    harness::{Cluster, ClusterOptions, Contexts, Istio, IstioOptions, Run, Toolbox, no_leftovers},
    product::mesh_upgrade_command,
};
use serde_json::{Value, json};

const FROM: &str = "1.30.3";
const TO: &str = "1.31.0";

#[test]
fn an_external_control_plane_is_found_checked_refused_and_guided() -> Result<()> {
    let host = Cluster::start(ClusterOptions::named("host"))?;
    let config = Cluster::start(ClusterOptions::named("config"))?;
    Istio::install(&host, IstioOptions::version(FROM))?;
    Istio::install_remote(&config, &host, FROM)?;
    let (of_host, of_config) = (
        Contexts::of(&host.kubeconfig_for("alice")?)?,
        Contexts::of(&config.kubeconfig_for("alice")?)?,
    );
    let kubeconfig = of_host
        .with("config", &of_config.cluster(), &of_config.user())
        .write(host.dir().join("both"))?;
    let theirs = Contexts::alone("remote", &of_config.cluster(), &of_config.user());
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "stringData": {"config": theirs.to_string()},
        "metadata": {"namespace": "istio-system", "name": "istio-kubeconfig",
            "labels": {"istio/multiCluster": "true"},
            "annotations": {"networking.istio.io/cluster": "remote"}},
    });
    host.apply_stdin(&secret.to_string())?.ok()?;
    let run = |arguments: &[&str]| -> Result<Run> {
        let mut command = mesh_upgrade_command(&host, "alice", arguments)?;
        command.env("KUBECONFIG", &kubeconfig).args(["--context", "host"]);
        Run::of(command, None)
    };

    // Nothing names the other cluster but the Secret; the operator's own context leads there.
    let list = run(&["list", "-o", "json"])?;
    let document: Value = serde_json::from_str(list.ok()?)?;
    let mesh = document.pointer("/meshes/0").cloned().unwrap_or_default();
    ensure!(
        mesh.get("management") == Some(&json!("Hosted")) && mesh.get("version") == Some(&json!(FROM)),
        "{list}"
    );
    let clusters = mesh.get("clusters").and_then(Value::as_array).map_or(0, Vec::len);
    ensure!(clusters == 2 && list.stdout.contains("\"host\""), "{list}");

    let charts = Toolbox::get()?.charts(TO)?.display().to_string();
    let check = run(&["check", "--to", TO, "--charts", &charts, "-o", "json"])?;
    let report: Value = serde_json::from_str(&check.stdout)?;
    let of = |list: &str, code: &str| -> Vec<String> {
        let found = report.get(list).and_then(Value::as_array).into_iter().flatten();
        let found = found.filter(|one| one.get("code") == Some(&json!(code)));
        found
            .filter_map(|one| Some(one.get("cluster")?.as_str()?.to_owned()))
            .collect()
    };
    ensure!(of("findings", "MU907") == ["host"], "{check}");
    ensure!(
        of("passed", "MU201").len() == 2,
        "the Kubernetes of both is checked: {check}"
    );

    let before = releases(&host)? + &releases(&config)?;
    let unguarded = ["--unguarded", "--reason", "no guard stands here"];
    let apply = run(&[&["apply", "--to", TO, "--charts", &charts, "--yes"][..], &unguarded].concat())?;
    ensure!(
        apply.code == 3 && apply.stdout.contains("MU907") && apply.stdout.contains("kubectl mesh-upgrade guide"),
        "{apply}"
    );
    ensure!(
        releases(&host)? + &releases(&config)? == before,
        "apply changed something"
    );

    let guide = run(&["guide", "--to", TO, "--charts", &charts])?;
    let page = guide.ok()?;
    for said in [
        "is an external one",
        "helm --kube-context=host upgrade istiod",
        "upgrade istio-base",
    ] {
        ensure!(page.contains(said), "{said:?} is not in {page}");
    }
    // Validation and injection are proved where the configuration is.
    for proof in page.lines().filter(|line| line.contains("mesh-upgrade-probe --image")) {
        ensure!(proof.contains("--context=config"), "{proof}");
    }
    drop((host, config));
    no_leftovers()
}

/// Helm's releases of a cluster with their revisions.
fn releases(cluster: &Cluster) -> Result<String> {
    let list = cluster.helm(&["list", "--all-namespaces", "--output=json"])?.json()?;
    let of = |one: &Value| format!("{} {}\n", one["name"], one["revision"]);
    Ok(list.as_array().into_iter().flatten().map(of).collect())
}
