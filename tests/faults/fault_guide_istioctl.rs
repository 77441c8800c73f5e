//! Runbooks for a mesh that istioctl installed, run as they are with the real istioctl: in place, and as a canary.
//!
//! istioctl is of 1.31 alone; 1.30.3 is installed by it out of 1.30's own charts and profiles.

use std::{path::PathBuf, process::Command};

use anyhow::{Result, ensure};
use mesh_upgrade_tests::{
    harness::{Cluster, ClusterOptions, OnDemand, Run, Toolbox},
    product::{mesh_upgrade, mesh_upgrade_command},
};

const FROM: &str = "1.30.3";
const TO: &str = "1.31.0";

const SHOP: &str = "\
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {istio-injection: enabled}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: reviews, namespace: shop}
spec:
  selector: {matchLabels: {app: reviews}}
  template:
    metadata: {labels: {app: reviews}}
    spec: {containers: [{name: app, image: example/app:1}]}
";

#[test]
fn istioctl_goes_in_place_by_its_runbook() -> Result<()> {
    let cluster = installed("istioctl-in-place")?;
    let ran = follow(&cluster, "in-place")?;
    ran.ok()?;
    runs(&cluster, "istiod")
}

#[test]
fn istioctl_goes_as_a_canary_by_its_runbook() -> Result<()> {
    let cluster = installed("istioctl-canary")?;
    let ran = follow(&cluster, "canary")?;
    ran.ok()?;
    runs(&cluster, "istiod-1-31-0")?;
    let old = cluster.kubectl(&[
        "-n",
        "istio-system",
        "get",
        "deployment",
        "istiod",
        "--ignore-not-found",
    ])?;
    ensure!(old.ok()?.is_empty(), "{old}");
    let tag = "jsonpath={.metadata.labels.istio\\.io/rev}";
    let tag = cluster.kubectl(&[
        "get",
        "mutatingwebhookconfiguration",
        "istio-revision-tag-default",
        "-o",
        tag,
    ])?;
    ensure!(tag.ok()? == "1-31-0", "{tag}");
    Ok(())
}

/// A mesh that istioctl installed, with a workload in it.
fn installed(name: &str) -> Result<Cluster> {
    let cluster = Cluster::start(ClusterOptions::named(name))?;
    let file = operator_file(&cluster, FROM)?.display().to_string();
    let mut command = cluster.command(OnDemand::Istioctl131.program()?)?;
    let manifests = Toolbox::get()?.manifests_130()?.display().to_string();
    command.args([
        "install",
        "--skip-confirmation",
        "--filename",
        &file,
        "--manifests",
        &manifests,
    ]);
    Run::of(command, None)?.ok()?;
    cluster.apply_stdin(SHOP)?.ok()?;
    cluster
        .kubectl(&["-n", "shop", "rollout", "status", "deployment/reviews", "--timeout=60s"])?
        .ok()?;
    let list = mesh_upgrade(&cluster, &["adopt", "--dry-run"])?;
    ensure!(
        list.ok()?.contains("management: Dedicated"),
        "istioctl's is ours to upgrade: {list}"
    );
    Ok(cluster)
}

/// What istioctl is given, for a version.
fn operator_file(cluster: &Cluster, version: &str) -> Result<PathBuf> {
    let url = format!("https://localhost:{}", cluster.istiod_port("webhooks")?);
    let file = cluster.dir().join(format!("istio-{version}.yaml"));
    let text = format!(
        "apiVersion: install.istio.io/v1alpha1\nkind: IstioOperator\nspec:\n  profile: minimal\n  hub: docker.io/istio\n  \
         tag: {version}\n  values:\n    base: {{validationURL: {url}/validate}}\n    istiodRemote: {{injectionURL: \
         {url}/inject}}\n"
    );
    std::fs::write(&file, text)?;
    Ok(file)
}

/// Writes the runbook and runs it, with the istioctl of the target and the file that names it.
fn follow(cluster: &Cluster, strategy: &str) -> Result<Run> {
    let script = mesh_upgrade(cluster, &["guide", "--to", TO, "--strategy", strategy, "--script"])?;
    let file = cluster.dir().join("runbook.sh");
    std::fs::write(&file, script.ok()?)?;
    let istioctl = OnDemand::Istioctl131.program()?;
    let mut path = vec![istioctl.parent().map(PathBuf::from).unwrap_or_default()];
    let environment = mesh_upgrade_command::<&str>(cluster, "alice", &[])?;
    let mut command = Command::new("sh");
    command.arg(&file).arg("--yes").env_clear().current_dir(cluster.dir());
    for (name, value) in environment.get_envs() {
        match value {
            Some(value) if name == "PATH" => path.extend(std::env::split_paths(value)),
            Some(value) => {
                command.env(name, value);
            }
            None => {}
        }
    }
    command
        .env("PATH", std::env::join_paths(path)?)
        .env("ISTIO_FILE", operator_file(cluster, TO)?);
    Run::of(command, None)
}

/// The control plane is at the target, and so is what it injected.
fn runs(cluster: &Cluster, deployment: &str) -> Result<()> {
    let image = "jsonpath={.spec.template.spec.containers[0].image}";
    let image = cluster.kubectl(&["-n", "istio-system", "get", "deployment", deployment, "-o", image])?;
    ensure!(image.ok()?.ends_with(&format!(":{TO}")), "{image}");
    let status = mesh_upgrade(cluster, &["dataplane", "status"])?;
    ensure!(status.ok()?.contains("0 of them behind"), "{status}");
    Ok(())
}
