//! `status --watch`: follows an upgrade to its end, from any machine, and changes nothing.

use super::{journals::Held, status};
use crate::{
    clock::now,
    error::{CommandError, Exit, api_code},
    executor::lease,
    ui::{Mark, Output, Ui, completed, progress::HowFar, upgrade},
};
use futures::StreamExt as _;
use kube::{
    Api, ResourceExt as _,
    runtime::{
        WatchStreamExt as _,
        watcher::{self, watcher},
    },
};
use shared::{
    api::{MeshUpgrade, MeshUpgradeStatus},
    journals::Listed,
    machine::{
        driving::{Driving, Look, Watched},
        progress,
        standing::{Patience, Standing},
    },
    phase::Phase,
};
use std::time::{Duration, Instant};

/// How often it is looked whether somebody drives: the journal of a driver that is gone stands still.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Follows the upgrade that is under way, or tells how the last one ended.
///
/// # Errors
/// When there is none, when there are several, or when its journal cannot be watched.
pub(super) async fn run(latest: &[&Held], ui: Ui) -> Result<Exit, CommandError> {
    let begun: Vec<&&Held> = latest.iter().filter(|held| !held.journal.phase().is_final()).collect();
    match (begun.as_slice(), latest) {
        ([held], _) => follow(held, ui).await,
        ([], [held]) => follow(held, ui).await,
        ([], []) => Err(
            CommandError::error("no upgrade has been made here: there is nothing to watch")
                .hint("begin one with: kubectl mesh-upgrade apply --to VERSION"),
        ),
        _ => {
            let meshes: Vec<&str> = latest.iter().map(|held| held.journal.spec.mesh.as_str()).collect();
            Err(
                CommandError::usage(format!("there are upgrades of several meshes: {}", meshes.join(", ")))
                    .hint("name the one to watch: kubectl mesh-upgrade status MESH --watch"),
            )
        }
    }
}

/// Follows the journal until its upgrade is over, or has stopped for a while: then nothing more comes before somebody goes on
/// with it, and nobody is about to.
/// While nobody drives what has not stopped, a killed driver may be started again, so that it is told and waited for.
async fn follow(held: &Held, ui: Ui) -> Result<Exit, CommandError> {
    let Held { home, journal } = held;
    let name = journal.name_any();
    let mesh = &journal.spec.mesh;
    let api: Api<Listed> = Api::all(home.client.clone());
    let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
    // While nothing happens the server is silent.
    let config = config.timeout(home.watch_seconds());
    let mut seen = watcher(api, config).default_backoff().boxed();
    let mut looks = tokio::time::interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut shown = Shown::new(ui, journal);
    if let Some(phase) = shown.tell(journal.clone())? {
        return Ok(shown.end(phase));
    }
    let gone = || CommandError::error(format!("the journal {name} is gone"));
    let mut listed = false;
    loop {
        let event = tokio::select! {
            event = seen.next() => event.ok_or_else(gone)?,
            _ = looks.tick() => {
                shown.look(lease::look(&home.client, mesh).await);
                if shown.is_over() {
                    return Ok(shown.stopped());
                }
                continue;
            }
        };
        if event.as_ref().is_ok_and(|event| is_gone(event, &mut listed)) {
            return Err(gone());
        }
        let journal = match event {
            Ok(watcher::Event::Apply(journal) | watcher::Event::InitApply(journal)) => journal,
            Ok(watcher::Event::Delete(_) | watcher::Event::Init | watcher::Event::InitDone) => continue,
            Err(error) if is_refused(&error) => {
                return Err(CommandError::error(format!(
                    "the journal {name} cannot be watched: {error}"
                )));
            }
            // The watch is opened again, with pauses: an upgrade outlives its API server's restarts.
            Err(error) => {
                ui.progress(Mark::Warn, &format!("cluster {} does not answer: {error}", home.name));
                continue;
            }
        };
        let journal = journal
            .read()
            .map_err(|error| CommandError::error(format!("the journal {name} cannot be watched: {error}")))?;
        if let Some(phase) = shown.tell(journal)? {
            return Ok(shown.end(phase));
        }
        // Whoever writes may have taken over since the last look.
        if shown.lease.driving().is_nobody() {
            looks.reset_immediately();
        }
    }
}

/// What was shown of an upgrade so far.
struct Shown {
    ui: Ui,
    how_far: HowFar,
    journal: MeshUpgrade,
    told: MeshUpgradeStatus,
    lease: Watched<lease::Token>,
    /// Since when it is watched: looks are apart by a clock of our own, and no Lease's.
    since: Instant,
    patience: Patience,
    /// Whether it was told of that nobody drives.
    left: bool,
}

impl Shown {
    /// Nothing, of an upgrade that has taken some time already.
    fn new(ui: Ui, journal: &MeshUpgrade) -> Self {
        let begun = journal.creation_timestamp();
        let elapsed = begun.map(|begun| now().duration_since(begun.0)).unwrap_or_default();
        Self {
            ui,
            how_far: HowFar::begun_before(elapsed.try_into().unwrap_or_default()),
            journal: journal.clone(),
            told: MeshUpgradeStatus::default(),
            lease: Watched::new(lease::TTL),
            since: Instant::now(),
            patience: Patience::new(lease::TTL),
            left: false,
        }
    }

    fn standing(&self) -> Standing {
        Standing::of(&self.journal, self.lease.driving())
    }

    /// Whether it has stopped, for so long that nobody is about to go on with it.
    fn is_over(&mut self) -> bool {
        self.patience.is_over(self.standing(), self.since.elapsed())
    }

    /// Takes a look at the Lease into account.
    fn look(&mut self, look: Look<lease::Token>) {
        // What cannot be seen may have gone on meanwhile; who may not look at all has seen nothing before either.
        if look == Look::Missed && self.lease.driving() != Driving::Unknown {
            self.patience.begin_anew();
        }
        self.lease.look(look, self.since.elapsed());
        let left = self.standing() == Standing::Left;
        if left && !self.left {
            let mesh = &self.journal.spec.mesh;
            let told = if progress::stays_frozen(&self.journal) {
                format!(
                    "nobody drives the upgrade of mesh {mesh} any more, and the mesh stays frozen; go on with it: kubectl \
                     mesh-upgrade apply {mesh}"
                )
            } else {
                format!(
                    "nobody drives the upgrade of mesh {mesh} any more; go on with it: kubectl mesh-upgrade apply {mesh}"
                )
            };
            self.ui.progress(Mark::Warn, &completed(&told));
        }
        self.left = left;
        self.set();
    }

    /// Tells what the journal gained, and whether that was its end.
    fn tell(&mut self, journal: MeshUpgrade) -> Result<Option<Phase>, CommandError> {
        let status = journal.status.clone().unwrap_or_default();
        tell(self.ui, &journal, &self.told, &status)?;
        let phase = status.phase;
        self.journal = journal;
        if self.told != status {
            self.patience.begin_anew();
        }
        self.told = status;
        if phase.is_final() {
            return Ok(Some(phase));
        }
        self.set();
        Ok(None)
    }

    fn set(&self) {
        let now = progress::in_a_line(&self.journal, self.lease.driving());
        let way = upgrade::way(self.ui, self.journal.phase());
        self.how_far.set(&way, &self.ui.lang.told(&now));
    }

    /// Says how it ended.
    fn end(self, phase: Phase) -> Exit {
        drop(self.how_far);
        end(self.ui, &self.journal, phase)
    }

    /// Says that nothing more comes, and what comes next.
    fn stopped(self) -> Exit {
        let Self {
            ui,
            how_far,
            journal,
            lease,
            ..
        } = self;
        drop(how_far);
        let (mesh, phase) = (&journal.spec.mesh, journal.phase());
        ui.note(&format!(
            "{} The upgrade of mesh {mesh} has stopped in phase {phase}.",
            ui.mark(Mark::Block)
        ));
        if let Some(says) = status::no_way_back(&journal) {
            ui.note(says);
        }
        let (command, about) = status::next(&journal, lease.driving());
        ui.next_with(&command, &about);
        Exit::Error
    }
}

/// Whether the journal is gone: it was deleted, or a watch that began anew did not list it.
fn is_gone<T>(event: &watcher::Event<T>, listed: &mut bool) -> bool {
    match event {
        watcher::Event::Init => *listed = false,
        watcher::Event::InitApply(_) => *listed = true,
        watcher::Event::InitDone => return !*listed,
        watcher::Event::Apply(_) => {}
        watcher::Event::Delete(_) => return true,
    }
    false
}

/// Asking again would get the same answer.
fn is_refused(error: &watcher::Error) -> bool {
    let (watcher::Error::InitialListFailed(error) | watcher::Error::WatchStartFailed(error)) = error else {
        return false;
    };
    matches!(api_code(error), 401 | 403 | 404)
}

/// Tells what the journal gained.
fn tell(
    ui: Ui,
    journal: &MeshUpgrade,
    before: &MeshUpgradeStatus,
    after: &MeshUpgradeStatus,
) -> Result<(), CommandError> {
    for event in progress::news(before, after) {
        if ui.output == Output::Text {
            ui.result(&format!(
                "{}  {}",
                event.at.0.strftime("%Y-%m-%dT%H:%M:%SZ"),
                event.what
            ));
        } else {
            upgrade::event(ui, journal, after, event)?;
        }
    }
    if let Some(why) = upgrade::stalled(after).filter(|why| upgrade::stalled(before) != Some(why)) {
        ui.progress(Mark::Block, &format!("stalled: {why}"));
    }
    Ok(())
}

fn end(ui: Ui, journal: &MeshUpgrade, phase: Phase) -> Exit {
    let mesh = &journal.spec.mesh;
    if phase == Phase::Succeeded {
        ui.note(&format!(
            "{} Mesh {mesh} runs {}.",
            ui.mark(Mark::Pass),
            journal.spec.to
        ));
        if journal.spec.plan.removal().is_some() {
            ui.next("kubectl mesh-upgrade list");
        } else {
            ui.note(&ui.lang.apply_sidecars_left());
            ui.next(&format!("kubectl mesh-upgrade dataplane status {mesh}"));
        }
        return Exit::Done;
    }
    ui.note(&format!(
        "{} The upgrade of mesh {mesh} ended as {phase}.",
        ui.mark(Mark::Block)
    ));
    ui.next(&format!("kubectl mesh-upgrade check {mesh} --to {}", journal.spec.to));
    Exit::Error
}

#[cfg(test)]
mod tests {
    use super::*;
    use watcher::Event;

    #[test]
    fn a_journal_that_is_listed_no_more_is_gone() {
        let is_gone = |events: &[Event<()>]| {
            let mut listed = false;
            events.iter().any(|event| super::is_gone(event, &mut listed))
        };
        let there = [Event::Init, Event::InitApply(()), Event::InitDone, Event::Apply(())];
        assert!(!is_gone(&there));
        assert!(!is_gone(&[&there[..], &there[..]].concat()), "a watch that began anew");
        assert!(is_gone(&[&there[..], &[Event::Init, Event::InitDone]].concat()));
        assert!(is_gone(&[&there[..], &[Event::Delete(())]].concat()));
    }
}
