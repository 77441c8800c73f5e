//! What is frozen in a cluster: everything of the mesh that was observed there, by name.

use crate::{
    api::{FreezeScope, FreezeSettings, ObjectName, PlanStep},
    gitops::Followed,
    istioctl::Installation,
    mesh::ObservedMember,
};
use std::collections::BTreeSet;

/// Scope of a member's freeze, sorted so that the same cluster always gives the same plan.
pub(super) fn of(member: &ObservedMember<'_>, settings: &FreezeSettings, steps: &[PlanStep]) -> FreezeScope {
    let mut namespaces: BTreeSet<&String> = member.member.istio_namespaces.iter().collect();
    let mut config_maps = BTreeSet::new();
    let mut workloads = BTreeSet::new();
    let mut users = BTreeSet::new();
    for plane in member.control_planes() {
        namespaces.insert(&plane.workload.namespace);
        workloads.insert(plane.workload.clone());
        users.insert(plane.user.clone());
        config_maps.extend(plane.config_maps.iter().map(|name| ObjectName {
            namespace: plane.workload.namespace.clone(),
            name: name.clone(),
        }));
    }
    workloads.extend(member.observed.node_components.iter().map(|node| node.workload.clone()));
    let of_vendor = || member.observed.vendor_components.iter();
    let of_vendor = || of_vendor().filter_map(|found| Some((&found.workload, found.release.as_ref()?)));
    workloads.extend(of_vendor().map(|(workload, _)| workload.clone()));
    let releases: BTreeSet<ObjectName> = member
        .releases()
        .into_iter()
        .chain(of_vendor().map(|(_, release)| release))
        .map(|release| ObjectName {
            namespace: release.namespace.clone(),
            name: release.name.clone(),
        })
        .collect();
    let installations = member.installations();
    for gateway in installations.iter().flat_map(|installation| &installation.gateways) {
        workloads.insert(gateway.workload.clone());
    }
    let brought = member.brought();
    workloads.extend(brought.iter().flat_map(|one| one.workloads.clone()));
    // Gateways that another mesh may own are left out, with their releases.
    let gateways = member
        .observed
        .gateways
        .iter()
        .filter(|gateway| match &gateway.helm_release {
            Some((namespace, name)) => releases.contains(&ObjectName {
                namespace: namespace.clone(),
                name: name.clone(),
            }),
            None => false,
        });
    workloads.extend(gateways.map(|gateway| gateway.workload.clone()));
    FreezeScope {
        istio_namespaces: namespaces.into_iter().cloned().collect(),
        config_maps: config_maps.into_iter().collect(),
        workloads: workloads.into_iter().collect(),
        helm_releases: releases.into_iter().collect(),
        istioctl: installations.iter().map(Installation::object).collect(),
        applications: brought.iter().flat_map(|one| one.followed.marks()).collect(),
        operator_objects: member.observed.followed.iter().flat_map(Followed::told_by).collect(),
        controllers: super::gitops::controllers(member, steps),
        istiod_users: users.into_iter().collect(),
        configuration: settings.clone(),
    }
}
