//! Wrong input ends with one clear message, a hint, the documented exit code, and no change.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use mesh_upgrade_tests::{
    harness::{
        Cluster, ClusterOptions, Istio, IstioOptions, Moment, Proxy, Run, Seen, Signal, Started, Toolbox, signal,
        wait_until,
    },
    kill::kill_with_children,
    product::{Guard, journal_phase, mesh_upgrade, mesh_upgrade_command},
};

const DEADLINE: Duration = Duration::from_secs(120);

/// One message, a hint, and the exit code.
fn ends_with(run: &Run, code: i32, message: &str) -> Result<()> {
    ensure!(run.code == code, "expected exit code {code}: {run}");
    ensure!(run.stderr.contains(message), "expected {message:?}: {run}");
    ensure!(run.stderr.matches("error:").count() == 1, "not one message: {run}");
    ensure!(!run.stderr.contains("panicked"), "{run}");
    Ok(())
}

fn with_hint(run: &Run, code: i32, message: &str) -> Result<()> {
    ends_with(run, code, message)?;
    ensure!(run.stderr.contains("hint:"), "no hint: {run}");
    Ok(())
}

#[test]
fn an_empty_cluster() -> Result<()> {
    let cluster = Cluster::start(ClusterOptions::named("empty"))?;
    let list = mesh_upgrade(&cluster, &["list"])?;
    ensure!(list.code == 0 && list.stderr.contains("No mesh found"), "{list}");
    with_hint(&mesh_upgrade(&cluster, &["check", "--to", "1.31.0"])?, 1, "no mesh")?;
    with_hint(&mesh_upgrade(&cluster, &["guard", "status"])?, 3, "not installed")?;
    with_hint(
        &mesh_upgrade(&cluster, &["list", "--context", "nowhere"])?,
        1,
        "nowhere",
    )?;

    ends_with(
        &mesh_upgrade(&cluster, &["check", "--to", "latest"])?,
        64,
        "not a version",
    )?;
    for (line, advice) in [
        (&["check"][..], "see the versions with: kubectl mesh-upgrade list"),
        (
            &["check", "default", "1.31.0"],
            "kubectl mesh-upgrade check default --to 1.31.0",
        ),
        (
            &["apply", "--to", "1.31.0", "--dry-run"],
            "kubectl mesh-upgrade plan --to 1.31.0",
        ),
    ] {
        with_hint(&mesh_upgrade(&cluster, line)?, 64, advice)?;
    }
    for line in ["--version", "-V"] {
        let version = mesh_upgrade(&cluster, &[line])?;
        ensure!(version.ok()?.starts_with("Client Version: 0."), "{version}");
    }
    let codes = mesh_upgrade(&cluster, &["explain"])?;
    ensure!(
        codes.ok()?.contains("MU115") && codes.stdout.contains("MG001"),
        "{codes}"
    );
    ends_with(&mesh_upgrade(&cluster, &["frobnicate"])?, 64, "frobnicate")?;
    with_hint(
        &mesh_upgrade(&cluster, &["apply", "--to", "1.31.0", "--as", "bob"])?,
        64,
        "does not nest",
    )?;
    ends_with(
        &mesh_upgrade(&cluster, &["apply", "--to", "1.31.0", "--unguarded"])?,
        64,
        "--reason",
    )?;
    // Whoever gives a reason is not led to do without the guard.
    with_hint(
        &mesh_upgrade(&cluster, &["apply", "--to", "1.31.0", "--reason", "CHG-7"])?,
        64,
        "an upgrade under the guard needs none",
    )?;
    with_hint(
        &mesh_upgrade(&cluster, &["guard", "uninstall", "--reason", "CHG-7"])?,
        64,
        "--reason goes with --force",
    )?;
    let uninstall = mesh_upgrade(&cluster, &["guard", "uninstall"])?;
    ensure!(
        uninstall.ok()?.contains("No guard in cluster empty: nothing to do.") && !uninstall.stderr.contains("deleted"),
        "{uninstall}"
    );
    with_hint(&mesh_upgrade(&cluster, &["explain", "MU000"])?, 64, "MU000")?;
    let help = mesh_upgrade::<&str>(&cluster, &[])?;
    ensure!(
        help.code == 64 && help.stderr.contains("Usage: kubectl mesh-upgrade"),
        "{help}"
    );
    with_hint(
        &mesh_upgrade(&cluster, &["status", "-n", "istio-system"])?,
        64,
        "--namespace",
    )?;
    with_hint(
        &mesh_upgrade(&cluster, &["apply", "--to", "1.31.0", "-n", "a"])?,
        64,
        "--namespace",
    )?;
    ends_with(
        &mesh_upgrade(&cluster, &["list", "-A", "-n", "a"])?,
        64,
        "cannot be used with",
    )?;
    let version = mesh_upgrade(&cluster, &["version"])?;
    ensure!(
        version.code == 0 && version.stdout.contains("Guard Version: not installed in cluster empty"),
        "{version}"
    );

    let broken = cluster.dir().join("broken");
    for (contents, message) in [(None, "broken"), (Some("a: [b"), "broken")] {
        if let Some(contents) = contents {
            std::fs::write(&broken, contents)?;
        }
        let file = broken.display().to_string();
        with_hint(&mesh_upgrade(&cluster, &["list", "--kubeconfig", &file])?, 1, message)?;
        with_hint(&mesh_upgrade(&cluster, &["list", "--catalog", &file])?, 1, message)?;
    }
    cluster.stop_api_server()?;
    with_hint(&mesh_upgrade(&cluster, &["list"])?, 1, "cannot be read")?;
    let version = mesh_upgrade(&cluster, &["version"])?;
    with_hint(&version, 1, "refused")?;
    ensure!(version.stdout.starts_with("Client Version: 0."), "{version}");
    let client = mesh_upgrade(&cluster, &["version", "--client"])?;
    ensure!(client.ok()? == version.stdout.trim(), "{client}");
    Ok(())
}

#[test]
fn an_upgrade_that_cannot_begin() -> Result<()> {
    let cluster = Cluster::start(ClusterOptions::named("east"))?;
    Istio::install(&cluster, IstioOptions::version("1.30.3"))?;
    let charts = Toolbox::get()?.charts("1.31.0")?.display().to_string();
    let older = Toolbox::get()?.charts("1.30.3")?.display().to_string();
    let apply = |more: &[&str]| {
        let mut arguments = vec!["apply", "--to", "1.31.0", "--charts", charts.as_str()];
        arguments.extend(more);
        mesh_upgrade(&cluster, &arguments)
    };
    with_hint(&apply(&["--yes"])?, 3, "the guard is not installed")?;
    let _guard = Guard::install(&cluster)?;
    with_hint(&apply(&[])?, 64, "no terminal to ask on")?;
    let uninstall = mesh_upgrade(&cluster, &["guard", "uninstall"])?;
    with_hint(&uninstall, 64, "no terminal to ask on: the guard stays")?;
    with_hint(&mesh_upgrade(&cluster, &["apply", "--yes"])?, 64, "--to")?;
    with_hint(&apply(&["--yes", "--helm", "/nowhere/helm"])?, 1, "/nowhere/helm")?;
    let wrong_charts = mesh_upgrade(&cluster, &["apply", "--to", "1.31.0", "--yes", "--charts", &older])?;
    with_hint(&wrong_charts, 1, "the target is 1.31.0")?;
    let no_charts = mesh_upgrade(&cluster, &["apply", "--to", "1.31.0", "--yes", "--charts", "/nowhere"])?;
    with_hint(&no_charts, 1, "/nowhere")?;
    with_hint(
        &mesh_upgrade(&cluster, &["check", "another", "--to", "1.31.0"])?,
        1,
        "another",
    )?;

    let command = mesh_upgrade_command(&cluster, "bob", &["check", "--to", "1.31.0"])?;
    let run = Run::of(command, None)?;
    with_hint(&run, 1, "cannot be read")?;
    ensure!(run.stderr.contains("ask an administrator for the ClusterRole"), "{run}");

    let journals = cluster.kubectl(&["get", "meshupgrades,meshfreezes", "-o", "name"])?;
    ensure!(journals.ok()?.is_empty(), "something was begun: {journals}");
    an_upgrade_that_is_given_up(&cluster, &charts)
}

/// Killed as it freezes the mesh, an upgrade to the wrong version is given up, and the mesh is open.
fn an_upgrade_that_is_given_up(cluster: &Cluster, charts: &str) -> Result<()> {
    let withdraw = mesh_upgrade(cluster, &["apply", "--withdraw", "--yes"])?;
    with_hint(&withdraw, 64, "nothing to withdraw")?;

    insisting_leaves_at_once(cluster, charts)?;
    let freezes =
        |seen: &Seen| seen.method == "POST" && seen.path.contains("/meshfreezes") && !seen.path.contains("dryRun");
    let proxy = Proxy::holding(cluster, "alice", Some((1, Moment::After)), freezes)?;
    let arguments = ["apply", "--to", "1.31.0", "--charts", charts, "--yes"];
    let mut command = mesh_upgrade_command(cluster, "alice", &arguments)?;
    command.env("KUBECONFIG", proxy.kubeconfig());
    let mut plugin = Started::of(command)?;
    let reached = proxy.wait_until_reached(DEADLINE);
    kill_with_children(&mut plugin.child)?;
    drop(proxy);
    reached.with_context(|| plugin.said())?;
    let phase = journal_phase(cluster)?;
    ensure!(phase.as_deref() == Some("Freezing"), "{phase:?}");

    let other = mesh_upgrade(cluster, &["apply", "--to", "1.30.4", "--yes"])?;
    with_hint(&other, 3, "no new target")?;
    ensure!(
        other.stderr.contains("kubectl mesh-upgrade apply default --withdraw"),
        "{other}"
    );
    with_hint(
        &mesh_upgrade(cluster, &["apply", "--withdraw"])?,
        64,
        "no terminal to ask on",
    )?;
    // As a kill in the middle of the pull leaves them.
    cluster.apply_stdin(LEFT)?.ok()?;
    let withdrawn = mesh_upgrade(cluster, &["apply", "--withdraw", "--yes"])?;
    ensure!(
        withdrawn.ok()?.contains("is withdrawn; nothing was changed"),
        "{withdrawn}"
    );
    let phase = journal_phase(cluster)?;
    ensure!(phase.as_deref() == Some("Withdrawn"), "{phase:?}");
    let left = cluster.kubectl(&["get", "meshfreezes,validatingadmissionpolicies", "-o", "name"])?;
    ensure!(!left.ok()?.contains("mesh-freeze-"), "{left}");
    let pods = [
        "get",
        "pods",
        "-n",
        "istio-system",
        "-l",
        "app=mesh-upgrade-pull",
        "-o",
        "name",
    ];
    let left = cluster.kubectl(&pods)?;
    ensure!(left.ok()?.is_empty(), "{left}");
    Ok(())
}

/// Whoever presses Ctrl-C twice waits for no server: here for one that does not take what is written into the journal.
fn insisting_leaves_at_once(cluster: &Cluster, charts: &str) -> Result<()> {
    let writes = |seen: &Seen| seen.method == "PUT" && seen.path.contains("/meshupgrades/");
    let proxy = Proxy::holding(cluster, "alice", Some((1, Moment::Before)), writes)?;
    let arguments = ["apply", "--to", "1.31.0", "--charts", charts, "--yes"];
    let mut command = mesh_upgrade_command(cluster, "alice", &arguments)?;
    command.env("KUBECONFIG", proxy.kubeconfig());
    let mut plugin = Started::of(command)?;
    proxy.wait_until_reached(DEADLINE).with_context(|| plugin.said())?;
    signal(plugin.child.id(), Signal::INT)?;
    wait_until("the first to be told", DEADLINE, || {
        Ok(plugin.said().contains("press Ctrl-C again").then_some(()))
    })?;
    signal(plugin.child.id(), Signal::INT)?;
    let ended = plugin.ended()?;
    let said = plugin.said();
    ensure!(
        ended.code() == Some(1) && said.contains("stopped in phase Pending"),
        "{said}"
    );
    // Nothing was tried a second time before that.
    ensure!(proxy.counted().len() == 1, "{:?}", proxy.counted());
    let lease = cluster.kubectl(&["get", "leases", "-n", "mesh-upgrade-system", "-o", "json"])?;
    ensure!(!lease.ok()?.contains("holderIdentity"), "it is given up: {lease}");
    Ok(())
}

const LEFT: &str = "\
apiVersion: v1
kind: Pod
metadata:
  name: mesh-upgrade-pull-0
  namespace: istio-system
  labels: {app: mesh-upgrade-pull, app.kubernetes.io/part-of: mesh-upgrade, sidecar.istio.io/inject: \"false\"}
spec: {containers: [{name: pull-0, image: x/pilot:1.31.0}]}
";

#[test]
fn two_meshes_must_be_told_apart() -> Result<()> {
    let cluster = Cluster::start(ClusterOptions::named("two"))?;
    Istio::install(&cluster, IstioOptions::version("1.30.3"))?;
    // A second control plane as discovery sees one; it need not run to be a mesh that must be named.
    let second = "\
apiVersion: v1
kind: Namespace
metadata: {name: other-istio}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: istiod-other, namespace: other-istio, labels: {app: istiod, istio.io/rev: other}}
spec:
  selector: {matchLabels: {app: istiod}}
  template:
    metadata: {labels: {app: istiod, sidecar.istio.io/inject: 'false'}}
    spec: {containers: [{name: discovery, image: 'docker.io/istio/pilot:1.30.3'}]}
";
    cluster.apply_stdin(second)?.ok()?;
    let check = mesh_upgrade(&cluster, &["check", "--to", "1.31.0"])?;
    with_hint(&check, 1, "default")?;
    ensure!(check.stderr.contains("other-istio"), "{check}");
    let named = mesh_upgrade(&cluster, &["check", "default", "--to", "1.31.0"])?;
    ensure!(named.code == 0, "{named}");
    Ok(())
}
