//! An upgraded mesh that is not well is not called healthy: one whose validation is gone, one whose injection is gone, one
//! whose istiod is not what its image says, and one that has lost its proxies. The upgrade stalls, frozen, says what does
//! not work, and goes on when that was mended.

use std::{io::Write as _, time::Duration};

use anyhow::{Context, Result, ensure};
use mesh_upgrade_tests::{
    harness::{ClusterOptions, StandInProxy, wait_until},
    product::{Upgradable, journal_phase},
};

const TO: &str = "1.31.0";
const DEADLINE: Duration = Duration::from_secs(30);

#[test]
fn without_validation_it_is_not_healthy() -> Result<()> {
    loses_a_webhook(
        "validation",
        "validatingwebhookconfiguration",
        &[
            "istiod/templates/validatingwebhookconfiguration.yaml",
            "base/templates/defaultrevision-validatingwebhookconfiguration.yaml",
        ],
        "Istio's validation to refuse a bad VirtualService",
    )
}

#[test]
fn without_injection_it_is_not_healthy() -> Result<()> {
    loses_a_webhook(
        "injection",
        "mutatingwebhookconfiguration",
        &["istiod/templates/mutatingwebhook.yaml"],
        "no proxy was added",
    )
}

/// A real istiod 1.30 under an image of 1.31. What it tells of its version is rewritten on its way, for flavors' sake; that
/// it is another is seen by what it cannot do with the target's templates.
#[test]
fn with_an_istiod_of_another_version_it_is_not_healthy() -> Result<()> {
    let options = ClusterOptions {
        false_istiod: true,
        ..ClusterOptions::named("false-istiod")
    };
    let mesh = Upgradable::start_in(options, TO)?;
    let run = mesh.apply(&[])?;
    tell(&mesh.stalled(
        &run,
        "Unhealthy",
        &["waited 180 s in vain for injection to add a proxy"],
    )?);
    ensure!(journal_phase(&mesh.cluster)?.as_deref() == Some("Verifying"));
    mesh.cluster.let_istiod_be_true()?;
    let run = mesh.apply(&[])?;
    mesh.arrived(&run)
}

/// Clients that speak xDS as proxies do, and do not come back by themselves.
#[test]
fn without_its_proxies_it_is_not_healthy() -> Result<()> {
    let mesh = Upgradable::start("proxies", TO)?;
    mesh.cluster.apply_stdin(MACHINES)?.ok()?;
    let connected = || -> Result<Vec<StandInProxy>> {
        let addresses = ["192.0.2.1", "192.0.2.2", "192.0.2.3"];
        let proxies = addresses.iter().map(|address| {
            wait_until("istiod to take a proxy", DEADLINE, || {
                StandInProxy::of_workload_group(&mesh.cluster, "shop", "machines", address).map(Some)
            })
        });
        proxies.collect()
    };
    let before = connected()?;
    let run = mesh.apply(&[])?;
    tell(&mesh.stalled(
        &run,
        "Unhealthy",
        &["3 of the 3 proxies that were connected to istiod before"],
    )?);
    drop(before);
    let _after = connected()?;
    let run = mesh.apply(&[])?;
    mesh.arrived(&run)?;
    ensure!(
        run.stdout.contains("3 proxies connected (3 before)") || run.stderr.contains("3 proxies connected (3 before)"),
        "{run}"
    );
    Ok(())
}

const MACHINES: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: networking.istio.io/v1
kind: WorkloadGroup
metadata: {name: machines, namespace: shop}
spec: {template: {serviceAccount: default}}
";

/// A chart without this template takes the webhook away that was there before; somebody puts it back.
fn loses_a_webhook(name: &str, kind: &str, templates: &[&str], says: &str) -> Result<()> {
    let mesh = Upgradable::start(name, TO)?;
    for template in templates {
        std::fs::remove_file(mesh.charts.join(template)).with_context(|| (*template).to_owned())?;
    }
    let ours = ["get", kind, "-l", "app in (istiod, sidecar-injector)", "-o", "json"];
    let mut before = mesh.cluster.kubectl(&ours)?.json()?;
    let run = mesh.apply(&[])?;
    tell(&mesh.stalled(&run, "Unhealthy", &[says])?);
    ensure!(journal_phase(&mesh.cluster)?.as_deref() == Some("Verifying"));

    let items = before.get_mut("items").and_then(serde_json::Value::as_array_mut);
    for item in items.context("items")? {
        if let Some(metadata) = item.get_mut("metadata").and_then(serde_json::Value::as_object_mut) {
            metadata.retain(|key, _| ["name", "labels", "annotations"].contains(&key.as_str()));
        }
    }
    mesh.cluster.apply_stdin(&before.to_string())?.ok()?;
    let run = mesh.apply(&[])?;
    mesh.arrived(&run)
}

/// Past the runner's capture: what is said is to be recorded.
fn tell(text: &str) {
    // A closed standard error is no reason to stop.
    let _ = writeln!(std::io::stderr(), "{text}");
}
