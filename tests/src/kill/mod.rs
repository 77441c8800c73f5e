//! Kills an upgrade at one exact request, finishes it with the same command, and judges what came of it: the same end
//! state as without the kill, no component changed more often than the kill explains, and a freeze that was never open
//! in between.

mod bringer;
mod end_state;
pub(crate) mod foreign_writer;
mod mesh;
mod scenario;

use std::{
    process::Child,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use anyhow::{Result, bail, ensure};

use crate::{
    audit,
    harness::{Moment, Proxy, Seen, Signal, children, signal, wait_until},
};
use foreign_writer::ForeignWriter;
pub use mesh::Mesh;
pub use scenario::Scenario;

const DEADLINE: Duration = Duration::from_secs(180);
/// How long the foreign writer may be without an answer: machines are slow, and several clusters share one.
const SILENCE: Duration = Duration::from_secs(15);

/// Requests of one kind, at each of which an upgrade can be killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// What the plugin writes into the journal.
    JournalWrite,
    /// What helm asks of the API server, reads included.
    HelmRequest,
}

impl Kind {
    /// Whether a request is of this kind.
    #[must_use]
    pub fn is(self, seen: &Seen) -> bool {
        let helm = seen.agent.starts_with("Helm/");
        match self {
            Self::JournalWrite => !helm && seen.method != "GET" && seen.path.contains("/meshupgrades"),
            Self::HelmRequest => helm,
        }
    }
}

/// A moment at which an upgrade is killed: the n-th request of a kind, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KillPoint {
    /// Of which kind.
    pub kind: Kind,
    /// Which.
    pub number: usize,
    /// Before it arrives, or after it is done.
    pub moment: Moment,
}

/// What came of a kill.
#[derive(Debug)]
pub struct Outcome {
    /// The request at which it was killed; nothing when the upgrade had arrived before: how often helm looks at what it
    /// waits for differs from run to run.
    pub request: Option<String>,
    /// Steps that the journal told to be under way when it was killed.
    pub under_way: usize,
    /// Foreign writes that were refused while the mesh was frozen.
    pub refused: usize,
    /// Changes of components beyond those of an upgrade that is not killed.
    pub extra_changes: usize,
}

/// An upgrade that nobody kills.
#[derive(Debug)]
pub struct Usual {
    /// Its requests of a kind.
    pub requests: Vec<Seen>,
    /// How often it changes a component.
    changes: usize,
}

impl Usual {
    /// Lets it arrive.
    ///
    /// # Errors
    /// When it does not.
    pub fn of(mesh: &mut Mesh, kind: Kind) -> Result<Self> {
        mesh.begin()?;
        let proxy = Proxy::holding(&mesh.cluster, "alice", None, move |seen| kind.is(seen))?;
        let status = mesh.apply(&proxy)?.wait()?;
        ensure!(status.success(), "the upgrade through the proxy ended with {status}");
        let changes = mesh.arrived()?;
        ensure!(changes > 0, "no change of a component was counted");
        let known = changes_in_place();
        ensure!(
            mesh.scenario != Scenario::InPlace || changes == known,
            "an upgrade in place has {changes} changes, and {known} are taken for granted where it is killed once"
        );
        Ok(Self {
            requests: proxy.counted(),
            changes,
        })
    }
}

/// How often an upgrade in place by helm changes a component: each release is installed once and upgraded once.
fn changes_in_place() -> usize {
    2 * Scenario::InPlace.releases().len()
}

/// Kills an upgrade at a point and finishes it.
///
/// # Errors
/// What did not hold.
pub fn kill_and_finish(mesh: &mut Mesh, usual: &Usual, point: KillPoint) -> Result<Outcome> {
    mesh.begin()?;
    let kind = point.kind;
    let point = (point.number, point.moment);
    kill_begun(mesh, usual.changes, point, move |seen| kind.is(seen))
}

/// Kills an upgrade in place, in a mesh of its own, at its first write into the journal after helm has begun to change a
/// component, and finishes it. Which write that is need not be counted before, so that this takes one upgrade and no copy.
///
/// # Errors
/// What did not hold.
pub fn kill_in_the_middle(moment: Moment) -> Result<Outcome> {
    let mesh = Mesh::put_up(Scenario::InPlace)?;
    kill_begun(&mesh, changes_in_place(), (1, moment), after_helm())
}

/// What the plugin writes into the journal once helm has asked for a change that is to be stored.
fn after_helm() -> impl Fn(&Seen) -> bool + Send + Sync + 'static {
    let has_changed = AtomicBool::new(false);
    move |seen| {
        if Kind::HelmRequest.is(seen) && seen.method != "GET" && !seen.path.contains("dryRun=") {
            has_changed.store(true, Ordering::SeqCst);
        }
        has_changed.load(Ordering::SeqCst) && Kind::JournalWrite.is(seen)
    }
}

/// Kills an upgrade of a mesh that has just begun at the n-th request that counts, and finishes it; `usual` is how often one
/// that nobody kills changes a component.
fn kill_begun(
    mesh: &Mesh,
    usual: usize,
    (number, moment): (usize, Moment),
    counts: impl Fn(&Seen) -> bool + Send + Sync + 'static,
) -> Result<Outcome> {
    let proxy = Proxy::holding(&mesh.cluster, "alice", Some((number, moment)), counts)?;
    let writer = ForeignWriter::start(&mesh.cluster, mesh.scenario.config_map())?;
    let mut killed = mesh.apply(&proxy)?;
    let reached = wait_until("the request to kill at", DEADLINE, || {
        if proxy.is_reached() {
            return Ok(Some(true));
        }
        match killed.try_wait()? {
            Some(status) if status.success() => Ok(Some(false)),
            Some(status) => bail!("the upgrade ended with {status} before its request {number}"),
            None => Ok(None),
        }
    })?;
    let mut request = None;
    let mut under_way = 0;
    if reached {
        kill_with_children(&mut killed)?;
        under_way = mesh.steps_under_way()?;
        let seen = proxy.counted();
        request = seen.last().map(|seen| format!("{} {}", seen.method, seen.path));
    }
    // What the killed program had begun is not let through: its connection is gone.
    drop(proxy);

    if reached {
        mesh.finish()?;
    }
    let refused = writer.stop().judge(SILENCE)?;
    ensure!(refused > 0, "no foreign write was refused: was the mesh frozen at all?");
    let unfrozen = audit::changed_unfrozen(&audit::read(&mesh.cluster.audit_log())?)?;
    ensure!(unfrozen.is_empty(), "{unfrozen:#?}");
    let extra_changes = mesh.arrived()?.saturating_sub(usual);
    ensure!(
        extra_changes <= under_way,
        "one kill has cost {extra_changes} more changes, and {under_way} steps were under way"
    );
    Ok(Outcome {
        request,
        under_way,
        refused,
        extra_changes,
    })
}

/// Kills a program and what it has started, as when the machine goes: kubectl has become the plugin, and its helm dies with
/// it.
///
/// # Errors
/// When it cannot be killed.
pub fn kill_with_children(plugin: &mut Child) -> Result<()> {
    let children = children(plugin.id());
    plugin.kill()?;
    plugin.wait()?;
    for child in children {
        // It may have ended by itself.
        let _ = signal(child, Signal::KILL);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_is_the_first_journal_write_after_a_change_of_helm() {
        let seen = |agent: &str, method: &str, path: &str| Seen {
            method: method.to_owned(),
            path: path.to_owned(),
            agent: agent.to_owned(),
        };
        let secrets = "/api/v1/namespaces/istio-system/secrets";
        let journal = "/apis/meshupgrade.io/v1alpha1/meshupgrades/default/status";
        let counts = after_helm();
        for (asked, expected) in [
            (seen("kubectl-mesh_upgrade/v1", "PATCH", journal), false),
            (seen("Helm/4", "GET", secrets), false),
            (seen("Helm/4", "PATCH", &format!("{secrets}?dryRun=All")), false),
            (seen("kubectl-mesh_upgrade/v1", "PATCH", journal), false),
            (seen("Helm/4", "POST", secrets), false),
            (seen("kubectl-mesh_upgrade/v1", "GET", journal), false),
            (seen("kubectl-mesh_upgrade/v1", "PATCH", journal), true),
        ] {
            assert_eq!(counts(&asked), expected, "{asked:?}");
        }
    }
}
