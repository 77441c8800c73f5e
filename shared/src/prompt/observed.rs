//! The same prompt without a guard: of a mesh as the plugin observed it, from all of its clusters at once.

use super::{Place, Reachable, agree, reachable};
use crate::{
    api::{ClusterReport, ClusterRole, MeshCluster},
    catalog::Catalog,
    conditions::Answer,
    inventory::Inventory,
    mesh::MeshView,
    version::IstioVersion,
};
use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};

/// What one hop leads all clusters of a mesh to, from where the last of them stands.
#[must_use]
pub fn reachable_from(mesh: &MeshView, inventory: &Inventory, catalog: &Catalog) -> Reachable {
    let places: Vec<Place> = mesh
        .observed(inventory)
        .map(|member| (member.name().to_owned(), member.observed.kubernetes.clone()))
        .collect();
    let newest = mesh.observed(inventory).filter_map(|member| newest(&member));
    let last = newest.min_by(|a, b| a.cmp_release(b)).or(mesh.version.as_ref());
    last.map(|from| reachable(catalog, from, &places)).unwrap_or_default()
}

fn newest<'a>(member: &crate::mesh::ObservedMember<'a>) -> Option<&'a IstioVersion> {
    let versions = member
        .control_planes()
        .filter_map(|plane| plane.version.version.as_ref());
    versions.max_by(|a, b| a.cmp_release(b))
}

/// Which clusters of a mesh are behind the others, in a sentence. Those that did not answer are told of elsewhere.
#[must_use]
pub fn drift(mesh: &MeshView, inventory: &Inventory, now: Timestamp) -> Option<String> {
    let mut clusters = Vec::new();
    let mut reports = Vec::new();
    for member in mesh.observed(inventory) {
        clusters.push(MeshCluster {
            name: member.name().to_owned(),
            role: ClusterRole::Remote,
            context: None,
        });
        reports.push(ClusterReport {
            cluster: member.name().to_owned(),
            version: newest(&member).map(ToString::to_string),
            kubernetes: None,
            reported_at: Time(now),
        });
    }
    match agree(&clusters, &reports, now)? {
        (Answer::False, _, message) => Some(message),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{inventory::sample, mesh::meshes};

    #[test]
    fn the_last_cluster_tells_where_to_go_and_is_named() {
        let mut inventory = sample::one("1.31.0", "v1.34.1");
        inventory.clusters.push(sample::cluster("west", "1.30.3", "v1.34.1"));
        for index in 0..2 {
            inventory.seen(index).control_planes[0].mesh_id = Some("shop".to_owned());
        }
        let mesh = meshes(&inventory).remove(0);
        let catalog = Catalog::embedded().unwrap();
        let now = Timestamp::UNIX_EPOCH;
        let target = |inventory: &Inventory| {
            let found = reachable_from(&mesh, inventory, &catalog);
            (
                found.version.map(|version| version.to_string()),
                found.withheld.is_some(),
            )
        };
        assert_eq!(target(&inventory), (Some("1.31.3".to_owned()), false));
        assert_eq!(
            drift(&mesh, &inventory, now).unwrap(),
            "west runs 1.30.3, behind 1.31.0 of east"
        );
        inventory.seen(1).kubernetes = "v1.37.0".parse().unwrap();
        assert_eq!(target(&inventory), (None, true));
        inventory.seen(1).control_planes[0].version = sample::version("1.31.0");
        assert_eq!(drift(&mesh, &inventory, now), None);
    }
}
