//! A member of a mesh cut off from whoever upgrades it, before, during and after its turn: it blocks before, and stalls
//! the upgrade afterwards, with its name and the reason; when it is back, the same command goes on.

use std::{
    io::Write as _,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use mesh_upgrade_tests::{
    harness::{Proxy, Run, Started, Treatment, no_leftovers},
    product::{HeldHelm, SeveralClusters},
};

const DEADLINE: Duration = Duration::from_secs(300);
const FROM: &str = "1.30.3";
const TO: &str = "1.31.0";

#[test]
fn a_member_that_is_cut_off_blocks_before_and_stalls_during_and_after_its_turn() -> Result<()> {
    let mesh = SeveralClusters::start()?;
    let cut = Arc::new(AtomicBool::new(true));
    let is_cut = Arc::clone(&cut);
    let proxy = Proxy::start(mesh.cluster("west")?, "alice", move |_| {
        Some(if is_cut.load(Ordering::SeqCst) {
            Treatment::Cut
        } else {
            Treatment::Pass
        })
    })?;
    let kubeconfig = mesh.kubeconfig_with("west", proxy.kubeconfig())?;
    let apply = |more: &[&str]| -> Result<_> {
        let mut command = mesh.apply("east", more)?;
        command.env("KUBECONFIG", &kubeconfig);
        Ok(command)
    };

    // Before: nothing is begun.
    let before = Run::of(apply(&[])?, None)?;
    ensure!(before.code == 3 && before.stderr.contains("MU901"), "{before}");
    ensure!(mesh.charts("east")? == [FROM, FROM]);
    mesh.is_open()?;
    cut.store(false, Ordering::SeqCst);

    // At east's turn, at west's own, and at north's, after it.
    for turn in ["east", "west", "north"] {
        let helm = HeldHelm::at(turn, "istiod")?;
        let program = helm.program().display().to_string();
        let mut running = Started::of(apply(&["--helm", &program])?)?;
        let reached = helm.wait_until_reached_by(&mut running.child, DEADLINE);
        reached.with_context(|| running.said())?;
        let since = Instant::now();
        cut.store(true, Ordering::SeqCst);
        helm.release()?;
        let ended = running.ended()?;
        let said = running.said();
        ensure!(ended.code() == Some(1) && said.contains("stalled ("), "{turn}: {said}");
        let why = said.lines().find(|line| line.contains("stalled (")).unwrap_or_default();
        ensure!(why.contains("west"), "{turn}: {why}");
        mesh.is_frozen()?;
        tell(&format!(
            "cut off at the turn of {turn}, stalled after {:?}: {why}",
            since.elapsed()
        ));

        // Not reached at all, it stalls at once, and says so again.
        let again = Run::of(apply(&[])?, None)?;
        ensure!(again.code == 1 && again.stderr.contains("stalled ("), "{turn}: {again}");
        ensure!(again.stderr.contains("cluster west is Unknown"), "{turn}: {again}");
        cut.store(false, Ordering::SeqCst);
    }
    Run::of(apply(&[])?, None)?.ok()?;
    let journal = mesh.arrived()?;
    ensure!(journal.pointer("/status/phase").is_some(), "{journal:#}");
    for name in ["east", "west", "north"] {
        ensure!(mesh.charts(name)? == [TO, TO], "{name}");
    }
    drop(proxy);
    drop(mesh);
    no_leftovers()
}

#[test]
fn a_hosted_mesh_is_upgraded_in_its_host_and_its_members() -> Result<()> {
    let mesh = SeveralClusters::hosted()?;
    let unled = Run::of(mesh.apply("west", &[])?, None)?;
    ensure!(unled.code == 1 && unled.stderr.contains("no mesh was found"), "{unled}");
    let named = mesh.run("east", &["list"])?;
    ensure!(
        named.stdout.contains("Hosted") && named.stdout.contains("east,west,north"),
        "{named}"
    );
    Run::of(mesh.apply("east", &[])?, None)?.ok()?;
    mesh.arrived()?;
    drop(mesh);
    no_leftovers()
}

/// Past the runner's capture: the figures are to be recorded.
fn tell(text: &str) {
    // A closed standard error is no reason to stop.
    let _ = writeln!(std::io::stderr(), "{text}");
}
