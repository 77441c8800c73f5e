//! What was detected, and what to know before anything is begun.

use super::{ClusterFacts, Engine, Strategy, Wish, by_hand, helm, journey::Seat};
use crate::{api::Management, mesh::MeshView, path::Leg};

/// What was detected of a cluster.
pub(super) fn facts(seat: &Seat<'_>) -> ClusterFacts {
    let images = seat.member.control_planes().map(|plane| plane.image.as_str());
    ClusterFacts {
        name: seat.place.cluster.clone(),
        context: seat.place.context.clone(),
        kubernetes: seat.member.observed.kubernetes.to_string(),
        installer: seat.engine.told(),
        control_planes: seat
            .member
            .control_planes()
            .map(|plane| {
                format!(
                    "istiod of revision {} in {}: {}",
                    plane.revision,
                    plane.workload.namespace,
                    helm::shown(&plane.version)
                )
            })
            .collect(),
        hub: images.filter_map(hub).next().map(str::to_owned),
    }
}

/// Registry and path of an image.
fn hub(image: &str) -> Option<&str> {
    image.rsplit_once('/').map(|(hub, _)| hub)
}

/// What to know before anything is begun.
pub(super) fn notes(mesh: &MeshView, seats: &[Seat<'_>], wish: &Wish, strategy: Strategy, legs: &[Leg]) -> Vec<String> {
    let mut notes = vec![
        "Made from what was observed; nothing was written to any cluster. If the mesh changes, make it anew.".to_owned(),
        match strategy {
            Strategy::InPlace if seats.iter().any(by_hand::comes_beside) => {
                "The Sail Operator brings a revision of its own for each version beside the one that runs, one minor at a time: the \
                 data plane moves over, and the old one goes by itself when nothing uses it any more."
            }
            Strategy::InPlace => {
                "In place: each control plane is upgraded where it stands, one minor at a time, which is what Istio tests."
            }
            Strategy::Canary => {
                "As a canary: a new revision is installed beside the one that runs, the data plane moves over, and the old \
                 one goes when nothing uses it any more. Until then the way back is to move back."
            }
        }
        .to_owned(),
    ];
    let hops = legs.iter().filter(|leg| matches!(leg, Leg::Istio { .. })).count();
    if hops > 1 {
        notes.push(format!(
            "{hops} minors are in the way, and jumps over a minor are not tested by Istio: each hop is brought to its end, \
             the data plane restarted, before the next one begins. Make this guide anew after each hop: later chapters are \
             worked out, not observed."
        ));
    }
    if mesh.management != Management::External
        && seats.iter().all(|seat| {
            let mut planes = seat.member.control_planes();
            seat.engine != Engine::Unknown && planes.all(|plane| seat.member.can_be_driven(plane))
        })
    {
        notes.push(format!(
            "This tool can do it itself, frozen and resumable: kubectl mesh-upgrade apply {} --to VERSION, hop by hop.",
            mesh.name
        ));
    }
    if mesh.management == Management::External {
        notes.push("The mesh is operated by its owner: this tool only advises, and never writes to it.".to_owned());
    }
    if hops > 1 && matches!(wish.charts, super::Charts::Folder(..)) {
        notes.push(
            "The charts are in one folder: it has to hold a packaged chart of each hop (istiod-VERSION.tgz); an unpacked \
             one is of one version only, and the checks will say so."
                .to_owned(),
        );
    }
    for seat in seats {
        if seat.proof.cluster != seat.place.cluster {
            notes.push(format!(
                "The control plane in {} is an external one: its configuration, Istio's definitions and its webhooks are in \
                 {}, which comes first with the definitions and is where validation and injection are proved.",
                seat.place.cluster, seat.proof.cluster
            ));
        }
        notes.extend(mirror(seat));
        if seat.place.context.is_none() {
            notes.push(format!(
                "No context of yours leads to {}: add --context (helm: --kube-context) to its commands.",
                seat.place.cluster
            ));
        }
    }
    notes
}

/// Images that have to be in a mirror before anything begins.
fn mirror(seat: &Seat<'_>) -> Option<String> {
    const PUBLIC: [&str; 4] = [
        "docker.io/istio",
        "registry.istio.io/release",
        "gcr.io/istio-release",
        "istio",
    ];
    let images = seat.member.control_planes().map(|plane| plane.image.as_str());
    let hub = images.filter_map(hub).find(|hub| !PUBLIC.contains(hub))?;
    Some(format!(
        "{} takes its images from {hub}: the images of each version on the way (pilot, proxyv2, and install-cni or ztunnel \
         where they run) have to be there before its chapter begins.",
        seat.place.cluster
    ))
}
