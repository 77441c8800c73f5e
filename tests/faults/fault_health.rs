//! An upgraded mesh that is not well is not called healthy: one whose validation is gone, and one whose injection is gone.
//! The upgrade stalls, frozen, says what does not work, and goes on when that was mended.

use std::io::Write as _;

use anyhow::{Context, Result, ensure};
use mesh_upgrade_tests::product::{Upgradable, journal_phase};

const TO: &str = "1.31.0";

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
