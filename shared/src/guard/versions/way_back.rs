//! The way back that the owner of an External mesh allowed: to one version, for a while, and never further than a minor.

use super::{
    super::{
        decide::{Facts, KnownMesh},
        message::one_line,
    },
    change::{Change, Stated},
    known::of_namespace,
};
use crate::{
    api::Downgrade,
    version::{Flavor, IstioVersion},
};
use k8s_openapi::jiff::Timestamp;

/// The exception under which a change goes back from `before`, with the mesh whose owner made it.
///
/// It counts only where nobody but an owner has a say: of all meshes that the change may belong to. What lives outside of
/// the control planes' namespaces, as gateways do, belongs to a mesh for certain only where there is one alone.
pub(super) fn allowed<'f>(
    change: &Change<'_>,
    before: &Stated,
    facts: &'f Facts,
) -> Option<(&'f KnownMesh, &'f Downgrade)> {
    let mut meshes: Vec<&KnownMesh> = of_namespace(change.home, facts).collect();
    if meshes.is_empty() {
        meshes = facts.meshes.iter().take(2).collect();
        if meshes.len() > 1 {
            return None;
        }
    }
    if !meshes.iter().all(|mesh| mesh.is_external()) {
        return None;
    }
    let Stated::Version(after) = &change.after else {
        return None;
    };
    let from = before.minor()?;
    if !matches!(from.distance(after.minor()), Some(-1..=0)) {
        return None;
    }
    let mut allowed = meshes
        .into_iter()
        .filter_map(|mesh| Some((mesh, mesh.downgrade.as_ref()?)));
    allowed.find(|(mesh, downgrade)| {
        downgrade.is_open(change.now)
            && downgrade.is_for(&change.request.username)
            && is_to(downgrade, after, change.may_lack_flavor)
            && !is_being_upgraded(mesh, facts)
    })
}

/// Whether this is the version to go back to. A chart need not say whose images it installs.
fn is_to(downgrade: &Downgrade, after: &IstioVersion, may_lack_flavor: bool) -> bool {
    downgrade.to.parse().is_ok_and(|to: IstioVersion| {
        let same_flavor = to.flavor == after.flavor || may_lack_flavor && after.flavor == Flavor::Native;
        same_flavor && to.cmp_release(after).is_eq()
    })
}

/// Whether a mesh went back to this version by a way that is open.
pub(super) fn leads_to(mesh: &KnownMesh, version: &IstioVersion, now: Timestamp) -> bool {
    let mut allowed = mesh.downgrade.iter().filter(|_| mesh.is_external());
    allowed.any(|downgrade| downgrade.is_open(now) && is_to(downgrade, version, false))
}

/// An upgrade that has begun goes on to its end.
fn is_being_upgraded(mesh: &KnownMesh, facts: &Facts) -> bool {
    let mut upgrades = facts.upgrades.iter();
    upgrades.any(|upgrade| upgrade.mesh == mesh.name && !upgrade.phase.is_final())
}

/// What is said of its use.
pub(super) fn told(mesh: &str, downgrade: &Downgrade, user: &str) -> String {
    format!(
        "{} goes back, as {} allowed for mesh \"{}\" until {}: {}",
        one_line(user),
        one_line(&downgrade.by),
        one_line(mesh),
        downgrade.expires.0,
        one_line(&downgrade.reason),
    )
}
