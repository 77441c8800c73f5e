//! `cargo recordings`: the README's pictures, from real runs on a real control plane, into docs/images.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use mesh_upgrade_tests::{
    figures::say,
    harness::{Cluster, ClusterOptions, Istio, IstioOptions, Toolbox},
    pictures::Session,
    product::{Binaries, FOREIGN_CHANGE, Guard, wait_for_journal},
};

const FROM: &str = "1.30.3";
const TO: &str = "1.31.3";
const COLUMNS: u16 = 104;
const DEADLINE: Duration = Duration::from_secs(120);

fn main() -> ExitCode {
    match record() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("no pictures: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn record() -> Result<()> {
    let images = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/images");
    fs::create_dir_all(&images)?;
    Binaries::get()?;
    let cluster = Cluster::start(ClusterOptions::named("east"))?;
    let options = IstioOptions {
        replicas: 2,
        ..IstioOptions::version(FROM)
    };
    let istio = Istio::install(&cluster, options)?;
    let _guard = Guard::install(&cluster)?;
    let folder = tempfile::tempdir()?;
    let charts = Command::new("cp")
        .arg("-r")
        .arg(Toolbox::get()?.charts(TO)?)
        .arg(folder.path().join("charts"))
        .status()?;
    ensure!(charts.success(), "the charts could not be copied");
    fs::write(folder.path().join("reviews.yaml"), FOREIGN_CHANGE)?;
    let keep = |name: &str, session: &Session, title: &str| -> Result<()> {
        let path: PathBuf = images.join(name);
        let picture = session.picture(title)?;
        say(&format!("docs/images/{name}: {} KiB", picture.len().div_ceil(1024)));
        fs::write(&path, picture).with_context(|| format!("write {}", path.display()))
    };
    let start = |user: &str| Session::start(&cluster, user, folder.path(), COLUMNS);

    let mut look = start("alice")?;
    look.run("kubectl mesh-upgrade list")?;
    look.run("kubectl mesh-upgrade check --to 1.32.0")?;
    keep(
        "check.svg",
        &look,
        "kubectl mesh-upgrade list shows a mesh; check --to 1.32.0 finds what stands in the way, with cause and fix",
    )?;

    // The wizard from its first question to the upgraded mesh.
    let mut wizard = start("alice")?;
    wizard.line("kubectl mesh-upgrade")?;
    let offered = wizard.wait_for("Choose a version")?;
    let number = offered
        .lines()
        .find(|line| line.contains(TO))
        .and_then(|line| line.split_whitespace().next());
    wizard.line(number.with_context(|| offered.clone())?)?;
    wizard.wait_for("type the place")?;
    wizard.line("./charts")?;
    wizard.wait_for("Enter goes on to the upgrade")?;
    wizard.line("")?;
    wizard.wait_for("Type the mesh's name (default)")?;
    wizard.line("default")?;
    wait_for_journal(&cluster, "the point of no return", DEADLINE, |journal| {
        journal.pointer("/status/phase").and_then(|phase| phase.as_str()) == Some("Upgrading")
    })?;

    // Meanwhile, in somebody else's terminal.
    let mut other = start("admin")?;
    other.run("kubectl apply -f reviews.yaml")?;
    other.run("kubectl -n istio-system scale deployment/istiod --replicas=0")?;
    keep(
        "frozen.svg",
        &other,
        "While the mesh is upgraded, kubectl apply and kubectl scale of somebody else are refused, with the reason",
    )?;
    wizard.wait_for_prompt()?;
    keep(
        "wizard.svg",
        &wizard,
        "kubectl mesh-upgrade leads through an upgrade: choose, check, execute; at its end it shows the same as one command",
    )?;
    istio.wait_serving(&cluster, TO)
}
