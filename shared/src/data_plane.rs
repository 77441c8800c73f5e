//! The data plane against its control plane: who is behind, and what a restart would meet.

use crate::{
    catalog::Catalog,
    guard::message::one_line,
    inventory::Inventory,
    inventory::{MeshedWorkload, ObservedVersion, Owner, ProxyKind},
    mesh::{MeshView, ObservedMember},
    version::{IstioVersion, Minor},
};
use serde::Serialize;
use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
};

/// How a proxy stands to the control plane that serves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Skew {
    /// Of the same version.
    Current,
    /// Of the same minor, and an older patch.
    OlderPatch,
    /// One minor behind, which Istio supports.
    OneBehind,
    /// More than one minor behind, which Istio does not support.
    TooOld,
    /// Newer than its control plane, which Istio does not support.
    Ahead,
    /// Its version cannot be read.
    Unreadable,
}

impl Skew {
    /// As people say it.
    #[must_use]
    pub fn told(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::OlderPatch => "older patch",
            Self::OneBehind => "one minor behind",
            Self::TooOld => "too old",
            Self::Ahead => "ahead of it",
            Self::Unreadable => "unreadable",
        }
    }

    fn of(proxy: &ObservedVersion, plane: Option<&IstioVersion>) -> Self {
        let (Some(proxy), Some(plane)) = (&proxy.version, plane) else {
            return Self::Unreadable;
        };
        match (proxy.cmp_release(plane), proxy.minor().distance(plane.minor())) {
            (Ordering::Equal, _) => Self::Current,
            (Ordering::Greater, _) => Self::Ahead,
            (Ordering::Less, Some(0)) => Self::OlderPatch,
            (Ordering::Less, Some(1)) => Self::OneBehind,
            (Ordering::Less, _) => Self::TooOld,
        }
    }

    /// Whether a restart would bring something newer.
    #[must_use]
    pub fn is_due(self) -> bool {
        matches!(
            self,
            Self::OlderPatch | Self::OneBehind | Self::TooOld | Self::Unreadable
        )
    }
}

/// Whether a cluster lets sidecars be exchanged in running pods, which a vendor's build can do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SidecarHotUpgrade {
    /// The cluster.
    pub cluster: String,
    /// Whether its Kubernetes serves what that takes.
    pub is_possible: bool,
    /// Oldest Kubernetes that does.
    pub minimum_kubernetes: Minor,
}

/// What the catalog says of exchanging sidecars in running pods, for each cluster of a mesh; nothing where its flavor cannot
/// do it.
#[must_use]
pub fn sidecar_hot_upgrade(mesh: &MeshView, inventory: &Inventory, catalog: &Catalog) -> Vec<SidecarHotUpgrade> {
    let flavor = mesh
        .version
        .as_ref()
        .and_then(|version| catalog.flavor(&version.flavor));
    let Some(hot) = flavor.and_then(|flavor| flavor.sidecar_hot_upgrade.as_ref()) else {
        return Vec::new();
    };
    let clusters = mesh.observed(inventory).map(|member| SidecarHotUpgrade {
        cluster: member.name().to_owned(),
        is_possible: member.observed.kubernetes.minor >= hot.minimum_kubernetes,
        minimum_kubernetes: hot.minimum_kubernetes,
    });
    clusters.collect()
}

/// Pods of one workload whose proxies are alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// Their cluster.
    pub cluster: String,
    /// Their namespace.
    pub namespace: String,
    /// What made them, as `deployment/reviews`.
    pub workload: String,
    /// What the proxies are for.
    pub kind: &'static str,
    /// Their version, or what stands in its place.
    pub version: String,
    /// Revision that injected them.
    pub revision: Option<String>,
    /// How many pods.
    pub pods: u32,
    /// Version of the control plane that serves them.
    pub control_plane: Option<String>,
    /// How they stand to it.
    pub skew: Skew,
    /// Whether a restart would bring something newer.
    pub due: bool,
    /// What a restart would meet, each in a sentence.
    pub meets: Vec<String>,
    /// What restarts them.
    pub command: Option<String>,
}

/// The data plane of a mesh.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DataPlaneStatus {
    /// Name of the mesh.
    pub mesh: String,
    /// Versions of its control planes.
    pub control_planes: BTreeSet<String>,
    /// How many proxies run each version.
    pub versions: BTreeMap<String, u64>,
    /// All workloads with proxies, those of one cluster together.
    pub workloads: Vec<Row>,
    /// Clusters of which nothing is known, with the reason.
    pub unknown_clusters: BTreeMap<String, String>,
}

/// Looks at the data plane of a mesh. `contexts` lead to the clusters, by their names.
#[must_use]
pub fn status(mesh: &MeshView, inventory: &Inventory, contexts: &BTreeMap<String, String>) -> DataPlaneStatus {
    let mut status = DataPlaneStatus {
        mesh: mesh.name.clone(),
        control_planes: BTreeSet::new(),
        versions: BTreeMap::new(),
        workloads: Vec::new(),
        unknown_clusters: mesh
            .unknown(inventory)
            .map(|(cluster, reason)| (cluster.to_owned(), reason))
            .collect(),
    };
    for member in mesh.observed(inventory) {
        let planes = member.control_planes().map(|plane| shown(&plane.version));
        status.control_planes.extend(planes);
        match &member.observed.data_plane {
            Some(data_plane) => {
                let mine = data_plane.workloads.iter().filter(|one| is_of(&member, one));
                let rows = mine.map(|one| row(mesh, &member, one, contexts.get(member.name())));
                status.workloads.extend(rows);
            }
            None => {
                let reason = "its pods could not be read".to_owned();
                status.unknown_clusters.insert(member.name().to_owned(), reason);
            }
        }
    }
    for row in &status.workloads {
        let known = status.versions.entry(row.version.clone()).or_default();
        *known = known.saturating_add(u64::from(row.pods));
    }
    status
}

/// Whether no other mesh of the cluster injected a workload.
pub(crate) fn is_of(member: &ObservedMember<'_>, workload: &MeshedWorkload) -> bool {
    let Some(revision) = workload.revision.as_deref() else {
        return true;
    };
    let mut own = member.control_planes();
    let mut foreign = member.foreign_control_planes();
    own.any(|plane| plane.revision == revision) || !foreign.any(|plane| plane.revision == revision)
}

fn row(mesh: &MeshView, member: &ObservedMember<'_>, workload: &MeshedWorkload, context: Option<&String>) -> Row {
    let plane = serving(mesh, member, workload);
    let skew = Skew::of(&workload.version, plane);
    let due = skew.is_due() && workload.kind != ProxyKind::Ztunnel;
    Row {
        cluster: member.name().to_owned(),
        namespace: workload.namespace.clone(),
        workload: workload.owner.reference(),
        kind: workload.kind.as_str(),
        version: shown(&workload.version),
        // An annotation of a Pod is a text of any length, and its image any text.
        revision: workload.revision.as_deref().map(one_line),
        pods: workload.pods,
        control_plane: plane.map(ToString::to_string),
        skew,
        due,
        meets: if due { meets(workload) } else { Vec::new() },
        command: due.then(|| command(workload, context)).flatten(),
    }
}

/// The control plane of the workload's revision; where that is a tag, or elsewhere, the newest of the mesh, which is what
/// a restart leads to at the most.
fn serving<'a>(mesh: &'a MeshView, member: &ObservedMember<'a>, workload: &MeshedWorkload) -> Option<&'a IstioVersion> {
    let revision = workload.revision.as_deref();
    let mut planes = member.control_planes();
    let own = planes.find(|plane| Some(plane.revision.as_str()) == revision);
    match own {
        Some(plane) => plane.version.version.as_ref(),
        None => mesh.version.as_ref(),
    }
}

fn meets(workload: &MeshedWorkload) -> Vec<String> {
    let mut meets = Vec::new();
    match &workload.owner {
        Owner::Deployment(_) | Owner::StatefulSet(_) | Owner::DaemonSet(_) => {}
        Owner::Job(_) => meets.push("a Job: its pod keeps its proxy to its end".to_owned()),
        Owner::Nobody(_) => meets.push("a bare pod: deleted it is gone".to_owned()),
        Owner::Other(kind, _) => meets.push(format!("kubectl does not restart a {kind}: use the tool that runs it")),
    }
    for budget in &workload.held_by {
        meets.push(format!(
            "PodDisruptionBudget {budget} allows no eviction now: a rolling restart goes past it, a drain does not"
        ));
    }
    meets
}

/// What restarts a workload, where one command does.
fn command(workload: &MeshedWorkload, context: Option<&String>) -> Option<String> {
    if !workload.owner.rolls() {
        return None;
    }
    let context = context.map(|context| format!("--context={context}"));
    let (namespace, reference) = (workload.namespace.as_str(), workload.owner.reference());
    let words = ["kubectl"].into_iter().chain(context.as_deref());
    Some(crate::guide::shell::command(
        words.chain(["-n", namespace, "rollout", "restart", &reference]),
    ))
}

fn shown(version: &ObservedVersion) -> String {
    version
        .version
        .as_ref()
        .map_or_else(|| version.raw.replace(char::is_control, " "), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        inventory::{DataPlane, sample},
        mesh::meshes,
    };

    fn workload(owner: Owner, version: &str, revision: Option<&str>) -> MeshedWorkload {
        MeshedWorkload {
            namespace: "shop".to_owned(),
            owner,
            kind: ProxyKind::Sidecar,
            version: sample::version(version),
            revision: revision.map(str::to_owned),
            pods: 2,
            example: "one".to_owned(),
            held_by: BTreeSet::new(),
        }
    }

    fn deployment(version: &str, revision: Option<&str>) -> MeshedWorkload {
        workload(Owner::Deployment("reviews".to_owned()), version, revision)
    }

    fn rows(workloads: Vec<MeshedWorkload>) -> DataPlaneStatus {
        let mut inventory = sample::one("1.31.2", "v1.36.3");
        inventory.seen(0).data_plane = Some(Box::new(DataPlane {
            workloads,
            ..DataPlane::default()
        }));
        let mesh = meshes(&inventory).remove(0);
        status(
            &mesh,
            &inventory,
            &BTreeMap::from([("east".to_owned(), "east".to_owned())]),
        )
    }

    #[test]
    fn who_is_behind_is_due() {
        for (version, skew, due) in [
            ("1.31.2", Skew::Current, false),
            ("1.31.0", Skew::OlderPatch, true),
            ("1.30.9", Skew::OneBehind, true),
            ("1.29.2", Skew::TooOld, true),
            ("1.32.0", Skew::Ahead, false),
            ("latest", Skew::Unreadable, true),
        ] {
            let status = rows(vec![deployment(version, Some("default"))]);
            let row = &status.workloads[0];
            assert_eq!((row.skew, row.due), (skew, due), "{version}");
            let command = "kubectl --context=east -n shop rollout restart deployment/reviews";
            assert_eq!(row.command.as_deref(), due.then_some(command), "{version}");
            assert_eq!(status.versions, BTreeMap::from([(version.to_owned(), 2)]));
        }
        let status = rows(vec![deployment("x\nfine", Some("x\n\u{1b}[2J"))]);
        let row = &status.workloads[0];
        assert_eq!(
            (row.version.as_str(), row.revision.as_deref()),
            ("x fine", Some("x  [2J"))
        );
    }

    #[test]
    fn what_a_restart_meets_is_told() {
        let mut held = deployment("1.30.3", None);
        held.held_by.insert("reviews".to_owned());
        for (workload, part, has_command) in [
            (held, "PodDisruptionBudget reviews allows no eviction", true),
            (workload(Owner::Job("night".to_owned()), "1.30.3", None), "a Job", false),
            (
                workload(Owner::Nobody("alone".to_owned()), "1.30.3", None),
                "a bare pod",
                false,
            ),
            (
                workload(Owner::Other("rollout".to_owned(), "x".to_owned()), "1.30.3", None),
                "does not restart a rollout",
                false,
            ),
        ] {
            let row = rows(vec![workload]).workloads.remove(0);
            assert!(row.meets.iter().any(|one| one.contains(part)), "{row:?}");
            assert_eq!(row.command.is_some(), has_command, "{row:?}");
        }
    }

    #[test]
    fn a_revision_is_compared_with_its_own_control_plane() {
        let mut inventory = sample::one("1.31.2", "v1.36.3");
        let mut old = sample::istiod("istio-system", "1.30.3");
        old.revision = "1-30-3".to_owned();
        inventory.seen(0).control_planes.push(old);
        let mut foreign = sample::istiod("other-istio", "1.31.2");
        foreign.revision = "theirs".to_owned();
        inventory.seen(0).control_planes.push(foreign);
        let workloads = vec![
            deployment("1.30.3", Some("1-30-3")),
            deployment("1.30.3", Some("prod")),
            deployment("1.30.3", Some("theirs")),
        ];
        inventory.seen(0).data_plane = Some(Box::new(DataPlane {
            workloads,
            ..DataPlane::default()
        }));
        let mesh = meshes(&inventory)
            .into_iter()
            .find(|mesh| mesh.istio_namespace == "istio-system")
            .unwrap();
        let found = status(&mesh, &inventory, &BTreeMap::new());
        let skews: Vec<Skew> = found.workloads.iter().map(|row| row.skew).collect();
        assert_eq!(skews, [Skew::Current, Skew::OneBehind]);
    }

    #[test]
    fn a_cluster_whose_pods_were_not_read_is_unknown() {
        let inventory = sample::one("1.31.2", "v1.36.3");
        let mesh = meshes(&inventory).remove(0);
        let found = status(&mesh, &inventory, &BTreeMap::new());
        assert!(found.unknown_clusters.contains_key("east"), "{found:?}");
    }

    #[test]
    fn a_vendors_build_may_exchange_sidecars_where_kubernetes_lets_it() {
        let catalog = Catalog::embedded().unwrap();
        for (running, kubernetes, expected) in [
            ("1.30.3-mspider", "v1.34.1", Some(true)),
            ("1.30.3-mspider", "v1.24.9", Some(false)),
            ("1.30.3", "v1.34.1", None),
        ] {
            let inventory = sample::one(running, kubernetes);
            let meshes = crate::mesh::meshes(&inventory);
            let found = sidecar_hot_upgrade(&meshes[0], &inventory, &catalog);
            assert_eq!(
                found.first().map(|one| one.is_possible),
                expected,
                "{running} {kubernetes}"
            );
        }
    }
}
