//! The whole runbook: what was detected, what to know, and one chapter for each leg of the way.

use super::{
    Action, Back, Chapter, Check, Engine, GuideError, Runbook, Step, Strategy, Wish,
    before::before,
    by_hand, canary, checks,
    detected::{facts, notes},
    helm, istioctl, left,
    place::Place,
    restarts,
    way_back::Guard,
};
use crate::{
    api::{Component, Management, WorkloadName},
    catalog::{Catalog, Date},
    finding::{Finding, codes},
    inventory::Inventory,
    mesh::{MeshView, ObservedMember},
    path::{self, Leg, PathCluster, PathError},
    preflight::{self, Target},
    version::{IstioVersion, Minor},
};

/// A cluster of the mesh and how it is reached.
pub(super) struct Seat<'a> {
    pub member: ObservedMember<'a>,
    pub place: Place,
    pub engine: Engine,
    /// What the guard there says to a way back.
    pub guard: Guard,
    /// Where its control planes validate and inject: here, or, of an external one, where its configuration is.
    pub proof: Place,
}

impl Seat<'_> {
    /// Whether a gateway's image comes from istiod.
    pub fn is_injected(&self, workload: &WorkloadName) -> bool {
        let mut gateways = self.member.observed.gateways.iter();
        gateways.any(|gateway| gateway.workload == *workload && gateway.image == "auto")
    }

    /// The check that validation answers, where Istio validates here.
    pub fn validates(&self) -> Option<Check> {
        if self.proof.cluster != self.place.cluster {
            return Some(checks::validates(&self.proof));
        }
        let around = self.member.observed.surroundings.as_ref()?;
        let mut webhooks = around.webhooks.iter();
        webhooks
            .any(|webhook| webhook.configuration.starts_with("Validating"))
            .then(|| checks::validates(&self.place))
    }
}

/// One hop of Istio.
pub(super) struct Hop<'a> {
    pub from: &'a IstioVersion,
    pub to: &'a IstioVersion,
    /// What ran when the mesh was observed: values may pin it.
    pub origin: &'a IstioVersion,
    pub charts: &'a super::Charts,
    pub catalog: &'a Catalog,
    /// Whether what was observed is what this hop begins with.
    pub first: bool,
}

/// Makes the runbook of a mesh.
///
/// # Errors
/// When there is nothing to do, no way, or something that must be known is not.
pub fn build(
    mesh: &MeshView,
    inventory: &Inventory,
    wish: &Wish,
    catalog: &Catalog,
    today: Date,
) -> Result<Runbook, GuideError> {
    if let Some((cluster, reason)) = mesh.unknown(inventory).next() {
        return Err(GuideError::Unknown {
            cluster: cluster.to_owned(),
            reason,
        });
    }
    let places: Vec<Place> = mesh
        .observed(inventory)
        .enumerate()
        .map(|(number, member)| Place {
            cluster: member.name().to_owned(),
            context: wish.contexts.get(member.name()).cloned(),
            number: number + 1,
        })
        .collect();
    let seats: Vec<Seat<'_>> = mesh
        .observed(inventory)
        .zip(&places)
        .map(|(member, place)| {
            let mut hosted = mesh.hosted(inventory).filter(|(host, _)| *host == member.name());
            let elsewhere = hosted.find_map(|(_, hosted)| places.iter().find(|place| place.cluster == hosted.cluster));
            Seat {
                place: place.clone(),
                proof: elsewhere.unwrap_or(place).clone(),
                engine: Engine::of(&member),
                guard: Guard::of(mesh, &member),
                member,
            }
        })
        .collect();
    let left::Way { from, rest } = left::running(mesh, &seats, &wish.to)?;
    let from = &from;
    let (strategy, legs) = if rest {
        // Its control planes stand as they are to be, and what is left has no minors to go through.
        (Strategy::InPlace, one_leg(from, &wish.to))
    } else {
        (
            strategy(mesh, &seats, wish.strategy)?,
            legs(mesh, &seats, from, &wish.to, catalog)?,
        )
    };
    let first_to = legs.iter().find_map(|leg| match leg {
        Leg::Istio { to, .. } => Some(to.clone()),
        Leg::Kubernetes { .. } => None,
    });
    let mut chapters = vec![before(&seats, &legs)];
    let mut first = true;
    let mut canaries = canary::Canaries::of(&seats);
    for leg in &legs {
        match leg {
            Leg::Kubernetes { cluster, from, to } => chapters.push(kubernetes(&seats, cluster, *from, *to)),
            Leg::Istio {
                from: leaving,
                to,
                waive,
            } => {
                let hop = Hop {
                    from: leaving,
                    to,
                    origin: from,
                    charts: &wish.charts,
                    catalog,
                    first,
                };
                chapters.push(istio(&hop, &seats, strategy, waive, &mut canaries));
                first = false;
            }
        }
    }
    if rest && chapters.iter().skip(1).all(|chapter| chapter.steps.is_empty()) {
        return Err(left::nothing_to_do(mesh, &wish.to));
    }
    Ok(Runbook {
        mesh: mesh.name.clone(),
        management: mesh.management,
        from: from.to_string(),
        to: wish.to.to_string(),
        strategy,
        clusters: seats.iter().map(facts).collect(),
        notes: notes(mesh, &seats, wish, strategy, &legs),
        findings: first_to.map_or_else(Vec::new, |to| findings(mesh, inventory, to, catalog, today)),
        chapters,
    })
}

/// What was asked for, or what fits: a control plane with a revision of its own was installed to be followed by the next.
fn strategy(mesh: &MeshView, seats: &[Seat<'_>], asked: Option<Strategy>) -> Result<Strategy, GuideError> {
    let hindrance = canary::hindrance(seats);
    match (asked, hindrance) {
        (Some(Strategy::Canary), Some(reason)) => Err(GuideError::NoCanary {
            mesh: mesh.name.clone(),
            reason,
        }),
        (Some(asked), _) => Ok(asked),
        (None, Some(_)) => Ok(Strategy::InPlace),
        (None, None) => {
            let mut planes = seats.iter().flat_map(|seat| seat.member.control_planes());
            Ok(if planes.all(|plane| plane.revision == "default") {
                Strategy::InPlace
            } else {
                Strategy::Canary
            })
        }
    }
}

fn one_leg(from: &IstioVersion, to: &IstioVersion) -> Vec<Leg> {
    vec![Leg::Istio {
        from: from.clone(),
        to: to.clone(),
        waive: Vec::new(),
    }]
}

fn legs(
    mesh: &MeshView,
    seats: &[Seat<'_>],
    from: &IstioVersion,
    to: &IstioVersion,
    catalog: &Catalog,
) -> Result<Vec<Leg>, GuideError> {
    let one = || one_leg(from, to);
    if from.minor() == to.minor() {
        return Ok(one());
    }
    let clusters: Vec<PathCluster> = seats
        .iter()
        .map(|seat| PathCluster {
            name: seat.place.cluster.clone(),
            kubernetes: seat.member.observed.kubernetes.minor,
        })
        .collect();
    let mut legs = match path::solve(from, to.minor(), &clusters, catalog) {
        Ok(legs) => legs,
        // The hop itself is a legal one; that the catalog does not know it is a finding.
        Err(PathError::UnknownMinor { .. }) if from.minor().next() == to.minor() => one(),
        Err(error) => {
            return Err(GuideError::NoWay {
                mesh: mesh.name.clone(),
                to: to.to_string(),
                reason: error.to_string(),
            });
        }
    };
    // The solver goes to the newest patch; the last hop is the one that was asked for.
    if let Some(Leg::Istio { to: last, .. }) = legs.last_mut() {
        last.clone_from(to);
    }
    Ok(legs)
}

/// What a check says, of a mesh that this tool does not write to: what only an upgrade by it would need is left out.
fn findings(mesh: &MeshView, inventory: &Inventory, to: IstioVersion, catalog: &Catalog, today: Date) -> Vec<Finding> {
    let theirs = MeshView {
        management: Management::External,
        ..mesh.clone()
    };
    let mut report = preflight::check(&theirs, inventory, &Target::new(to), catalog, today);
    report
        .findings
        .retain(|finding| ![codes::EXTERNAL_MESH, codes::NO_HELM_RELEASE].contains(&finding.code));
    report.findings
}

fn kubernetes(seats: &[Seat<'_>], cluster: &str, from: Minor, to: Minor) -> Chapter {
    let seat = seats.iter().find(|seat| seat.place.cluster == cluster);
    let after = seat.map(|seat| {
        Check::soon(
            format!("{cluster} runs Kubernetes {to}"),
            format!(
                "{} | grep -Eq '\"gitVersion\": ?\"v{}\\.'",
                seat.place.kubectl(&["get", "--raw=/version"]),
                super::shell::pattern(&to.to_string())
            ),
        )
    });
    Chapter {
        title: format!("Kubernetes of {cluster}: {from} to {to}"),
        notes: vec![format!(
            "The next Istio needs it, and the one that runs supports {to}. Control plane first, then the nodes."
        )],
        steps: vec![Step {
            title: format!("Upgrade Kubernetes of {cluster} to {to} with your own tool"),
            cluster: Some(cluster.to_owned()),
            run: vec![Action::ByHand(format!(
                "upgrade Kubernetes of {cluster} from {from} to {to}, nodes included"
            ))],
            after: after.into_iter().collect(),
            back: Back::none("Kubernetes has none"),
            ..Step::default()
        }],
    }
}

fn istio(
    hop: &Hop<'_>,
    seats: &[Seat<'_>],
    strategy: Strategy,
    waive: &[String],
    canaries: &mut canary::Canaries,
) -> Chapter {
    let mut notes = vec![format!("Charts from {}.", hop.charts.told())];
    if let Some(range) = hop.catalog.kubernetes_range(hop.to) {
        notes.push(format!("Istio {} supports Kubernetes {range}.", hop.to));
    }
    if !waive.is_empty() {
        notes.push(format!(
            "The Kubernetes of {} is newer than Istio {} supports: that is your risk to take, for this hop only.",
            waive.join(", "),
            hop.to
        ));
    }
    notes.extend(vendor(hop, seats));
    let mut steps: Vec<((u8, usize, u8), Step)> = Vec::new();
    for (order, seat) in seats.iter().enumerate() {
        match (&seat.engine, strategy) {
            (Engine::Helm, Strategy::InPlace) => {
                for (component, step) in helm::steps(hop, seat) {
                    steps.push((rank(component, order), step));
                }
                let more = helm::gateways_without_release(hop, seat).into_iter();
                steps.extend(more.map(|step| (rank(Component::Gateway, order), step)));
            }
            (Engine::Helm | Engine::Istioctl, Strategy::Canary) => {
                for (component, step) in canary::steps(hop, seat, canaries) {
                    // After base everywhere, one cluster is moved as a whole before the next.
                    let rank = if component == Component::Base {
                        (0, order, 0)
                    } else {
                        (1, order, 0)
                    };
                    steps.push((rank, step));
                }
            }
            (Engine::Istioctl, Strategy::InPlace) => {
                let mine = istioctl::in_place(hop, seat).into_iter();
                steps.extend(mine.map(|step| (rank(Component::Istiod, order), step)));
                let more = helm::gateways(hop, seat).into_iter();
                steps.extend(more.map(|step| (rank(Component::Gateway, order), step)));
            }
            (Engine::Operator(_) | Engine::GitOps(_) | Engine::Unknown, _) => {
                for (component, step) in by_hand::steps(hop, seat) {
                    steps.push((rank(component, order), step));
                }
            }
        }
        if strategy == Strategy::InPlace {
            let restarts = restarts::steps(hop, seat, None).into_iter();
            steps.extend(restarts.map(|step| ((3, order, 0), step)));
        }
    }
    steps.sort_by_key(|(rank, _)| *rank);
    canaries.moved(hop.to);
    Chapter {
        title: format!("Istio {} to {}", hop.from, hop.to),
        notes,
        steps: steps.into_iter().map(|(_, step)| step).collect(),
    }
}

/// Base everywhere, then cluster by cluster what runs there, gateways last: as `plan` orders it.
fn rank(component: Component, order: usize) -> (u8, usize, u8) {
    match component {
        Component::Base => (0, order, 0),
        Component::Istiod => (1, order, 0),
        Component::Cni => (1, order, 1),
        Component::Ztunnel => (1, order, 2),
        Component::Vendor => (1, order, 3),
        Component::Gateway => (2, order, 0),
    }
}

/// What a vendor's build runs beside Istio's own components.
fn vendor(hop: &Hop<'_>, seats: &[Seat<'_>]) -> Vec<String> {
    let known = hop.catalog.flavor(&hop.to.flavor);
    let components = known.iter().flat_map(|flavor| &flavor.components);
    components
        .filter_map(|component| {
            let mut running = seats.iter().flat_map(|seat| seat.member.vendor_components());
            running
                .any(|found| found.name == component.name)
                .then(|| format!("{} runs beside it: {}.", component.name, component.upgrade))
        })
        .collect()
}
