//! Kills an upgrade at one exact request, finishes it with the same command, and judges what came of it: the same end
//! state as without the kill, no component changed more often than the kill explains, and a freeze that was never open
//! in between.

mod blocker;
mod bringer;
mod changes;
mod end_state;
pub(crate) mod foreign_writer;
mod kinds;
mod mesh;
mod scenario;

use std::{process::Child, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};

use crate::{
    audit,
    harness::{Moment, Proxy, Seen, Signal, children, signal, wait_until},
    product::newest,
};
pub use changes::{Changes, UnderWay};
use end_state::EndState;
use foreign_writer::{ForeignWriter, Frozen};
pub use kinds::Kind;
pub use mesh::Mesh;
pub use scenario::Scenario;

const DEADLINE: Duration = Duration::from_secs(180);
/// How long the foreign writer may be without an answer: machines are slow, and several clusters share one.
const SILENCE: Duration = Duration::from_secs(15);

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

/// A kill that was.
#[derive(Debug)]
pub struct Killed {
    /// The request at which it came.
    pub request: String,
    /// Steps that the journal told to be under way then.
    pub under_way: Vec<UnderWay>,
    /// Releases that it left pending; asked for when helm was in the middle of something.
    pub pending: Vec<String>,
}

/// What came of one kill, or of several.
#[derive(Debug)]
pub struct Outcome {
    /// The kills; fewer than there were to be when the upgrade had arrived before: how often helm looks at what it waits for
    /// differs from run to run.
    pub kills: Vec<Killed>,
    /// Foreign writes that were refused while the mesh was frozen.
    pub refused: usize,
    /// Changes of components beyond those of an upgrade that is not killed.
    pub extra_changes: Changes,
}

/// An upgrade that nobody kills.
#[derive(Debug)]
pub struct Usual {
    /// Its requests of a kind.
    pub requests: Vec<Seen>,
    expected: Expected,
}

/// What an upgrade that nobody kills comes to.
#[derive(Debug)]
struct Expected {
    /// How often it changes each component.
    changes: Changes,
    /// How it ends; nothing where none was looked at.
    end: Option<EndState>,
}

impl Usual {
    /// Lets it arrive, twice: what differs between two upgrades that nobody kills could not be told from what a kill does.
    ///
    /// # Errors
    /// When it does not, or not twice alike.
    pub fn of(mesh: &mut Mesh, kind: Kind) -> Result<Self> {
        let one = Self::once(mesh, kind)?;
        let other = Self::once(mesh, kind)?;
        ensure!(
            one.expected.changes == other.expected.changes,
            "{:?} were changed, and {:?} the next time",
            one.expected.changes,
            other.expected.changes
        );
        if let (Some(first), Some(second)) = (&one.expected.end, &other.expected.end) {
            first.is(second).context("two upgrades that nobody killed")?;
        }
        // How often helm looks at what it waits for differs.
        Ok(if one.requests.len() <= other.requests.len() {
            one
        } else {
            other
        })
    }

    fn once(mesh: &mut Mesh, kind: Kind) -> Result<Self> {
        mesh.begin()?;
        let proxy = Proxy::holding(mesh.home(), "alice", None, kind.counts())?;
        let status = mesh.apply(&proxy)?.wait()?;
        ensure!(
            status.code() == Some(mesh.scenario.ends_with()),
            "the upgrade through the proxy ended with {status}"
        );
        mesh.arrived()?;
        let changes = mesh.changes()?;
        let is_changed = mesh.scenario != Scenario::Withdrawal;
        ensure!(changes.is_empty() != is_changed, "counted as changed: {changes:?}");
        if mesh.scenario == Scenario::InPlace {
            let known = changes_in_place();
            ensure!(
                changes == known,
                "{changes:?}, and where it is killed once {known:?} is taken for granted"
            );
        }
        Ok(Self {
            requests: proxy.counted(),
            expected: Expected {
                changes,
                end: Some(mesh.end_state()?),
            },
        })
    }
}

/// What an upgrade in place by helm changes, and how often.
fn changes_in_place() -> Changes {
    let releases = Scenario::InPlace.releases().iter();
    releases.map(|release| ((*release).to_owned(), 1)).collect()
}

/// Kills an upgrade at a point and finishes it.
///
/// # Errors
/// What did not hold.
pub fn kill_and_finish(mesh: &mut Mesh, usual: &Usual, point: KillPoint) -> Result<Outcome> {
    mesh.begin()?;
    kill_begun(mesh, &usual.expected, &[point])
}

/// Kills an upgrade in place, in a mesh of its own, and each that takes it over at the next of these points, and finishes it.
///
/// # Errors
/// What did not hold.
pub fn kill_one_after_the_other(points: &[KillPoint]) -> Result<Outcome> {
    let mesh = Mesh::put_up(Scenario::InPlace)?;
    let values = mesh.values()?;
    let expected = Expected {
        changes: changes_in_place(),
        end: None,
    };
    let outcome = kill_begun(&mesh, &expected, points)?;
    let left = mesh.values()?;
    ensure!(left == values, "helm's values were {values:#?}, and are {left:#?}");
    Ok(outcome)
}

/// Kills an upgrade of a mesh that has just begun at each of these points, one after the other, and finishes it.
fn kill_begun(mesh: &Mesh, usual: &Expected, points: &[KillPoint]) -> Result<Outcome> {
    let writers = mesh.members.iter().map(|member| {
        let writer = ForeignWriter::start(&member.cluster, mesh.scenario.config_map())?;
        Ok((member, writer))
    });
    let writers = writers.collect::<Result<Vec<_>>>()?;
    let mut kills = Vec::new();
    for point in points {
        kills.extend(kill(mesh, *point)?);
    }
    if kills.len() == points.len() {
        mesh.finish()?;
    }

    let journal = newest(mesh.home())?.context("no journal")?;
    let mut refused = 0;
    for (member, writer) in writers {
        let place = member.cluster.name();
        let answers = writer.stop();
        let events = audit::read(&member.cluster.audit_log())?;
        let frozen = if mesh.scenario == Scenario::Withdrawal {
            Frozen::until_withdrawn(&audit::Period::of(&events)?)?
        } else {
            Frozen::of(&journal)?
        };
        let here = answers.judge(&frozen, SILENCE).context(place.to_owned())?;
        ensure!(
            here > 0,
            "{place}: no foreign write was refused: was the mesh frozen at all?"
        );
        refused += here;
        if mesh.scenario == Scenario::Withdrawal {
            let changed = audit::changed_by_the_driver(&events);
            ensure!(changed.is_empty(), "changed, and then withdrawn: {changed:#?}");
        } else {
            let unfrozen = audit::changed_unfrozen(&events)?;
            ensure!(unfrozen.is_empty(), "{place}: {unfrozen:#?}");
        }
    }
    mesh.arrived()?;
    let under_way: Vec<_> = kills.iter().map(|kill| kill.under_way.clone()).collect();
    let extra_changes = changes::beyond(mesh.scenario, &usual.changes, &mesh.changes()?, &under_way)?;
    if let Some(end) = &usual.end {
        end.is(&mesh.end_state()?)?;
    }
    Ok(Outcome {
        kills,
        refused,
        extra_changes,
    })
}

/// Begins an upgrade, or takes it over, and kills it at a point; nothing where it arrives before.
fn kill(mesh: &Mesh, point: KillPoint) -> Result<Option<Killed>> {
    let hold = Some((point.number, point.moment));
    let proxy = Proxy::holding(mesh.home(), "alice", hold, point.kind.counts())?;
    let mut killed = mesh.apply(&proxy)?;
    let reached = wait_until("the request to kill at", DEADLINE, || {
        if proxy.is_reached() {
            return Ok(Some(true));
        }
        match killed.try_wait()? {
            Some(status) if status.code() == Some(mesh.scenario.ends_with()) => Ok(Some(false)),
            Some(status) => bail!("the upgrade ended with {status} before it came to {point:?}"),
            None => Ok(None),
        }
    })?;
    if !reached {
        return Ok(None);
    }
    kill_with_children(&mut killed)?;
    let under_way = mesh.under_way()?;
    let pending = if point.kind.is_helms() {
        mesh.pending()?
    } else {
        Vec::new()
    };
    let seen = proxy.counted().pop().context("a request was held")?;
    // What the killed program had begun is not let through: its connection is gone, and then the proxy.
    drop(proxy);
    Ok(Some(Killed {
        request: format!("{} {}", seen.method, seen.path),
        under_way,
        pending,
    }))
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
