//! A mesh that the Sail Operator installed, upgraded by `apply`: the holder sets the version in the operator's objects, one after
//! the other, lets the operator through for what belongs to each, and waits for its conditions. The operator is a
//! stand-in; its helm, its charts and its identity are the real ones, and its kinds have the documented fields.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result, ensure};
use mesh_upgrade_tests::{
    harness::{Cluster, ClusterOptions, Istio, IstioOptions, Moment, Proxy, Run, Started, wait_until},
    product::{FOREIGN_CHANGE, Guard, StandInSail, images, mesh_upgrade, mesh_upgrade_command, wait_for_journal},
};
use serde_json::{Value, json};

const FROM: &str = "1.30.3";
const TO: &str = "1.31.0";
const DEADLINE: Duration = Duration::from_secs(120);

#[test]
fn what_the_sail_operator_installed_is_upgraded_with_a_stand_in_operator() -> Result<()> {
    let cluster = Arc::new(Cluster::start(ClusterOptions::named("sail"))?);
    let sail = StandInSail::install(&cluster, FROM, TO)?;
    let _at_work = sail.run();
    upgrade(&cluster, &sail)
}

fn upgrade(cluster: &Cluster, sail: &StandInSail) -> Result<()> {
    sail.wait_for_all()?;
    let istio = Istio::installed(cluster, IstioOptions::version(FROM))?;
    let _guard = Guard::install(cluster)?;
    let check = mesh_upgrade(cluster, &["check", "--to", TO, "--verbose"])?;
    ensure!(check.code == 0, "{check}");
    ensure!(
        check.stdout.contains("apply sets the version of Istio default"),
        "{check}"
    );

    an_operator_that_does_not_know_the_target_is_found_before_anything_is_changed(cluster)?;
    killed_before_the_operator_is_told(cluster)?;
    foreign_changes_are_refused(cluster)?;
    the_operator_brings_nothing_else(cluster, sail)?;
    let applied = Run::of(apply(cluster)?, None)?;
    applied.ok()?;
    it_has_arrived(cluster, &istio, sail)?;
    the_holder_has_told_it(cluster)
}

fn apply(cluster: &Cluster) -> Result<std::process::Command> {
    mesh_upgrade_command(cluster, "alice", &["apply", "--to", TO, "--yes"])
}

/// The real operator's kind takes only versions that it knows.
fn an_operator_that_does_not_know_the_target_is_found_before_anything_is_changed(cluster: &Cluster) -> Result<()> {
    let path = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/version/enum";
    let only = |patch: Value| {
        let patch = json!([patch]).to_string();
        cluster.kubectl(&["patch", "crd", "istios.sailoperator.io", "--type=json", "-p", &patch])
    };
    only(json!({"op": "add", "path": path, "value": [format!("v{FROM}")]}))?.ok()?;
    wait_until("the kind to take one version only", DEADLINE, || {
        let patch = r#"{"spec": {"version": "v1.30.4"}}"#;
        let tried = [
            "patch",
            "istios.sailoperator.io",
            "default",
            "--type=merge",
            "--dry-run=server",
            "-p",
            patch,
        ];
        Ok((!cluster.kubectl(&tried)?.success()).then_some(()))
    })?;
    let withdrawn = Run::of(apply(cluster)?, None)?;
    ensure!(
        withdrawn.code == 3
            && withdrawn
                .stderr
                .contains("the version of Istio default could not be set to v1.31.0"),
        "{withdrawn}"
    );
    let journal = wait_for_journal(cluster, "a journal", DEADLINE, |_| true)?;
    ensure!(text(&journal, "/status/phase") == "Withdrawn", "{journal:#}");
    only(json!({"op": "remove", "path": path}))?.ok()?;
    wait_until("the kind to take every version", DEADLINE, || {
        let patch = format!(r#"{{"spec": {{"version": "v{TO}"}}}}"#);
        let tried = [
            "patch",
            "istios.sailoperator.io",
            "default",
            "--type=merge",
            "--dry-run=server",
            "-p",
            &patch,
        ];
        Ok(cluster.kubectl(&tried)?.success().then_some(()))
    })
}

/// The driver dies as it is about to tell the operator: the freeze lets the operator through, which was told nothing.
fn killed_before_the_operator_is_told(cluster: &Cluster) -> Result<()> {
    let proxy = Proxy::holding(cluster, "alice", Some((1, Moment::Before)), |seen| {
        seen.method == "PATCH" && seen.path.contains("/istios/default") && !seen.path.contains("dryRun")
    })?;
    let mut command = apply(cluster)?;
    command.env("KUBECONFIG", proxy.kubeconfig());
    let mut killed = Started::of(command)?;
    wait_until("apply to be about to tell the operator", DEADLINE, || {
        ensure!(
            killed.child.try_wait()?.is_none() || proxy.is_reached(),
            "apply ended before"
        );
        Ok(proxy.is_reached().then_some(()))
    })?;
    killed.kill()?;
    drop(proxy);
    let journal = wait_for_journal(cluster, "a journal", DEADLINE, |_| true)?;
    ensure!(text(&journal, "/status/phase") == "Upgrading", "{journal:#}");
    Ok(())
}

fn foreign_changes_are_refused(cluster: &Cluster) -> Result<()> {
    let told = |version: &str| {
        let patch = json!({"spec": {"version": version}}).to_string();
        cluster.kubectl(&[
            "patch",
            "istios.sailoperator.io",
            "default",
            "--type=merge",
            "-p",
            &patch,
        ])
    };
    let system = |arguments: &[&str]| cluster.kubectl(&[&["-n", "istio-system"], arguments].concat());
    for (what, run) in [
        ("configuration", cluster.apply_stdin(FOREIGN_CHANGE)?),
        ("telling the operator the target", told("v1.31.0")?),
        ("telling the operator another version", told("v1.30.4")?),
        (
            "deletion of the Istio",
            cluster.kubectl(&["delete", "istios.sailoperator.io", "default", "--wait=false"])?,
        ),
        (
            "deletion of the revision",
            cluster.kubectl(&["delete", "istiorevisions.sailoperator.io", "default", "--wait=false"])?,
        ),
        (
            "kubectl scale",
            system(&["scale", "deployment/istiod", "--replicas=0"])?,
        ),
        ("an annotation", system(&["annotate", "service", "istiod", "by=hand"])?),
    ] {
        run.refused_by(&["MG001"]).context(what)?;
    }
    Ok(())
}

/// While istiod is waited for: no other version of it, no other flavor, and no other component.
fn the_operator_brings_nothing_else(cluster: &Cluster, sail: &StandInSail) -> Result<()> {
    let before = images(cluster)?;
    let mut refused = Vec::new();
    for (chart, version) in [
        ("istiod", "1.32.0"),
        ("istiod", "1.31.3"),
        ("istiod", "1.31.0-mspider"),
        ("istiod", "1.29.8"),
        ("cni", TO),
    ] {
        refused.push((format!("{chart} {version}"), sail.bring(chart, version)?));
    }
    let mut istio = sail.read("istios")?;
    for version in ["v1.31.3", "v1.32.0"] {
        if let Some(asked) = istio.pointer_mut("/spec/version") {
            *asked = Value::from(version);
        }
        refused.push((format!("a revision of {version}"), sail.revise(&istio)?));
    }
    for (what, run) in refused {
        run.refused_by(&["MG001", "MG002", "MG003", "MG004"]).context(what)?;
    }
    ensure!(images(cluster)? == before, "something was brought");
    Ok(())
}

fn it_has_arrived(cluster: &Cluster, istio: &Istio, sail: &StandInSail) -> Result<()> {
    let journal = wait_for_journal(cluster, "the journal", DEADLINE, |_| true)?;
    ensure!(text(&journal, "/status/phase") == "Succeeded", "{journal:#}");
    for resource in ["istios", "istiocnis", "istiorevisions"] {
        let object = sail.read(resource)?;
        ensure!(text(&object, "/spec/version") == "v1.31.0", "{object:#}");
    }
    let images = images(cluster)?;
    ensure!(
        images.len() == 2 && images.iter().all(|image| image.ends_with(TO)),
        "{images:?}"
    );
    ensure!(istio.injected_image(cluster)?.ends_with(TO));
    let kinds = "meshfreezes,validatingadmissionpolicies,validatingadmissionpolicybindings";
    let left = cluster.kubectl(&["get", kinds, "-o", "name"])?;
    ensure!(!left.ok()?.contains("mesh-freeze-"), "a freeze is left: {left}");
    let again = Run::of(apply(cluster)?, None)?;
    ensure!(again.ok()?.contains("already: nothing to do"), "{again}");
    Ok(())
}

/// From the API server's audit log: what tells the operator was written by the driver alone, with its epoch.
fn the_holder_has_told_it(cluster: &Cluster) -> Result<()> {
    let log = std::fs::read_to_string(cluster.audit_log())?;
    let mut told = 0;
    for line in log.lines() {
        let event: Value = serde_json::from_str(line)?;
        let is_it = matches!(text(&event, "/objectRef/resource"), "istios" | "istiocnis")
            && text(&event, "/verb") == "patch"
            && text(&event, "/objectRef/subresource").is_empty()
            && !text(&event, "/requestURI").contains("dryRun")
            && event.pointer("/responseStatus/code") == Some(&Value::from(200));
        if !is_it || text(&event, "/userAgent").starts_with("kubectl/") {
            continue;
        }
        let user = text(&event, "/impersonatedUser/username");
        let epoch = event.pointer("/impersonatedUser/extra/meshupgrade.io~1epoch/0");
        ensure!(user.ends_with(":mesh-upgrade-driver") && epoch.is_some(), "{event}");
        told += 1;
    }
    ensure!(told == 2, "the operator was told {told} times");
    Ok(())
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}
