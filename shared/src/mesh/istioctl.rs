//! What istioctl installed in a member, by installation: istioctl installs all components of one at once.

use super::ObservedMember;
use crate::{engine::Engine, istioctl::Installation};

impl<'a> ObservedMember<'a> {
    /// Installations by istioctl that belong to the mesh in this cluster, by namespace and revision.
    ///
    /// CNI and ztunnel exist once in a cluster, and belong to the first. So do the gateways, those in foreign namespaces
    /// only where no other mesh shares the cluster.
    #[must_use]
    pub fn installations(&self) -> Vec<Installation<'a>> {
        let mut found: Vec<Installation<'a>> = Vec::new();
        for plane in self.control_planes() {
            if Engine::of_plane(plane) != Engine::Istioctl {
                continue;
            }
            let (namespace, revision) = (plane.workload.namespace.as_str(), plane.revision.as_str());
            let known = found
                .iter_mut()
                .find(|one| one.namespace == namespace && one.revision == revision);
            match known {
                Some(one) => one.planes.push(plane),
                None => found.push(Installation {
                    namespace,
                    revision,
                    planes: vec![plane],
                    ..Installation::default()
                }),
            }
        }
        let is_shared = self.foreign_control_planes().next().is_some();
        if let Some(first) = found.first_mut() {
            let nodes = self.node_components();
            first.nodes = nodes.filter(|node| Engine::of_node(node) == Engine::Istioctl).collect();
            let gateways = self.observed.gateways.iter().filter(|gateway| {
                let is_at_home = self.member.istio_namespaces.contains(&gateway.workload.namespace);
                Engine::of_gateway(gateway) == Engine::Istioctl && (is_at_home || !is_shared)
            });
            first.gateways = gateways.collect();
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        inventory::{Inventory, OperatorObject, Ownership, sample},
        mesh::meshes,
    };

    fn names(inventory: &Inventory) -> Vec<String> {
        let meshes = meshes(inventory);
        let member = meshes[0].observed(inventory).next().unwrap();
        let shown = member.installations().into_iter().map(|one| {
            format!(
                "{}/{}: {} istiod, {} on nodes, {} gateways",
                one.namespace,
                one.revision,
                one.planes.len(),
                one.nodes.len(),
                one.gateways.len()
            )
        });
        shown.collect()
    }

    #[test]
    fn an_installation_is_all_that_istioctl_installed_at_once() {
        let mut inventory = sample::by_istioctl("1.30.3");
        assert_eq!(
            names(&inventory),
            ["istio-system/default: 1 istiod, 2 on nodes, 1 gateways"]
        );
        // A second mesh in the cluster: whose a gateway elsewhere is, nobody can say.
        let mut other = sample::istiod("other", "1.30.3");
        other.helm_release = None;
        inventory.seen(0).control_planes.push(other);
        assert_eq!(
            names(&inventory),
            ["istio-system/default: 1 istiod, 2 on nodes, 0 gateways"]
        );
        inventory.seen(0).gateways[0].workload.namespace = "istio-system".to_owned();
        assert_eq!(
            names(&inventory),
            ["istio-system/default: 1 istiod, 2 on nodes, 1 gateways"]
        );
    }

    #[test]
    fn what_helm_or_an_operator_owns_is_not_istioctls() {
        let mut inventory = sample::one("1.30.3", "v1.36.3");
        assert!(names(&inventory).is_empty());
        let plane = &mut inventory.seen(0).control_planes[0];
        plane.ownership.istioctl = true;
        assert!(names(&inventory).is_empty(), "helm took it over");
        let plane = &mut inventory.seen(0).control_planes[0];
        plane.helm_release = None;
        plane.ownership = Ownership {
            operator: Some(OperatorObject::new("IstioRevision", "default")),
            istioctl: true,
            ..Ownership::default()
        };
        assert!(names(&inventory).is_empty());
    }
}
