//! `cargo demo`: the main job on real control planes, from a list to an upgraded, healthy mesh, with each command shown
//! as a user would type it. Leaves the machine clean.

use std::{
    process::{Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use mesh_upgrade_tests::{
    harness::{Cluster, ClusterOptions, Istio, IstioOptions, Toolbox, no_leftovers},
    product::{Binaries, FOREIGN_CHANGE, Guard, mesh_upgrade_command, wait_for_journal},
};

const FROM: &str = "1.30.3";
const TO: &str = "1.31.0";

fn main() -> ExitCode {
    let started = Instant::now();
    match demo() {
        Ok(()) => {
            say(&format!(
                "\nThe mesh runs {TO}, and nothing is left behind. {} s in all.",
                started.elapsed().as_secs()
            ));
            ExitCode::SUCCESS
        }
        Err(error) => {
            say(&format!("\nThe demo failed: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn demo() -> Result<()> {
    Toolbox::get()?;
    title("Building the plugin and the webhook");
    Binaries::get()?;
    title(&format!(
        "Two clusters: east (Kubernetes 1.36) with Istio {FROM} by helm, and north, which reports Kubernetes 1.37"
    ));
    let mut clusters = Cluster::start_many([
        ClusterOptions::named("east"),
        ClusterOptions::reporting("north", "1.37.2"),
    ])?;
    let (north, east) = (clusters.pop().context("north")?, clusters.pop().context("east")?);
    let istio = std::thread::scope(|scope| {
        let north = scope.spawn(|| Istio::install(&north, IstioOptions::version(FROM)));
        let east = Istio::install(
            &east,
            IstioOptions {
                replicas: 2,
                ..IstioOptions::version(FROM)
            },
        );
        joined(north.join())??;
        east
    })?;
    title("The guard, with its webhook");
    let guard = Guard::install(&east)?;
    run(mesh_upgrade_command(&east, "alice", &["guard", "status"])?, 0)?;

    title("What is there, and what could be newer?");
    run(mesh_upgrade_command(&east, "alice", &["list"])?, 0)?;
    title("Can it go there?");
    run(mesh_upgrade_command(&east, "alice", &["check", "--to", TO])?, 0)?;
    title("Not over a minor, and not on a Kubernetes that no Istio supports yet");
    run(mesh_upgrade_command(&east, "alice", &["check", "--to", "1.32.0"])?, 3)?;
    run(mesh_upgrade_command(&north, "alice", &["check", "--to", TO])?, 3)?;
    title("What will be done?");
    let charts = Toolbox::get()?.charts(TO)?.display().to_string();
    run(
        mesh_upgrade_command(&east, "alice", &["plan", "--to", TO, "--charts", &charts])?,
        0,
    )?;

    title("The upgrade, and two people who do not know of it");
    let mut apply = mesh_upgrade_command(&east, "alice", &["apply", "--to", TO, "--charts", &charts, "--yes"])?;
    show(&apply);
    let mut apply = apply.stdin(Stdio::null()).spawn()?;
    wait_for_journal(
        &east,
        "the upgrade to be past its point of no return",
        Duration::from_secs(120),
        |journal| journal.pointer("/status/phase").and_then(|phase| phase.as_str()) == Some("Upgrading"),
    )?;
    let manifest = guard.dir().join("reviews.yaml");
    std::fs::write(&manifest, FOREIGN_CHANGE)?;
    let mut foreign = east.command("kubectl")?;
    foreign.arg("apply").arg("-f").arg(&manifest);
    run(foreign, 1)?;
    let mut skip = east.command("kubectl")?;
    skip.args([
        "-n",
        "istio-system",
        "set",
        "image",
        "deployment/istiod",
        "discovery=docker.io/istio/pilot:1.33.0",
    ]);
    run(skip, 1)?;
    let status = apply.wait()?;
    ensure!(status.success(), "apply ended with {status}");

    title("Afterwards");
    run(mesh_upgrade_command(&east, "alice", &["status"])?, 0)?;
    run(mesh_upgrade_command(&east, "alice", &["list"])?, 0)?;
    let mut skip = east.command("kubectl")?;
    skip.args([
        "-n",
        "istio-system",
        "set",
        "image",
        "deployment/istiod",
        "discovery=docker.io/istio/pilot:1.33.0",
    ]);
    run(skip, 1)?;
    let mut now = east.command("kubectl")?;
    now.arg("apply").arg("-f").arg(&manifest);
    run(now, 0)?;
    let image = east.kubectl(&[
        "-n",
        "istio-system",
        "get",
        "deployment",
        "istiod",
        "-o",
        "jsonpath={.spec.template.spec.containers[0].image}",
    ])?;
    ensure!(image.ok()?.ends_with(&format!(":{TO}")), "istiod runs {}", image.stdout);
    istio.wait_serving(&east, TO)?;

    drop(guard);
    drop(east);
    drop(north);
    no_leftovers()
}

/// Shows a command and runs it with its output on the terminal.
fn run(mut command: Command, expected: i32) -> Result<()> {
    show(&command);
    let status = command.stdin(Stdio::null()).status()?;
    ensure!(
        status.code() == Some(expected),
        "expected exit code {expected}, got {status}"
    );
    Ok(())
}

fn show(command: &Command) {
    let mut line = String::from("kubectl");
    for argument in command.get_args() {
        line.push(' ');
        line.push_str(&argument.to_string_lossy());
    }
    say(&format!("\n$ {line}"));
}

fn title(text: &str) {
    say(&format!("\n=== {text}"));
}

#[expect(clippy::print_stdout, reason = "the demo is what it prints")]
fn say(text: &str) {
    println!("{text}");
}

fn joined<T>(result: std::thread::Result<T>) -> Result<T> {
    result.map_err(|_| anyhow::anyhow!("a thread of the demo panicked"))
}
