//! The wizard, led through a pseudo-terminal on the real control plane: wrong answers, going back in each step, a blocked
//! check that is mended and checked again, Ctrl-C in each step, what is shown while a component rolls out, Ctrl-C under it, and
//! an upgrade that is gone on with.

use std::{os::unix::process::ExitStatusExt as _, path::Path, time::Duration};

use anyhow::{Context as _, Result, ensure};
use mesh_upgrade_tests::{
    harness::{Cluster, ClusterOptions, Istio, IstioOptions, Terminal, Toolbox, wait_until},
    product::{Guard, HeldHelm, kubectl_command, newest},
};
use serde_json::{Value, json};

const FROM: &str = "1.30.3";
/// The newest patch that the catalog knows one minor ahead: what the wizard offers.
const TO: &str = "1.31.3";
const SOON: Duration = Duration::from_secs(60);
/// For the upgrade itself.
const LATER: Duration = Duration::from_secs(180);
/// What is asked where two upgrades have begun.
const CHOOSE: &str = "Choose the one to go on with, 1 to 2; q quits:";
/// The label of what belongs to the guard.
const OF_GUARD: &str = "app.kubernetes.io/part-of=mesh-upgrade";
/// What Ctrl-C ends a program with.
const SIGINT: i32 = 2;

fn wizard(cluster: &Cluster) -> Result<Terminal> {
    wizard_in(cluster, "C.UTF-8")
}

fn wizard_in(cluster: &Cluster, locale: &str) -> Result<Terminal> {
    let mut command = kubectl_command(cluster, "alice")?;
    command.arg("mesh-upgrade").env("NO_COLOR", "1").env("LC_ALL", locale);
    Terminal::start(command, 100)
}

/// One that finds this helm before all others.
fn wizard_with(cluster: &Cluster, helm: &HeldHelm) -> Result<Terminal> {
    let mut command = kubectl_command(cluster, "alice")?;
    let path = command.get_envs().find(|(name, _)| *name == "PATH");
    let path = path.and_then(|(_, path)| path).context("no PATH")?;
    let path = std::iter::once(helm.dir().to_owned()).chain(std::env::split_paths(path));
    let path = std::env::join_paths(path)?;
    command
        .arg("mesh-upgrade")
        .env("PATH", path)
        .env("NO_COLOR", "1")
        .env("LC_ALL", "C.UTF-8");
    Terminal::start(command, 100)
}

/// Chooses the version by the number before it, and the charts.
fn choose(terminal: &mut Terminal, charts: &Path) -> Result<()> {
    terminal.wait_for("Step 1 of 3", SOON)?;
    let offered = terminal.wait_for("Choose a version", SOON)?;
    ensure!(
        offered.contains("There is no way back") && offered.contains("It is in cluster "),
        "{offered}"
    );
    let line = offered
        .lines()
        .find(|line| line.contains(TO))
        .with_context(|| offered.clone())?;
    let number = line.split_whitespace().next().context("its number")?;
    terminal.line(number)?;
    terminal.wait_for("type the place", SOON)?;
    terminal.line(&charts.display().to_string())
}

fn nothing_was_begun(cluster: &Cluster) -> Result<()> {
    let journals = cluster.kubectl(&["get", "meshupgrades,meshfreezes", "-o", "name"])?;
    ensure!(journals.stdout.is_empty(), "something was begun: {journals}");
    Ok(())
}

#[test]
fn three_steps_with_every_way_back_and_every_way_out() -> Result<()> {
    let cluster = Cluster::start(ClusterOptions::named("east"))?;
    let istio = Istio::install(&cluster, IstioOptions::version(FROM))?;
    let charts = Toolbox::get()?.charts(TO)?;

    // Left in the first step and in the second, by Ctrl-C.
    let mut terminal = wizard(&cluster)?;
    terminal.wait_for("Choose a version", SOON)?;
    terminal.interrupt()?;
    let (status, shown) = terminal.end()?;
    ensure!(status.signal() == Some(SIGINT), "{status}: {shown}");
    let mut terminal = wizard(&cluster)?;
    choose(&mut terminal, &charts)?;
    terminal.wait_for("r or Enter checks again", SOON)?;
    terminal.interrupt()?;
    let (status, shown) = terminal.end()?;
    ensure!(status.signal() == Some(SIGINT), "{status}: {shown}");
    nothing_was_begun(&cluster)?;

    // A wrong answer is asked again; the way back is open; what blocks is mended meanwhile and checked again.
    let mut terminal = wizard(&cluster)?;
    terminal.wait_for("Choose a version", SOON)?;
    terminal.line("99")?;
    terminal.wait_for("99 is none of these.", SOON)?;
    terminal.wait_for("Choose a version", SOON)?;
    terminal.line("r")?;
    choose(&mut terminal, &charts)?;
    let blocked = terminal.wait_for("r or Enter checks again", SOON)?;
    ensure!(blocked.contains("guard install"), "{blocked}");
    terminal.line("b")?;
    choose(&mut terminal, &charts)?;
    terminal.wait_for("r or Enter checks again", SOON)?;
    let _guard = Guard::install(&cluster)?;
    terminal.line("r")?;
    terminal.wait_for("Enter goes on to the upgrade", SOON)?;

    // The last question: another answer than the mesh's name changes nothing, and leads back.
    terminal.line("")?;
    terminal.wait_for("Step 3 of 3", SOON)?;
    let question = format!("Type the mesh's name (default) to upgrade it from {FROM} to {TO} in");
    terminal.wait_for(&question, SOON)?;
    terminal.line("yes")?;
    terminal.wait_for("not confirmed: nothing was changed", SOON)?;
    terminal.line("b")?;
    terminal.wait_for("Step 2 of 3", SOON)?;
    terminal.wait_for("Enter goes on to the upgrade", SOON)?;
    terminal.line("")?;
    terminal.wait_for("Type the mesh's name (default)", SOON)?;
    terminal.interrupt()?;
    let (status, shown) = terminal.end()?;
    ensure!(status.signal() == Some(SIGINT), "{status}: {shown}");
    nothing_was_begun(&cluster)?;

    // Begun, and stopped by Ctrl-C: the upgrade ends after its step, and says how to go on.
    let helm = HeldHelm::before("istiod")?;
    let mut terminal = wizard_with(&cluster, &helm)?;
    choose(&mut terminal, &charts)?;
    terminal.wait_for("Enter goes on to the upgrade", SOON)?;
    terminal.line("")?;
    terminal.wait_for("Type the mesh's name (default)", SOON)?;
    terminal.line("default")?;
    stopped_after_its_step(&cluster, terminal, &helm)?;

    // Whoever comes next is led to its end, and shown the command.
    let mut terminal = wizard(&cluster)?;
    terminal.wait_for(&format!("An upgrade of mesh default to {TO} has begun"), SOON)?;
    terminal.line("")?;
    terminal.wait_for(&format!("Mesh default runs {TO}."), LATER)?;
    terminal.wait_for("The same without questions: kubectl mesh-upgrade apply default", SOON)?;
    let (status, shown) = terminal.end()?;
    ensure!(status.success() && !shown.contains("Next:"), "{status}: {shown}");
    istio.wait_serving(&cluster, TO)?;

    // At the newest version nothing is offered, and that is said.
    let mut terminal = wizard(&cluster)?;
    terminal.wait_for("Mesh default runs the newest Istio of", SOON)?;
    terminal.wait_for("r looks again, q quits:", SOON)?;
    terminal.line("q")?;
    let (status, shown) = terminal.end()?;
    ensure!(status.success(), "{status}: {shown}");

    // The same in Chinese, as the locale of whoever is led asks for.
    let mut terminal = wizard_in(&cluster, "zh_CN.UTF-8")?;
    terminal.wait_for("第 1 步（共 3 步）：选择网格及其版本", SOON)?;
    terminal.wait_for("网格 default 运行的是", SOON)?;
    terminal.wait_for("r 重新查看，q 退出：", SOON)?;
    terminal.line("q")?;
    let (status, shown) = terminal.end()?;
    ensure!(status.success(), "{status}: {shown}");
    which_of_several_begun(&cluster)
}

/// Held before istiod it shows how far it is and what it waits for, while nothing but helm does anything. One Ctrl-C lets istiod
/// come to its end, and nothing is begun after it.
fn stopped_after_its_step(cluster: &Cluster, mut terminal: Terminal, helm: &HeldHelm) -> Result<()> {
    const FAR: &str = "1 of 2 components done, istiod istio-system/istiod of cluster east under way, driven by alice";
    let due = format!("waiting for Deployment istio-system/istiod to run {TO} (now ");
    let rolls_out = "waiting for Deployment istio-system/istiod to roll out (0/1 pods ready and new) ";
    helm.wait_until_reached(LATER)?;
    terminal.wait_for_screen(&["► Upgrading", FAR, &due], SOON)?;
    terminal.interrupt()?;
    terminal.wait_for("stopping after this step; press Ctrl-C again to leave at once", SOON)?;
    // It drives on: it renews its Lease, and sees that the new istiod finds no node.
    let before = renewed(cluster)?;
    wait_until("the Lease to be renewed", SOON, || {
        Ok((renewed(cluster)? != before).then_some(()))
    })?;
    let nodes = cluster.kubectl(&["get", "nodes", "-o", "name"])?;
    let nodes: Vec<&str> = nodes.ok()?.lines().collect();
    cluster.kubectl(&[&["cordon"][..], nodes.as_slice()].concat())?.ok()?;
    helm.release()?;
    let screen = terminal.wait_for_screen(&["► Upgrading", FAR, rolls_out], SOON)?;
    let elapsed = screen.rsplit(rolls_out).next().and_then(|rest| rest.split(' ').next());
    let number = elapsed.and_then(|elapsed| elapsed.strip_suffix(['s', 'm']));
    ensure!(number.is_some_and(|number| number.parse::<u32>().is_ok()), "{screen}");
    cluster.kubectl(&[&["uncordon"][..], nodes.as_slice()].concat())?.ok()?;

    terminal.wait_for("the mesh stays frozen", LATER)?;
    terminal.wait_for("go on with: kubectl mesh-upgrade apply default", SOON)?;
    let (status, shown) = terminal.end()?;
    ensure!(status.code() == Some(1), "{status}: {shown}");
    let journal = newest(cluster)?.context("no journal")?;
    let steps = journal.pointer("/status/steps").and_then(Value::as_array);
    let states: Vec<_> = steps.into_iter().flatten().map(|step| step.get("state")).collect();
    ensure!(states == [Some(&json!("Done")); 2], "{journal:#}");
    // What comes next is written down, and not begun.
    let history = journal.pointer("/status/history").and_then(Value::as_array);
    let last = history.and_then(|history| history.last()?.get("what")?.as_str());
    ensure!(
        last == Some("Verifying: every component is at the target"),
        "{journal:#}"
    );
    Ok(())
}

/// When the driver renewed its Lease last.
fn renewed(cluster: &Cluster) -> Result<String> {
    let lease = ["get", "lease", "mesh-upgrade-default", "-n", "mesh-upgrade-system"];
    let found = cluster.kubectl(&[&lease[..], &["-o", "jsonpath={.spec.renewTime}"]].concat())?;
    Ok(found.ok()?.to_owned())
}

/// Of several upgrades that have begun one is chosen, by its number, and gone on with. The journals are copies of the one
/// above for two meshes that are not there, so that going on ends with an error that names the mesh.
fn which_of_several_begun(cluster: &Cluster) -> Result<()> {
    let journal = newest(cluster)?.context("no journal")?;
    // Nobody but a driver may write them while the guard stands.
    cluster
        .kubectl(&[
            "delete",
            "validatingadmissionpolicybindings,validatingwebhookconfigurations",
            "-l",
            OF_GUARD,
        ])?
        .ok()?;
    for mesh in ["shop", "stage"] {
        let mut begun = json!({
            "apiVersion": journal.get("apiVersion"), "kind": "MeshUpgrade", "metadata": {"name": mesh},
            "spec": journal.get("spec"),
        });
        *begun.pointer_mut("/spec/mesh").context("the journal's mesh")? = mesh.into();
        wait_until("the guard's policies to be gone", SOON, || {
            Ok(cluster.apply_stdin(&begun.to_string())?.success().then_some(()))
        })?;
    }
    for (locale, several, choose) in [
        (
            "C.UTF-8",
            "Upgrades of several meshes have begun. Each can only go on.",
            CHOOSE,
        ),
        (
            "zh_CN.UTF-8",
            "有多个网格的升级已经开始。每一个都只能继续下去。",
            "选择要继续的升级，1 到 2；q 退出：",
        ),
    ] {
        let mut terminal = wizard_in(cluster, locale)?;
        terminal.wait_for(several, SOON)?;
        let offered = terminal.wait_for(choose, SOON)?;
        let mut rows = offered.lines().filter(|line| line.contains(TO));
        for row in ["1   shop", "2   stage"] {
            ensure!(rows.next().is_some_and(|line| line.contains(row)), "{offered}");
        }
        terminal.line("q")?;
        let (status, shown) = terminal.end()?;
        ensure!(status.success(), "{status}: {shown}");
        let mut terminal = wizard_in(cluster, locale)?;
        terminal.wait_for(choose, SOON)?;
        terminal.interrupt()?;
        let (status, shown) = terminal.end()?;
        ensure!(status.signal() == Some(SIGINT), "{status}: {shown}");
    }
    let mut terminal = wizard(cluster)?;
    terminal.wait_for(CHOOSE, SOON)?;
    // No number, and one too many: asked again.
    for wrong in ["", "3"] {
        terminal.line(wrong)?;
        terminal.wait_for(CHOOSE, SOON)?;
    }
    terminal.line("2")?;
    let between = terminal.wait_for("Step 3 of 3", SOON)?;
    ensure!(!between.contains("shop"), "{between}");
    terminal.wait_for("kubectl mesh-upgrade apply stage", SOON)?;
    let (status, shown) = terminal.end()?;
    ensure!(!status.success() && !shown.contains("apply shop"), "{status}: {shown}");
    Ok(())
}
