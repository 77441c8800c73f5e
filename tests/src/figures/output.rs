//! The first output of each command, as a person sees it: on a terminal, in a cluster with a mesh and the guard.

use std::{
    collections::BTreeSet,
    io::Read as _,
    num::NonZeroU16,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use clap::CommandFactory as _;
use plugin::Cli;
use pty_process::{Size, blocking};

use super::{held, median, released_plugin, say};
use crate::{
    harness::{Cluster, ClusterOptions, Istio, IstioOptions, Toolbox},
    product::Guard,
};

const FROM: &str = "1.30.3";
const TO: &str = "1.31.0";
/// Runs of each command; the median counts.
const ROUNDS: usize = 9;
/// When something should be seen.
const AIM: f64 = 100.0;
/// `version --client` from its start to its end.
const VERSION_BAR: f64 = 10.0;
const ROWS: u16 = 200;
const COLUMNS: u16 = 100;

/// What becomes of a command once it has shown something.
#[derive(Clone, Copy, PartialEq)]
enum Then {
    /// It goes on to its end.
    Ends,
    /// It would ask, or go on for ever: it is stopped there, with nothing changed.
    Stopped,
}

/// What one run took.
struct Shown {
    first: Duration,
    /// Until its end, or until it was stopped.
    whole: Duration,
}

/// Measures; whether each command shows something in time.
///
/// # Errors
/// When a part is missing, or a command shows nothing.
pub fn measure() -> Result<bool> {
    let plugin = released_plugin()?;
    let charts = Toolbox::get()?.charts(TO)?.display().to_string();
    let cluster = Cluster::start(ClusterOptions::named("output"))?;
    let options = IstioOptions {
        replicas: 2,
        ..IstioOptions::version(FROM)
    };
    let _istio = Istio::install(&cluster, options)?;
    let _guard = Guard::install(&cluster)?;
    let commands = commands(&charts);
    none_is_left_out(&commands)?;
    say(&format!("medians of {ROUNDS} runs, first output and all of it:"));
    let mut met = true;
    for (words, then) in commands {
        let (mut first, mut whole) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let shown = shown(&cluster, &plugin, &words, then)?;
            first.push(shown.first);
            whole.push(shown.whole);
        }
        let name = words.join(" ").replace(&charts, "DIR");
        let name = if name.is_empty() {
            "(the wizard)".to_owned()
        } else {
            name
        };
        met &= held(&name, millis(median(first)), AIM, " ms");
        let all = millis(median(whole));
        if words == ["version", "--client"] {
            met &= held("  from start to end", all, VERSION_BAR, " ms");
        } else if then == Then::Ends {
            say(&format!("    all of it: {all:.0} ms"));
        }
    }
    Ok(met)
}

/// Each command that shows something of its own, the removal of the guard last.
fn commands(charts: &str) -> Vec<(Vec<&str>, Then)> {
    let to = ["--to", TO, "--charts", charts];
    let with = |verb: &'static str| [&[verb][..], &to].concat();
    vec![
        (vec!["version", "--client"], Then::Ends),
        (vec!["--help"], Then::Ends),
        (vec!["explain", "MU101"], Then::Ends),
        (vec!["version"], Then::Ends),
        (vec!["list"], Then::Ends),
        (with("check"), Then::Ends),
        (with("plan"), Then::Ends),
        (with("guide"), Then::Ends),
        (vec!["status"], Then::Ends),
        (vec!["dataplane", "status"], Then::Ends),
        (vec!["adopt", "--dry-run"], Then::Ends),
        (vec!["unlock", "--reason", "measured"], Then::Ends),
        (vec![], Then::Stopped),
        (with("apply"), Then::Stopped),
        (vec!["guard", "status"], Then::Ends),
        (vec!["guard", "install", "--policy-only"], Then::Ends),
        (vec!["guard", "uninstall", "--yes"], Then::Ends),
    ]
}

/// A verb that is new must be measured, too.
fn none_is_left_out(commands: &[(Vec<&str>, Then)]) -> Result<()> {
    let mut known = BTreeSet::new();
    for verb in Cli::command().get_subcommands() {
        let name = verb.get_name();
        if verb.has_subcommands() {
            known.extend(verb.get_subcommands().map(|one| format!("{name} {}", one.get_name())));
        } else {
            known.insert(name.to_owned());
        }
    }
    known.retain(|verb| {
        !commands
            .iter()
            .any(|(words, _)| words.join(" ").starts_with(verb.as_str()))
    });
    ensure!(known.is_empty(), "not measured: {known:?}");
    Ok(())
}

/// Runs the plugin itself on a terminal: kubectl's own start is not ours to measure.
fn shown(cluster: &Cluster, plugin: &Path, words: &[&str], then: Then) -> Result<Shown> {
    let mut command: Command = cluster.command(plugin)?;
    command
        .env("KUBECONFIG", cluster.kubeconfig_for("alice")?)
        .env("TERM", "xterm-256color")
        .env("LC_ALL", "C.UTF-8")
        .args(words);
    let (pty, other_end) = blocking::open().context("open a pseudo-terminal")?;
    pty.resize(Size::new(ROWS, COLUMNS))?;
    let size = |number| NonZeroU16::new(number).context("a size of zero");
    let mut screen = vt100::Parser::new(size(ROWS)?, size(COLUMNS)?, 0);
    let began = Instant::now();
    let mut child = blocking::Command::from(command)
        .spawn(other_end)
        .context("start the plugin")?;
    let (mut first, mut buffer) = (None, [0; 4096]);
    // The end of the program ends the reading, with an error on Linux.
    while let Ok(count @ 1..) = (&pty).read(&mut buffer) {
        let read = Instant::now();
        screen.process(buffer.get(..count).unwrap_or_default());
        // What only moves the cursor or sets a colour shows nothing.
        if first.is_none() && !screen.screen().contents().trim().is_empty() {
            first = Some(read - began);
            if then == Then::Stopped {
                child.kill()?;
            }
        }
    }
    child.wait()?;
    let whole = began.elapsed();
    let first = first.with_context(|| format!("{words:?} showed nothing"))?;
    Ok(Shown { first, whole })
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verb_is_measured() {
        none_is_left_out(&commands("charts")).unwrap();
        let without: Vec<_> = commands("charts")
            .into_iter()
            .filter(|(words, _)| words != &["list"])
            .collect();
        let told = none_is_left_out(&without).unwrap_err().to_string();
        assert!(told.contains("list"), "{told}");
    }
}
