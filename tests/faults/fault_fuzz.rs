//! Ten million inputs for what is read from strangers, made of the corpus; and memory that stays what it was.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use mesh_upgrade_tests::fuzz::TARGETS;

const INPUTS: u64 = 10_000_000;
/// Threads, each with inputs of its own.
const THREADS: u64 = 2;
/// Most memory that the whole of it may take: a release of 2 MiB may inflate to 32, of which values of 4 are kept.
const MEMORY_MIB: u64 = 300;

#[test]
fn ten_million_inputs() -> Result<()> {
    let mut all = 0;
    for target in TARGETS {
        let each = INPUTS * target.share / 100 / THREADS;
        let began = Instant::now();
        std::thread::scope(|scope| {
            let hunts: Vec<_> = (0..THREADS)
                .map(|seed| scope.spawn(move || target.hunt(seed + 100, each)))
                .collect();
            hunts
                .into_iter()
                .try_for_each(|hunt| hunt.join().map_err(|_| anyhow::anyhow!("a thread panicked"))?)
        })?;
        let count = each * THREADS;
        all += count;
        println!(
            "{}: {count} inputs, {:.0} a second",
            target.name,
            count as f64 / began.elapsed().as_secs_f64()
        );
    }
    ensure!(all >= INPUTS, "only {all} inputs");
    let peak = peak_mib()?;
    println!("{all} inputs in all; peak memory {peak} MiB");
    ensure!(peak <= MEMORY_MIB, "peak memory is {peak} MiB");
    Ok(())
}

/// The most memory that this process ever had, in MiB.
fn peak_mib() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    Ok(kib.context("VmHWM in /proc/self/status")?.trim().parse::<u64>()? / 1024)
}
