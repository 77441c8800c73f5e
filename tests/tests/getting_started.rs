//! The five-minute guide, followed word for word: the commands of docs/getting-started.md in their order, by a shell in a
//! new home with kubectl, helm and nothing of this project on the PATH, and what the page promises to be seen.
//!
//! Three stand-ins: the archive that is downloaded is made of the plugin that the tests build; the charts come from a folder
//! that the cluster's own catalog names, in the internet's place; and once the guard stands, its webhook runs as a process
//! and is called there, because the test clusters' pods run no programs.

use std::{
    collections::BTreeSet,
    os::unix::fs::symlink,
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use mesh_upgrade_tests::{
    harness::{Cluster, ClusterOptions, Istio, IstioOptions, Run, Terminal, Toolbox},
    product::{Binaries, Guard},
    release::{Platform, archive, tag},
};

const PAGE: &str = include_str!("../../docs/getting-started.md");
const FROM: &str = "1.30.3";
const TO: &str = "1.31.3";
/// Whose sidecars the page restarts.
const NAMESPACE: &str = "shop";
const SOON: Duration = Duration::from_secs(60);
const LATER: Duration = Duration::from_secs(180);
/// What every machine has and the page takes for granted.
const OF_EVERY_MACHINE: [&str; 5] = ["tar", "gzip", "mkdir", "install", "ln"];

/// Commands in the page's blocks of shell, in their order.
fn commands() -> Vec<&'static str> {
    let mut inside = false;
    let mut commands = Vec::new();
    for line in PAGE.lines() {
        match line.trim() {
            "```sh" => inside = true,
            "```" => inside = false,
            command if inside && !command.is_empty() => commands.push(command),
            _ => {}
        }
    }
    commands
}

/// Whoever follows the page: a home with a kubeconfig in its usual place, `~/.local/bin` on the PATH, and the downloads.
struct Reader {
    home: tempfile::TempDir,
    tools: PathBuf,
}

impl Reader {
    fn new(cluster: &Cluster) -> Result<Self> {
        let home = tempfile::tempdir()?;
        let tools = home.path().join("tools");
        std::fs::create_dir(&tools)?;
        for tool in ["kubectl", "helm"] {
            symlink(Toolbox::get()?.program(tool), tools.join(tool))?;
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        for tool in OF_EVERY_MACHINE {
            let found = std::env::split_paths(&path).map(|folder| folder.join(tool));
            let found = found.into_iter().find(|program| program.is_file());
            symlink(found.with_context(|| format!("no {tool} here"))?, tools.join(tool))?;
        }
        let kube = home.path().join(".kube");
        std::fs::create_dir(&kube)?;
        std::fs::copy(cluster.kubeconfig_for("alice")?, kube.join("config"))?;
        let plugin = Binaries::get()?.folder().join("kubectl-mesh_upgrade");
        let platform = Platform::of_target("x86_64-unknown-linux-gnu")?;
        archive(&plugin, platform, &tag(), home.path())?;
        Ok(Self { home, tools })
    }

    fn shell(&self, command: &str) -> Result<Command> {
        let mut shell = Command::new("/bin/sh");
        let own = self.home.path().join(".local/bin");
        shell
            .env_clear()
            .env("HOME", self.home.path())
            .env("PATH", std::env::join_paths([own, self.tools.clone()])?)
            .env("LC_ALL", "C.UTF-8")
            .current_dir(self.home.path())
            .args(["-c", command]);
        Ok(shell)
    }

    fn run(&self, command: &str) -> Result<Run> {
        Run::of(self.shell(command)?, None)
    }
}

#[test]
fn the_five_minute_guide_leads_a_new_user_to_an_upgraded_mesh() -> Result<()> {
    let cluster = Cluster::start(ClusterOptions::named("east"))?;
    let istio = Istio::install(&cluster, IstioOptions::version(FROM))?;
    an_application_and_charts_at_hand(&cluster)?;
    let reader = Reader::new(&cluster)?;

    let began = Instant::now();
    let mut seen = BTreeSet::new();
    let mut guard = None;
    for command in commands() {
        if command == "kubectl mesh-upgrade" {
            wizard(&reader)?;
            istio.wait_serving(&cluster, TO)?;
        } else {
            let run = reader.run(command)?;
            run.ok()?;
            as_promised(command, &run, &reader)?;
            if command.ends_with("dataplane status") {
                restart_what_is_behind(&run, &reader)?;
            }
        }
        seen.insert(command);
        if command == "kubectl mesh-upgrade guard install" {
            guard = Some(Guard::serve(&cluster)?);
        }
    }
    println!("followed in {:.0} s", began.elapsed().as_secs_f64());
    for expected in PROMISES.map(|(command, _)| command) {
        ensure!(seen.contains(expected), "the page no longer says: {expected}");
    }
    ensure!(guard.is_some(), "no guard was installed");

    // What is said in passing.
    let explained = reader.run("kubectl mesh-upgrade explain MU101")?;
    ensure!(explained.ok()?.contains("MU101"), "{explained}");
    let status = reader.run("kubectl mesh-upgrade status")?;
    ensure!(status.ok()?.contains("Succeeded"), "{status}");
    // The restarted pods have the new sidecar.
    cluster
        .kubectl(&["-n", NAMESPACE, "rollout", "status", "deployment/cart", "--timeout=60s"])?
        .ok()?;
    let images = cluster.kubectl(&[
        "-n",
        NAMESPACE,
        "get",
        "pods",
        "-l",
        "app=cart",
        "-o",
        "jsonpath={.items[*].spec}",
    ])?;
    ensure!(images.ok()?.contains(&format!("proxyv2:{TO}")), "{images}");
    Ok(())
}

/// Runs the commands that `dataplane status` prints, as the page says.
fn restart_what_is_behind(status: &Run, reader: &Reader) -> Result<()> {
    let commands = status.stdout.lines().filter(|line| line.starts_with("kubectl "));
    let mut count = 0;
    for command in commands {
        reader.run(command)?.ok()?;
        count += 1;
    }
    ensure!(count > 0, "it prints no command: {status}");
    Ok(())
}

/// What each command lets be seen, as the page promises.
const PROMISES: [(&str, &[&str]); 6] = [
    ("kubectl mesh-upgrade version --client", &["Client Version: "]),
    // Each mesh, the version it runs, and the newest that one upgrade leads to.
    ("kubectl mesh-upgrade list", &["default", FROM, TO]),
    ("kubectl mesh-upgrade check --to 1.31.3", &["0 blockers"]),
    ("kubectl mesh-upgrade guard install", &["The guard is installed"]),
    ("kubectl mesh-upgrade guard status", &["policy", "webhook"]),
    (
        "kubectl mesh-upgrade dataplane status",
        &[NAMESPACE, "rollout restart deployment/cart"],
    ),
];

fn as_promised(command: &str, run: &Run, reader: &Reader) -> Result<()> {
    let promised = PROMISES.iter().find(|(promised, _)| *promised == command);
    for text in promised.map_or(&[][..], |(_, texts)| texts) {
        ensure!(run.stdout.contains(text), "{command} does not show {text:?}: {run}");
    }
    if command.starts_with("ln -s") {
        let completed = reader.run("kubectl __complete mesh-upgrade check ''")?;
        ensure!(completed.ok()?.starts_with("default\t"), "{completed}");
    }
    Ok(())
}

/// Leads through all of it on a terminal, and shows at the end the one command that the page names.
fn wizard(reader: &Reader) -> Result<()> {
    let mut command = reader.shell("exec kubectl mesh-upgrade")?;
    command.env("NO_COLOR", "1").env("TERM", "xterm");
    let mut terminal = Terminal::start(command, 100)?;
    let offered = terminal.wait_for("Choose a version", SOON)?;
    for step in ["choose", "check", "execute"] {
        ensure!(offered.contains(step), "{offered}");
    }
    let number = offered
        .lines()
        .find(|line| line.contains(TO))
        .and_then(|line| line.split_whitespace().next());
    terminal.line(number.with_context(|| offered.clone())?)?;
    terminal.wait_for("Enter takes them from there", SOON)?;
    terminal.line("")?;
    terminal.wait_for("Enter goes on to the upgrade", SOON)?;
    terminal.line("")?;
    terminal.wait_for("Type the mesh's name (default)", SOON)?;
    terminal.line("default")?;
    terminal.wait_for(&format!("Mesh default runs {TO}."), LATER)?;
    let same = "kubectl mesh-upgrade apply default --to 1.31.3";
    ensure!(
        PAGE.contains(&format!("would have done the same: `{same}`")),
        "the page names another command"
    );
    terminal.wait_for(&format!("The same without questions: {same}\r\n"), SOON)?;
    let (status, shown) = terminal.end()?;
    ensure!(status.success(), "{status}: {shown}");
    Ok(())
}

/// A Deployment with a sidecar, and the catalog that says where charts are.
fn an_application_and_charts_at_hand(cluster: &Cluster) -> Result<()> {
    let charts = Toolbox::get()?.charts(TO)?.display().to_string();
    let catalog = format!(
        "\
extends: embedded
flavors:
  - sources: {{images: docker.io/istio, charts: '{charts}'}}
    releases:
      - minor: \"1.31\"
        newestPatch: {TO}
        released: 2026-08-31
        endOfLife: {{date: 2027-04-30, kind: estimate}}
        kubernetes: [\"1.32\", \"1.33\", \"1.34\", \"1.35\", \"1.36\"]
"
    );
    let catalog: String = catalog.lines().map(|line| format!("    {line}\n")).collect();
    let manifests = format!(
        "\
apiVersion: v1
kind: Namespace
metadata: {{name: mesh-upgrade-system}}
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: mesh-upgrade-catalog, namespace: mesh-upgrade-system}}
data:
  catalog.yaml: |
{catalog}---
apiVersion: v1
kind: Namespace
metadata: {{name: {NAMESPACE}, labels: {{istio-injection: enabled}}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: cart, namespace: {NAMESPACE}}}
spec:
  selector: {{matchLabels: {{app: cart}}}}
  template:
    metadata: {{labels: {{app: cart}}}}
    spec: {{containers: [{{name: cart, image: registry.k8s.io/pause:3.10}}]}}
"
    );
    cluster.apply_stdin(&manifests)?.ok()?;
    Ok(())
}
