//! What of a mesh is still behind a version: of a runbook that was left half-way, no more than that is gone through again.

use super::{GuideError, journey::Seat};
use crate::{
    api::WorkloadName,
    data_plane,
    inventory::{MeshedWorkload, ObservedVersion, Owner, ProxyKind},
    mesh::MeshView,
    version::IstioVersion,
};
use std::cmp::Ordering;

/// Whether something is behind, as far as is known: what does not tell its version is gone through again.
pub(super) fn is_behind(version: &ObservedVersion, to: &IstioVersion) -> bool {
    let version = version.version.as_ref();
    version.is_none_or(|version| version.cmp_release(to) == Ordering::Less)
}

impl Seat<'_> {
    /// Whether a control plane or a node component of the cluster is behind.
    pub fn has_components_behind(&self, to: &IstioVersion) -> bool {
        let planes = self.member.control_planes().map(|plane| &plane.version);
        let nodes = self.member.node_components().map(|node| &node.version);
        planes.chain(nodes).any(|version| is_behind(version, to))
    }

    /// Whether the pods of a gateway are behind; of one whose pods were not seen, nobody knows.
    pub fn is_gateway_behind(&self, gateway: &WorkloadName, to: &IstioVersion) -> bool {
        let mut own = self.workloads().filter(|one| {
            one.kind == ProxyKind::Gateway
                && one.namespace == gateway.namespace
                && one.owner == Owner::Deployment(gateway.name.clone())
        });
        match own.next() {
            None => true,
            Some(first) => is_behind(&first.version, to) || own.any(|one| is_behind(&one.version, to)),
        }
    }

    /// Workloads of the mesh: of a cluster that another mesh shares, not those that the other one injected.
    pub fn workloads(&self) -> impl Iterator<Item = &MeshedWorkload> {
        let seen = self.member.observed.data_plane.iter();
        let all = seen.flat_map(|one| &one.workloads);
        all.filter(|one| data_plane::is_of(&self.member, one))
    }
}

/// Where a mesh is.
pub(super) struct Way {
    /// The version that the whole mesh has left behind.
    pub from: IstioVersion,
    /// Whether its control planes and node components have arrived, and only the rest of it has not.
    pub rest: bool,
}

pub(super) fn nothing_to_do(mesh: &MeshView, to: &IstioVersion) -> GuideError {
    GuideError::NothingToDo {
        mesh: mesh.name.clone(),
        to: to.to_string(),
    }
}

/// The version that the whole mesh has left behind, if there is a way from it to the target.
pub(super) fn running(mesh: &MeshView, seats: &[Seat<'_>], to: &IstioVersion) -> Result<Way, GuideError> {
    let nothing = nothing_to_do(mesh, to);
    let planes = seats.iter().flat_map(|seat| seat.member.control_planes());
    let nodes = seats.iter().flat_map(|seat| seat.member.node_components());
    let versions: Vec<&IstioVersion> = planes
        .filter_map(|plane| plane.version.version.as_ref())
        .chain(nodes.filter_map(|node| node.version.version.as_ref()))
        .collect();
    let mesh = mesh.name.clone();
    let oldest = versions.iter().copied().min_by(|a, b| a.cmp_release(b));
    let newest = versions.iter().copied().max_by(|a, b| a.cmp_release(b));
    let (Some(oldest), Some(newest)) = (oldest, newest) else {
        return Err(GuideError::Unreadable { mesh });
    };
    let (from, target) = (newest.to_string(), to.to_string());
    if versions.iter().any(|version| version.flavor != to.flavor) {
        return Err(GuideError::OtherFlavor { mesh, from, to: target });
    }
    match newest.cmp_release(to) {
        Ordering::Greater => Err(GuideError::Downgrade { mesh, from, to: target }),
        _ if oldest == to => {
            let left = oldest_of_the_rest(seats, to).map(|from| Way { from, rest: true });
            left.ok_or(nothing)
        }
        _ => Ok(Way {
            from: oldest.clone(),
            rest: false,
        }),
    }
}

/// The oldest version that is left of a mesh whose control planes and node components have arrived.
fn oldest_of_the_rest(seats: &[Seat<'_>], to: &IstioVersion) -> Option<IstioVersion> {
    let releases = seats.iter().flat_map(|seat| seat.member.releases());
    let charts = releases.filter_map(|release| release.chart_version.parse::<IstioVersion>().ok());
    let workloads = seats.iter().flat_map(Seat::workloads);
    let moved =
        workloads.filter(|one| matches!(one.kind, ProxyKind::Sidecar | ProxyKind::Gateway) && one.owner.rolls());
    let proxies = moved.filter_map(|one| one.version.version.clone());
    charts
        .chain(proxies)
        .filter(|version| version.flavor == to.flavor && version.cmp_release(to) == Ordering::Less)
        .min_by(IstioVersion::cmp_release)
}
