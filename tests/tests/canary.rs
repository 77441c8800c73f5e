//! A canary, end to end: two upgrades, each killed in the middle of helm's own work and gone on with; a freeze that holds
//! meanwhile; and an old revision that stays until nothing refers to it.
//!
//! Of two revisions of istiod only the newest is a real process here, and it serves both.

use std::{
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use mesh_upgrade_tests::{
    harness::{Cluster, ClusterOptions, Istio, IstioOptions, Run, Toolbox, wait_until},
    product::{Guard, journal_phase, mesh_upgrade, mesh_upgrade_command},
};
use serde_json::Value;

const FROM: &str = "1.30.3";
const TO: &str = "1.31.0";
const DEADLINE: Duration = Duration::from_secs(120);

/// One namespace goes by a tag, the other one names the revision.
const WORKLOADS: &str = "\
apiVersion: v1
kind: Namespace
metadata: {name: pay, labels: {istio.io/rev: prod}}
---
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {istio.io/rev: 1-30-3}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: ledger, namespace: pay}
spec:
  selector: {matchLabels: {app: ledger}}
  template:
    metadata: {labels: {app: ledger}}
    spec: {containers: [{name: app, image: example/app:1}]}
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

const FOREIGN: &str = "\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: foreign, namespace: default}
spec: {hosts: [foreign], http: [{route: [{destination: {host: foreign}}]}]}
";

#[test]
fn both_upgrades_of_a_canary_are_killed_and_arrive_and_the_old_one_goes_last() -> Result<()> {
    let cluster = Cluster::start(ClusterOptions::named("canary"))?;
    let options = IstioOptions {
        istiod_release: "istiod-1-30-3".to_owned(),
        values: [
            "revision=1-30-3",
            "defaultRevision=1-30-3",
            "revisionTags={default,prod}",
        ]
        .map(String::from)
        .to_vec(),
        ..IstioOptions::version(FROM)
    };
    let istio = Istio::install(&cluster, options)?;
    let _guard = Guard::install(&cluster)?;
    cluster.apply_stdin(WORKLOADS)?.ok()?;
    wait_for_proxies(&cluster, FROM)?;

    killed_within(&cluster, "upgrade istiod-1-31-0", "pending-install")?;
    is_frozen(&cluster)?;
    let uninstall = cluster.helm(&["uninstall", "istiod-1-30-3", "-n", "istio-system", "--debug"])?;
    ensure!(
        !uninstall.success() && uninstall.stderr.contains("MG001"),
        "the old revision is not frozen: {uninstall}"
    );
    let other = mesh_upgrade(&cluster, &["apply", "--strategy", "in-place", "--yes"])?;
    ensure!(
        other.code == 64 && other.stderr.contains("begun the other way"),
        "{other}"
    );
    let placed = mesh_upgrade(&cluster, &["apply", "--yes"])?;
    ensure!(
        placed.ok()?.contains("runs revision 1-31-0 (1.31.0) beside 1-30-3"),
        "{placed}"
    );
    ensure!(
        placed
            .stderr
            .contains("kubectl mesh-upgrade apply default --to 1.31.0 --strategy canary"),
        "the second upgrade is not named: {placed}"
    );
    ensure!(journal_phase(&cluster)?.as_deref() == Some("Succeeded"));
    ensure!(releases(&cluster)? == ["istio-base", "istiod-1-30-3", "istiod-1-31-0"]);
    tags_lead_to_the_new_revision(&cluster)?;
    istio.wait_serving(&cluster, TO)?;
    // What runs is left to its owners, and the old revision serves it.
    wait_for_proxies(&cluster, FROM)?;

    let used = apply(&cluster, &[])?;
    ensure!(used.code == 3, "{used}");
    for what in ["MU317", "Namespace shop", "namespace pay", "namespace shop"] {
        let said = [&used.stdout, &used.stderr].into_iter().any(|text| text.contains(what));
        ensure!(said, "{what} is not told: {used}");
    }
    ensure!(releases(&cluster)?.len() == 3);
    cluster
        .kubectl(&["label", "namespace", "shop", "--overwrite", "istio.io/rev=1-31-0"])?
        .ok()?;
    for namespace in ["shop", "pay"] {
        cluster
            .kubectl(&["rollout", "restart", "deployment", "--namespace", namespace])?
            .ok()?;
    }
    wait_for_proxies(&cluster, TO)?;

    killed_within(&cluster, "uninstall istiod-1-30-3", "uninstalling")?;
    is_frozen(&cluster)?;
    mesh_upgrade(&cluster, &["apply", "--yes"])?.ok()?;
    ensure!(journal_phase(&cluster)?.as_deref() == Some("Succeeded"));
    ensure!(releases(&cluster)? == ["istio-base", "istiod-1-31-0"]);
    let old = cluster.kubectl(&["get", "deployments", "-A", "-l", "istio.io/rev=1-30-3", "-o", "name"])?;
    ensure!(old.ok()?.is_empty(), "{old}");
    tags_lead_to_the_new_revision(&cluster)?;
    istio.wait_serving(&cluster, TO)?;
    let policies = cluster.kubectl(&["get", "meshfreezes,validatingadmissionpolicies", "-o", "name"])?;
    ensure!(!policies.ok()?.contains("mesh-freeze"), "{policies}");
    let over = apply(&cluster, &[])?;
    ensure!(over.code == 0 && over.stdout.contains("nothing to do"), "{over}");
    Ok(())
}

fn arguments(more: &[&str]) -> Result<Vec<String>> {
    let charts = Toolbox::get()?.charts(TO)?.display().to_string();
    let words = [
        "apply",
        "--to",
        TO,
        "--strategy",
        "canary",
        "--charts",
        &charts,
        "--yes",
    ];
    Ok(words.iter().chain(more).map(|word| (*word).to_owned()).collect())
}

fn apply(cluster: &Cluster, more: &[&str]) -> Result<Run> {
    Run::of(mesh_upgrade_command(cluster, "alice", &arguments(more)?)?, None)
}

/// Begins an upgrade whose helm is killed in the middle of this work, and the plugin with it.
fn killed_within(cluster: &Cluster, work: &str, status: &str) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let helm = helm_that_is_killed(dir.path(), work, status)?;
    let mut command = mesh_upgrade_command(cluster, "alice", &arguments(&["--helm", &helm.display().to_string()])?)?;
    let log = std::fs::File::create(dir.path().join("log"))?;
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    let mut plugin = command.spawn().context("start apply")?;
    let killed = wait_until("helm to be killed", DEADLINE, || {
        let ended = plugin.try_wait()?;
        Ok((ended.is_some() || dir.path().join("killed").exists()).then_some(()))
    });
    end(&mut plugin)?;
    let log = std::fs::read_to_string(dir.path().join("log")).unwrap_or_default();
    killed.with_context(|| log.clone())?;
    let pid = std::fs::read_to_string(dir.path().join("killed")).with_context(|| log)?;
    Command::new("kill").args(["-9", pid.trim()]).status()?;
    let journal = journal_phase(cluster)?;
    ensure!(journal.as_deref() == Some("Upgrading"), "{journal:?}");
    let left = cluster.kubectl(&["get", "secrets", "-A", "-l", &format!("status={status}"), "-o", "name"])?;
    ensure!(
        left.ok()?.contains("sh.helm.release.v1.istiod-"),
        "helm left nothing {status}: {left}"
    );
    Ok(())
}

fn end(plugin: &mut Child) -> Result<()> {
    plugin.kill().ok();
    plugin.wait()?;
    Ok(())
}

/// The real helm behind a script that kills it while its release has a status; its work is slowed by nothing else.
fn helm_that_is_killed(dir: &Path, work: &str, status: &str) -> Result<PathBuf> {
    let helm = Toolbox::get()?.helm();
    let script = format!(
        "#!/bin/sh\n\
         [ \"$1 $2\" = \"{work}\" ] || exec {helm} \"$@\"\n\
         release=$2\n\
         exec 3<&0\n\
         {helm} \"$@\" <&3 &\n\
         helm=$!\n\
         for argument in \"$@\"; do\n\
           [ \"$before\" = --kubeconfig ] && kubeconfig=$argument\n\
           before=$argument\n\
         done\n\
         while kill -0 $helm; do\n\
           if {helm} status $release --namespace istio-system --kubeconfig $kubeconfig | grep -q {status}; then\n\
             kill -9 $helm\n\
             break\n\
           fi\n\
         done 2>/dev/null\n\
         echo $$ > {dir}/killing && mv {dir}/killing {dir}/killed\n\
         while :; do sleep 1; done\n",
        helm = helm.display(),
        dir = dir.display(),
    );
    let path = dir.join("helm");
    std::fs::write(&path, script)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?;
    Ok(path)
}

/// Whoever asks: the configuration, and what helm knows of the new revision.
fn is_frozen(cluster: &Cluster) -> Result<()> {
    let foreign = cluster.kubectl_with("admin", &["apply", "-f", "-"], Some(FOREIGN))?;
    ensure!(foreign.refused()?.contains("MG001"), "{foreign}");
    let secret = [
        "-n",
        "istio-system",
        "delete",
        "secret",
        "-l",
        "owner=helm,name=istiod-1-31-0",
    ];
    let refused = cluster.kubectl(&secret)?;
    ensure!(refused.refused()?.contains("MG001"), "{refused}");
    Ok(())
}

fn releases(cluster: &Cluster) -> Result<Vec<String>> {
    let list = cluster.helm(&["list", "--namespace", "istio-system", "--short"])?;
    Ok(list.ok()?.lines().map(str::to_owned).collect())
}

fn tags_lead_to_the_new_revision(cluster: &Cluster) -> Result<()> {
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
fn wait_for_proxies(cluster: &Cluster, version: &str) -> Result<()> {
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
