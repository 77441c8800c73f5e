//! What a process has cost so far, from `/proc`.

use std::{fs, time::Duration};

use anyhow::{Context, Result};

/// CPU time of all its threads, as the scheduler counts it: in nanoseconds, where `stat` has ticks of 10 ms.
///
/// # Errors
/// When there is no such process.
pub fn cpu_of(process: u32) -> Result<Duration> {
    let mut nanoseconds: u64 = 0;
    for thread in fs::read_dir(format!("/proc/{process}/task")).context("the process has ended")? {
        // A thread may end meanwhile.
        let Ok(line) = fs::read_to_string(thread?.path().join("schedstat")) else {
            continue;
        };
        let on_cpu = line.split(' ').next().unwrap_or_default();
        nanoseconds = nanoseconds.saturating_add(on_cpu.parse().context("schedstat")?);
    }
    Ok(Duration::from_nanos(nanoseconds))
}

/// Its resident memory, in KiB.
///
/// # Errors
/// When there is no such process.
pub fn resident_of(process: u32) -> Result<u64> {
    status(process, "VmRSS:")
}

/// The most resident memory that it ever had, in KiB.
///
/// # Errors
/// When there is no such process.
pub fn peak_of(process: u32) -> Result<u64> {
    status(process, "VmHWM:")
}

fn status(process: u32, field: &str) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).context("the process has ended")?;
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB"));
    Ok(kib.with_context(|| format!("{field} in status"))?.trim().parse()?)
}
