//! What Argo CD brought to a member without helm releases: a component for each Application.

use super::ObservedMember;
use crate::{
    api::{Component, WorkloadName},
    engine::Engine,
    gitops::{self, Followed, FollowedKind},
    inventory::{ControlPlane, HelmRelease, ObservedVersion, Ownership},
};

/// A component that an Application brought.
#[derive(Clone, Debug)]
pub struct Brought<'a> {
    /// The Application.
    pub followed: &'a Followed,
    /// What it brings.
    pub component: Component,
    /// Versions of what runs of it.
    pub versions: Vec<&'a ObservedVersion>,
    /// What runs of it.
    pub workloads: Vec<WorkloadName>,
}

impl<'a> ObservedMember<'a> {
    /// Components of the mesh in this cluster that Applications bring, each by itself, in the order of an upgrade. Those
    /// that cannot be waited for are left out.
    ///
    /// As with helm releases, base, CNI and ztunnel exist once in a cluster, and gateways in foreign namespaces belong
    /// to the mesh where no other shares the cluster.
    #[must_use]
    pub fn brought(&self) -> Vec<Brought<'a>> {
        let applications = self
            .observed
            .followed
            .iter()
            .filter(|followed| followed.kind == FollowedKind::Application && followed.obstacle.is_none());
        let mut found: Vec<Brought<'a>> = applications
            .filter_map(|followed| {
                let component = followed.component()?;
                let (versions, workloads) = self.runs_of(followed);
                let is_there = component == Component::Base && !self.is_guest() || !workloads.is_empty();
                is_there.then_some(Brought {
                    followed,
                    component,
                    versions,
                    workloads,
                })
            })
            .collect();
        found.sort_by_key(|one| (one.component, &one.followed.namespace, &one.followed.name));
        found
    }

    /// Helm releases of which only helm's record is left, because an Application brings now what they once installed: an
    /// upgrade of theirs would write the values of that time over Argo CD's.
    #[must_use]
    pub fn left_behind(&self) -> Vec<&'a HelmRelease> {
        let brought = self.brought();
        let observed = self.observed;
        let is_left = |release: &&HelmRelease| {
            let owner = Some((release.namespace.clone(), release.name.clone()));
            let planes = observed.control_planes.iter();
            let planes = planes.map(|plane| (&plane.workload, &plane.helm_release));
            let nodes = observed.node_components.iter();
            let nodes = nodes.map(|node| (&node.workload, &node.helm_release));
            let gateways = observed.gateways.iter();
            let gateways = gateways.map(|gateway| (&gateway.workload, &gateway.helm_release));
            let mut own = planes
                .chain(nodes)
                .chain(gateways)
                .filter(|(_, named)| **named == owner);
            match release.component {
                Component::Base => brought.iter().any(|one| one.component == Component::Base),
                _ => own.any(|(workload, _)| brought.iter().any(|one| one.workloads.contains(workload))),
            }
        };
        if brought.is_empty() {
            return Vec::new();
        }
        observed.helm_releases.iter().filter(is_left).collect()
    }

    /// What runs of the mesh by the mark of a controller's object.
    fn runs_of(&self, followed: &Followed) -> (Vec<&'a ObservedVersion>, Vec<WorkloadName>) {
        let owns = |ownership: &Ownership| {
            let owner = ownership.gitops.as_ref();
            owner.is_some_and(|owner| followed.is_owner(owner))
        };
        let planes = self.control_planes().filter(|plane| owns(&plane.ownership));
        let planes = planes.map(|plane| (Some(&plane.version), &plane.workload));
        let nodes = self.node_components().filter(|node| owns(&node.ownership));
        let nodes = nodes.map(|node| (Some(&node.version), &node.workload));
        let gateways = self.gateways().filter(|gateway| owns(&gateway.ownership));
        let gateways = gateways.map(|gateway| (None, &gateway.workload));
        let all: Vec<_> = planes.chain(nodes).chain(gateways).collect();
        let versions = all.iter().filter_map(|(version, _)| *version).collect();
        (
            versions,
            all.into_iter().map(|(_, workload)| workload.clone()).collect(),
        )
    }

    /// The object that owns a workload and that an upgrade can wait for: it brings one component, and nothing stands in
    /// the way.
    #[must_use]
    pub fn follows(&self, ownership: &Ownership) -> Option<&'a Followed> {
        let owner = gitops::owner_of(self.observed, ownership)?;
        (owner.obstacle.is_none() && owner.component().is_some()).then_some(owner)
    }

    /// Whether an upgrade can go by what installed a control plane.
    #[must_use]
    pub fn can_be_driven(&self, plane: &ControlPlane) -> bool {
        match Engine::of_plane(plane) {
            Engine::Helm | Engine::Istioctl => true,
            Engine::GitOps(_) | Engine::Operator(_) => self.follows(&plane.ownership).is_some(),
            Engine::Unknown => false,
        }
    }
}
