//! The real plugin killed while a mesh is upgraded, at a point of each kind, and finished by the same command: before a request
//! of helm that leaves a release pending, and then each that takes it over, once before a write into the journal arrives and
//! once after one is stored. One mesh for all three: the fault suite has every point, each in an upgrade of its own.

use anyhow::{Context as _, Result, ensure};
use mesh_upgrade_tests::{
    harness::{Moment, no_leftovers},
    kill::{KillPoint, Kind, kill_one_after_the_other},
};

#[test]
fn killed_at_a_point_of_each_kind_it_is_finished_and_never_was_open() -> Result<()> {
    let first = |kind, moment| KillPoint {
        kind,
        number: 1,
        moment,
    };
    let outcome = kill_one_after_the_other(&[
        first(Kind::HelmWhilePending, Moment::Before),
        first(Kind::JournalWriteAfterHelm, Moment::Before),
        first(Kind::JournalWriteAfterHelm, Moment::After),
    ])?;
    let mut kills = outcome.kills.iter();
    let mut next = || {
        kills
            .next()
            .with_context(|| format!("it arrived before it was killed: {outcome:?}"))
    };

    let by_helm = next()?;
    ensure!(by_helm.pending == ["istio-base"], "{by_helm:?}");
    let before = next()?;
    ensure!(before.request.contains("/meshupgrades"), "{before:?}");
    // What helm has changed is not in the journal yet, so that the successor has to find out.
    ensure!(!before.under_way.is_empty(), "nothing was under way: {before:?}");
    let after = next()?;
    ensure!(after.request.contains("/meshupgrades"), "{after:?}");
    no_leftovers()
}
