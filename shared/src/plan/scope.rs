//! What is frozen in a cluster: everything of the mesh that was observed there, by name.

use crate::{
    api::{FreezeScope, FreezeSettings, InstallerKind, ObjectName, PlanStep, StepAction},
    canary,
    gitops::{self, Followed},
    istioctl::Installation,
    mesh::ObservedMember,
    revision,
};
use std::collections::BTreeSet;

/// Environment variable of istiod with one more ConfigMap that it reads where its configuration is.
const SHARED_MESH_CONFIG: &str = "SHARED_MESH_CONFIG";

/// What control planes of other clusters have in a member that holds their configuration.
#[derive(Default)]
pub(super) struct Configured {
    namespaces: BTreeSet<String>,
    config_maps: BTreeSet<ObjectName>,
    users: BTreeSet<String>,
}

impl Configured {
    /// By the names that they have where they run: Istio's charts call account, ConfigMaps and namespace the same there
    /// and here, and istiod finds its own by that.
    pub(super) fn of(member: &ObservedMember<'_>, members: &[ObservedMember<'_>]) -> Self {
        let mut configured = Self::default();
        for plane in member.configures(members) {
            let namespace = &plane.workload.namespace;
            let shared = plane.settings.environment.get(SHARED_MESH_CONFIG);
            let maps = plane.config_maps.iter().chain(shared.filter(|name| !name.is_empty()));
            configured.config_maps.extend(maps.map(|name| ObjectName {
                namespace: namespace.clone(),
                name: name.clone(),
            }));
            configured.namespaces.insert(namespace.clone());
            configured.users.insert(plane.user.clone());
        }
        configured
    }

    pub(super) fn is_empty(&self) -> bool {
        self.namespaces.is_empty()
    }
}

/// Scope of a member's freeze, sorted so that the same cluster always gives the same plan.
pub(super) fn of(
    member: &ObservedMember<'_>,
    configured: Configured,
    settings: &FreezeSettings,
    steps: &[PlanStep],
) -> FreezeScope {
    let Configured {
        mut namespaces,
        mut config_maps,
        mut users,
    } = configured;
    namespaces.extend(member.member.istio_namespaces.iter().cloned());
    let mut workloads = BTreeSet::new();
    for plane in member.control_planes() {
        namespaces.insert(plane.workload.namespace.clone());
        workloads.insert(plane.workload.clone());
        users.insert(plane.user.clone());
        config_maps.extend(plane.config_maps.iter().map(|name| ObjectName {
            namespace: plane.workload.namespace.clone(),
            name: name.clone(),
        }));
    }
    for (step, revisions) in steps
        .iter()
        .filter(|step| step.action == StepAction::Install)
        .filter_map(|step| Some((step, step.revisions.as_ref()?)))
    {
        // What the new revision is going to have, by the names of the old one's.
        let follows = |name: &str| revision::renamed(name, &revisions.old, &revisions.new);
        let olds = member.control_planes().filter(|plane| plane.revision == revisions.old);
        for plane in olds {
            users.insert(follows(&plane.user));
            config_maps.extend(plane.config_maps.iter().map(|name| ObjectName {
                namespace: plane.workload.namespace.clone(),
                name: follows(name),
            }));
        }
        workloads.extend(step.workloads.iter().cloned());
    }
    workloads.extend(member.node_components().map(|node| node.workload.clone()));
    let of_vendor = || {
        member
            .vendor_components()
            .filter_map(|found| Some((&found.workload, found.release.as_ref()?)))
    };
    workloads.extend(of_vendor().map(|(workload, _)| workload.clone()));
    let mut releases: BTreeSet<ObjectName> = member
        .releases()
        .into_iter()
        // Whoever has helm upgrade what is left of a release writes over what is frozen.
        .chain(member.left_behind())
        .chain(of_vendor().map(|(_, release)| release))
        .map(|release| ObjectName {
            namespace: release.namespace.clone(),
            name: release.name.clone(),
        })
        .collect();
    let canary = steps.iter().filter(|step| step.revisions.is_some());
    releases.extend(canary.map(|step| ObjectName {
        namespace: step.namespace.clone(),
        name: step.release.clone(),
    }));
    let mut operator_objects: Vec<String> = member.observed.followed.iter().flat_map(Followed::told_by).collect();
    let stand = member
        .control_planes()
        .filter(|plane| canary::is_revision_of_a_version(member, plane));
    let come = steps.iter().filter(|step| step.installer == InstallerKind::Sail);
    let come = come.filter_map(|step| step.revisions.as_ref());
    let revisions = stand
        .map(|plane| &plane.revision)
        .chain(come.map(|revisions| &revisions.new));
    for object in revisions.map(|revision| gitops::revision_object(revision)) {
        if !operator_objects.contains(&object) {
            operator_objects.push(object);
        }
    }
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
    let mut settings = settings.clone();
    if member.only_hosts() {
        // The mesh's configuration is elsewhere, and what else is here is another mesh's.
        settings.namespaces = namespaces.iter().cloned().collect();
    }
    FreezeScope {
        istio_namespaces: namespaces.into_iter().collect(),
        config_maps: config_maps.into_iter().collect(),
        workloads: workloads.into_iter().collect(),
        helm_releases: releases.into_iter().collect(),
        istioctl: installations.iter().map(Installation::object).collect(),
        applications: brought.iter().flat_map(|one| one.followed.marks()).collect(),
        operator_objects,
        controllers: super::gitops::controllers(member, steps),
        istiod_users: users.into_iter().collect(),
        configuration: settings,
    }
}
