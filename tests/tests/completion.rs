//! Manners: kubectl completes a line of the plugin's as it completes its own, through the real `kubectl __complete`; and
//! what is shown keeps within the terminal, in both languages, with and without colour and with plain ASCII. On a real
//! cluster with a real mesh.

use std::time::Duration;

use anyhow::{Result, ensure};
use mesh_upgrade_tests::{
    harness::{Cluster, ClusterOptions, Istio, IstioOptions, Run, Terminal, Toolbox},
    product::{Guard, english_left, kubectl_command, mesh_upgrade},
};
use plugin::width;

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
        for language in LANGUAGES {
            keeps_within(&east, columns, language)?;
        }
    }
    is_plain(&east)?;
    the_language_is_the_locales_and_never_a_documents(&east)?;

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

/// Each language, with how the last line of each command begins in it.
const LANGUAGES: [(&str, &str); 2] = [("en", "Next:"), ("zh", "下一步：")];

/// What a command shows on a terminal of so many columns.
fn shown(
    cluster: &Cluster,
    arguments: &[&str],
    columns: u16,
    variables: &[(&str, &str)],
    last: &str,
) -> Result<String> {
    let mut command = kubectl_command(cluster, "alice")?;
    command.arg("mesh-upgrade").args(arguments);
    command.env("TERM", "xterm").env("LC_ALL", "C.UTF-8");
    command.envs(variables.iter().copied());
    let mut terminal = Terminal::start(command, columns)?;
    terminal.wait_for(last, Duration::from_secs(60))?;
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

fn keeps_within(cluster: &Cluster, columns: u16, (language, last): (&str, &str)) -> Result<()> {
    // A version that the catalog does not know has findings with causes and fixes.
    let charts = Toolbox::get()?.charts("1.33.0")?.display().to_string();
    let check = ["check", "--to", "1.33.0", "--charts", &charts];
    let near = Toolbox::get()?.charts("1.31.0")?.display().to_string();
    for arguments in [
        &["list"][..],
        &check,
        &[&check[..], &["-o", "wide"]].concat(),
        &["check", "--all", "--to", "1.31.0", "--charts", &near],
        &["plan", "--to", "1.31.0", "--charts", &near],
        &["dataplane", "status"],
        &["adopt", "--dry-run"],
        &["status"],
    ] {
        let arguments = [arguments, &["--lang", language]].concat();
        let coloured = shown(cluster, &arguments, columns, &[], last)?;
        ensure!(coloured.contains("\x1b["), "no colour on a terminal: {coloured}");
        let plain = plain(&coloured);
        if columns == 80 {
            let without = shown(cluster, &arguments, columns, &[("NO_COLOR", "1")], last)?;
            ensure!(without.replace('\r', "") == plain, "{without}\n{plain}");
        }
        let result = plain.split(&format!("\n{last}")).next().unwrap_or_default();
        if language == "zh" {
            let english = english_left(result, &[]);
            ensure!(
                english.is_empty(),
                "{arguments:?} says in English: {english:#?}\n{result}"
            );
        }
        // A command and a place are copied as a whole, and the object is one to be kept.
        let is_whole = |line: &&str| line.contains("kubectl ") || line.contains(&near) || arguments.contains(&"adopt");
        for line in result.lines().filter(|line| !is_whole(line)) {
            ensure!(
                width(line) <= usize::from(columns),
                "{columns}: {line:?} of {arguments:?}"
            );
        }
    }
    Ok(())
}

/// `LANG` chooses the language of what people read; what programs read is the same in every language.
fn the_language_is_the_locales_and_never_a_documents(cluster: &Cluster) -> Result<()> {
    let chinese = [("LC_MESSAGES", ""), ("LANG", "zh_CN.UTF-8")];
    let run = |more: &[&str], variables: &[(&str, &str)]| {
        let mut command = kubectl_command(cluster, "alice")?;
        let charts = Toolbox::get()?.charts("1.33.0")?;
        command
            .args(["mesh-upgrade", "check", "--to", "1.33.0", "--charts"])
            .arg(charts);
        command.args(more).envs(variables.iter().copied());
        Run::of(command, None)
    };
    let told = run(&[], &chinese)?;
    ensure!(
        told.stdout.contains("个阻塞项") && told.stderr.contains("下一步："),
        "{told}"
    );
    let asked_for = run(&["--lang", "en"], &chinese)?;
    ensure!(asked_for.stdout.contains("blockers, "), "{asked_for}");
    for output in ["json", "yaml"] {
        let (one, other) = (
            run(&["-o", output], &[])?,
            run(&["-o", output, "--lang", "zh"], &chinese)?,
        );
        ensure!(one.code == 3 && one.stdout == other.stdout, "{one}\n{other}");
    }
    let wrong = run(&["--context", "nowhere"], &chinese)?;
    ensure!(
        wrong.stderr.contains("错误：") && wrong.stderr.contains("nowhere"),
        "{wrong}"
    );
    Ok(())
}

/// Neither colour nor marks that a plain terminal cannot show.
fn is_plain(cluster: &Cluster) -> Result<()> {
    for arguments in [&["list"][..], &["status"]] {
        let ascii = shown(cluster, arguments, 80, &[("NO_COLOR", "1"), ("LC_ALL", "C")], "Next:")?;
        ensure!(ascii.is_ascii() && !ascii.contains('\x1b'), "{ascii:?}");
    }
    Ok(())
}
