//! The main job, end to end: an upgrade that is killed between two components, a freeze that holds meanwhile, and the
//! same upgrade finished.

use std::{collections::BTreeSet, path::Path, time::Duration};

use anyhow::{Context, Result, ensure};
use k8s_openapi::jiff::Timestamp;
use mesh_upgrade_tests::{
    audit,
    harness::{Cluster, ClusterOptions, Istio, IstioOptions, Run, Started, Toolbox, no_leftovers},
    product::{Guard, HeldHelm, mesh_upgrade, mesh_upgrade_command, wait_for_journal},
};
use serde_json::Value;

mod charts;
mod secrets;

const FROM: &str = "1.30.3";
const TO: &str = "1.31.0";
const DEADLINE: Duration = Duration::from_secs(120);

/// Written before the freeze; its status is written by istiod while frozen.
const EXISTING: &str = "\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: existing, namespace: default}
spec: {hosts: [existing], http: [{route: [{destination: {host: existing}}]}]}
";
const FOREIGN: &str = "\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: foreign, namespace: default}
spec: {hosts: [foreign], http: [{route: [{destination: {host: foreign}}]}]}
";
/// What istiod itself tries, to see whether its validation answers.
const ISTIOD_PROBE: &str = "\
apiVersion: networking.istio.io/v1
kind: Gateway
metadata:
  name: invalid-gateway
  namespace: istio-system
  labels: {istio.io/rev: default}
  annotations: {internal.istio.io/webhook-always-reject: 'true'}
spec: {}
";

#[test]
fn killed_between_two_components_it_stays_frozen_and_is_finished() -> Result<()> {
    let cluster = Cluster::start(ClusterOptions::named("east"))?;
    let options = IstioOptions {
        replicas: 2,
        values: vec![secrets::value()],
        ..IstioOptions::version(FROM)
    };
    let istio = Istio::install(&cluster, options)?;
    let mut guard = Guard::install(&cluster)?;
    cluster.apply_stdin(EXISTING)?.ok()?;
    let before = releases(&cluster)?;

    let helm = HeldHelm::before("istiod")?;
    let charts = secrets::charts(&cluster)?;
    let mut apply = start_apply(&cluster, &charts, &helm)?;
    let reached = helm.wait_until_reached_by(&mut apply.child, DEADLINE);
    reached.with_context(|| apply.said())?;
    apply.kill()?;
    helm.kill()?;
    let journal = wait_for_journal(&cluster, "a journal", DEADLINE, |_| true)?;
    ensure!(text(&journal, "/status/phase") == "Upgrading", "{journal:#}");
    let states: Vec<&str> = journal
        .pointer("/status/steps")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|step| text(step, "/state"))
        .collect();
    ensure!(states == ["Done", "Running"], "{states:?}");

    foreign_changes_are_refused(&cluster)?;
    harmless_changes_pass(&cluster)?;
    guard.kill();
    foreign_changes_are_refused(&cluster)?;
    guard.start()?;
    another_target_is_refused(&cluster)?;
    let held = releases(&cluster)?;
    ensure!(held.len() == before.len() + 1, "only base has a new revision: {held:?}");
    charts::with_other_contents_are_refused(&cluster, &charts)?;
    secrets::are_told_by_nobody(&cluster, &guard, &charts)?;
    secrets::are_in_no_names_of_caches(&cluster)?;
    let charts = charts::are_looked_at_again(&cluster, &charts)?;

    let stalled = mesh_upgrade(&cluster, &["status", "--watch"])?;
    ensure!(
        stalled.code == 1
            && stalled.stderr.contains("has stopped in phase Upgrading")
            && stalled.stderr.contains("The mesh stays frozen")
            && stalled.stderr.contains("kubectl mesh-upgrade apply default"),
        "{stalled}"
    );
    let charts = &charts.display().to_string();
    let watched = std::thread::scope(|scope| {
        let apply = scope.spawn(|| mesh_upgrade(&cluster, &["apply", "--to", TO, "--charts", charts, "--yes"]));
        // What is stalled is not watched before somebody goes on with it.
        wait_for_journal(&cluster, "the third driver", DEADLINE, |journal| {
            journal.pointer("/status/epoch") == Some(&Value::from(3))
        })?;
        let watched = mesh_upgrade(&cluster, &["status", "--watch", "-o", "json"]);
        let applied = apply.join().map_err(|_| anyhow::anyhow!("apply panicked"))??;
        applied.ok()?;
        each_line_has_its_time(&applied)?;
        watched
    })?;
    it_was_followed_to_its_end(&watched)?;
    let journal = wait_for_journal(&cluster, "the journal", DEADLINE, |_| true)?;
    ensure!(text(&journal, "/status/phase") == "Succeeded", "{journal:#}");
    ensure!(journal.pointer("/status/epoch") == Some(&Value::from(3)), "{journal:#}");
    charts::that_were_named_are_on_the_record(&journal)?;
    ensure!(image(&cluster)?.ends_with(&format!(":{TO}")));
    ensure!(istio.injected_image(&cluster)?.ends_with(&format!(":{TO}")));
    ensure!(istio.version_through_port_forward(&cluster)?.starts_with(TO));

    cluster.apply_stdin(FOREIGN)?.ok()?;
    let policies = cluster.kubectl(&["get", "validatingadmissionpolicies", "-o", "name"])?;
    ensure!(!policies.ok()?.contains("mesh-freeze"), "{policies}");
    let freezes = cluster.kubectl(&["get", "meshfreezes", "-o", "name"])?;
    ensure!(freezes.ok()?.is_empty(), "{freezes}");
    written_by_the_driver_alone(&cluster)?;

    let footprint = cluster.footprint();
    drop(guard);
    drop(cluster);
    footprint.gone()?;
    no_leftovers()
}

/// What goes on is told with the time where there is no terminal: logs are read later. What follows the end is no part of it.
fn each_line_has_its_time(applied: &Run) -> Result<()> {
    let has_its_time = |line: &&str| {
        let time = line.split_once(' ').map_or(*line, |(time, _)| time);
        // As RFC 3339 has it, to the second.
        time.len() == "2026-01-01T00:00:00Z".len() && time.parse::<Timestamp>().is_ok()
    };
    let lines: Vec<&str> = applied.stderr.lines().collect();
    let (timed, after): (Vec<&str>, Vec<&str>) = lines.iter().partition(|line| has_its_time(line));
    ensure!(
        timed.iter().any(|line| line.contains("going on to")) && timed.iter().any(|line| line.contains("Succeeded: ")),
        "{applied}"
    );
    ensure!(
        lines.get(..timed.len()) == Some(timed.as_slice()),
        "not one after the other: {applied}"
    );
    let is_closing =
        |line: &&str| line.is_empty() || line.starts_with("Sidecars and gateways") || line.starts_with("Next: ");
    ensure!(after.iter().all(is_closing), "without its time: {applied}");
    Ok(())
}

/// A line of JSON for each event, from before the kill to the end, by all three drivers.
fn it_was_followed_to_its_end(watched: &Run) -> Result<()> {
    watched.ok()?;
    let events = watched.stdout.lines().map(serde_json::from_str);
    let events: Vec<Value> = events.collect::<Result<_, _>>().with_context(|| watched.to_string())?;
    let epochs: BTreeSet<i64> = events.iter().filter_map(|event| event.get("epoch")?.as_i64()).collect();
    ensure!(epochs == BTreeSet::from([1, 2, 3]), "{watched}");
    ensure!(
        events
            .iter()
            .all(|event| text(event, "/kind") == "UpgradeEvent" && text(event, "/mesh") == "default"),
        "{watched}"
    );
    let last = events.last().context("no events")?;
    ensure!(
        text(last, "/phase") == "Succeeded" && last.get("componentsDone") == last.get("components"),
        "{watched}"
    );
    Ok(())
}

fn start_apply(cluster: &Cluster, charts: &Path, helm: &HeldHelm) -> Result<Started> {
    let charts = charts.display().to_string();
    let helm = helm.program().display().to_string();
    let arguments = ["apply", "--to", TO, "--charts", &charts, "--yes", "--helm", &helm];
    // kubectl replaces itself by the plugin, so that this process is the plugin.
    Started::of(mesh_upgrade_command(cluster, "alice", &arguments)?)
}

/// Everything that the freeze is there to stop, tried by an administrator of the group system:masters.
fn foreign_changes_are_refused(cluster: &Cluster) -> Result<()> {
    let before = state(cluster)?;
    let charts = Toolbox::get()?.charts("1.30.3")?;
    let istiod = charts.join("istiod").display().to_string();
    let apply = |arguments: &[&str]| cluster.kubectl_with("admin", arguments, Some(FOREIGN));
    let attempts: Vec<(&str, Run)> = vec![
        ("kubectl apply", apply(&["apply", "-f", "-"])?),
        ("server-side apply", apply(&["apply", "--server-side", "-f", "-"])?),
        (
            "kubectl scale",
            cluster.kubectl(&["-n", "istio-system", "scale", "deployment/istiod", "--replicas=0"])?,
        ),
        (
            "kubectl set image",
            cluster.kubectl(&[
                "-n",
                "istio-system",
                "set",
                "image",
                "deployment/istiod",
                "discovery=x/pilot:1.30.9",
            ])?,
        ),
        (
            "kubectl label",
            cluster.kubectl(&["label", "virtualservice", "existing", "istio.io/rev=other"])?,
        ),
        (
            "kubectl delete",
            cluster.kubectl(&["delete", "virtualservice", "existing"])?,
        ),
        (
            "kubectl delete --all",
            cluster.kubectl(&["delete", "virtualservice", "--all"])?,
        ),
        (
            "mesh configuration",
            cluster.kubectl(&[
                "-n",
                "istio-system",
                "patch",
                "configmap",
                "istio",
                "-p",
                r#"{"data":{"mesh":""}}"#,
            ])?,
        ),
        (
            "deletion of a CRD",
            cluster.kubectl(&["delete", "crd", "virtualservices.networking.istio.io", "--wait=false"])?,
        ),
        (
            "deletion of Istio's namespace",
            cluster.kubectl(&["delete", "namespace", "istio-system", "--wait=false"])?,
        ),
        (
            "helm upgrade",
            cluster.helm(&["upgrade", "istiod", &istiod, "-n", "istio-system", "--reuse-values"])?,
        ),
        (
            "helm rollback",
            cluster.helm(&["rollback", "istio-base", "1", "-n", "istio-system"])?,
        ),
        (
            "helm uninstall",
            cluster.helm(&["uninstall", "istiod", "-n", "istio-system", "--debug"])?,
        ),
    ];
    for (what, run) in &attempts {
        ensure!(!run.success(), "{what} passed: {run}");
        ensure!(
            run.stderr.contains("MG001"),
            "{what} was not refused by the freeze: {run}"
        );
        ensure!(
            run.stderr.contains(FROM) && run.stderr.contains(TO),
            "{what}: which upgrade? {run}"
        );
    }
    let after = state(cluster)?;
    let changed: Vec<&str> = after
        .lines()
        .filter(|line| !before.lines().any(|known| known == *line))
        .collect();
    ensure!(
        before == after,
        "everything was refused, and this changed: {changed:#?}\n{before}"
    );
    Ok(())
}

/// What a freeze must not hinder.
fn harmless_changes_pass(cluster: &Cluster) -> Result<()> {
    let istiod = "system:serviceaccount:istio-system:istiod";
    let status = r#"{"status":{"conditions":[{"type":"Seen","status":"True"}]}}"#;
    let patch = [
        "patch",
        "virtualservice",
        "existing",
        "--subresource=status",
        "--type=merge",
        "-p",
        status,
        "--as",
        istiod,
        // Istio's chart grants status writes only with some settings; the question here is admission's, not RBAC's.
        "--as-group",
        "system:masters",
    ];
    cluster.kubectl(&patch)?.ok()?;
    let probe = cluster.kubectl_with(
        "admin",
        &["create", "--dry-run=server", "-f", "-", "--as", istiod],
        Some(ISTIOD_PROBE),
    )?;
    ensure!(
        !probe.stderr.contains("MG001"),
        "istiod's own probe was refused by the freeze: {probe}"
    );
    ensure!(
        probe.stderr.contains("denied the request"),
        "Istio's own validation answers the probe: {probe}"
    );
    let config_map = ["-n", "istio-system", "create", "configmap", "istio-leader-of-somebody"];
    cluster.kubectl(&config_map)?.ok()?;
    cluster
        .kubectl(&["create", "deployment", "app", "--image=registry.k8s.io/pause:3.10"])?
        .ok()?;
    cluster.kubectl(&["scale", "deployment/app", "--replicas=2"])?.ok()?;
    cluster.kubectl(&["delete", "deployment/app"])?.ok()?;
    Ok(())
}

fn another_target_is_refused(cluster: &Cluster) -> Result<()> {
    let other = mesh_upgrade(cluster, &["apply", "--to", "1.31.1", "--yes"])?;
    ensure!(other.code == 3 && other.stderr.contains("no new target"), "{other}");
    ensure!(!other.stderr.contains("--withdraw"), "{other}");
    let withdraw = mesh_upgrade(cluster, &["apply", "--withdraw", "--yes"])?;
    ensure!(
        withdraw.code == 3 && withdraw.stderr.contains("something was changed already"),
        "{withdraw}"
    );
    let uninstall = mesh_upgrade(cluster, &["guard", "uninstall"])?;
    ensure!(
        uninstall.code == 3 && uninstall.stderr.contains("has begun"),
        "{uninstall}"
    );
    let journal = cluster.kubectl(&["delete", "meshupgrades", "--all"])?;
    ensure!(
        !journal.success() && journal.stderr.contains("MG0"),
        "the journal could be deleted: {journal}"
    );
    let record = cluster.kubectl(&["delete", "meshfreezes", "--all"])?;
    ensure!(
        !record.success() && record.stderr.contains("MG0"),
        "the freeze could be deleted: {record}"
    );
    Ok(())
}

/// From the API server's audit log: helm and the plugin changed the mesh as the driver, with an epoch.
fn written_by_the_driver_alone(cluster: &Cluster) -> Result<()> {
    let judged = audit::judge(&audit::read(&cluster.audit_log())?, &BTreeSet::new())?;
    // An administrator tries much while the upgrade is held, and is no foreigner to a judge who knows none: that he is
    // refused is no fault of the guard, and that he changes nothing is what the judge sees by himself.
    let through: Vec<&String> = judged
        .faults
        .iter()
        .filter(|fault| fault.contains("was written"))
        .collect();
    ensure!(through.is_empty(), "{through:#?}");
    let log = std::fs::read_to_string(cluster.audit_log())?;
    let mut seen = 0;
    for line in log.lines() {
        let Ok(event) = serde_json::from_str::<Value>(line) else {
            continue;
        };
        let driver = text(&event, "/impersonatedUser/username");
        if !driver.ends_with(":mesh-upgrade-driver") || text(&event, "/verb") == "get" {
            continue;
        }
        let program = text(&event, "/userAgent");
        let is_own = program.starts_with("kubectl-mesh_upgrade/v");
        let is_helm = program.starts_with("Helm/");
        ensure!(is_own || is_helm, "written by {program:?} as the driver: {event}");
        if is_helm {
            let epoch = event.pointer("/impersonatedUser/extra/meshupgrade.io~1epoch/0");
            ensure!(epoch.is_some(), "helm wrote without an epoch: {event}");
            seen += 1;
        }
    }
    ensure!(seen > 10, "helm was seen only {seen} times as the driver");
    Ok(())
}

fn releases(cluster: &Cluster) -> Result<Vec<String>> {
    let list = cluster.kubectl(&["get", "secrets", "-A", "-l", "owner=helm", "-o", "name"])?;
    Ok(list.ok()?.lines().map(str::to_owned).collect())
}

/// What foreign changes would change; istiod's replicas are the autoscaler's, which a freeze lets through.
fn state(cluster: &Cluster) -> Result<String> {
    let mut state = String::new();
    for arguments in [
        &["get", "virtualservices", "-A", "-o", "name"][..],
        &[
            "get",
            "deployment",
            "istiod",
            "-n",
            "istio-system",
            "-o",
            "jsonpath={.spec.template}",
        ],
        &[
            "get",
            "configmap",
            "istio",
            "-n",
            "istio-system",
            "-o",
            "jsonpath={.data}",
        ],
        &["get", "secrets", "-A", "-l", "owner=helm", "-o", "name"],
        &[
            "get",
            "crds",
            "-o",
            "jsonpath={range .items[*]}{.metadata.name} {.metadata.deletionTimestamp}\n{end}",
        ],
        &["get", "namespaces", "-o", "jsonpath={.items[*].status.phase}"],
    ] {
        state.push_str(cluster.kubectl(arguments)?.ok()?);
        state.push('\n');
    }
    Ok(state)
}

fn image(cluster: &Cluster) -> Result<String> {
    let path = "jsonpath={.spec.template.spec.containers[0].image}";
    Ok(cluster
        .kubectl(&["-n", "istio-system", "get", "deployment", "istiod", "-o", path])?
        .ok()?
        .to_owned())
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}
