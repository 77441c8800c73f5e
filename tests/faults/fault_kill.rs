//! The real plugin killed before and after every journal write, and before every request that helm makes, enumerated.
//!
//! `KILL_POINTS=3,12-15` restricts it to these numbers, to repeat what failed; `KILL_POINTS=1-999/10` takes each tenth.

use std::{
    io::Write as _,
    ops::RangeInclusive,
    sync::atomic::{AtomicUsize, Ordering},
};

use anyhow::{Context, Result, anyhow, ensure};
use mesh_upgrade_tests::{
    harness::Moment,
    kill::{KillPoint, Kind, count, kill_and_finish},
};

/// Clusters at the same time.
const AT_ONCE: usize = 3;

#[test]
fn killed_before_and_after_every_journal_write() -> Result<()> {
    let writes = count(Kind::JournalWrite)?.len();
    let points = (1..=writes).flat_map(|number| {
        [Moment::Before, Moment::After].map(|moment| KillPoint {
            kind: Kind::JournalWrite,
            number,
            moment,
        })
    });
    enumerate("journal writes", writes, points.collect())
}

#[test]
fn killed_before_every_request_of_helm() -> Result<()> {
    let requests = count(Kind::HelmRequest)?.len();
    let points = (1..=requests).map(|number| KillPoint {
        kind: Kind::HelmRequest,
        number,
        moment: Moment::Before,
    });
    enumerate("requests of helm", requests, points.collect())
}

fn enumerate(what: &str, found: usize, points: Vec<KillPoint>) -> Result<()> {
    ensure!(found > 10, "only {found} {what}: is the proxy in use?");
    let chosen = chosen()?;
    let points: Vec<KillPoint> = points.into_iter().filter(|point| chosen(point.number)).collect();
    tell(&format!("{found} {what}, {} kill points", points.len()));
    let next = AtomicUsize::new(0);
    let failed: Vec<KillPoint> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(|| work(&points, &next))).collect();
        workers
            .into_iter()
            .map(|worker| worker.join().map_err(|_| anyhow!("killing an upgrade panicked")))
            .collect::<Result<Vec<_>>>()
    })?
    .concat();
    ensure!(
        failed.is_empty(),
        "of {} kill points these failed: {failed:?}",
        points.len()
    );
    tell(&format!("{} kill points reached the same end state", points.len()));
    Ok(())
}

/// Takes one point after the other; gives those that failed.
fn work(points: &[KillPoint], next: &AtomicUsize) -> Vec<KillPoint> {
    let mut failed = Vec::new();
    while let Some(point) = points.get(next.fetch_add(1, Ordering::SeqCst)) {
        match kill_and_finish(*point) {
            Ok(outcome) => tell(&format!("{point:?}: {outcome:?}")),
            Err(why) => {
                tell(&format!("{point:?}: FAILED: {why:#}"));
                failed.push(*point);
            }
        }
    }
    failed
}

/// Past the runner's capture: it takes long, and the figures are to be recorded.
fn tell(text: &str) {
    // A closed standard error is no reason to stop.
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Whether a number is one of those to be killed at.
fn chosen() -> Result<impl Fn(usize) -> bool> {
    let text = std::env::var("KILL_POINTS").unwrap_or_else(|_| format!("1-{}", usize::MAX));
    let ranges = text.split(',').map(range).collect::<Result<Vec<_>>>();
    let ranges = ranges.context("KILL_POINTS is like 3,12-15,20-90/10")?;
    Ok(move |number| {
        let mut ranges = ranges.iter();
        ranges.any(|(range, step)| range.contains(&number) && (number - range.start()).is_multiple_of(*step))
    })
}

fn range(text: &str) -> Result<(RangeInclusive<usize>, usize)> {
    let (range, step) = text.split_once('/').unwrap_or((text, "1"));
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    Ok((first.parse()?..=last.parse()?, step.parse()?))
}
