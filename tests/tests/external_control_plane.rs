//! Istio's external control plane over two real API servers: istiod in one, and the cluster whose configuration it reads
//! found by the Secret beside it; listed as one hosted mesh, checked in both, guided, and upgraded by one command that is
//! killed in its middle: both clusters stay frozen, and the next command finishes in both.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, Result, ensure};
use mesh_upgrade_tests::{
    harness::{Cluster, ClusterOptions, Contexts, ExternalIstiod, Run, Started, Toolbox, no_leftovers},
    product::{FOREIGN_CHANGE, Guard, HeldHelm, mesh_upgrade_command, newest, tells_in_order},
};
use serde_json::{Value, json};

const FROM: &str = "1.30.3";
const TO: &str = "1.31.0";
const DEADLINE: Duration = Duration::from_secs(180);

/// The mesh, guarded in both of its clusters.
struct Mesh {
    host: Cluster,
    config: Cluster,
    istiod: ExternalIstiod,
    kubeconfig: PathBuf,
    _guards: [Guard; 2],
}

#[test]
fn an_external_control_plane_is_found_checked_guided_and_upgraded() -> Result<()> {
    let mesh = Mesh::start()?;
    found_and_checked(&mesh)?;
    guided(&mesh)?;
    a_skip_is_refused(&mesh)?;
    let before = mesh.releases()?;
    killed_before_istiod(&mesh)?;
    frozen_in_both(&mesh)?;
    ensure!(mesh.releases()? == before.replacen(FROM, TO, 1), "{}", mesh.releases()?);

    mesh.run(&["apply"])?.ok()?;
    ensure!(mesh.releases()? == before.replace(FROM, TO), "{}", mesh.releases()?);
    mesh.istiod.wait_serving(&mesh.host, &mesh.config, TO)?;
    arrived(&mesh)?;
    drop(mesh);
    no_leftovers()
}

impl Mesh {
    fn start() -> Result<Self> {
        let options = ClusterOptions {
            istiod_is_external: true,
            ..ClusterOptions::named("host")
        };
        let [host, config] = Cluster::start_many([options, ClusterOptions::named("config")])?
            .try_into()
            .map_err(|_| anyhow::anyhow!("not two clusters"))?;
        let istiod = ExternalIstiod::install(&host, &config, FROM)?;
        let of_config = Contexts::of(&config.kubeconfig_for("alice")?)?;
        let both = Contexts::of(&host.kubeconfig_for("alice")?)?;
        let both = both.with("config", &of_config.cluster(), &of_config.user());
        Ok(Self {
            kubeconfig: both.write(host.dir().join("both"))?,
            _guards: [Guard::install(&host)?, Guard::install(&config)?],
            host,
            config,
            istiod,
        })
    }

    /// Runs `kubectl mesh-upgrade …` as somebody who names the cluster of the control plane alone.
    fn run(&self, arguments: &[&str]) -> Result<Run> {
        Run::of(self.command(arguments)?, None)
    }

    fn command(&self, arguments: &[&str]) -> Result<std::process::Command> {
        let mut command = mesh_upgrade_command(&self.host, "alice", arguments)?;
        command.env("KUBECONFIG", &self.kubeconfig).args(["--context", "host"]);
        Ok(command)
    }

    /// Istio's helm releases of both clusters, those of CRDs first.
    fn releases(&self) -> Result<String> {
        let mut releases = Vec::new();
        for cluster in [&self.config, &self.host] {
            let list = cluster.helm(&["list", "--all-namespaces", "--output=json"])?.json()?;
            let of = |one: &Value| format!("{} {} {}\n", cluster.name(), one["name"], one["chart"]);
            releases.extend(list.as_array().into_iter().flatten().map(of));
        }
        releases.sort_by_key(|release| !release.contains("base"));
        Ok(releases.concat())
    }
}

/// Nothing names the other cluster but the Secret; the operator's own context leads there.
fn found_and_checked(mesh: &Mesh) -> Result<()> {
    let list = mesh.run(&["list", "-o", "json"])?;
    let document: Value = serde_json::from_str(list.ok()?)?;
    let found = document.pointer("/meshes/0").cloned().unwrap_or_default();
    ensure!(
        found.get("management") == Some(&json!("Hosted")) && found.get("version") == Some(&json!(FROM)),
        "{list}"
    );
    let clusters = found.get("clusters").and_then(Value::as_array).map_or(0, Vec::len);
    ensure!(clusters == 2 && list.stdout.contains("\"host\""), "{list}");

    let charts = Toolbox::get()?.charts(TO)?.display().to_string();
    let check = mesh.run(&["check", "--to", TO, "--charts", &charts, "-o", "json"])?;
    let report: Value = serde_json::from_str(&check.stdout)?;
    let passed = |code: &str| -> Vec<&str> {
        let found = report.get("passed").and_then(Value::as_array).into_iter().flatten();
        let found = found.filter(|one| one.get("code") == Some(&json!(code)));
        found.filter_map(|one| one.get("cluster")?.as_str()).collect()
    };
    ensure!(passed("MU907") == ["host"] && check.code == 0, "{check}");
    ensure!(passed("MU201").len() == 2, "the Kubernetes of both is checked: {check}");
    Ok(())
}

fn guided(mesh: &Mesh) -> Result<()> {
    let charts = Toolbox::get()?.charts(TO)?.display().to_string();
    let guide = mesh.run(&["guide", "--to", TO, "--charts", &charts])?;
    let page = guide.ok()?;
    for said in [
        "is an external one",
        "helm --kube-context=host upgrade istiod",
        "helm --kube-context=config upgrade istio-base",
    ] {
        ensure!(page.contains(said), "{said:?} is not in {page}");
    }
    // Validation and injection are proved where the configuration is.
    let is_proof = |line: &&str| line.contains("mesh-upgrade-probe --image");
    let proofs: Vec<&str> = page.lines().filter(is_proof).collect();
    ensure!(
        !proofs.is_empty() && proofs.iter().all(|proof| proof.contains("--context=config")),
        "{proofs:#?} of {page}"
    );
    Ok(())
}

/// By the check, and by the guard of either cluster whatever tool is used.
fn a_skip_is_refused(mesh: &Mesh) -> Result<()> {
    let skip = "1.32.0";
    let charts = Toolbox::get()?.charts(skip)?;
    let apply = mesh.run(&[
        "apply",
        "--to",
        skip,
        "--charts",
        &charts.display().to_string(),
        "--yes",
    ])?;
    ensure!(apply.code == 3 && apply.stdout.contains("MU101"), "{apply}");
    for cluster in [&mesh.host, &mesh.config] {
        let chart = charts.join("istiod").display().to_string();
        let foreign = [
            "upgrade",
            "istiod",
            &chart,
            "-n",
            "external-istiod",
            "--reset-then-reuse-values",
        ];
        let foreign = cluster.helm(&foreign)?;
        ensure!(foreign.refused()?.contains("MG002"), "{}: {foreign}", cluster.name());
    }
    Ok(())
}

/// Held before istiod, with the CRDs of the other cluster done.
fn killed_before_istiod(mesh: &Mesh) -> Result<()> {
    let helm = HeldHelm::at(mesh.host.name(), "istiod")?;
    let charts = Toolbox::get()?.charts(TO)?.display().to_string();
    let program = helm.program().display().to_string();
    let apply = mesh.command(&["apply", "--to", TO, "--charts", &charts, "--yes", "--helm", &program])?;
    let mut apply = Started::of(apply)?;
    let reached = helm.wait_until_reached_by(&mut apply.child, DEADLINE);
    reached.with_context(|| apply.said())?;
    apply.kill()?;
    helm.kill()
}

/// Nobody else changes the mesh's configuration where it is, nor the control plane where it runs.
fn frozen_in_both(mesh: &Mesh) -> Result<()> {
    let configuration = mesh
        .config
        .kubectl_with("admin", &["create", "-f", "-"], Some(FOREIGN_CHANGE))?;
    ensure!(configuration.refused()?.contains("MG001"), "{configuration}");
    let namespace = "--namespace=external-istiod";
    let scale = mesh
        .host
        .kubectl(&["scale", "deployment/istiod", namespace, "--replicas=0"])?;
    ensure!(scale.refused()?.contains("MG001"), "{scale}");
    for cluster in [&mesh.host, &mesh.config] {
        let chart = Toolbox::get()?.charts(TO)?.join("istiod").display().to_string();
        let foreign = cluster.helm(&["upgrade", "istiod", &chart, namespace, "--reset-then-reuse-values"])?;
        ensure!(foreign.refused()?.contains("MG001"), "{}: {foreign}", cluster.name());
    }
    Ok(())
}

/// One journal, in the order of an upgrade, and nothing of the freeze left.
fn arrived(mesh: &Mesh) -> Result<()> {
    let journals = mesh.config.kubectl(&["get", "meshupgrades", "-o", "name"])?;
    ensure!(journals.ok()?.is_empty(), "{journals}");
    let journal = newest(&mesh.host)?.context("a journal")?;
    let expected = [
        "config/base/external-istiod/istio-base: chart base",
        "host/istiod/external-istiod/istiod: chart istiod",
        "verified before the next cluster: host: 1 istiod report 1.31.0",
        "config/istiod/external-istiod/istiod: chart istiod",
        "config/gateway/istio-ingressgateway/istio-ingressgateway",
        "config: no istiod of its own, 1 workloads rolled out, validation refuses the bad and accepts the good, injection \
         yields 1.31.0",
        "thawed in all 2 clusters",
    ];
    tells_in_order(&journal, &expected)?;
    for cluster in [&mesh.host, &mesh.config] {
        let policies = cluster.kubectl(&["get", "validatingadmissionpolicies", "-o", "name"])?;
        ensure!(!policies.ok()?.contains("/mesh-freeze-"), "{policies}");
    }
    let open = ["create", "--dry-run=server", "-f", "-"];
    let change = mesh.config.kubectl_with("admin", &open, Some(FOREIGN_CHANGE))?;
    change.ok().map(drop)
}
