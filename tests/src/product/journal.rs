//! The journal as a test reads it: from the API server, with kubectl.

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use serde_json::Value;

use crate::harness::{Cluster, Run, wait_until};

/// The journals of a cluster, the oldest first.
///
/// # Errors
/// When they cannot be listed.
pub fn journals(cluster: &Cluster) -> Result<Vec<Value>> {
    items(&list(cluster)?)
}

/// The newest journal of the only mesh; none where the API server does not answer, or knows of none.
///
/// # Errors
/// When kubectl cannot be started.
pub fn newest(cluster: &Cluster) -> Result<Option<Value>> {
    let list = list(cluster)?;
    if !list.success() {
        return Ok(None);
    }
    Ok(items(&list)?.pop())
}

fn list(cluster: &Cluster) -> Result<Run> {
    cluster.kubectl(&[
        "get",
        "meshupgrades.meshupgrade.io",
        "--sort-by=.metadata.creationTimestamp",
        "-o",
        "json",
    ])
}

fn items(list: &Run) -> Result<Vec<Value>> {
    match list.json()?.get_mut("items").map(Value::take) {
        Some(Value::Array(journals)) => Ok(journals),
        _ => bail!("no list of journals: {list}"),
    }
}

/// Phase of the newest journal.
///
/// # Errors
/// When kubectl cannot be started.
pub fn journal_phase(cluster: &Cluster) -> Result<Option<String>> {
    let journal = newest(cluster)?;
    Ok(journal.and_then(|journal| {
        journal
            .pointer("/status/phase")
            .and_then(Value::as_str)
            .map(str::to_owned)
    }))
}

/// Waits until the newest journal satisfies a condition, and returns it.
///
/// # Errors
/// When it does not within the deadline.
pub fn wait_for_journal(
    cluster: &Cluster,
    what: &str,
    deadline: Duration,
    holds: impl Fn(&Value) -> bool,
) -> Result<Value> {
    wait_until(what, deadline, || Ok(newest(cluster)?.filter(&holds)))
}

/// Sees that a journal's history tells all of this, each after the one before it.
///
/// # Errors
/// What is missing or too early.
pub fn tells_in_order(journal: &Value, expected: &[&str]) -> Result<()> {
    let history = journal.pointer("/status/history").and_then(Value::as_array);
    let mut told = history
        .into_iter()
        .flatten()
        .filter_map(|event| event.get("what")?.as_str());
    for what in expected {
        ensure!(
            told.any(|said| said.contains(what)),
            "{what:?} is missing or too early: {history:#?}"
        );
    }
    Ok(())
}
