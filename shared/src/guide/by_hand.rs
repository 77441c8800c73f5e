//! Where an operator or a GitOps controller owns Istio, or nobody knows who does: the change is made where they look, one
//! component after the other, and seen to arrive.

use super::{
    Action, Back, Check, Engine, Step, checks,
    journey::{Hop, Seat},
    way_back,
};
use crate::api::{Component, WorkloadName};

/// Steps of one cluster, each with its component.
pub(super) fn steps(hop: &Hop<'_>, seat: &Seat<'_>) -> Vec<(Component, Step)> {
    let observed = seat.member.observed;
    let mut steps = vec![(Component::Base, base(hop, seat))];
    for plane in seat.member.control_planes() {
        let owner = owner(
            seat,
            plane.ownership.operator.as_deref(),
            plane.ownership.gitops.as_deref(),
        );
        let mut step = one(hop, seat, Component::Istiod, &plane.workload, &owner);
        step.after.extend(seat.validates());
        step.look.push(checks::injects(&seat.proof, &plane.revision, hop.to));
        step.look.push(checks::proxies(&seat.place));
        steps.push((Component::Istiod, step));
    }
    for node in seat.member.node_components() {
        let owner = owner(
            seat,
            node.ownership.operator.as_deref(),
            node.ownership.gitops.as_deref(),
        );
        steps.push((node.component, one(hop, seat, node.component, &node.workload, &owner)));
    }
    for gateway in &observed.gateways {
        let mut step = one(hop, seat, Component::Gateway, &gateway.workload, &seat.engine);
        if seat.is_injected(&gateway.workload) {
            let name = checks::reference(&gateway.workload);
            let namespace = checks::namespace(&gateway.workload.namespace);
            step.run.push(Action::Run(
                seat.place.kubectl(&["rollout", "restart", &name, &namespace]),
            ));
            step.after.retain(|check| !check.patient);
        }
        steps.push((Component::Gateway, step));
    }
    steps
}

/// Who owns one thing, or else the cluster's control plane.
fn owner(seat: &Seat<'_>, operator: Option<&str>, gitops: Option<&str>) -> Engine {
    match (gitops, operator) {
        (Some(object), _) => Engine::GitOps(object.to_owned()),
        (None, Some(object)) => Engine::Operator(object.to_owned()),
        (None, None) => seat.engine.clone(),
    }
}

fn base(hop: &Hop<'_>, seat: &Seat<'_>) -> Step {
    let place = &seat.place;
    let change = match &seat.engine {
        Engine::Operator(object) => format!(
            "upgrade the operator behind {object} to a release that knows {}: it brings Istio's definitions with it",
            hop.to
        ),
        Engine::GitOps(object) => format!(
            "in the repository that {object} follows, move the chart base, with Istio's definitions, to {} and let it \
             sync that alone",
            hop.to
        ),
        Engine::Helm | Engine::Istioctl | Engine::Unknown => format!(
            "apply Istio's definitions of {} with the tool that installed them",
            hop.to
        ),
    };
    Step {
        title: format!("base: Istio's definitions to {}", hop.to),
        cluster: Some(place.cluster.clone()),
        notes: vec!["All charts at once is how meshes break: one component after the other.".to_owned()],
        run: vec![Action::ByHand(change)],
        after: vec![Check::soon(
            "Istio's definitions are served",
            place.kubectl(&[
                "wait",
                "--for=condition=Established",
                "--timeout=60s",
                "crd/virtualservices.networking.istio.io",
            ]) + " > /dev/null",
        )],
        back: Back::none("none is needed: newer definitions serve an older istiod"),
        ..Step::default()
    }
}

fn one(hop: &Hop<'_>, seat: &Seat<'_>, component: Component, workload: &WorkloadName, owner: &Engine) -> Step {
    let place = &seat.place;
    let (run, back) = change(hop, seat, component, owner);
    Step {
        title: format!(
            "{component}: {} in {} to {}",
            checks::reference(workload),
            workload.namespace,
            hop.to
        ),
        cluster: Some(place.cluster.clone()),
        run: vec![run],
        after: vec![
            checks::runs(place, workload, hop.to),
            checks::rolled_out(place, workload),
        ],
        back,
        ..Step::default()
    }
}

/// The change of one component, and the way back.
fn change(hop: &Hop<'_>, seat: &Seat<'_>, component: Component, owner: &Engine) -> (Action, Back) {
    let told = format!("the same change back to {}", hop.from);
    let (run, back) = as_owned(hop, seat, component, owner, told);
    let writer = match owner {
        Engine::GitOps(object) | Engine::Operator(object) => Some(object.as_str()),
        Engine::Helm | Engine::Istioctl | Engine::Unknown => None,
    };
    (run, way_back::past_the_guard(hop, seat, writer, back))
}

fn as_owned(hop: &Hop<'_>, seat: &Seat<'_>, component: Component, owner: &Engine, told: String) -> (Action, Back) {
    match owner {
        Engine::GitOps(object) => (
            Action::ByHand(format!(
                "in the repository that {object} follows, move the chart {component} to {} and let it sync",
                hop.to
            )),
            Back::none(told),
        ),
        Engine::Operator(object) => match sail(hop, object) {
            Some((kind, name)) => {
                let patch = |version: &str| {
                    seat.place.kubectl(&[
                        "patch",
                        kind,
                        &name,
                        "--type=merge",
                        &format!("--patch={{\"spec\":{{\"version\":\"v{version}\"}}}}"),
                    ])
                };
                (
                    Action::Run(patch(&hop.to.to_string())),
                    Back::by(told, vec![patch(&hop.from.to_string())]),
                )
            }
            None => (
                Action::ByHand(format!(
                    "set the version {} in {object}, and let its operator work",
                    hop.to
                )),
                Back::none(told),
            ),
        },
        Engine::Helm | Engine::Istioctl | Engine::Unknown => (
            Action::ByHand(format!(
                "upgrade {component} to {} with the tool that installed it; no mark says which",
                hop.to
            )),
            Back::none(told),
        ),
    }
}

/// The object of the Sail Operator that carries the version. An IstioRevision belongs to the Istio of its name, without
/// the version that a revision of its own carries.
fn sail<'a>(hop: &Hop<'_>, object: &'a str) -> Option<(&'static str, String)> {
    let (kind, name): (&'a str, &'a str) = object.split_once(' ')?;
    match kind {
        "Istio" => Some(("istio.sailoperator.io", name.to_owned())),
        "IstioRevision" => {
            let end = format!("-v{}", hop.from.to_string().replace('.', "-"));
            Some((
                "istio.sailoperator.io",
                name.strip_suffix(&end).unwrap_or(name).to_owned(),
            ))
        }
        "IstioCNI" => Some(("istiocni.sailoperator.io", name.to_owned())),
        "ZTunnel" => Some(("ztunnel.sailoperator.io", name.to_owned())),
        _ => None,
    }
}
