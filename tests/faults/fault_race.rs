//! Two drivers of one upgrade, one of them stopped past its lease and continued, at seeded moments: exactly one of them
//! holds the mesh, and nothing of the other is accepted.
//!
//! `SEEDS=12-15` restricts it to a range, to repeat what failed.

use std::{
    io::Write as _,
    ops::RangeInclusive,
    sync::atomic::{AtomicU64, Ordering},
};

use anyhow::{Context, Result, anyhow, ensure};
use mesh_upgrade_tests::{
    harness::no_leftovers,
    race::{Outcome, Setting, run},
};

/// Most of a run is waiting for a lease to stand still, so that two cores carry this many clusters.
const AT_ONCE: usize = 4;

#[test]
fn two_drivers_are_never_both_holders() -> Result<()> {
    let seeds = seeds()?;
    let next = AtomicU64::new(*seeds.start());
    let ended: Vec<(u64, Option<Outcome>)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(|| work(&seeds, &next))).collect();
        workers
            .into_iter()
            .map(|worker| worker.join().map_err(|_| anyhow!("a race panicked")))
            .collect::<Result<Vec<_>>>()
    })?
    .into_iter()
    .flatten()
    .collect();
    let failed: Vec<u64> = ended
        .iter()
        .filter(|(_, outcome)| outcome.is_none())
        .map(|(seed, _)| *seed)
        .collect();
    ensure!(failed.is_empty(), "of {} seeds these failed: {failed:?}", ended.len());
    let outcomes: Vec<&Outcome> = ended.iter().filter_map(|(_, outcome)| outcome.as_ref()).collect();
    let accepted: usize = outcomes.iter().flat_map(|outcome| outcome.accepted.values()).sum();
    let refused: usize = outcomes.iter().map(|outcome| outcome.stale_refused).sum();
    let taken_over = outcomes
        .iter()
        .filter(|outcome| outcome.exits.1 == 0 && outcome.stopped_at.is_some())
        .count();
    // A race in which nobody is late proves nothing.
    ensure!(
        taken_over > 0 && accepted > 0 && refused > 0,
        "{} runs, {taken_over} taken over, {accepted} writes accepted, {refused} stale ones refused",
        outcomes.len()
    );
    tell(&format!(
        "{} runs, {taken_over} of them taken over: {accepted} writes accepted, none of them with an epoch that another \
         had followed; {refused} such writes refused by the API server",
        outcomes.len()
    ));
    no_leftovers()
}

fn work(seeds: &RangeInclusive<u64>, next: &AtomicU64) -> Vec<(u64, Option<Outcome>)> {
    let mut ended = Vec::new();
    loop {
        let seed = next.fetch_add(1, Ordering::SeqCst);
        if !seeds.contains(&seed) {
            return ended;
        }
        let setting = Setting::of(seed);
        match run(seed) {
            Ok(outcome) => {
                tell(&format!("seed {seed}, {setting:?}: {outcome:?}"));
                ended.push((seed, Some(outcome)));
            }
            Err(why) => {
                tell(&format!("seed {seed}, {setting:?}: FAILED: {why:#}"));
                ended.push((seed, None));
            }
        }
    }
}

/// Past the runner's capture: it takes long, and the figures are to be recorded.
fn tell(text: &str) {
    // A closed standard error is no reason to stop.
    let _ = writeln!(std::io::stderr(), "{text}");
}

fn seeds() -> Result<RangeInclusive<u64>> {
    let text = std::env::var("SEEDS").unwrap_or_else(|_| "1-40".to_owned());
    let (first, last) = text.split_once('-').context("SEEDS is FIRST-LAST")?;
    Ok(first.parse()?..=last.parse()?)
}
