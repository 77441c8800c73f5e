//! One mesh over three real API servers, upgraded by one command: killed in its middle and taken over from another
//! cluster's context, stopped by a second primary that fails, unlocked everywhere, and finished.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use mesh_upgrade_tests::{
    harness::{Run, Started, no_leftovers, wait_until},
    product::{HeldHelm, SeveralClusters, tells_in_order, wait_for_journal},
};
use serde_json::Value;

const FROM: &str = "1.30.3";
const TO: &str = "1.31.0";
const DEADLINE: Duration = Duration::from_secs(180);

#[test]
fn two_primaries_and_a_remote_are_upgraded_by_one_command() -> Result<()> {
    let mesh = SeveralClusters::start()?;
    ensure!(mesh.charts("north")? == [FROM, FROM], "{:?}", mesh.charts("north")?);

    killed_before_its_first_control_plane(&mesh)?;
    for cluster in ["east", "west", "north"] {
        ensure!(mesh.charts(cluster)? == [TO, FROM], "the CRDs come first in {cluster}");
    }
    mesh.is_frozen_by(1)?;

    // West's new istiod finds no node: the wave stops there, taken over by somebody who came from north, where nothing
    // but the freeze leads to the journal.
    let west = mesh.cluster("west")?;
    let nodes = west.kubectl(&["get", "nodes", "-o", "jsonpath={.items[0].metadata.name}"])?;
    let node = nodes.ok()?.to_owned();
    west.kubectl(&["cordon", &node])?.ok()?;
    let stopped = Run::of(mesh.apply("north", &["--step-timeout", "15s"])?, None)?;
    ensure!(
        stopped.code == 1 && stopped.stderr.contains("stalled (StepFailed)"),
        "{stopped}"
    );
    ensure!(stopped.stderr.contains("west/istiod/istio-system/istiod"), "{stopped}");
    ensure!(
        stopped
            .stderr
            .contains("verified before the next cluster: east: 1 istiod report 1.31.0"),
        "{stopped}"
    );
    ensure!(mesh.charts("east")? == [TO, TO], "{stopped}");
    ensure!(mesh.charts("north")? == [TO, FROM], "the wave went on: {stopped}");
    mesh.is_frozen_by(2)?;
    told_from_everywhere(&mesh)?;
    unlocked_everywhere(&mesh)?;

    west.kubectl(&["uncordon", &node])?.ok()?;
    finished_and_watched_from_elsewhere(&mesh)?;
    let journal = mesh.arrived()?;
    ensure!(journal.pointer("/status/epoch") == Some(&Value::from(3)), "{journal:#}");
    in_order(&journal)?;
    late_drivers_are_refused(&mesh)?;
    helm_wrote_as_the_driver(&mesh)?;

    drop(mesh);
    no_leftovers()
}

/// Held before east's istiod, with the CRDs of all clusters done; a rival from another context sees who drives.
fn killed_before_its_first_control_plane(mesh: &SeveralClusters) -> Result<()> {
    let helm = HeldHelm::before("istiod")?;
    let program = helm.program().display().to_string();
    let mut apply = Started::of(mesh.apply("east", &["--helm", &program])?)?;
    let reached = helm.wait_until_reached_by(&mut apply.child, DEADLINE);
    reached.with_context(|| apply.said())?;
    mesh.is_frozen_by(1)?;
    let rival = Run::of(mesh.apply("west", &[])?, None)?;
    ensure!(
        rival.code == 5 && rival.stderr.contains("is driving this upgrade"),
        "{rival}"
    );
    apply.kill()?;
    helm.kill()?;
    let journal = wait_for_journal(mesh.cluster("east")?, "a journal", DEADLINE, |_| true)?;
    let images = |name: &str| -> Vec<String> {
        let clusters = journal.pointer("/spec/plan/clusters").and_then(Value::as_array);
        let found = clusters
            .into_iter()
            .flatten()
            .find(|one| one.get("name") == Some(&Value::from(name)));
        let images = found
            .and_then(|one| one.get("images")?.as_array())
            .into_iter()
            .flatten();
        images
            .filter_map(|image| Some(image.as_str()?.rsplit('/').next()?.to_owned()))
            .collect()
    };
    ensure!(
        images("east") == [format!("pilot:{TO}"), format!("proxyv2:{TO}")],
        "{journal:#}"
    );
    ensure!(images("north") == [format!("proxyv2:{TO}")], "{journal:#}");
    Ok(())
}

/// The same journal, whichever cluster somebody looks from; and every barrier proved in all of them.
fn told_from_everywhere(mesh: &SeveralClusters) -> Result<()> {
    for context in ["east", "west", "north"] {
        let status = mesh.run(context, &["status"])?;
        let says = ["in cluster east", "east, west, north", "Stalled (StepFailed)"];
        ensure!(
            says.iter()
                .all(|words| status.ok().is_ok_and(|said| said.contains(words))),
            "{context}: {status}"
        );
    }
    let guard = mesh.run("west", &["guard", "status"])?;
    for cluster in ["east", "west", "north"] {
        ensure!(guard.stdout.contains(&format!("Cluster {cluster}")), "{guard}");
    }
    ensure!(guard.stdout.matches("Frozen: shop").count() == 3, "{guard}");
    Ok(())
}

/// Gone on with from west, and followed from north, where nothing but the freeze leads to the journal in east, to its end.
fn finished_and_watched_from_elsewhere(mesh: &SeveralClusters) -> Result<()> {
    // Once the mesh is open nothing would lead there any more.
    let helm = HeldHelm::at("north", "istiod")?;
    let program = helm.program().display().to_string();
    let mut apply = Started::of(mesh.command("west", &["apply", "shop", "--helm", &program])?)?;
    let reached = helm.wait_until_reached_by(&mut apply.child, DEADLINE);
    reached.with_context(|| apply.said())?;
    let mut watch = Started::of(mesh.command("north", &["status", "--watch", "-o", "json"])?)?;
    wait_until("the first of its events", DEADLINE, || {
        let has_ended = watch.child.try_wait()?.is_some();
        Ok((has_ended || watch.said().contains("UpgradeEvent")).then_some(()))
    })?;
    helm.release()?;
    let ended = apply.ended()?;
    ensure!(ended.success(), "{ended}: {}", apply.said());
    let ended = watch.ended()?;
    let said = watch.said();
    ensure!(ended.success(), "{ended}: {said}");

    // What people read stands beside the events.
    let events = said
        .lines()
        .filter(|line| line.starts_with('{'))
        .map(serde_json::from_str);
    let events: Vec<Value> = events.collect::<Result<_, _>>().with_context(|| said.clone())?;
    let is = |event: &Value, field: &str, value: &str| event.get(field) == Some(&Value::from(value));
    let is_of_it = |event: &Value| is(event, "kind", "UpgradeEvent") && is(event, "mesh", "shop");
    let last = events.last().with_context(|| said.clone())?;
    ensure!(events.iter().all(is_of_it) && is(last, "phase", "Succeeded"), "{said}");
    ensure!(last.get("componentsDone") == last.get("components"), "{said}");
    Ok(())
}

fn unlocked_everywhere(mesh: &SeveralClusters) -> Result<()> {
    let unlocked = mesh.run("west", &["unlock", "--reason", "pager 7", "--yes"])?;
    unlocked.ok()?;
    for cluster in ["east", "west", "north"] {
        ensure!(unlocked.stderr.contains(&format!("opened {cluster}: ")), "{unlocked}");
    }
    ensure!(unlocked.stderr.contains("noted in the journal"), "{unlocked}");
    mesh.is_open()
}

/// CRDs everywhere, then east, west and north, each done before the next began.
fn in_order(journal: &Value) -> Result<()> {
    let expected = [
        "east/base/istio-system/istio-base: chart base",
        "west/base/istio-system/istio-base: chart base",
        "north/base/istio-system/istio-base: chart base",
        "east/istiod/istio-system/istiod: chart istiod",
        "verified before the next cluster: east: 1 istiod report 1.31.0",
        "west/istiod/istio-system/istiod: chart istiod",
        "verified before the next cluster: west: 1 istiod report 1.31.0",
        "north/istiod/istio-system/istiod: chart istiod",
        "north: no istiod of its own, 0 workloads rolled out, validation refuses the bad and accepts the good, injection \
         yields 1.31.0",
        "thawed in all 3 clusters",
    ];
    tells_in_order(journal, &expected)
}

/// After the thaw the policy is gone, and a member has no journal: the webhook knows by the freeze that is not there.
fn late_drivers_are_refused(mesh: &SeveralClusters) -> Result<()> {
    for cluster in mesh.clusters() {
        for epoch in ["2", "3"] {
            let arguments = [
                "-n",
                "istio-system",
                "annotate",
                "secret",
                "sh.helm.release.v1.istio-base.v1",
                "late=yes",
                "--as=system:serviceaccount:mesh-upgrade-system:mesh-upgrade-driver",
                &format!("--as-user-extra=meshupgrade.io/epoch={epoch}"),
            ];
            let late = cluster.kubectl_as("alice", &arguments)?;
            ensure!(late.refused()?.contains("MG011"), "{}: {late}", cluster.name());
        }
    }
    Ok(())
}

/// From the audit logs: each change of helm's in each cluster was the driver's, with an epoch.
fn helm_wrote_as_the_driver(mesh: &SeveralClusters) -> Result<()> {
    for cluster in mesh.clusters() {
        let log = std::fs::read_to_string(cluster.audit_log())?;
        let mut epochs = Vec::new();
        for event in log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
            let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
            let writes = !matches!(text("/verb"), "get" | "list" | "watch");
            if !text("/userAgent").starts_with("Helm/") || !writes || text("/user/username") != "alice" {
                continue;
            }
            let epoch = event.pointer("/impersonatedUser/extra/meshupgrade.io~1epoch/0");
            epochs.push(
                epoch
                    .and_then(Value::as_str)
                    .with_context(|| format!("without an epoch: {event}"))?
                    .to_owned(),
            );
        }
        ensure!(
            epochs.len() > 5,
            "{}: helm was seen {} times",
            cluster.name(),
            epochs.len()
        );
    }
    Ok(())
}
