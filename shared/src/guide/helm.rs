//! In place, with helm: one release after the other, each with the values that it has.

use super::{
    Action, Back, Check, Look, Step,
    checks::{self, namespace},
    journey::{Hop, Seat},
    way_back,
};
use crate::{
    api::{Component, WorkloadName},
    inventory::{HelmRelease, ObservedVersion},
    version::IstioVersion,
};
use std::cmp::Ordering;

/// Steps of one cluster, each with the component that it upgrades.
pub(super) fn steps(hop: &Hop<'_>, seat: &Seat<'_>) -> Vec<(Component, Step)> {
    let due = seat
        .member
        .releases()
        .into_iter()
        .filter(|release| is_due(release, hop.to));
    due.map(|release| (release.component, in_place(hop, seat, release, &[])))
        .collect()
}

/// Gateways that helm installed, whatever installed the control plane.
pub(super) fn gateways(hop: &Hop<'_>, seat: &Seat<'_>) -> Vec<Step> {
    let steps = steps(hop, seat).into_iter();
    let released = steps.filter(|(component, _)| *component == Component::Gateway);
    released
        .map(|(_, step)| step)
        .chain(gateways_without_release(hop, seat))
        .collect()
}

/// Whether a release's chart is behind; one that cannot be read is upgraded.
pub(super) fn is_due(release: &HelmRelease, to: &IstioVersion) -> bool {
    let chart = release.chart_version.parse::<IstioVersion>();
    chart.map_or(true, |chart| chart.cmp_release(to) == Ordering::Less)
}

/// The upgrade of one release, with more settings than its own.
pub(super) fn in_place(hop: &Hop<'_>, seat: &Seat<'_>, release: &HelmRelease, more: &[String]) -> Step {
    let place = &seat.place;
    let component = release.component;
    let chart = hop.charts.words(component, hop.to);
    let workloads = workloads(seat, release);
    let mut step = Step {
        title: format!(
            "{component}: helm release {} in {} to {}",
            release.name, release.namespace, hop.to
        ),
        cluster: Some(place.cluster.clone()),
        before: vec![
            checks::deployed(place, release),
            checks::chart(place, component, &chart, hop.to),
        ],
        run: vec![Action::Run(place.helm(&upgrade(hop, release, &chart, more)))],
        after: vec![checks::deployed(place, release)],
        ..Step::default()
    };
    for workload in &workloads {
        after_rollout(hop, seat, component, workload, &mut step);
    }
    about(component, &mut step);
    if component == Component::Istiod {
        istiod(hop, seat, &workloads, &mut step);
    }
    step.back = back(hop, seat, release);
    step
}

/// The arguments of `helm upgrade`.
pub(super) fn upgrade(hop: &Hop<'_>, release: &HelmRelease, chart: &[String], more: &[String]) -> Vec<String> {
    let mut words = vec!["upgrade".to_owned(), release.name.clone()];
    words.extend(chart.iter().cloned());
    words.push(namespace(&release.namespace));
    // What the release was given stays, above the defaults of the new chart, and is never seen.
    words.push("--reset-then-reuse-values".to_owned());
    words.extend(["--wait".to_owned(), checks::ROLLOUT.to_owned()]);
    if release.settings.server_side {
        // istiod writes fields of the chart's webhooks, which helm 4 calls a conflict.
        words.push("--force-conflicts".to_owned());
    }
    words.extend(pins(hop, release));
    words.extend(more.iter().cloned());
    words
}

/// Settings that move tags which the release's own values pin.
pub(super) fn pins(hop: &Hop<'_>, release: &HelmRelease) -> Vec<String> {
    let pins = release.settings.pins(&hop.origin.to_string(), &hop.to.to_string());
    pins.into_iter().map(|pin| format!("--set-string={pin}")).collect()
}

/// What a release rolls out.
pub(super) fn workloads(seat: &Seat<'_>, release: &HelmRelease) -> Vec<WorkloadName> {
    let owns = |owner: &Option<(String, String)>| {
        owner
            .as_ref()
            .is_some_and(|(namespace, name)| *namespace == release.namespace && *name == release.name)
    };
    let observed = seat.member.observed;
    let planes = seat.member.control_planes().filter(|plane| owns(&plane.helm_release));
    let nodes = observed.node_components.iter().filter(|node| owns(&node.helm_release));
    let gateways = observed.gateways.iter().filter(|gateway| owns(&gateway.helm_release));
    planes
        .map(|plane| plane.workload.clone())
        .chain(nodes.map(|node| node.workload.clone()))
        .chain(gateways.map(|gateway| gateway.workload.clone()))
        .collect()
}

fn after_rollout(hop: &Hop<'_>, seat: &Seat<'_>, component: Component, workload: &WorkloadName, step: &mut Step) {
    let place = &seat.place;
    if component == Component::Gateway && seat.is_injected(workload) {
        // The chart may leave its pods as they are, and their proxy comes from istiod.
        step.run.push(Action::Run(place.kubectl(&[
            "rollout",
            "restart",
            &checks::reference(workload),
            &namespace(&workload.namespace),
        ])));
    } else {
        step.after.push(checks::runs(place, workload, hop.to));
    }
    step.after.push(checks::rolled_out(place, workload));
}

fn about(component: Component, step: &mut Step) {
    let note = match component {
        Component::Base => {
            "Istio's definitions and the default validator. Definitions of a newer Istio serve an older istiod, so they \
             come first, in every cluster."
        }
        Component::Istiod => {
            "The control plane. Proxies keep what they have while it is replaced; new pods wait for injection."
        }
        Component::Cni => "The node agent, node by node: pods that start on a node meanwhile may have to wait for it.",
        Component::Ztunnel => {
            "The ambient node proxy, node by node: long-lived connections through it are reset when it goes. Drain nodes \
             whose connections must not break."
        }
        Component::Vendor => "What the vendor runs beside Istio's own components, after the control plane.",
        Component::Gateway => "Traffic from outside passes here: watch it while the pods are replaced.",
    };
    step.notes.push(note.to_owned());
}

fn istiod(hop: &Hop<'_>, seat: &Seat<'_>, workloads: &[WorkloadName], step: &mut Step) {
    let planes = seat.member.control_planes();
    for plane in planes.filter(|plane| workloads.contains(&plane.workload)) {
        if plane.rollout.desired < 2 {
            step.notes.push(format!(
                "{} has one replica: nothing is injected or validated while it is replaced.",
                checks::reference(&plane.workload)
            ));
        }
        step.look.push(checks::injects(&seat.proof, &plane.revision, hop.to));
        step.look.push(checks::events(&seat.place, &plane.workload.namespace));
    }
    step.after.extend(seat.validates());
    step.look.push(checks::proxies(&seat.place));
}

fn back(hop: &Hop<'_>, seat: &Seat<'_>, release: &HelmRelease) -> Back {
    if release.component == Component::Base {
        return Back::none(
            "none is needed: the definitions of the newer Istio serve the older one, and going back with them may lose \
             fields of what was written meanwhile",
        );
    }
    let mut words = vec!["rollback".to_owned(), release.name.clone()];
    if hop.first {
        words.push(release.revision.to_string());
    }
    words.extend([
        namespace(&release.namespace),
        "--wait".to_owned(),
        checks::ROLLOUT.to_owned(),
    ]);
    if release.settings.server_side {
        words.push("--force-conflicts".to_owned());
    }
    let says = format!(
        "back to {}, as long as nothing newer than it relies on the new version",
        hop.from
    );
    way_back::past_the_guard(hop, seat, None, Back::by(says, vec![seat.place.helm(&words)]))
}

/// Gateways that no release owns: their pods get the proxy of the istiod that injects them.
pub(super) fn gateways_without_release(hop: &Hop<'_>, seat: &Seat<'_>) -> Vec<Step> {
    let gateways = seat.member.gateways();
    gateways
        .filter(|gateway| gateway.helm_release.is_none() && seat.is_gateway_behind(&gateway.workload, hop.to))
        .map(|gateway| {
            let workload = &gateway.workload;
            let name = checks::reference(workload);
            let injected = seat.is_injected(workload);
            let run = if injected {
                Action::Run(
                    seat.place
                        .kubectl(&["rollout", "restart", &name, &namespace(&workload.namespace)]),
                )
            } else {
                Action::ByHand(format!(
                    "upgrade {name} in {} to {} with the tool that installed it",
                    workload.namespace, hop.to
                ))
            };
            let mut after: Vec<Check> = Vec::new();
            if !injected {
                after.push(checks::runs(&seat.place, workload, hop.to));
            }
            after.push(checks::rolled_out(&seat.place, workload));
            Step {
                title: format!("gateway: {name} in {}", workload.namespace),
                cluster: Some(seat.place.cluster.clone()),
                run: vec![run],
                after,
                look: vec![Look {
                    says: "traffic from outside arrives as before".to_owned(),
                    command: None,
                }],
                back: Back::none("none of its own: it follows the istiod that injects it"),
                ..Step::default()
            }
        })
        .collect()
}

/// What the version of something is, for people.
pub(super) fn shown(version: &ObservedVersion) -> String {
    version
        .version
        .as_ref()
        .map_or_else(|| format!("unreadable ({})", version.raw), ToString::to_string)
}
