//! `status --watch`: follows an upgrade to its end, from any machine, and changes nothing.

use super::journals::Held;
use crate::{
    error::{CommandError, Exit, api_code},
    executor::journal,
    ui::{Mark, Output, Ui, progress::HowFar, upgrade},
};
use futures::StreamExt as _;
use kube::{
    Api, ResourceExt as _,
    api::{ApiResource, DynamicObject},
    runtime::{
        WatchStreamExt as _,
        watcher::{self, watcher},
    },
};
use shared::{
    api::{MeshUpgrade, MeshUpgradeStatus},
    machine::progress,
    phase::Phase,
};

/// Follows the upgrade that is under way, or tells how the last one ended.
///
/// # Errors
/// When there is none, when there are several, or when its journal cannot be watched.
pub(super) async fn run(latest: &[&Held], ui: Ui) -> Result<Exit, CommandError> {
    let begun: Vec<&&Held> = latest
        .iter()
        .filter(|held| !journal::phase(&held.journal).is_final())
        .collect();
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

/// Follows the journal until its upgrade is over.
async fn follow(held: &Held, ui: Ui) -> Result<Exit, CommandError> {
    let Held { home, journal } = held;
    let name = journal.name_any();
    let api: Api<DynamicObject> = Api::all_with(home.client.clone(), &ApiResource::erase::<MeshUpgrade>(&()));
    let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
    // While nothing happens the server is silent.
    let config = config.timeout(home.watch_seconds());
    let mut seen = watcher(api, config).default_backoff().boxed();
    let how_far = HowFar::new();
    let mut told = MeshUpgradeStatus::default();
    let gone = || CommandError::error(format!("the journal {name} is gone"));
    let mut listed = false;
    while let Some(event) = seen.next().await {
        if event.as_ref().is_ok_and(|event| is_gone(event, &mut listed)) {
            return Err(gone());
        }
        let now = match event {
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
        let now = journal::of_object(&now);
        let now = now.map_err(|error| CommandError::error(format!("the journal {name} cannot be watched: {error}")))?;
        let status = now.status.clone().unwrap_or_default();
        tell(ui, &now, &told, &status)?;
        if status.phase.is_final() {
            drop(how_far);
            return Ok(end(ui, &now, status.phase));
        }
        let now = ui.lang.told(&progress::in_a_line(&now));
        how_far.set(&upgrade::way(ui, status.phase), &now);
        told = status;
    }
    Err(gone())
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
        ui.next("kubectl mesh-upgrade list");
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
