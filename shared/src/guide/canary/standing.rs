//! Which revision each cluster stands on, hop by hop, and what the next one is called.

use super::super::journey::Seat;
use crate::{
    api::{WorkloadKind, WorkloadName},
    revision,
    version::IstioVersion,
};

/// Which revision each cluster stands on, hop by hop.
pub(in crate::guide) struct Canaries(pub(super) Vec<Standing>);

/// The revision of one cluster.
#[derive(Clone)]
pub(super) struct Standing {
    pub cluster: String,
    pub revision: String,
    pub workload: WorkloadName,
    /// Name of the helm release, where helm installed it.
    pub release: Option<String>,
}

impl Canaries {
    /// Where the clusters stand now.
    pub fn of(seats: &[Seat<'_>]) -> Self {
        let standing = seats.iter().filter_map(|seat| {
            let plane = seat.member.control_planes().next()?;
            Some(Standing {
                cluster: seat.place.cluster.clone(),
                revision: plane.revision.clone(),
                workload: plane.workload.clone(),
                release: plane.helm_release.as_ref().map(|(_, name)| name.clone()),
            })
        });
        Self(standing.collect())
    }

    /// Where they stand after a hop.
    pub fn moved(&mut self, to: &IstioVersion) {
        for standing in &mut self.0 {
            *standing = standing.next(to);
        }
    }
}

impl Standing {
    pub(super) fn next(&self, to: &IstioVersion) -> Self {
        let revision = revision::named_by(to);
        Self {
            cluster: self.cluster.clone(),
            workload: WorkloadName {
                kind: WorkloadKind::Deployment,
                namespace: self.workload.namespace.clone(),
                name: format!("istiod-{revision}"),
            },
            release: self
                .release
                .as_ref()
                .map(|name| revision::release(name, &self.revision, &revision)),
            revision,
        }
    }
}
