//! The data plane afterwards: what has to be restarted, namespace by namespace.

use super::{
    Action, Back, Check, Step,
    checks::{self, namespace},
    journey::{Hop, Seat},
    left::is_behind,
};
use crate::inventory::{MeshedWorkload, Owner, ProxyKind};
use std::collections::{BTreeMap, BTreeSet};

/// One step for each namespace with sidecars that are behind; with a revision, those that it injected.
pub(super) fn steps(hop: &Hop<'_>, seat: &Seat<'_>, revision: Option<&str>) -> Vec<Step> {
    if seat.member.observed.data_plane.is_none() {
        return vec![unseen(seat)];
    }
    let mut by_namespace: BTreeMap<&str, Vec<&MeshedWorkload>> = BTreeMap::new();
    for workload in seat.workloads().filter(|one| is_due(hop, one, revision)) {
        by_namespace.entry(&workload.namespace).or_default().push(workload);
    }
    by_namespace
        .into_iter()
        .map(|(namespace, workloads)| {
            let mut step = Step {
                title: format!("Restart the workloads of {namespace}"),
                cluster: Some(seat.place.cluster.clone()),
                back: Back::none("kubectl rollout undo brings the same pods back with the proxy of the day"),
                ..Step::default()
            };
            let (led, lost): (Vec<_>, Vec<_>) = workloads.iter().partition(|one| is_led(seat, one));
            restart(seat, namespace, &led, &mut step);
            // Restarted as they are they would come back without a proxy.
            let owners: BTreeSet<(String, &str)> = lost
                .iter()
                .map(|one| (one.owner.reference(), one.revision.as_deref().unwrap_or_default()))
                .collect();
            for (reference, revision) in owners {
                step.run.push(Action::ByHand(format!(
                    "nothing injects revision {revision} any more: label {namespace}, or the pods of {reference}, with a \
                     revision or a tag that is there, then restart {reference}"
                )));
            }
            step
        })
        .collect()
}

/// Whether something still injects the revision of a workload, as far as its cluster tells.
fn is_led(seat: &Seat<'_>, workload: &MeshedWorkload) -> bool {
    let (Some(revision), Some(known)) = (workload.revision.as_deref(), seat.member.injecting_revisions()) else {
        return true;
    };
    known.is_empty() || known.contains(revision)
}

/// Whether the hop leaves a workload's proxies behind.
pub(super) fn is_due(hop: &Hop<'_>, workload: &MeshedWorkload, revision: Option<&str>) -> bool {
    if workload.kind != ProxyKind::Sidecar {
        return false;
    }
    if let Some(revision) = revision {
        return workload.revision.as_deref().is_none_or(|theirs| theirs == revision);
    }
    is_behind(&workload.version, hop.to)
}

/// Adds the restart of these workloads, and what it would meet.
pub(super) fn restart(seat: &Seat<'_>, name: &str, workloads: &[&MeshedWorkload], step: &mut Step) {
    let place = &seat.place;
    let owners: BTreeSet<&Owner> = workloads.iter().map(|one| &one.owner).collect();
    for owner in owners {
        let reference = owner.reference();
        match owner {
            Owner::Deployment(_) | Owner::StatefulSet(_) | Owner::DaemonSet(_) => {
                step.run.push(Action::Run(place.kubectl(&[
                    "rollout",
                    "restart",
                    &reference,
                    &namespace(name),
                ])));
                step.after.push(Check::now(
                    format!("{reference} in {name} is rolled out"),
                    place.kubectl(&["rollout", "status", &reference, &namespace(name), checks::ROLLOUT])
                        + " > /dev/null",
                ));
            }
            Owner::Job(_) => step.notes.push(format!(
                "{reference} ends by itself, or is made again: its pod keeps the old proxy until then."
            )),
            Owner::Other(..) => step.run.push(Action::ByHand(format!(
                "restart {reference} in {name} with the tool that runs it"
            ))),
            Owner::Nobody(_) => step.run.push(Action::ByHand(format!(
                "make {reference} in {name} anew: nothing makes it again when it is deleted"
            ))),
        }
    }
    let held: BTreeSet<&str> = workloads
        .iter()
        .flat_map(|one| one.held_by.iter().map(String::as_str))
        .collect();
    if !held.is_empty() {
        let held: Vec<&str> = held.into_iter().collect();
        step.notes.push(format!(
            "PodDisruptionBudgets that allow no eviction now: {}. A rolling restart goes past them; a drain of a node does \
             not.",
            held.join(", ")
        ));
    }
}

fn unseen(seat: &Seat<'_>) -> Step {
    Step {
        title: "Restart the data plane".to_owned(),
        cluster: Some(seat.place.cluster.clone()),
        run: vec![Action::ByHand(
            "restart every workload with a sidecar; kubectl mesh-upgrade dataplane status names them".to_owned(),
        )],
        back: Back::none("none is needed"),
        ..Step::default()
    }
}
