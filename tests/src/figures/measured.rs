//! A program's run, measured from outside: wall time, processor and peak memory.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::say;
use crate::harness::Cluster;

/// How often a program's memory is looked at. The kernel keeps the peak; only that of the last moment may be missed.
const EVERY: Duration = Duration::from_millis(2);
/// The same of a program that runs for longer: every look takes a processor's time from what is measured.
const EVERY_OF_LONGER: Duration = Duration::from_millis(20);
/// From when on a program runs for longer.
const LONGER: Duration = Duration::from_secs(1);

/// How long a quiet machine is waited for.
const QUIET_WITHIN: Duration = Duration::from_secs(30);

/// What one run took.
#[derive(Debug, Clone)]
pub(super) struct Measured {
    pub wall: Duration,
    /// Peak of the resident set (`VmHWM`).
    pub peak_kib: u64,
    /// Processor time of all its threads, in the kernel's ticks of 10 ms; the last moment may be missed.
    pub ticks: u64,
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// Runs a program to its end.
pub(super) fn measured(mut command: Command) -> Result<Measured> {
    let (out, error) = (tempfile::NamedTempFile::new()?, tempfile::NamedTempFile::new()?);
    command
        .stdin(Stdio::null())
        .stdout(File::create(out.path())?)
        .stderr(File::create(error.path())?);
    let began = Instant::now();
    let mut child = command.spawn().context("start the measured program")?;
    let status = format!("/proc/{}/status", child.id());
    let times = format!("/proc/{}/stat", child.id());
    let (mut peak_kib, mut ticks) = (0, 0);
    let ended = loop {
        if let Some(ended) = child.try_wait()? {
            break ended;
        }
        peak_kib = peak_kib.max(peak(&status).unwrap_or_default());
        ticks = ticks.max(processor(&times).unwrap_or_default());
        let is_longer = began.elapsed() > LONGER;
        std::thread::sleep(if is_longer { EVERY_OF_LONGER } else { EVERY });
    };
    let wall = began.elapsed();
    let code = ended.code().context("a signal ended the measured program")?;
    Ok(Measured {
        wall,
        peak_kib,
        ticks,
        code,
        stdout: std::fs::read_to_string(out.path())?,
        stderr: std::fs::read_to_string(error.path())?,
    })
}

fn peak(status: &str) -> Option<u64> {
    let text = std::fs::read_to_string(status).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

/// User and system time: fields 14 and 15, counted behind the program's name, which may hold spaces.
fn processor(stat: &str) -> Option<u64> {
    let text = std::fs::read_to_string(stat).ok()?;
    let mut fields = text.rsplit_once(')')?.1.split_whitespace().skip(11);
    let (user, system): (u64, u64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(user + system)
}

/// Processor time of this process, in the same ticks: the stand-ins run in it.
pub(super) fn processor_of_this() -> u64 {
    processor("/proc/self/stat").unwrap_or_default()
}

/// Medians of several runs: wall time and peak memory.
pub(super) fn medians(runs: &[Measured]) -> Result<(Duration, u64)> {
    ensure!(!runs.is_empty(), "nothing was run");
    let mut walls: Vec<Duration> = runs.iter().map(|run| run.wall).collect();
    let mut peaks: Vec<u64> = runs.iter().map(|run| run.peak_kib).collect();
    walls.sort_unstable();
    peaks.sort_unstable();
    let middle = runs.len() / 2;
    let wall = walls.get(middle).copied().unwrap_or_default();
    Ok((wall, peaks.get(middle).copied().unwrap_or_default()))
}

/// Whether a check came to an end, free or blocked.
pub(super) fn judged(runs: &[Measured]) -> Result<()> {
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
pub(super) fn cost(report: &Value) -> String {
    let sum = |field: &str| -> u64 {
        let stats = report.get("stats").and_then(Value::as_array).into_iter().flatten();
        stats.filter_map(|one| one.get(field)?.as_u64()).sum()
    };
    format!("{} calls, {} KiB received", sum("calls"), sum("bytes") / 1024)
}

/// Prints what the runs of one command took.
pub(super) fn show(name: &str, runs: &[Measured]) -> Result<()> {
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

/// A program that is to be measured, as somebody in a cluster.
pub(super) fn command(cluster: &Cluster, program: &Path, arguments: &[&str]) -> Result<Command> {
    let mut command = cluster.command(program)?;
    command.args(arguments);
    Ok(command)
}

/// Waits until the machine has been idle but for a tenth for a second, so that what was installed or removed just before is
/// not measured with it; an API server computes its OpenAPI anew for seconds. Goes on where others keep the machine busy.
pub(super) fn wait_for_quiet() -> Result<()> {
    let began = Instant::now();
    let mut before = idle_and_all()?;
    while began.elapsed() < QUIET_WITHIN {
        std::thread::sleep(Duration::from_secs(1));
        let now = idle_and_all()?;
        let (idle, all) = (now.0 - before.0, now.1 - before.1);
        if idle * 10 >= all * 9 {
            return Ok(());
        }
        before = now;
    }
    say("    (the machine did not become quiet)");
    Ok(())
}

/// All processors' ticks since the machine started: idle ones, and all.
fn idle_and_all() -> Result<(u64, u64)> {
    let stat = std::fs::read_to_string("/proc/stat")?;
    let line = stat.lines().next().unwrap_or_default();
    let ticks: Vec<u64> = line.split_whitespace().filter_map(|field| field.parse().ok()).collect();
    Ok((ticks.get(3).copied().unwrap_or_default(), ticks.iter().sum()))
}
