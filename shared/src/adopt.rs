//! Adopt: the Mesh object that says what was discovered, and how it differs from one that is there.

use crate::{
    api::{ClusterRole, Management, Mesh, MeshCluster, MeshSpec, MeshStatus},
    catalog::Catalog,
    engine::Engine,
    inventory::{ClusterState, Inventory, MeshRecord},
    mesh::MeshView,
    names, prompt,
};
use std::collections::BTreeMap;

/// The kind of management that fits a discovered mesh, and why: one that this tool could not upgrade is its owner's.
#[must_use]
pub fn fitting(mesh: &MeshView, inventory: &Inventory) -> (Management, String) {
    for member in mesh.observed(inventory) {
        for plane in member.control_planes() {
            let object = format!(
                "{}/{} of {}",
                plane.workload.namespace,
                plane.workload.name,
                member.name()
            );
            if member.can_be_driven(plane) {
                continue;
            }
            let why = match Engine::of_plane(plane) {
                Engine::GitOps(owner) => owned(&owner, &object),
                Engine::Operator(owner) => owned(&owner, &object),
                Engine::Unknown | Engine::Helm | Engine::Istioctl => {
                    format!("{object} bears no mark of what installed it")
                }
            };
            return (Management::External, why);
        }
    }
    if let Some((host, hosted)) = mesh.hosted(inventory).next() {
        return (
            Management::Hosted,
            format!(
                "its control plane runs in {} of {host} and is configured in {}",
                hosted.namespace, hosted.cluster
            ),
        );
    }
    (
        Management::Dedicated,
        "its control planes run in its own clusters, and were installed by what this tool can drive".to_owned(),
    )
}

fn owned(owner: &impl std::fmt::Display, object: &str) -> String {
    format!("{owner} owns {object}, in a way that this tool cannot upgrade")
}

/// The object that says what was discovered. `contexts` lead to the clusters, by their names; how the mesh is frozen is
/// not discovered, so it stays as an object says it.
#[must_use]
pub fn propose(
    mesh: &MeshView,
    inventory: &Inventory,
    management: Management,
    contexts: &BTreeMap<String, String>,
) -> Mesh {
    let primaries: Vec<&str> = mesh
        .observed(inventory)
        .filter(|member| member.control_planes().next().is_some())
        .map(|member| member.name())
        .collect();
    let mut clusters: Vec<MeshCluster> = mesh
        .clusters()
        .map(|name| MeshCluster {
            name: name.to_owned(),
            role: if primaries.contains(&name) {
                ClusterRole::Primary
            } else {
                ClusterRole::Remote
            },
            context: contexts.get(name).filter(|context| *context != name).cloned(),
        })
        .collect();
    // The cluster that holds the object is a member without being listed.
    if record(mesh, inventory).is_none_or(|record| record.clusters.is_empty()) && clusters.len() == 1 {
        clusters.clear();
    }
    let mut object = Mesh::new(
        &mesh.name,
        MeshSpec {
            management,
            flavor: mesh
                .flavor
                .as_ref()
                .and_then(|flavor| flavor.suffix())
                .map(str::to_owned),
            istio_namespace: mesh.istio_namespace.clone(),
            clusters,
            freeze: mesh.freeze.clone(),
            // Never discovered: it is allowed in writing, by whoever may.
            downgrade: None,
        },
    );
    // By this name the guard of that cluster reports it.
    if let (Some(home), false) = (mesh.home(), object.spec.clusters.is_empty()) {
        let annotations = object.metadata.annotations.get_or_insert_default();
        annotations.insert(names::ANNOTATION_CLUSTER.to_owned(), home.to_owned());
    }
    object
}

/// What was observed, as an object's status says it.
#[must_use]
pub fn status(mesh: &MeshView, inventory: &Inventory, catalog: &Catalog) -> MeshStatus {
    let available = prompt::reachable_from(mesh, inventory, catalog).version;
    MeshStatus {
        version: mesh.version.as_ref().map(ToString::to_string),
        clusters: i32::try_from(mesh.members.len()).ok(),
        available_version: available.map(|version| version.to_string()),
        ..MeshStatus::default()
    }
}

/// The object that names a mesh.
#[must_use]
pub fn record<'a>(mesh: &MeshView, inventory: &'a Inventory) -> Option<&'a MeshRecord> {
    let mut records = inventory.clusters.iter().filter_map(|cluster| match &cluster.state {
        ClusterState::Observed(observed) => Some(&observed.meshes),
        ClusterState::Unknown { .. } => None,
    });
    records.find_map(|records| records.iter().find(|record| record.name == mesh.name))
}

/// Where an object says something else than what was discovered, each in a sentence.
#[must_use]
pub fn differences(record: &MeshRecord, proposed: &MeshSpec) -> Vec<String> {
    let mut differences = Vec::new();
    // Discovered is never another management than the object's; it is asked for.
    if record.management != proposed.management {
        differences.push(format!(
            "spec.management is {}, and {} was asked for",
            record.management.as_str(),
            proposed.management.as_str()
        ));
    }
    let mut compare = |field: &str, there: String, found: String| {
        if there != found {
            differences.push(format!("spec.{field} is {there}, and {found} was discovered"));
        }
    };
    let flavor = |flavor: &Option<String>| flavor.clone().unwrap_or_else(|| "not set (community)".to_owned());
    compare("flavor", flavor(&record.flavor), flavor(&proposed.flavor));
    compare(
        "istioNamespace",
        record.istio_namespace.clone(),
        proposed.istio_namespace.clone(),
    );
    compare("clusters", told(&record.clusters), told(&proposed.clusters));
    differences
}

fn told(clusters: &[MeshCluster]) -> String {
    if clusters.is_empty() {
        return "the cluster that holds it alone".to_owned();
    }
    let mut told: Vec<String> = clusters
        .iter()
        .map(|cluster| {
            let role = match cluster.role {
                ClusterRole::Primary => "Primary",
                ClusterRole::Remote => "Remote",
            };
            match &cluster.context {
                Some(context) if *context != cluster.name => {
                    format!("{} ({role}, context {context})", cluster.name)
                }
                _ => format!("{} ({role})", cluster.name),
            }
        })
        .collect();
    told.sort();
    told.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        gitops::sample as gitops,
        inventory::{GitOpsOwner, sample},
        mesh::meshes,
    };

    fn proposed(inventory: &Inventory) -> (Management, MeshSpec) {
        let mesh = meshes(inventory).remove(0);
        let (management, _) = fitting(&mesh, inventory);
        (management, propose(&mesh, inventory, management, &BTreeMap::new()).spec)
    }

    #[test]
    fn what_helm_installed_is_dedicated_and_all_else_its_owners() {
        let mut inventory = sample::one("1.30.3-mspider", "v1.36.3");
        let (management, spec) = proposed(&inventory);
        assert_eq!(management, Management::Dedicated);
        assert_eq!((spec.flavor.as_deref(), spec.clusters.len()), (Some("mspider"), 0));
        inventory.seen(0).control_planes[0].ownership.gitops = Some(GitOpsOwner::application("mesh"));
        assert_eq!(proposed(&inventory).0, Management::External, "nothing is known of it");
        inventory.seen(0).control_planes[0].ownership.gitops = None;
        inventory.seen(0).control_planes[0].helm_release = None;
        assert_eq!(proposed(&inventory).0, Management::External);
    }

    #[test]
    fn what_a_controller_brings_is_dedicated_where_an_upgrade_can_wait_for_it() {
        for inventory in [
            gitops::by_argo_cd("1.30.3"),
            gitops::by_flux("1.30.3"),
            gitops::by_sail_revisions("1.30.3"),
        ] {
            let mesh = meshes(&inventory).remove(0);
            let (management, why) = fitting(&mesh, &inventory);
            assert_eq!(management, Management::Dedicated, "{why}");
        }
        let mut inventory = gitops::by_argo_cd("1.30.3");
        for followed in &mut inventory.seen(0).followed {
            followed.obstacle = Some("it takes its chart from a branch".to_owned());
        }
        let mesh = meshes(&inventory).remove(0);
        let (management, why) = fitting(&mesh, &inventory);
        assert_eq!(management, Management::External);
        assert!(why.contains("Argo CD application istiod owns"), "{why}");
    }

    #[test]
    fn clusters_are_listed_with_their_roles_where_there_are_several() {
        let mut inventory = sample::one("1.30.3", "v1.36.3");
        inventory.clusters.push(sample::cluster("west", "1.30.3", "v1.36.3"));
        for index in 0..2 {
            inventory.seen(index).control_planes[0].mesh_id = Some("shop".to_owned());
        }
        inventory.clusters.push(sample::unknown("north"));
        let mesh = meshes(&inventory).remove(0);
        let contexts = BTreeMap::from([("west".to_owned(), "admin@west".to_owned())]);
        let spec = propose(&mesh, &inventory, Management::Dedicated, &contexts).spec;
        assert_eq!(
            told(&spec.clusters),
            "east (Primary), north (Remote), west (Primary, context admin@west)"
        );
    }

    #[test]
    fn an_object_is_compared_with_what_was_discovered() {
        let mut inventory = sample::one("1.30.3", "v1.36.3");
        inventory.seen(0).meshes = vec![sample::record("shop")];
        let mesh = meshes(&inventory).remove(0);
        let there = record(&mesh, &inventory).unwrap();
        let same = propose(&mesh, &inventory, there.management, &BTreeMap::new()).spec;
        assert_eq!(differences(there, &same), Vec::<String>::new());
        let other = propose(&mesh, &inventory, Management::External, &BTreeMap::new()).spec;
        assert_eq!(
            differences(there, &other),
            ["spec.management is Dedicated, and External was asked for"]
        );
        assert_eq!(record(&meshes(&sample::one("1.30.3", "v1.36.3"))[0], &inventory), None);
    }
}
