//! `check` beside `istioctl x precheck` and `istioctl analyze -A`, on the same cluster.

use std::{collections::BTreeSet, path::Path};

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::measured::{Measured, command, cost, judged, measured, medians, show};
use super::population::{client, injected_pod, populate};
use super::{held, released_plugin, say};
use crate::harness::{Cluster, ClusterOptions, Istio, IstioOptions, OnDemand, Run, Toolbox};

/// Runs of each program; the median counts.
const RUNS: usize = 5;

/// What `istioctl x precheck` looks at without `--from-version` (istio/istio, `istioctl/pkg/precheck/precheck.go`, release 1.31).
const PRECHECKS: [&str; 4] = [
    "server version",
    "install permissions",
    "Gateway API CRDs",
    "alpha annotations",
];

/// Measures; whether all bars are met.
///
/// # Errors
/// When a part is missing, or a program fails.
pub fn measure() -> Result<bool> {
    let plugin = released_plugin()?;
    let istioctl = OnDemand::Istioctl131.program()?;
    let cluster = Cluster::start(ClusterOptions::named("figures"))?;
    let options = IstioOptions {
        replicas: 2,
        ..IstioOptions::version("1.30.3")
    };
    Istio::install(&cluster, options)?;
    let template = injected_pod(&cluster)?;

    let (pods, objects) = (number("FIGURES_PODS", 10_000)?, number("FIGURES_OBJECTS", 5_000)?);
    say(&format!(
        "Filling a cluster with {pods} meshed pods and {objects} Istio objects"
    ));
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let client = client(cluster.kubeconfig()).await?;
        populate(&client, &template, pods, objects).await
    })?;
    let charts = Toolbox::get()?.charts("1.31.0")?.display().to_string();
    let check = ["check", "--to", "1.31.0", "--charts", &charts, "--stats", "-o", "json"];
    let ours = || command(&cluster, &plugin, &check);
    let precheck = || command(&cluster, &istioctl, &["x", "precheck"]);
    let analyze = || command(&cluster, &istioctl, &["analyze", "-A"]);
    let (mut of_ours, mut of_precheck, mut of_analyze) = (Vec::new(), Vec::new(), Vec::new());
    // In turn, so that whatever else the machine does meets all three alike.
    for _ in 0..RUNS {
        of_ours.push(measured(ours()?)?);
        of_precheck.push(measured(precheck()?)?);
        of_analyze.push(measured(analyze()?)?);
    }
    judged(&of_ours)?;
    let report: Value = serde_json::from_str(&of_ours.first().context("a run")?.stdout)?;
    say(&format!(
        "{pods} pods, {objects} Istio objects: medians of {RUNS} runs; ours is a release build, {}",
        cost(&report)
    ));
    for (name, runs) in [
        ("check", &of_ours),
        ("istioctl x precheck", &of_precheck),
        ("istioctl analyze -A", &of_analyze),
    ] {
        show(name, runs)?;
    }
    let has_more = has_more_checks(&cluster, &istioctl, &report)?;
    let wall = |runs: &[Measured]| medians(runs).map(|(wall, _)| wall.as_secs_f64());
    let (_, peak) = medians(&of_ours)?;
    let bars = [
        held("wall, of precheck's", wall(&of_ours)? / wall(&of_precheck)?, 0.3, ""),
        held("wall, of analyze's", wall(&of_ours)? / wall(&of_analyze)?, 0.15, ""),
        held("peak memory", f64::from(u32::try_from(peak)?) / 1024.0, 64.0, " MiB"),
    ];
    Ok(has_more && bars.iter().all(|met| *met))
}

/// Checks of all three: ours by the codes that this very report judged, analyze's by its own list.
fn has_more_checks(cluster: &Cluster, istioctl: &Path, report: &Value) -> Result<bool> {
    let list = Run::of(command(cluster, istioctl, &["analyze", "--list-analyzers"])?, None)?;
    let analyzers = list.ok()?.lines().filter(|line| line.starts_with("* ")).count();
    let judged = ["findings", "passed"]
        .into_iter()
        .filter_map(|part| report.get(part)?.as_array());
    let codes: BTreeSet<&str> = judged.flatten().filter_map(|one| one.get("code")?.as_str()).collect();
    let met = codes.len() > analyzers && codes.len() > PRECHECKS.len();
    say(&format!(
        "  checks: {} of ours, {} of precheck ({}), {analyzers} of analyze, bar more than both: {}",
        codes.len(),
        PRECHECKS.len(),
        PRECHECKS.join(", "),
        if met { "met" } else { "MISSED" }
    ));
    Ok(met)
}

/// A size that may be made smaller, to try the benchmark itself.
fn number(variable: &str, usual: usize) -> Result<usize> {
    match std::env::var(variable) {
        Ok(text) => text.parse().with_context(|| format!("{variable}={text}")),
        Err(_) => Ok(usual),
    }
}
