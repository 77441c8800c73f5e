//! Where an operator or a GitOps controller owns Istio, or nobody knows who does: the change is made where they look, one
//! component after the other, and seen to arrive.

use super::{
    Action, Back, Check, Engine, Step, checks,
    journey::{Hop, Seat},
    left::is_behind,
    way_back,
};
use crate::{
    api::{Component, WorkloadName},
    gitops,
    inventory::{ControlPlane, OperatorObject, Ownership},
};

/// Steps of one cluster, each with its component.
pub(super) fn steps(hop: &Hop<'_>, seat: &Seat<'_>) -> Vec<(Component, Step)> {
    let mut steps = Vec::new();
    if seat.has_components_behind(hop.to) {
        steps.push((Component::Base, base(hop, seat)));
    }
    for plane in seat
        .member
        .control_planes()
        .filter(|plane| is_behind(&plane.version, hop.to))
    {
        let owner = owner(seat, &plane.ownership);
        if let Some(beside) = Beside::of(hop, plane, &owner) {
            // One that a newer one stands beside goes by itself.
            if !beside.is_followed(seat) {
                steps.extend(beside.steps(hop, seat, &owner).map(|step| (Component::Istiod, step)));
            }
            continue;
        }
        let mut step = one(hop, seat, Component::Istiod, &plane.workload, &owner);
        step.after.extend(seat.validates());
        step.look.push(checks::injects(&seat.proof, &plane.revision, hop.to));
        step.look.push(checks::proxies(&seat.place));
        steps.push((Component::Istiod, step));
    }
    for node in seat
        .member
        .node_components()
        .filter(|node| is_behind(&node.version, hop.to))
    {
        let owner = owner(seat, &node.ownership);
        steps.push((node.component, one(hop, seat, node.component, &node.workload, &owner)));
    }
    for gateway in seat
        .member
        .gateways()
        .filter(|gateway| seat.is_gateway_behind(&gateway.workload, hop.to))
    {
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

/// A revision that the Sail Operator brings beside the one that runs.
struct Beside<'a> {
    plane: &'a ControlPlane,
    old: String,
    new: String,
}

/// The Istio of a revision that is named by its version, by the mark of the Sail Operator.
fn istio_of(object: &OperatorObject) -> Option<&str> {
    gitops::istio_of_revision(object.revision()?)
}

/// Whether the Sail Operator brings a new revision beside what runs.
pub(super) fn comes_beside(seat: &Seat<'_>) -> bool {
    let mut owners = seat
        .member
        .control_planes()
        .filter_map(|plane| plane.ownership.operator.as_ref());
    owners.any(|owner| istio_of(owner).is_some())
}

impl<'a> Beside<'a> {
    fn of(hop: &Hop<'_>, plane: &'a ControlPlane, owner: &Engine) -> Option<Self> {
        let Engine::Operator(object) = owner else { return None };
        let istio = istio_of(object)?;
        Some(Self {
            plane,
            old: if hop.first {
                plane.revision.clone()
            } else {
                gitops::revision_of(istio, &hop.from.to_string())
            },
            new: gitops::revision_of(istio, &hop.to.to_string()),
        })
    }

    fn is_followed(&self, seat: &Seat<'_>) -> bool {
        let mut others = seat.member.control_planes();
        others.any(|other| match (&other.version.version, &self.plane.version.version) {
            (Some(other), Some(own)) => other.cmp_release(own).is_gt(),
            _ => false,
        })
    }

    fn steps(&self, hop: &Hop<'_>, seat: &Seat<'_>, owner: &Engine) -> impl Iterator<Item = Step> + use<> {
        let Self { plane, old, new } = self;
        let workload = WorkloadName {
            name: format!("istiod-{new}"),
            ..plane.workload.clone()
        };
        let mut install = one(hop, seat, Component::Istiod, &workload, owner);
        install.notes.push(format!(
            "The Sail Operator brings revision {new} beside {old}, and moves IstioRevisionTags of its Istio to it. What runs \
             stays with {old} until it is restarted; the operator takes that away when nothing refers to it."
        ));
        install.after.extend(seat.validates());
        install.look.push(checks::injects(&seat.proof, new, hop.to));
        install.look.push(checks::proxies(&seat.place));
        std::iter::once(install).chain(self.namespaces(seat))
    }

    /// What names the old revision is led to the new one, before it is restarted.
    fn namespaces(&self, seat: &Seat<'_>) -> Option<Step> {
        let around = seat.member.observed.surroundings.as_deref()?;
        let labels = |revision: &str| {
            let asking = around
                .namespaces
                .iter()
                .filter(|one| one.revision == self.plane.revision);
            let label = format!("istio.io/rev={revision}");
            let words = asking.map(|one| {
                [
                    "label",
                    "namespace",
                    one.namespace.as_str(),
                    "--overwrite",
                    label.as_str(),
                ]
            });
            words.map(|words| seat.place.kubectl(&words)).collect::<Vec<_>>()
        };
        let run = labels(&self.new);
        (!run.is_empty()).then(|| Step {
            title: format!("Namespaces that name {} to {}", self.old, self.new),
            cluster: Some(seat.place.cluster.clone()),
            run: run.into_iter().map(Action::Run).collect(),
            back: Back::by("the label back, and a restart", labels(&self.old)),
            ..Step::default()
        })
    }
}

/// Who owns one thing, or else the cluster's control plane.
fn owner(seat: &Seat<'_>, ownership: &Ownership) -> Engine {
    match (&ownership.gitops, &ownership.operator) {
        (Some(object), _) => Engine::GitOps(object.clone()),
        (None, Some(object)) => Engine::Operator(object.clone()),
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
        Engine::GitOps(object) => Some(object.to_string()),
        Engine::Operator(object) => Some(object.to_string()),
        Engine::Helm | Engine::Istioctl | Engine::Unknown => None,
    };
    (run, way_back::past_the_guard(hop, seat, writer.as_deref(), back))
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
        Engine::Operator(object) => match sail(object) {
            Some((kind, name)) => {
                let patch = |version: &str| {
                    seat.place.kubectl(&[
                        "patch",
                        kind,
                        name,
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
fn sail(object: &OperatorObject) -> Option<(&'static str, &str)> {
    let name = object.name.as_str();
    match object.kind.as_str() {
        "Istio" => Some(("istio.sailoperator.io", name)),
        "IstioRevision" => Some(("istio.sailoperator.io", gitops::istio_of_revision(name).unwrap_or(name))),
        "IstioCNI" => Some(("istiocni.sailoperator.io", name)),
        "ZTunnel" => Some(("ztunnel.sailoperator.io", name)),
        _ => None,
    }
}
