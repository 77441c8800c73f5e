//! Istio's external control plane in a mesh: which istiods are configured elsewhere, and where.

use super::{MeshView, ObservedMember};
use crate::inventory::{ControlPlane, Hosted, Inventory, NodeComponent, VendorComponent};

impl MeshView {
    /// Its control planes that read their configuration in another cluster, with the cluster that they run in.
    pub fn hosted<'a>(&'a self, inventory: &'a Inventory) -> impl Iterator<Item = (&'a str, &'a Hosted)> {
        let hosted = |member: ObservedMember<'a>| member.hosted().map(move |hosted| (member.name(), hosted));
        self.observed(inventory).flat_map(hosted)
    }
}

impl<'a> ObservedMember<'a> {
    /// Its control planes that read their configuration in another cluster.
    pub fn hosted(&self) -> impl Iterator<Item = &'a Hosted> + use<'a> {
        let member = self.member;
        let elsewhere = move |hosted: &&Hosted| {
            hosted.cluster != member.cluster && member.istio_namespaces.contains(&hosted.namespace)
        };
        self.observed.hosted.iter().filter(elsewhere)
    }

    /// Whether nothing but control planes of the mesh is in this cluster: all of them are configured elsewhere.
    #[must_use]
    pub fn only_hosts(&self) -> bool {
        let is_hosted = |plane: &ControlPlane| {
            let mut hosted = self.hosted();
            hosted.any(|hosted| hosted.namespace == plane.workload.namespace)
        };
        let mut planes = self.control_planes().peekable();
        planes.peek().is_some() && planes.all(is_hosted)
    }

    /// Whether it only hosts in a cluster that is another mesh's: what exists once in the cluster is that one's.
    #[must_use]
    pub fn is_guest(&self) -> bool {
        self.only_hosts() && self.foreign_control_planes().next().is_some()
    }

    /// CNI node agents and ztunnels of the mesh in this cluster.
    pub fn node_components(&self) -> impl Iterator<Item = &'a NodeComponent> + use<'a> {
        let is_guest = self.is_guest();
        self.observed.node_components.iter().filter(move |_| !is_guest)
    }

    /// What a vendor runs for the mesh in this cluster, beside Istio's own components.
    pub fn vendor_components(&self) -> impl Iterator<Item = &'a VendorComponent> + use<'a> {
        let is_guest = self.is_guest();
        self.observed.vendor_components.iter().filter(move |_| !is_guest)
    }

    /// Control planes of other members that read their configuration in this one.
    pub fn configures<'m>(
        &self,
        members: &'m [ObservedMember<'a>],
    ) -> impl Iterator<Item = &'a ControlPlane> + use<'a, 'm> {
        let member = self.member;
        members.iter().flat_map(move |host| {
            let host = *host;
            let here = move |plane: &&'a ControlPlane| {
                let mut hosted = host.hosted();
                hosted.any(|hosted| hosted.cluster == member.cluster && hosted.namespace == plane.workload.namespace)
            };
            host.control_planes().filter(here)
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        api::Management,
        inventory::{Inventory, sample},
        mesh::meshes,
    };

    #[test]
    fn an_external_control_plane_and_its_configuration_are_one_hosted_mesh() {
        let mut inventory = sample::hosted("1.30.3");
        inventory.clusters.push(sample::cluster("other", "1.30.3", "v1.36.3"));
        let meshes = meshes(&inventory);
        let shown: Vec<(Management, Vec<&str>)> = meshes
            .iter()
            .map(|mesh| (mesh.management, mesh.clusters().collect()))
            .collect();
        assert_eq!(
            shown,
            [
                (Management::Hosted, vec!["host", "config"]),
                (Management::Dedicated, vec!["other"])
            ]
        );
        let hosted: Vec<(&str, &str)> = meshes[0]
            .hosted(&inventory)
            .map(|(host, hosted)| (host, hosted.cluster.as_str()))
            .collect();
        assert_eq!(hosted, [("host", "config")]);
    }

    #[test]
    fn beside_another_mesh_only_the_control_plane_is_its_own() {
        let releases = |inventory: &Inventory, cluster: usize| {
            let meshes = meshes(inventory);
            let hosted = meshes.iter().find(|mesh| mesh.is_in(sample::HOSTED)).unwrap();
            let member = hosted.observed(inventory).nth(cluster).unwrap();
            let names = member.releases().into_iter().map(|release| release.name.clone());
            (names.collect::<Vec<_>>().join(" "), member.node_components().count())
        };
        let mut inventory = sample::hosted("1.30.3");
        assert_eq!(releases(&inventory, 0), ("istiod".to_owned(), 0));
        assert_eq!(releases(&inventory, 1), ("istio-base istiod ingress".to_owned(), 0));
        // A mesh of the host's own, with what exists once in a cluster.
        let own = sample::cluster("host", "1.30.3", "v1.36.3");
        let mut own = Inventory { clusters: vec![own] };
        sample::add_ambient(&mut own.clusters[0], "1.30.3");
        let own = own.seen(0).clone();
        let host = inventory.seen(0);
        host.control_planes.extend(own.control_planes);
        host.helm_releases.extend(own.helm_releases);
        host.node_components = own.node_components;
        assert_eq!(releases(&inventory, 0), ("istiod".to_owned(), 0));
        // Where there is no other mesh, all of the cluster is this one's.
        inventory.seen(0).control_planes.truncate(1);
        let (all, nodes) = releases(&inventory, 0);
        assert!(
            all.contains("istio-base") && all.contains("ztunnel") && nodes == 2,
            "{all}"
        );
    }

    #[test]
    fn a_kubeconfig_that_leads_back_hosts_nothing() {
        let mut inventory = sample::hosted("1.30.3");
        inventory.seen(0).hosted[0].cluster = "host".to_owned();
        let meshes = meshes(&inventory);
        assert_eq!(meshes[0].hosted(&inventory).count(), 0);
        assert_eq!(meshes[0].management, Management::Dedicated);
    }
}
