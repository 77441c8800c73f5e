//! Preflight: what has to be right before a mesh may go to a version, one file for each family of checks.

mod ambient;
mod apis;
mod base;
mod begun;
mod canary;
pub mod charts;
mod clusters;
mod configuration;
mod control_plane;
mod data_plane;
mod debug_access;
mod edited;
mod effect;
mod followed;
mod gateway_api;
mod guard;
mod headroom;
mod images;
mod injectors;
mod install;
mod installers;
mod kubernetes;
mod leaders;
mod native;
mod overlooked;
mod ownership;
mod permissions;
pub mod rules;
mod sharing;
mod target;
mod trust;
mod versions;

pub use begun::{Begun, Record};
pub use target::{ChartLookup, Purpose, Target};

use crate::{
    api::{Component, Management, WorkloadName},
    catalog::{Catalog, Date},
    engine::Engine,
    finding::Report,
    gitops::Followed,
    inventory::{Inventory, ObservedVersion, Rollout},
    mesh::{MeshView, ObservedMember},
    version::IstioVersion,
};

/// What is checked, against what.
struct Subject<'a> {
    mesh: &'a MeshView,
    members: Vec<ObservedMember<'a>>,
    target: &'a Target,
    catalog: &'a Catalog,
    today: Date,
}

/// A component that runs in a cluster and tells a version.
struct Part<'a> {
    cluster: &'a str,
    component: Component,
    workload: &'a WorkloadName,
    version: &'a ObservedVersion,
    image: &'a str,
    rollout: Rollout,
    helm_release: Option<&'a (String, String)>,
    engine: Engine,
    /// The object that a GitOps controller follows for it, where an upgrade can wait for that.
    followed: Option<&'a Followed>,
}

impl<'a> Subject<'a> {
    /// Control planes and node components of all members that answered.
    fn parts(&self) -> Vec<Part<'a>> {
        self.members.iter().flat_map(parts_of).collect()
    }

    fn writes(&self) -> bool {
        self.mesh.management != Management::External
    }

    /// The version that the mesh should go to first on the way to anything above `from`.
    fn next_hop(&self, from: &IstioVersion) -> String {
        let minor = from.minor().next();
        self.catalog.release(&from.flavor, minor).map_or_else(
            || format!("a {minor} release"),
            |release| release.newest_patch.to_string(),
        )
    }

    fn check_command(&self, version: &str) -> String {
        format!("kubectl mesh-upgrade check {} --to {version}", self.mesh.name)
    }
}

/// Control planes and node components of a member.
fn parts_of<'a>(member: &ObservedMember<'a>) -> Vec<Part<'a>> {
    let cluster = member.name();
    let planes = member.control_planes().map(move |plane| Part {
        cluster,
        component: Component::Istiod,
        workload: &plane.workload,
        version: &plane.version,
        image: &plane.image,
        rollout: plane.rollout,
        helm_release: plane.helm_release.as_ref(),
        engine: Engine::of_plane(plane),
        followed: member.follows(&plane.ownership),
    });
    let nodes = member.node_components().map(move |node| Part {
        cluster,
        component: node.component,
        workload: &node.workload,
        version: &node.version,
        image: &node.image,
        rollout: node.rollout,
        helm_release: node.helm_release.as_ref(),
        engine: Engine::of_node(node),
        followed: member.follows(&node.ownership),
    });
    planes.chain(nodes).collect()
}

/// A workload as messages name it.
fn named(workload: &WorkloadName) -> String {
    format!("{} {}/{}", workload.kind.as_str(), workload.namespace, workload.name)
}

/// Checks whether a mesh may go to a version. Nothing is changed, nothing is asked: the inventory says it all.
#[must_use]
pub fn check(mesh: &MeshView, inventory: &Inventory, target: &Target, catalog: &Catalog, today: Date) -> Report {
    let subject = Subject {
        mesh,
        members: mesh.observed(inventory).collect(),
        target,
        catalog,
        today,
    };
    let mut report = Report::default();
    clusters::check(&subject, inventory, &mut report);
    begun::check(&subject, &mut report);
    versions::check(&subject, &mut report);
    kubernetes::check(&subject, &mut report);
    apis::check(&subject, &mut report);
    control_plane::check(&subject, &mut report);
    canary::check(&subject, &mut report);
    leaders::check(&subject, &mut report);
    headroom::check(&subject, &mut report);
    trust::check(&subject, &mut report);
    injectors::check(&subject, &mut report);
    install::check(&subject, &mut report);
    sharing::check(&subject, &mut report);
    installers::check(&subject, &mut report);
    ownership::check(&subject, &mut report);
    edited::check(&subject, &mut report);
    followed::check(&subject, &mut report);
    charts::check(&subject, &mut report);
    images::check(&subject, &mut report);
    configuration::check(&subject, &mut report);
    ambient::check(&subject, &mut report);
    debug_access::check(&subject, &mut report);
    data_plane::check(&subject, &mut report);
    if subject.writes() {
        permissions::check(&subject, &mut report);
        guard::check(&subject, &mut report);
    }
    report.sort();
    report
}

#[cfg(test)]
pub(crate) mod tests;
