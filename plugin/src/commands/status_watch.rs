//! `status --watch`: follows an upgrade to its end, from any machine, and changes nothing.

use super::{
    journals::{Held, uid},
    status,
};
use crate::{
    clock::now,
    cluster::{self, Cluster},
    error::{CommandError, Exit, api_code},
    executor::lease,
    ui::{Mark, Output, Ui, completed, progress::HowFar, upgrade},
};
use futures::{StreamExt as _, future::join_all};
use kube::{
    Api, ResourceExt as _,
    runtime::{
        WatchStreamExt as _,
        watcher::{self, watcher},
    },
};
use shared::{
    api::{MeshUpgrade, MeshUpgradeStatus, PlanStep},
    journals::Listed,
    machine::{
        driving::{Driving, Look, Watched},
        progress,
        standing::{Patience, Standing},
    },
    patience::Sparing,
    phase::Phase,
};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// How often it is looked what the step under way waits for.
const LOOK_WHAT_IT_WAITS_FOR_EVERY: Duration = Duration::from_secs(5);

/// How often it is looked whether somebody drives: the journal of a driver that is gone stands still.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Follows the upgrade that is under way, or tells how the last one ended.
///
/// # Errors
/// When there is none, when there are several, or when its journal cannot be watched.
pub(super) async fn run(latest: &[&Held], clusters: &[Cluster], ui: Ui) -> Result<Exit, CommandError> {
    let begun: Vec<&&Held> = latest.iter().filter(|held| !held.journal.phase().is_final()).collect();
    match (begun.as_slice(), latest) {
        ([held], _) => follow(held, clusters, ui).await,
        ([], [held]) => follow(held, clusters, ui).await,
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
async fn follow(held: &Held, clusters: &[Cluster], ui: Ui) -> Result<Exit, CommandError> {
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
    let places = places(journal, clusters).await;
    let mut waits = tokio::time::interval(LOOK_WHAT_IT_WAITS_FOR_EVERY);
    waits.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
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
            _ = waits.tick() => {
                let awaited = match shown.under_way() {
                    Some(step) => match places.get(step.cluster.as_str()) {
                        Some(cluster) => cluster::awaited(&cluster.client, step).await,
                        None => None,
                    },
                    None => None,
                };
                shown.awaited(awaited)?;
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

/// The clusters of a plan as they are reached from here, by their names in it: they may be called otherwise here.
async fn places<'c>(journal: &MeshUpgrade, clusters: &'c [Cluster]) -> BTreeMap<String, &'c Cluster> {
    let uids = join_all(clusters.iter().map(uid)).await;
    let planned = journal.spec.plan.clusters.iter();
    let found = planned.filter_map(|planned| {
        let known = uids.iter().position(|uid| uid.as_ref() == Some(&planned.uid))?;
        Some((planned.name.clone(), clusters.get(known)?))
    });
    found.collect()
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
    /// What it was seen to wait for.
    waits: Option<String>,
    /// Which of that is told in lines.
    sparing: Sparing,
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
            waits: None,
            sparing: Sparing::default(),
        }
    }

    fn under_way(&self) -> Option<&PlanStep> {
        progress::under_way(&self.journal, self.lease.driving())
    }

    /// Takes into account what it waits for.
    fn awaited(&mut self, what: Option<String>) -> Result<(), CommandError> {
        self.waits = what;
        self.set();
        match &self.waits {
            Some(what) if self.sparing.is_due(what, self.since.elapsed()) => {
                upgrade::awaited(self.ui, &self.how_far, &self.journal, what)
            }
            Some(_) | None => Ok(()),
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
        let before = std::mem::replace(&mut self.journal, journal);
        let step = |journal: &MeshUpgrade| progress::under_way(journal, Driving::Unknown).map(|step| step.id.clone());
        if step(&before) != step(&self.journal) {
            self.waits = None;
        }
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

    /// What the step under way waits for: not where nobody is left who would wait.
    fn waits(&self) -> Option<&str> {
        self.waits.as_deref().filter(|_| self.under_way().is_some())
    }

    fn set(&self) {
        let driving = self.lease.driving();
        upgrade::show(self.ui, &self.how_far, &self.journal, driving, self.waits());
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
    use crate::ui::Format;
    use shared::{
        api::{Component, InstallerKind, MeshUpgradeSpec, ObjectName, Plan, StepState, StepStatus},
        machine::driving::Look,
    };
    use watcher::Event;

    fn journal(running: usize) -> MeshUpgrade {
        let step = |component: Component, name: &str| {
            let at = ObjectName {
                namespace: "istio-system".to_owned(),
                name: name.to_owned(),
            };
            PlanStep::upgrade("east", component, InstallerKind::Helm, at, "1.30.3", "1.31.0")
        };
        let plan = Plan {
            steps: vec![step(Component::Base, "istio-base"), step(Component::Istiod, "istiod")],
            ..Plan::default()
        };
        let states = plan.steps.iter().enumerate().map(|(at, step)| StepStatus {
            id: step.id.clone(),
            state: match at.cmp(&running) {
                std::cmp::Ordering::Less => StepState::Done,
                std::cmp::Ordering::Equal => StepState::Running,
                std::cmp::Ordering::Greater => StepState::Pending,
            },
            ..StepStatus::default()
        });
        let status = MeshUpgradeStatus {
            phase: Phase::Upgrading,
            steps: states.collect(),
            ..MeshUpgradeStatus::default()
        };
        let spec = MeshUpgradeSpec::of("shop", "1.30.3", "1.31.0", plan, "alice");
        let mut journal = MeshUpgrade::new("shop-1", spec);
        journal.status = Some(status);
        journal
    }

    #[test]
    fn what_a_step_waits_for_is_shown_while_somebody_may_drive_it_and_no_longer() {
        let ui = Ui::new(Format::Text, None);
        let mut shown = Shown::new(ui, &journal(0));
        shown.tell(journal(1)).unwrap();
        assert_eq!(shown.under_way().map(|step| step.release.as_str()), Some("istiod"));
        shown.awaited(Some("the rollout".to_owned())).unwrap();
        assert_eq!(shown.waits(), Some("the rollout"));
        // A Lease that somebody has given up.
        shown.look(Look::Free);
        assert_eq!((shown.under_way(), shown.waits()), (None, None));
        // The next step waits for something else, which nobody has looked for yet.
        let mut shown = Shown::new(ui, &journal(0));
        shown.awaited(Some("the definitions".to_owned())).unwrap();
        shown.tell(journal(1)).unwrap();
        assert_eq!(shown.waits(), None);
    }

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
