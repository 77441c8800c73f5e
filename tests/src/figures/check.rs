//! `check` beside `istioctl x precheck` and `istioctl analyze -A`, on the same cluster; and over a hundred clusters.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::measured::{Measured, measured, medians};
use super::population::{client, injected_pod, populate};
use super::stand_in_clusters::StandInClusters;
use super::{held, released_plugin, say};
use crate::harness::{Cluster, ClusterOptions, Istio, IstioOptions, OnDemand, Toolbox};

/// Runs of each program; the median counts.
const RUNS: usize = 5;
/// How long a stand-in for a distant cluster takes for an answer.
const LATENCY: Duration = Duration::from_millis(25);
/// Member clusters of the largest mesh.
const CLUSTERS: usize = 100;
/// The mesh ID of what is measured; a stand-in that is a mesh of its own puts its number over the last three.
const MESH_ID: &str = "figures-000";

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
        values: vec![format!("global.meshID={MESH_ID}")],
        ..IstioOptions::version("1.30.3")
    };
    Istio::install(&cluster, options)?;
    let template = injected_pod(&cluster)?;
    let many = many_clusters(&cluster, &plugin)?;
    let fleet = fleet(&cluster, &plugin)?;

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
    let wall = |runs: &[Measured]| medians(runs).map(|(wall, _)| wall.as_secs_f64());
    let (_, peak) = medians(&of_ours)?;
    let bars = [
        held("wall, of precheck's", wall(&of_ours)? / wall(&of_precheck)?, 0.3, ""),
        held("wall, of analyze's", wall(&of_ours)? / wall(&of_analyze)?, 0.15, ""),
        held("peak memory", f64::from(u32::try_from(peak)?) / 1024.0, 64.0, " MiB"),
        many,
    ];
    // All of them are printed already.
    let mut bars = bars.into_iter().chain(fleet);
    Ok(bars.all(|met| met))
}

/// One cluster and a hundred, all stand-ins that repeat the real one's answers.
fn many_clusters(cluster: &Cluster, plugin: &Path) -> Result<bool> {
    let template = "--output=jsonpath={.metadata.uid}";
    let uid = cluster.kubectl(&["get", "namespace", "kube-system", template])?;
    let alice = cluster.kubeconfig_for("alice")?;
    let stand_ins = StandInClusters::start(&alice, uid.ok()?, None, CLUSTERS, LATENCY)?;
    let kubeconfig = cluster.dir().join("stand-ins");
    stand_ins.write(&kubeconfig)?;
    let charts = Toolbox::get()?.charts("1.31.0")?.display().to_string();
    let check = |contexts: &str| {
        let arguments = [
            "check",
            "--to",
            "1.31.0",
            "--charts",
            &charts,
            "--stats",
            "-o",
            "json",
            "--contexts",
            contexts,
        ];
        let mut command = command(cluster, plugin, &arguments)?;
        command.env("KUBECONFIG", &kubeconfig);
        measured(command)
    };
    let all: Vec<String> = (0..CLUSTERS).map(|number| format!("m{number}")).collect();
    let all = all.join(",");
    // Once unmeasured: the stand-ins learn the answers.
    check("m0")?;
    let (mut one, mut hundred) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        one.push(check("m0")?);
        hundred.push(check(&all)?);
    }
    let report: Value = serde_json::from_str(&hundred.first().context("a run")?.stdout)?;
    let stats = report.get("stats").and_then(Value::as_array).map_or(0, Vec::len);
    let unknown = report.to_string().matches("\"MU901\",\"severity\"").count();
    judged(&hundred)?;
    ensure!(
        stats == CLUSTERS && unknown == 0,
        "{unknown} of {stats} clusters did not answer"
    );
    say(&format!(
        "{CLUSTERS} member clusters, stand-ins that take {} ms for an answer: medians of {RUNS} runs, {}",
        LATENCY.as_millis(),
        cost(&report)
    ));
    show("check, one", &one)?;
    show("check, all", &hundred)?;
    let ratio = medians(&hundred)?.0.as_secs_f64() / medians(&one)?.0.as_secs_f64();
    Ok(held("wall, of one cluster's", ratio, 3.0, ""))
}

/// A hundred meshes, each of one cluster: `list`, and `check --all` with a line for each and one total.
fn fleet(cluster: &Cluster, plugin: &Path) -> Result<[bool; 2]> {
    let uid = cluster.kubectl(&["get", "namespace", "kube-system", "--output=jsonpath={.metadata.uid}"])?;
    let alice = cluster.kubeconfig_for("alice")?;
    let stand_ins = StandInClusters::start(&alice, uid.ok()?, Some(MESH_ID), CLUSTERS, LATENCY)?;
    let kubeconfig = cluster.dir().join("fleet");
    stand_ins.write(&kubeconfig)?;
    let charts = Toolbox::get()?.charts("1.31.0")?.display().to_string();
    let list = ["list", "--stats", "-o", "json"];
    let check = [
        "check", "--all", "--to", "1.31.0", "--charts", &charts, "--stats", "-o", "json",
    ];
    let ran = |verb: &[&str], contexts: &str| {
        let mut command = command(cluster, plugin, &[verb, &["--contexts", contexts]].concat())?;
        command.env("KUBECONFIG", &kubeconfig);
        measured(command)
    };
    let all: Vec<String> = (0..CLUSTERS).map(|number| format!("m{number}")).collect();
    let all = all.join(",");
    let mut held_all = Vec::new();
    for (name, verb, list_of) in [("list", &list[..], "meshes"), ("check --all", &check[..], "reports")] {
        // Once unmeasured: the stand-ins learn the answers.
        ran(verb, "m0")?;
        let (mut one, mut hundred) = (Vec::new(), Vec::new());
        for _ in 0..RUNS {
            one.push(ran(verb, "m0")?);
            hundred.push(ran(verb, &all)?);
        }
        judged(&hundred)?;
        let document: Value = serde_json::from_str(&hundred.first().context("a run")?.stdout)?;
        let meshes = document.get(list_of).and_then(Value::as_array).map_or(0, Vec::len);
        ensure!(meshes == CLUSTERS, "{name} told of {meshes} meshes");
        say(&format!(
            "{CLUSTERS} meshes of one cluster each, the same stand-ins: medians of {RUNS} runs, {}",
            cost(&document)
        ));
        show(&format!("{name}, one"), &one)?;
        show(&format!("{name}, all"), &hundred)?;
        let ratio = medians(&hundred)?.0.as_secs_f64() / medians(&one)?.0.as_secs_f64();
        held_all.push(held(&format!("{name}, of one mesh's"), ratio, 3.0, ""));
    }
    held_all.try_into().ok().context("two verbs")
}

/// Whether a check came to an end, free or blocked.
fn judged(runs: &[Measured]) -> Result<()> {
    for run in runs {
        ensure!(
            [0, 3].contains(&run.code),
            "check ended with {}: {}",
            run.code,
            run.stderr
        );
    }
    Ok(())
}

/// Calls and bytes of all clusters together.
fn cost(report: &Value) -> String {
    let sum = |field: &str| -> u64 {
        let stats = report.get("stats").and_then(Value::as_array).into_iter().flatten();
        stats.filter_map(|one| one.get(field)?.as_u64()).sum()
    };
    format!("{} calls, {} KiB received", sum("calls"), sum("bytes") / 1024)
}

fn show(name: &str, runs: &[Measured]) -> Result<()> {
    let (wall, peak) = medians(runs)?;
    let (fastest, slowest) = (
        runs.iter().map(|run| run.wall).min(),
        runs.iter().map(|run| run.wall).max(),
    );
    say(&format!(
        "  {name}: {:.3} s ({:.3} to {:.3}), processor {:.2} s, peak {} MiB, exit code {}",
        wall.as_secs_f64(),
        fastest.unwrap_or_default().as_secs_f64(),
        slowest.unwrap_or_default().as_secs_f64(),
        runs.iter().map(|run| run.ticks).max().unwrap_or_default() as f64 / 100.0,
        peak / 1024,
        runs.first().map_or(0, |run| run.code)
    ));
    Ok(())
}

fn command(cluster: &Cluster, program: &Path, arguments: &[&str]) -> Result<Command> {
    let mut command = cluster.command(program)?;
    command.args(arguments);
    Ok(command)
}

/// A size that may be made smaller, to try the benchmark itself.
fn number(variable: &str, usual: usize) -> Result<usize> {
    match std::env::var(variable) {
        Ok(text) => text.parse().with_context(|| format!("{variable}={text}")),
        Err(_) => Ok(usual),
    }
}
