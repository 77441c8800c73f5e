//! `apply` beside the bare `helm upgrade --wait` of the same charts, on clusters of the same kind in one run.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use k8s_openapi::jiff::{SignedDuration, Timestamp};

use super::{
    held,
    measured::{measured, wait_for_quiet},
    median, released_plugin, say,
};
use crate::{
    harness::{Cluster, ClusterOptions, Istio, IstioOptions, Toolbox, wait_until},
    product::Guard,
};

const FROM: &str = "1.30.3";
const TO: &str = "1.31.0";
/// Pairs of upgrades; the median counts.
const ROUNDS: usize = 5;
/// Longest time of `apply`, in those of helm alone.
const BAR: f64 = 1.25;
const DEADLINE: Duration = Duration::from_secs(10);

/// How long a real istiod takes, its image being there: a second until its readiness is asked for, three between two
/// questions (Istio's chart, `readinessProbe`), its caches, and the old one's farewell.
const ISTIOD_READY_AFTER: Duration = Duration::from_secs(10);

/// For two seconds after a definition was established an API server makes whoever creates an object of it wait for two
/// seconds (apiextensions-apiserver, `customresource_handler.go`, `justCreated`). A guard is installed long before.
const DEFINITIONS_ARE_NEW_FOR: SignedDuration = SignedDuration::from_secs(3);

/// Measures; whether the bar is met.
///
/// # Errors
/// When a part is missing, or an upgrade fails.
pub fn measure() -> Result<bool> {
    let plugin = released_plugin()?;
    let at_once = compare(&plugin, None)?;
    let as_real = compare(&plugin, Some(ISTIOD_READY_AFTER))?;
    let bars = [
        held(
            "apply, of helm upgrade --wait, istiod ready at once",
            at_once,
            BAR,
            " times",
        ),
        held(
            "apply, of helm upgrade --wait, istiod ready after 10 s",
            as_real,
            BAR,
            " times",
        ),
    ];
    Ok(bars.iter().all(|met| *met))
}

/// Time of `apply` in those of the bare helm commands, the median of all rounds.
fn compare(plugin: &Path, istiod_ready_after: Option<Duration>) -> Result<f64> {
    let charts = Toolbox::get()?.charts(TO)?.display().to_string();
    let (mut bare, mut ours) = (Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        let (cluster, istio) = mesh("bare", istiod_ready_after)?;
        wait_for_quiet()?;
        let began = Instant::now();
        for chart in ["base", "istiod"] {
            istio.upgrade_release(&cluster, chart, TO)?.ok()?;
        }
        let helm = began.elapsed();
        drop((cluster, istio));

        let (cluster, _istio) = mesh("guarded", istiod_ready_after)?;
        let webhook = plugin.with_file_name("mesh-upgrade-webhook");
        let _guard = Guard::install_started_with(&cluster, |_| vec![webhook.into_os_string()])?;
        wait_for_old_definitions(&cluster)?;
        let mut command = cluster.command(plugin)?;
        command
            .env("KUBECONFIG", cluster.kubeconfig_for("alice")?)
            .env("MESH_UPGRADE_LOG", "plugin::executor=info")
            .args(["apply", "--to", TO, "--charts", &charts, "--yes", "--helm"])
            .arg(Toolbox::get()?.helm());
        wait_for_quiet()?;
        let began = Timestamp::now();
        let run = measured(command)?;
        ensure!(run.code == 0, "apply ended with {}: {}", run.code, run.stderr);
        say(&format!(
            "round {round}: helm alone {:.2} s, apply {:.2} s of which its own CPU {:.2} s",
            helm.as_secs_f64(),
            run.wall.as_secs_f64(),
            run.ticks as f64 / 100.0
        ));
        if round == 1 {
            way(began, &run.stderr)?;
        }
        bare.push(helm);
        ours.push(run.wall);
    }
    let fastest = |times: &[Duration]| times.iter().min().copied().unwrap_or_default().as_secs_f64();
    say(&format!(
        "the fastest of each: helm alone {:.2} s, apply {:.2} s, {:.2} times",
        fastest(&bare),
        fastest(&ours),
        fastest(&ours) / fastest(&bare)
    ));
    Ok(median(ours).as_secs_f64() / median(bare).as_secs_f64())
}

fn mesh(name: &str, istiod_ready_after: Option<Duration>) -> Result<(Cluster, Istio)> {
    let cluster = Cluster::start(ClusterOptions {
        istiod_ready_after,
        ..ClusterOptions::named(name)
    })?;
    let options = IstioOptions {
        replicas: 2,
        ..IstioOptions::version(FROM)
    };
    let istio = Istio::install(&cluster, options)?;
    // The autoscaler makes the second pod, and helm does not wait for that.
    let both_ready = "--for=jsonpath={.status.readyReplicas}=2";
    let istiod = ["deployment/istiod", "--namespace", "istio-system"];
    cluster
        .kubectl(&[&["wait", both_ready, "--timeout=120s"][..], &istiod].concat())?
        .ok()?;
    Ok((cluster, istio))
}

fn wait_for_old_definitions(cluster: &Cluster) -> Result<()> {
    let since = r#"jsonpath={.status.conditions[?(@.type=="Established")].lastTransitionTime}"#;
    let since = cluster.kubectl(&["get", "crd", "meshupgrades.meshupgrade.io", "-o", since])?;
    let since: Timestamp = since.ok()?.trim().parse()?;
    wait_until("the guard's definitions to be old enough", DEADLINE, || {
        let age = Timestamp::now().duration_since(since);
        Ok((age > DEFINITIONS_ARE_NEW_FOR).then_some(()))
    })
}

/// When each effect began, as the plugin's log tells: what came before it took until then.
fn way(began: Timestamp, log: &str) -> Result<()> {
    for line in log.lines() {
        let Some((head, effect)) = line.split_once(" effect=") else {
            continue;
        };
        let at: Timestamp = head.split_whitespace().next().unwrap_or_default().parse()?;
        let effect = effect.split(", ").next().unwrap_or_default();
        say(&format!(
            "    {:6.2} s  {effect}",
            at.duration_since(began).as_secs_f64()
        ));
    }
    Ok(())
}
