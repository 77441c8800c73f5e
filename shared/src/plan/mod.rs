//! Plan: the ordered steps that take a mesh one hop further, bound to what was observed.

mod canary;
mod drift;
mod file;
mod gitops;
mod images;
mod istioctl;
mod joined;
mod scope;
mod vendor;

pub use drift::drift;
pub use file::{PLAN_FILE_KIND, PLAN_FILE_VERSION, PlanFile, PlannedKubernetes};
pub use images::{images_of_step, take_over_images};
pub use joined::joined;
pub use vendor::unknown_to;

use crate::{
    api::{ChartSource, Component, Hosted, InstallerKind, MeshUpgradeSpec, Plan, PlanCluster, PlanStep, WorkloadName},
    canary::{Canary, Stage},
    catalog::Catalog,
    gitops::of_release,
    inventory::{HelmRelease, Inventory, ObservedVersion},
    mesh::{MeshView, ObservedMember},
    preflight::Target,
    version::{Flavor, IstioVersion, Move},
};
use sha2::{Digest as _, Sha256};
use std::{collections::BTreeSet, fmt::Write as _};

/// Why there is no plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// Everything is at the target.
    #[error("mesh {mesh} has nothing to upgrade: every component is at {target}")]
    NothingToDo {
        /// Name of the mesh.
        mesh: String,
        /// The target.
        target: String,
    },
    /// The target is more than one minor ahead.
    #[error(
        "{place} is at {from}, and {target} is more than one minor ahead: go to {hop} first, with kubectl mesh-upgrade \
         plan {mesh} --to {hop}"
    )]
    Skip {
        /// Name of the mesh.
        mesh: String,
        /// What is too far away.
        place: String,
        /// Its version.
        from: String,
        /// The target.
        target: String,
        /// Where to go first: a version, or a minor with its `.0`.
        hop: String,
    },
    /// Something is newer than the target.
    #[error("{place} is at {from}, which is newer than {target}: choose a version from {from} on")]
    Downgrade {
        /// What is newer.
        place: String,
        /// Its version.
        from: String,
        /// The target.
        target: String,
    },
    /// The target is built by somebody else.
    #[error("{place} is at {from}, and {target} has another flavor: choose a version of the flavor {flavor}")]
    OtherFlavor {
        /// What is of another flavor.
        place: String,
        /// Its flavor.
        flavor: String,
        /// Its version.
        from: String,
        /// The target.
        target: String,
    },
    /// A version cannot be read.
    #[error("the version of {place} cannot be read from {raw:?}: kubectl mesh-upgrade check {mesh} says what to do")]
    Unreadable {
        /// Name of the mesh.
        mesh: String,
        /// What does not tell its version.
        place: String,
        /// What was read.
        raw: String,
    },
    /// There can be no canary of it.
    #[error("mesh {mesh} cannot be upgraded as a canary: in {cluster}, {reason}")]
    NoCanary {
        /// Name of the mesh.
        mesh: String,
        /// Cluster that stands in the way.
        cluster: String,
        /// Why.
        reason: String,
    },
    /// A member cluster could not be observed.
    #[error("cluster {cluster} could not be observed: {reason}; a plan is made only when all clusters answer")]
    Unknown {
        /// Name of the cluster.
        cluster: String,
        /// Why.
        reason: String,
    },
}

/// Makes the plan that takes a mesh to a version: base in all clusters, then cluster by cluster istiod, CNI and ztunnel,
/// clusters with a control plane first, and gateways last. What is at the target already is left out; but a control plane
/// and the cluster that it is configured in are frozen and verified together, whichever of them is changed.
///
/// # Errors
/// When the way is longer than one hop, leads back or to another flavor, when something cannot be seen, or when there
/// is nothing to do.
pub fn plan(
    mesh: &MeshView,
    inventory: &Inventory,
    target: &Target,
    charts: &str,
    catalog: &Catalog,
) -> Result<Plan, PlanError> {
    if let Some((cluster, reason)) = mesh.unknown(inventory).next() {
        return Err(PlanError::Unknown {
            cluster: cluster.to_owned(),
            reason,
        });
    }
    let version = &target.version;
    let members: Vec<ObservedMember<'_>> = mesh.observed(inventory).collect();
    let stage = if target.canary {
        let stage = crate::canary::stage(&members, version);
        stage.map_err(|found| canary::hindered(mesh, &found.cluster, found.reason))?
    } else {
        None
    };
    let mut steps: Vec<((bool, usize), PlanStep)> = Vec::new();
    let mut clusters = Vec::new();
    let mut pulled = BTreeSet::new();
    for (order, member) in members.iter().enumerate() {
        let mut due = due(mesh, member, version, catalog)?;
        due = match stage {
            Some(stage) => canary::steps(mesh, member, version, stage, due)?,
            None => canary::steps_by_operator(mesh, member, version, due)?,
        };
        let hosted: Vec<Hosted> = member.hosted().cloned().collect();
        let configured = scope::Configured::of(member, &members);
        if due.is_empty() && hosted.is_empty() && configured.is_empty() {
            continue;
        }
        let components = images::components(member, &due);
        pulled.extend(images::of(member, &components, version));
        clusters.push(PlanCluster {
            name: member.name().to_owned(),
            uid: member.observed.uid.clone(),
            scope: scope::of(member, configured, &mesh.freeze, &due),
            images: Vec::new(),
            hosted,
            beside: beside(member, version, stage),
        });
        // The Mesh object, and so the first member, may be in a cluster that another one's istiod serves.
        let order = (member.control_planes().next().is_none(), order);
        steps.extend(due.into_iter().map(|step| (order, step)));
    }
    if steps.is_empty() {
        return Err(PlanError::NothingToDo {
            mesh: mesh.name.clone(),
            target: version.to_string(),
        });
    }
    steps.sort_by_key(|(order, step)| {
        let rank = canary::rank(step);
        let wave = match rank.0 {
            Component::Base => 0,
            Component::Istiod | Component::Cni | Component::Ztunnel | Component::Vendor => 1,
            Component::Gateway => 2,
        };
        (wave, *order, rank)
    });
    Ok(Plan {
        clusters,
        steps: steps.into_iter().map(|(_, step)| step).collect(),
        images: pulled.into_iter().collect(),
        charts: ChartSource {
            location: charts.to_owned(),
            ..ChartSource::default()
        },
    })
}

/// Control planes that a canary does not take to the target.
fn beside(member: &ObservedMember<'_>, to: &IstioVersion, stage: Option<Stage>) -> Vec<WorkloadName> {
    let canary = match stage {
        Some(_) => Canary::of(member, to),
        None => Canary::by_operator(member, to),
    };
    let Some(canary) = canary.ok().flatten() else {
        return Vec::new();
    };
    let planes = member.control_planes();
    let beside = planes.filter(|plane| plane.revision != canary.revisions.new);
    beside.map(|plane| plane.workload.clone()).collect()
}

/// What a helm release installs, as far as it runs.
struct Running<'a> {
    versions: Vec<&'a ObservedVersion>,
    workloads: Vec<WorkloadName>,
}

fn running<'a>(member: &ObservedMember<'a>, release: &HelmRelease) -> Running<'a> {
    let owns = |owner: &Option<(String, String)>| {
        owner
            .as_ref()
            .is_some_and(|(namespace, name)| *namespace == release.namespace && *name == release.name)
    };
    let mut running = Running {
        versions: Vec::new(),
        workloads: Vec::new(),
    };
    for plane in member.control_planes().filter(|plane| owns(&plane.helm_release)) {
        running.versions.push(&plane.version);
        running.workloads.push(plane.workload.clone());
    }
    for node in member.node_components().filter(|node| owns(&node.helm_release)) {
        running.versions.push(&node.version);
        running.workloads.push(node.workload.clone());
    }
    for gateway in member
        .observed
        .gateways
        .iter()
        .filter(|gateway| owns(&gateway.helm_release))
    {
        running.workloads.push(gateway.workload.clone());
    }
    running
}

/// The oldest of these versions, each of which may go to the target.
fn oldest<'a>(
    mesh: &MeshView,
    place: &str,
    versions: &[&'a ObservedVersion],
    target: &IstioVersion,
    catalog: &Catalog,
) -> Result<Option<&'a IstioVersion>, PlanError> {
    let mut oldest: Option<&IstioVersion> = None;
    for observed in versions {
        let Some(version) = &observed.version else {
            return Err(PlanError::Unreadable {
                mesh: mesh.name.clone(),
                place: place.to_owned(),
                raw: observed.raw.clone(),
            });
        };
        judge(mesh, place, version, target, catalog)?;
        oldest = match oldest {
            Some(known) if known.cmp_release(version).is_le() => Some(known),
            _ => Some(version),
        };
    }
    Ok(oldest)
}

/// Steps of a member, in the order of their components.
fn due(
    mesh: &MeshView,
    member: &ObservedMember<'_>,
    target: &IstioVersion,
    catalog: &Catalog,
) -> Result<Vec<PlanStep>, PlanError> {
    let mut steps = istioctl::due(mesh, member, target, catalog)?;
    steps.extend(gitops::due(mesh, member, target, catalog)?);
    steps.extend(vendor::due(mesh, member, target, catalog)?);
    for release in member.releases() {
        let running = running(member, release);
        let place = format!(
            "{} of {}, helm release {}/{}",
            release.component,
            member.name(),
            release.namespace,
            release.name
        );
        let oldest = oldest(mesh, &place, &running.versions, target, catalog)?;
        let chart = chart_version(release, &target.flavor);
        if let Some(chart) = &chart
            && Move::between(chart, target) == Move::Downgrade
        {
            judge(mesh, &place, chart, target, catalog)?;
        }
        let is_there = chart.as_ref() == Some(target) && oldest.is_none_or(|version| version == target);
        if is_there {
            continue;
        }
        let installer = match of_release(member.observed, &release.namespace, &release.name) {
            Some(followed) => followed.kind.installer(),
            None => InstallerKind::Helm,
        };
        let from = oldest.map_or_else(|| release.chart_version.clone(), ToString::to_string);
        let (at, to) = (release.object(), target.to_string());
        steps.push(PlanStep {
            release_revision: release.revision,
            workloads: running.workloads,
            ..PlanStep::upgrade(member.name(), release.component, installer, at, from, to)
        });
    }
    Ok(steps)
}

/// A chart's version in the target's flavor: vendors do not all write theirs into the chart's version.
pub(crate) fn chart_version(release: &HelmRelease, flavor: &Flavor) -> Option<IstioVersion> {
    let mut version: IstioVersion = release.chart_version.parse().ok()?;
    if version.flavor == Flavor::Native {
        version.flavor = flavor.clone();
    }
    Some(version)
}

fn judge(
    mesh: &MeshView,
    place: &str,
    from: &IstioVersion,
    to: &IstioVersion,
    catalog: &Catalog,
) -> Result<(), PlanError> {
    let (place, running, target) = (place.to_owned(), from.to_string(), to.to_string());
    match Move::between(from, to) {
        Move::None | Move::Patch | Move::OneMinor => Ok(()),
        Move::Skip => Err(PlanError::Skip {
            mesh: mesh.name.clone(),
            place,
            from: running,
            target,
            hop: catalog.release(&from.flavor, from.minor().next()).map_or_else(
                || format!("{}.0", from.minor().next()),
                |release| release.newest_patch.to_string(),
            ),
        }),
        Move::Downgrade => Err(PlanError::Downgrade {
            place,
            from: running,
            target,
        }),
        Move::OtherFlavor => Err(PlanError::OtherFlavor {
            place,
            flavor: from.flavor.to_string(),
            from: running,
            target,
        }),
    }
}

/// SHA-256 of a plan's JSON with sorted keys, in hexadecimal.
#[must_use]
pub fn hash(plan: &Plan) -> String {
    // A plan has only texts, numbers and lists, so that it always has a JSON form.
    let mut json = serde_json::to_value(plan).unwrap_or_default();
    json.sort_all_objects();
    Sha256::digest(json.to_string())
        .iter()
        .fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// Whether a journal's plan is the one that was confirmed: its hash was written beside it.
#[must_use]
pub fn is_as_confirmed(spec: &MeshUpgradeSpec) -> bool {
    hash(&spec.plan) == spec.plan_hash
}

#[cfg(test)]
mod tests;
