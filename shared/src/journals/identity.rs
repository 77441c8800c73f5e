//! Which mesh an upgrade is of, whatever the mesh is called now: the name of one without a Mesh object, or a mesh ID, depends on
//! the clusters that are looked at. Clusters and namespaces tell what the name does not.

use crate::{
    api::{MeshFreeze, MeshUpgrade, PlanCluster},
    inventory::{ClusterState, Inventory},
    mesh::MeshView,
};

/// The upgrade among these under way that takes control planes of this mesh along and calls the mesh otherwise.
#[must_use]
pub fn under_another_name<'a>(
    mesh: &MeshView,
    inventory: &Inventory,
    begun: impl IntoIterator<Item = &'a MeshUpgrade>,
) -> Option<&'a MeshUpgrade> {
    let mut begun = begun.into_iter();
    begun.find(|journal| journal.spec.mesh != mesh.name && is_of(&journal.spec.plan.clusters, mesh, inventory))
}

/// The mesh that a plan is of: by its control planes, by its name where two have some, and by its name alone where none has.
#[must_use]
pub fn mesh_of<'a>(
    planned: &[PlanCluster],
    name: &str,
    meshes: &'a [MeshView],
    inventory: &Inventory,
) -> Option<&'a MeshView> {
    let is_named = |mesh: &&&MeshView| mesh.name == name;
    let its: Vec<&MeshView> = meshes.iter().filter(|mesh| is_of(planned, mesh, inventory)).collect();
    let named = its.iter().find(is_named).or_else(|| its.first()).copied();
    named.or_else(|| meshes.iter().find(|mesh| mesh.name == name))
}

/// The mesh that is frozen in a cluster: told in the same way, of those that the cluster is a member of.
#[must_use]
pub fn frozen_mesh_of<'a>(
    cluster: &str,
    freeze: &MeshFreeze,
    meshes: &'a [MeshView],
    inventory: &Inventory,
) -> Option<&'a MeshView> {
    let found = inventory.clusters.iter().find(|found| found.name == cluster);
    let uid = found.map_or("", |found| match &found.state {
        ClusterState::Observed(observed) => observed.uid.as_str(),
        ClusterState::Unknown { .. } => "",
    });
    let here = PlanCluster {
        name: cluster.to_owned(),
        uid: uid.to_owned(),
        scope: freeze.spec.scope.clone(),
        ..PlanCluster::default()
    };
    let mesh = mesh_of(&[here], &freeze.spec.mesh, meshes, inventory)?;
    mesh.clusters().any(|member| member == cluster).then_some(mesh)
}

fn is_of(planned: &[PlanCluster], mesh: &MeshView, inventory: &Inventory) -> bool {
    let mut members = mesh.observed(inventory);
    members.any(|member| {
        let uid = &member.observed.uid;
        let mut here = planned.iter().filter(|planned| !uid.is_empty() && planned.uid == *uid);
        here.any(|planned| {
            let mut planes = member.control_planes();
            planes.any(|plane| planned.scope.istio_namespaces.contains(&plane.workload.namespace))
        })
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::{
        api::{FreezeScope, MeshUpgradeSpec, Plan},
        inventory::sample,
        mesh::meshes,
    };

    fn both() -> Inventory {
        Inventory {
            clusters: vec![
                sample::cluster("east", "1.30.3", "v1.36.3"),
                sample::cluster("west", "1.30.3", "v1.36.3"),
            ],
        }
    }

    pub(crate) fn journal(mesh: &str, uid: &str, namespace: &str) -> MeshUpgrade {
        let cluster = PlanCluster {
            name: "a".to_owned(),
            uid: uid.to_owned(),
            scope: FreezeScope {
                istio_namespaces: vec![namespace.to_owned()],
                ..FreezeScope::default()
            },
            ..PlanCluster::default()
        };
        let spec = MeshUpgradeSpec {
            mesh: mesh.to_owned(),
            plan: Plan {
                clusters: vec![cluster],
                ..Plan::default()
            },
            ..crate::machine::tests::spec()
        };
        MeshUpgrade::new("x", spec)
    }

    #[test]
    fn control_planes_under_way_are_known_by_another_name() {
        let mut west = both();
        west.clusters.remove(0);
        let uid = west.seen(0).uid.clone();
        let mesh = meshes(&west).remove(0);
        assert_eq!(mesh.name, "default", "called default-west beside east");
        for (name, of, namespace, expected) in [
            ("default-west", uid.as_str(), "istio-system", true),
            ("default", &uid, "istio-system", false),
            ("default-west", &uid, "istio-canary", false),
            ("default-west", "another cluster", "istio-system", false),
            ("default-west", "", "istio-system", false),
        ] {
            let journal = journal(name, of, namespace);
            let found = under_another_name(&mesh, &west, [&journal]);
            assert_eq!(found.is_some(), expected, "{name} {of} {namespace}");
        }
    }

    #[test]
    fn the_mesh_of_a_plan_is_told_by_its_control_planes_before_its_name() {
        let mut both = both();
        let (east, west) = (both.seen(0).uid.clone(), both.seen(1).uid.clone());
        let meshes = meshes(&both);
        for (name, uid, expected) in [
            ("default", &east, Some("default")),
            ("default-west", &west, Some("default-west")),
            // Begun where each was looked at alone, or in the other order.
            ("default", &west, Some("default-west")),
            ("default-east", &east, Some("default")),
            ("default", &"gone".to_owned(), Some("default")),
            ("shop", &"gone".to_owned(), None),
        ] {
            let planned = journal(name, uid, "istio-system").spec.plan.clusters;
            let found = mesh_of(&planned, name, &meshes, &both).map(|mesh| mesh.name.as_str());
            assert_eq!(found, expected, "{name} {uid}");
        }
    }
}
