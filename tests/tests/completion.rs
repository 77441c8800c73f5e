//! Manners: kubectl completes a line of the plugin's as it completes its own, through the real `kubectl __complete`; and
//! what is shown keeps within the terminal, with and without colour and with plain ASCII. On a real cluster with a real mesh.

use std::time::Duration;

use anyhow::{Result, ensure};
use mesh_upgrade_tests::{
    harness::{Cluster, ClusterOptions, Istio, IstioOptions, Run, Terminal, Toolbox},
    product::{Guard, kubectl_command, mesh_upgrade},
};

/// What kubectl tells the shell: lines, of which the last is the directive.
fn completed(cluster: &Cluster, words: &[&str]) -> Result<Vec<String>> {
    let mut command = kubectl_command(cluster, "alice")?;
    command.args(["__complete", "mesh-upgrade"]).args(words);
    let run = Run::of(command, None)?;
    Ok(run.ok()?.lines().map(str::to_owned).collect())
}

/// The candidates without their descriptions; no file names are to be added to them.
fn values(cluster: &Cluster, words: &[&str]) -> Result<Vec<String>> {
    let mut lines = completed(cluster, words)?;
    ensure!(lines.pop().as_deref() == Some(":4"), "{words:?}: {lines:?}");
    let value = |line: &String| line.split('\t').next().unwrap_or_default().to_owned();
    Ok(lines.iter().map(value).collect())
}

fn has(found: &[String], wanted: &str) -> bool {
    found.iter().any(|one| one == wanted)
}

#[test]
fn kubectl_completes_verbs_flags_contexts_meshes_and_versions() -> Result<()> {
    let east = Cluster::start(ClusterOptions::named("east"))?;
    let verbs = values(&east, &[""])?;
    ensure!(
        has(&verbs, "check") && has(&verbs, "apply") && has(&verbs, "guard"),
        "{verbs:?}"
    );
    ensure!(has(&values(&east, &["guard", "i"])?, "install"));
    let flags = values(&east, &["check", "--"])?;
    ensure!(has(&flags, "--to") && has(&flags, "--context"), "{flags:?}");
    ensure!(values(&east, &["list", "-o", "j"])? == ["json"]);
    ensure!(values(&east, &["list", "--context", ""])? == ["east"]);

    // Without a mesh, whatever the catalog knows; with one, where it can go.
    let all = values(&east, &["check", "--to", ""])?;
    ensure!(all.len() > 5 && has(&all, "1.29.10"), "{all:?}");
    Istio::install(&east, IstioOptions::version("1.30.3"))?;
    let meshes = completed(&east, &["check", ""])?;
    ensure!(meshes == ["default\t1.30.3 in east", ":4"], "{meshes:?}");
    let reachable = values(&east, &["check", "default", "--to", ""])?;
    ensure!(
        has(&reachable, "1.31.3") && !has(&reachable, "1.29.10"),
        "{reachable:?}"
    );
    ensure!(values(&east, &["check", "--namespace", "elsewhere", ""])?.is_empty());
    let wrong = values(&east, &["check", "--kubeconfig", "/nowhere", ""])?;
    ensure!(wrong.is_empty(), "{wrong:?}");

    let elsewhere = mesh_upgrade(&east, &["list", "-n", "elsewhere"])?;
    ensure!(
        elsewhere.ok()?.is_empty() && elsewhere.stderr.contains("No mesh found"),
        "{elsewhere}"
    );
    ensure!(
        mesh_upgrade(&east, &["list", "-n", "istio-system"])?
            .ok()?
            .contains("default")
    );

    for columns in [60, 80, 200] {
        keeps_within(&east, columns)?;
    }
    is_plain(&east)?;

    let guard = Guard::install(&east)?;
    let version = mesh_upgrade(&east, &["version"])?;
    ensure!(version.ok()?.contains("they fit together"), "{version}");
    let label = "app.kubernetes.io/version=9.0.0";
    let kind = "validatingadmissionpolicy/mesh-upgrade-own-objects";
    east.kubectl(&["label", "--overwrite", kind, label])?.ok()?;
    let newer = mesh_upgrade(&east, &["version"])?;
    ensure!(newer.ok()?.contains("this plugin is too old for the guard"), "{newer}");
    drop(guard);
    Ok(())
}

/// What a command shows on a terminal of so many columns.
fn shown(cluster: &Cluster, arguments: &[&str], columns: u16, variables: &[(&str, &str)]) -> Result<String> {
    let mut command = kubectl_command(cluster, "alice")?;
    command.arg("mesh-upgrade").args(arguments);
    command.env("TERM", "xterm").env("LC_ALL", "C.UTF-8");
    command.envs(variables.iter().copied());
    let mut terminal = Terminal::start(command, columns)?;
    // The last line of each command.
    terminal.wait_for("Next:", Duration::from_secs(60))?;
    let (_, shown) = terminal.end()?;
    Ok(shown)
}

/// Text without colours.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    for (index, part) in text.split('\x1b').enumerate() {
        let rest = if index == 0 {
            Some(part)
        } else {
            part.split_once('m').map(|(_, rest)| rest)
        };
        plain.push_str(rest.unwrap_or_default());
    }
    plain.replace('\r', "")
}

fn keeps_within(cluster: &Cluster, columns: u16) -> Result<()> {
    // A version that the catalog does not know has findings with causes and fixes.
    let charts = Toolbox::get()?.charts("1.33.0")?.display().to_string();
    let check = ["check", "--to", "1.33.0", "--charts", &charts];
    for arguments in [&["list"][..], &check, &[&check[..], &["-o", "wide"]].concat()] {
        let coloured = shown(cluster, arguments, columns, &[])?;
        ensure!(coloured.contains("\x1b["), "no colour on a terminal: {coloured}");
        let plain = plain(&coloured);
        let result = plain.split("\nNext:").next().unwrap_or_default();
        for line in result.lines() {
            ensure!(
                line.chars().count() <= usize::from(columns),
                "{columns}: {line:?} of {arguments:?}"
            );
        }
    }
    Ok(())
}

/// Neither colour nor marks that a plain terminal cannot show.
fn is_plain(cluster: &Cluster) -> Result<()> {
    for arguments in [&["list"][..], &["status"]] {
        let ascii = shown(cluster, arguments, 80, &[("NO_COLOR", "1"), ("LC_ALL", "C")])?;
        ensure!(ascii.is_ascii() && !ascii.contains('\x1b'), "{ascii:?}");
    }
    Ok(())
}
