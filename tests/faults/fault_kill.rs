//! The real plugin killed before and after every journal write, and before every request that helm makes, enumerated: for
//! an upgrade in place, for both upgrades of a canary, and by journal writes for istioctl, Argo CD, Flux and the Sail Operator in
//! both of its strategies, the latter three by stand-ins with the real helm and charts; by journal writes, too, for one that is
//! withdrawn and for one of two clusters; and for helm 3 before every request while a release is pending.
//!
//! `KILL_POINTS=3,12-15` restricts it to these numbers, to repeat what failed; `KILL_POINTS=1-999/10` takes each tenth, and
//! `KILL_POINTS=all` every one, of a canary's requests of helm, too.

use std::{
    io::Write as _,
    ops::RangeInclusive,
    sync::atomic::{AtomicUsize, Ordering},
};

use anyhow::{Context, Result, anyhow, ensure};
use mesh_upgrade_tests::{
    harness::Moment,
    kill::{KillPoint, Kind, Mesh, Outcome, Scenario, Usual, kill_and_finish},
};

/// Clusters at the same time.
const AT_ONCE: usize = 3;

/// Every point, unless `KILL_POINTS` says which.
const ALL: &str = "1-9999";

/// At which requests of helm a canary is killed unless `KILL_POINTS` says it: they are many, and each takes a minute.
const SOME: &str = "1-999/10";

#[test]
fn killed_before_and_after_every_journal_write() -> Result<()> {
    enumerate(Scenario::InPlace, Kind::JournalWrite, ALL)
}

#[test]
fn killed_before_every_request_of_helm() -> Result<()> {
    enumerate(Scenario::InPlace, Kind::HelmRequest, ALL)
}

#[test]
fn helm_3_killed_before_every_request_while_a_release_is_pending() -> Result<()> {
    enumerate(Scenario::InPlaceHelm3, Kind::HelmWhilePending, ALL)
}

#[test]
fn withdrawal_killed_before_and_after_every_journal_write() -> Result<()> {
    enumerate(Scenario::Withdrawal, Kind::JournalWrite, ALL)
}

#[test]
fn two_clusters_killed_before_and_after_every_journal_write() -> Result<()> {
    enumerate(Scenario::TwoClusters, Kind::JournalWrite, ALL)
}

#[test]
fn canary_killed_before_and_after_every_journal_write() -> Result<()> {
    enumerate(Scenario::CanaryBeside, Kind::JournalWrite, ALL)
}

#[test]
fn canary_killed_before_requests_of_helm() -> Result<()> {
    enumerate(Scenario::CanaryBeside, Kind::HelmRequest, SOME)
}

#[test]
fn removal_killed_before_and_after_every_journal_write() -> Result<()> {
    enumerate(Scenario::CanaryRemoval, Kind::JournalWrite, ALL)
}

#[test]
fn removal_killed_before_requests_of_helm() -> Result<()> {
    enumerate(Scenario::CanaryRemoval, Kind::HelmRequest, SOME)
}

#[test]
fn istioctl_killed_before_and_after_every_journal_write() -> Result<()> {
    enumerate(Scenario::Istioctl, Kind::JournalWrite, ALL)
}

#[test]
fn argo_cd_killed_before_and_after_every_journal_write() -> Result<()> {
    enumerate(Scenario::ArgoCd, Kind::JournalWrite, ALL)
}

#[test]
fn flux_killed_before_and_after_every_journal_write() -> Result<()> {
    enumerate(Scenario::Flux, Kind::JournalWrite, ALL)
}

#[test]
fn sail_killed_before_and_after_every_journal_write() -> Result<()> {
    enumerate(Scenario::Sail, Kind::JournalWrite, ALL)
}

#[test]
fn sail_revisions_killed_before_and_after_every_journal_write() -> Result<()> {
    enumerate(Scenario::SailRevisions, Kind::JournalWrite, ALL)
}

fn enumerate(scenario: Scenario, kind: Kind, unless_told: &str) -> Result<()> {
    let mut first = Mesh::prepare(scenario)?;
    let usual = Usual::of(&mut first, kind)?;
    let found = usual.requests.len();
    ensure!(
        found >= scenario.fewest_requests(),
        "only {found} of {kind:?} in {scenario:?}: is the proxy in use?"
    );
    let moments: &[Moment] = if kind.is_helms() {
        &[Moment::Before]
    } else {
        &[Moment::Before, Moment::After]
    };
    let chosen = chosen(unless_told)?;
    let points: Vec<KillPoint> = (1..=found)
        .filter(|number| chosen(*number))
        .flat_map(|number| {
            moments.iter().map(move |moment| KillPoint {
                kind,
                number,
                moment: *moment,
            })
        })
        .collect();
    ensure!(!points.is_empty(), "KILL_POINTS names none of the {found} requests");
    tell(&format!(
        "{scenario:?}: {found} of {kind:?}, {} kill points",
        points.len()
    ));
    let counts = Counts::default();
    let failed: Vec<KillPoint> = std::thread::scope(|scope| {
        let (usual, points, counts) = (&usual, &points, &counts);
        let workers: Vec<_> = std::iter::once(Some(first))
            .chain((1..AT_ONCE).map(|_| None))
            .map(|mesh| scope.spawn(move || work(scenario, mesh, usual, points, counts)))
            .collect();
        workers
            .into_iter()
            .map(|worker| worker.join().map_err(|_| anyhow!("killing an upgrade panicked")))
            .collect::<Result<Vec<_>>>()
    })?
    .concat();
    ensure!(
        failed.is_empty(),
        "of {} kill points of {scenario:?} these failed: {failed:?}",
        points.len()
    );
    let missed = counts.missed.into_inner();
    tell(&format!(
        "{scenario:?}: {} kill points reached the same end state, {missed} of them in a second try",
        points.len()
    ));
    Ok(())
}

/// What the workers share.
#[derive(Default)]
struct Counts {
    /// The next point to take.
    next: AtomicUsize,
    /// Points that an upgrade did not come to, and another one did.
    missed: AtomicUsize,
}

/// Takes one point after the other; gives those that failed.
fn work(
    scenario: Scenario,
    mut mesh: Option<Mesh>,
    usual: &Usual,
    points: &[KillPoint],
    counts: &Counts,
) -> Vec<KillPoint> {
    let mut failed = Vec::new();
    while let Some(point) = points.get(counts.next.fetch_add(1, Ordering::SeqCst)) {
        match kill_for_sure(scenario, &mut mesh, usual, *point, counts) {
            Ok(outcome) => tell(&format!("{scenario:?} {point:?}: {outcome:?}")),
            Err(why) => {
                tell(&format!("{scenario:?} {point:?}: FAILED: {why:#}"));
                failed.push(*point);
                // Its processes may be in any state: the next point gets another one.
                mesh = None;
            }
        }
    }
    failed
}

/// How often helm looks at what it waits for differs from run to run, so that an upgrade may arrive before it comes to a point:
/// another one is tried then, and a point that is missed twice was not looked at.
fn kill_for_sure(
    scenario: Scenario,
    mesh: &mut Option<Mesh>,
    usual: &Usual,
    point: KillPoint,
    counts: &Counts,
) -> Result<Outcome> {
    let first = kill(scenario, mesh, usual, point)?;
    if !first.kills.is_empty() {
        return Ok(first);
    }
    counts.missed.fetch_add(1, Ordering::SeqCst);
    let second = kill(scenario, mesh, usual, point)?;
    ensure!(
        !second.kills.is_empty(),
        "two upgrades had arrived before they came to it"
    );
    Ok(second)
}

/// Each worker has a mesh of its own, which begins again from its copy: addresses stand in what is stored.
fn kill(scenario: Scenario, mesh: &mut Option<Mesh>, usual: &Usual, point: KillPoint) -> Result<Outcome> {
    let prepared = match mesh.take() {
        Some(mesh) => mesh,
        None => Mesh::prepare(scenario)?,
    };
    kill_and_finish(mesh.insert(prepared), usual, point)
}

/// Past the runner's capture: it takes long, and the figures are to be recorded.
fn tell(text: &str) {
    // A closed standard error is no reason to stop.
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Whether a number is one of those to be killed at.
fn chosen(unless_told: &str) -> Result<impl Fn(usize) -> bool> {
    let text = std::env::var("KILL_POINTS").unwrap_or_else(|_| unless_told.to_owned());
    let text = if text == "all" { ALL.to_owned() } else { text };
    let ranges = text.split(',').map(range).collect::<Result<Vec<_>>>();
    let ranges = ranges.context("KILL_POINTS is like 3,12-15,20-90/10, or all")?;
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
