//! The real plugin killed at a real write into its journal while a mesh is upgraded, and finished by the same command: once
//! before that write arrives, and once after it is stored. The fault suite has every other write.

use anyhow::{Context as _, Result, ensure};
use mesh_upgrade_tests::{
    harness::Moment,
    kill::{Outcome, kill_in_the_middle},
};

#[test]
fn killed_before_a_journal_write_it_is_finished_and_never_was_open() -> Result<()> {
    let outcome = killed(Moment::Before)?;
    // What helm has changed is not in the journal yet, so that the successor has to find out.
    ensure!(outcome.under_way > 0, "nothing was under way: {outcome:?}");
    Ok(())
}

#[test]
fn killed_after_a_journal_write_it_is_finished_and_never_was_open() -> Result<()> {
    killed(Moment::After).map(drop)
}

/// What came of it is judged where it is killed.
fn killed(moment: Moment) -> Result<Outcome> {
    let outcome = kill_in_the_middle(moment)?;
    let request = outcome.request.as_deref().context("it arrived before it was killed")?;
    ensure!(request.contains("/meshupgrades"), "killed at {request}");
    Ok(outcome)
}
