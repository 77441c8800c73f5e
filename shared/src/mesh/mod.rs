//! Meshes: the control planes and clusters of an inventory, grouped by what belongs together.

mod gitops;
mod group;
mod hosted;
mod istioctl;
mod revisions;
mod stray;

pub use gitops::Brought;
pub use group::meshes;
pub use stray::strays;

use crate::{
    api::{Component, FreezeSettings, Management},
    inventory::{ClusterState, ControlPlane, Gateway, HelmRelease, Inventory, Observed},
    version::{Flavor, IstioVersion},
};

/// A cluster of a mesh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeshMember {
    /// Name of the cluster in the inventory.
    pub cluster: String,
    /// Namespaces of the mesh's control planes there; for a cluster without one, where it would be.
    pub istio_namespaces: Vec<String>,
}

/// A mesh as it was observed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeshView {
    /// Its name; legal as a name of a Mesh object.
    pub name: String,
    /// Who operates it.
    pub management: Management,
    /// Namespace of its control plane in its first cluster.
    pub istio_namespace: String,
    /// Its flavor; `None` when no version could be read, or its control planes disagree.
    pub flavor: Option<Flavor>,
    /// Newest version that one of its control planes runs.
    pub version: Option<IstioVersion>,
    /// Its clusters, those with a control plane first.
    pub members: Vec<MeshMember>,
    /// Name of the cluster that holds its journal; see [`Self::home`].
    pub home: Option<String>,
    /// Whether a Mesh object names it.
    pub has_object: bool,
    /// Version that the Mesh object last recorded.
    pub recorded_version: Option<String>,
    /// How the Mesh object wants it frozen.
    pub freeze: FreezeSettings,
}

/// A member that answered.
#[derive(Clone, Copy, Debug)]
pub struct ObservedMember<'a> {
    /// Its place in the mesh.
    pub member: &'a MeshMember,
    /// What was seen.
    pub observed: &'a Observed,
}

impl<'a> ObservedMember<'a> {
    /// Name of the cluster.
    #[must_use]
    pub fn name(&self) -> &'a str {
        &self.member.cluster
    }

    /// Control planes of the mesh in this cluster.
    pub fn control_planes(&self) -> impl Iterator<Item = &'a ControlPlane> + use<'a> {
        let member = self.member;
        self.observed
            .control_planes
            .iter()
            .filter(move |plane| member.istio_namespaces.contains(&plane.workload.namespace))
    }

    /// Control planes of other meshes in this cluster.
    pub fn foreign_control_planes(&self) -> impl Iterator<Item = &'a ControlPlane> + use<'a> {
        let member = self.member;
        self.observed
            .control_planes
            .iter()
            .filter(move |plane| !member.istio_namespaces.contains(&plane.workload.namespace))
    }
}

impl<'a> ObservedMember<'a> {
    /// Gateways of the mesh in this cluster. Where another mesh shares it, those in namespaces of this one's control planes:
    /// nothing else says whose one is.
    pub fn gateways(&self) -> impl Iterator<Item = &'a Gateway> + use<'a> {
        let is_shared = self.foreign_control_planes().next().is_some();
        let member = self.member;
        let gateways = self.observed.gateways.iter();
        gateways.filter(move |gateway| !is_shared || member.istio_namespaces.contains(&gateway.workload.namespace))
    }

    /// Helm releases that belong to the mesh in this cluster, in the order in which they are upgraded.
    ///
    /// Base, CNI and ztunnel exist once in a cluster, and are no part of a mesh that only has its control plane beside
    /// another's here. Where another mesh shares the cluster, a gateway counts only in a namespace of this one's control
    /// planes: nothing else says whose it is. What is [left](Self::left_behind) of a release is none any more.
    #[must_use]
    pub fn releases(&self) -> Vec<&'a HelmRelease> {
        let is_shared = self.foreign_control_planes().next().is_some();
        let is_named = |release: &HelmRelease| {
            self.control_planes()
                .filter_map(|plane| plane.helm_release.as_ref())
                .any(|(namespace, name)| *namespace == release.namespace && *name == release.name)
        };
        let left = self.left_behind();
        let mut releases: Vec<&HelmRelease> = self
            .observed
            .helm_releases
            .iter()
            .filter(|release| !left.contains(release))
            .filter(|release| {
                let is_at_home = self.member.istio_namespaces.contains(&release.namespace);
                match release.component {
                    Component::Base | Component::Cni | Component::Ztunnel | Component::Vendor => !self.is_guest(),
                    Component::Istiod => is_at_home || is_named(release),
                    Component::Gateway => is_at_home || !is_shared,
                }
            })
            .collect();
        releases.sort_by_key(|release| (release.component, &release.namespace, &release.name));
        releases
    }
}

impl MeshView {
    /// Names of all member clusters.
    pub fn clusters(&self) -> impl Iterator<Item = &str> {
        self.members.iter().map(|member| member.cluster.as_str())
    }

    /// Whether one of its control planes is, or would be, in this namespace.
    #[must_use]
    pub fn is_in(&self, namespace: &str) -> bool {
        let places = self.members.iter().flat_map(|member| &member.istio_namespaces);
        self.istio_namespace == namespace || places.into_iter().any(|place| place == namespace)
    }

    /// Name of the cluster that holds the mesh's journal: that of the Mesh object, or else the one with a control plane
    /// whose identity comes first. From whichever of its clusters somebody looks, it is the same, however they call it.
    #[must_use]
    pub fn home(&self) -> Option<&str> {
        self.home.as_deref()
    }

    /// Members that answered.
    pub fn observed<'a>(&'a self, inventory: &'a Inventory) -> impl Iterator<Item = ObservedMember<'a>> {
        self.members
            .iter()
            .filter_map(move |member| match &inventory.cluster(&member.cluster)?.state {
                ClusterState::Observed(observed) => Some(ObservedMember { member, observed }),
                ClusterState::Unknown { .. } => None,
            })
    }

    /// Members that did not answer, with the reason.
    pub fn unknown<'a>(&'a self, inventory: &'a Inventory) -> impl Iterator<Item = (&'a str, String)> {
        self.members.iter().filter_map(move |member| {
            match inventory.cluster(&member.cluster).map(|cluster| &cluster.state) {
                Some(ClusterState::Observed(_)) => None,
                Some(ClusterState::Unknown { reason }) => Some((member.cluster.as_str(), reason.clone())),
                None => Some((member.cluster.as_str(), "it was not asked".to_owned())),
            }
        })
    }
}

/// Why no single mesh could be chosen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectError {
    /// There is none.
    #[error(
        "no mesh was found: no Deployment with the label app=istiod runs in the clusters that answered; look at another \
         cluster with --context NAME"
    )]
    None,
    /// There are several and none was named.
    #[error("there are {} meshes; name one of them: {}", names.len(), names.join(", "))]
    Ambiguous {
        /// Their names.
        names: Vec<String>,
    },
    /// There is none of that name.
    #[error("there is no mesh {name:?}; known: {}", names.join(", "))]
    NotFound {
        /// The name asked for.
        name: String,
        /// Names that exist.
        names: Vec<String>,
    },
}

/// Chooses a mesh by name, or the only one.
///
/// # Errors
/// When there is none, none of that name, or several and no name was given.
pub fn select<'a>(meshes: &'a [MeshView], name: Option<&str>) -> Result<&'a MeshView, SelectError> {
    let names = || meshes.iter().map(|mesh| mesh.name.clone()).collect();
    match (meshes, name) {
        ([], _) => Err(SelectError::None),
        (_, Some(name)) => meshes
            .iter()
            .find(|mesh| mesh.name == name)
            .ok_or_else(|| SelectError::NotFound {
                name: name.to_owned(),
                names: names(),
            }),
        ([only], None) => Ok(only),
        (_, None) => Err(SelectError::Ambiguous { names: names() }),
    }
}

#[cfg(test)]
mod secrets_tests;
#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        api::{MeshCluster, is_mesh_name},
        inventory::sample,
    };

    fn names(inventory: &Inventory) -> Vec<String> {
        meshes(inventory).into_iter().map(|mesh| mesh.name).collect()
    }

    fn two(first: &str, second: &str) -> Inventory {
        Inventory {
            clusters: vec![
                sample::cluster("east", first, "v1.36.3"),
                sample::cluster("west", second, "v1.36.3"),
            ],
        }
    }

    #[test]
    fn a_plain_install_is_the_mesh_default() {
        let mesh = meshes(&sample::one("1.30.3", "v1.36.3")).remove(0);
        assert_eq!(
            (mesh.name.as_str(), mesh.istio_namespace.as_str()),
            ("default", "istio-system")
        );
        assert_eq!(mesh.version.unwrap().to_string(), "1.30.3");
        assert_eq!((mesh.flavor, mesh.has_object), (Some(Flavor::Native), false));
    }

    #[test]
    fn clusters_without_a_mesh_id_are_meshes_of_their_own() {
        assert_eq!(names(&two("1.30.3", "1.30.3")), ["default", "default-west"]);
    }

    #[test]
    fn one_mesh_id_is_one_mesh_with_its_newest_version() {
        let mut inventory = two("1.30.10", "1.30.9");
        for index in 0..2 {
            inventory.seen(index).control_planes[0].mesh_id = Some("shop".to_owned());
        }
        inventory.clusters.push(sample::unknown("north"));
        let meshes = meshes(&inventory);
        assert_eq!(meshes.len(), 1);
        assert_eq!(meshes[0].name, "shop");
        assert_eq!(meshes[0].clusters().collect::<Vec<_>>(), ["east", "west", "north"]);
        assert_eq!(meshes[0].version.as_ref().unwrap().to_string(), "1.30.10");
        assert_eq!(
            meshes[0].unknown(&inventory).map(|(name, _)| name).collect::<Vec<_>>(),
            ["north"]
        );
    }

    #[test]
    fn illegal_mesh_ids_and_long_namespaces_still_give_legal_names() {
        let mut inventory = sample::one("1.30.3", "v1.36.3");
        let planes = &mut inventory.seen(0).control_planes;
        planes[0].mesh_id = Some("Not A Label!".to_owned());
        planes.push(sample::istiod(&format!("a{}z", "-".repeat(60)), "1.30.3"));
        planes.push(sample::istiod("default", "1.30.3"));
        planes.push(sample::istiod("default-east", "1.30.3"));
        let names = names(&inventory);
        assert_eq!(names[..2], ["default", "a"]);
        assert_eq!(names[2..], ["default-east", "default-east-east"]);
        assert!(names.iter().all(|name| is_mesh_name(name)), "{names:?}");
    }

    #[test]
    fn an_object_names_its_mesh_and_its_clusters() {
        let mut inventory = two("1.30.3", "1.30.3");
        inventory.seen(1).control_planes.clear();
        inventory.clusters.push(sample::unknown("north"));
        let mut record = sample::record("shop");
        record.management = Management::Hosted;
        record.clusters = vec![MeshCluster {
            name: "west".to_owned(),
            ..MeshCluster::default()
        }];
        inventory.seen(0).meshes = vec![record];
        let meshes = meshes(&inventory);
        assert_eq!(meshes.len(), 1, "{meshes:?}");
        assert_eq!(
            (meshes[0].name.as_str(), meshes[0].management),
            ("shop", Management::Hosted)
        );
        assert_eq!(meshes[0].clusters().collect::<Vec<_>>(), ["east", "west"]);
        assert!(meshes[0].has_object);
    }

    #[test]
    fn the_home_is_the_same_from_wherever_somebody_looks() {
        let home = |inventory: &Inventory| meshes(inventory)[0].home().map(str::to_owned);
        let mut inventory = two("1.30.3", "1.30.3");
        for index in 0..2 {
            inventory.seen(index).control_planes[0].mesh_id = Some("shop".to_owned());
        }
        inventory
            .clusters
            .push(sample::cluster("a-remote", "1.30.3", "v1.36.3"));
        inventory.seen(2).control_planes.clear();
        assert_eq!(home(&inventory).as_deref(), Some("east"));
        inventory.clusters.rotate_left(1);
        assert_eq!(home(&inventory).as_deref(), Some("east"), "west was named first");
        inventory.clusters.iter_mut().for_each(|cluster| {
            cluster.name = match cluster.name.as_str() {
                "east" => "z".to_owned(),
                other => other.to_owned(),
            };
        });
        assert_eq!(
            home(&inventory).as_deref(),
            Some("z"),
            "called otherwise, it is the same one"
        );
        // The Mesh object's cluster comes before, with a control plane or not.
        let place = inventory.clusters.iter().position(|cluster| cluster.name == "a-remote");
        inventory.seen(place.unwrap()).meshes = vec![sample::record("shop")];
        assert_eq!(home(&inventory).as_deref(), Some("a-remote"));
    }

    #[test]
    fn an_object_without_control_plane_is_a_mesh_too() {
        let mut inventory = sample::one("1.30.3", "v1.36.3");
        inventory.seen(0).control_planes.clear();
        inventory.seen(0).meshes = vec![sample::record("shop")];
        let meshes = meshes(&inventory);
        assert_eq!((meshes[0].name.as_str(), &meshes[0].version), ("shop", &None));
    }

    #[test]
    fn selecting_tells_what_there_is() {
        let meshes = meshes(&two("1.30.3", "1.30.3"));
        assert_eq!(select(&meshes, Some("default")).unwrap().name, "default");
        assert_eq!(select(&meshes[..1], None).unwrap().name, "default");
        for (meshes, name, part) in [
            (&meshes[..0], None, "no mesh was found"),
            (&meshes[..], None, "2 meshes; name one of them: default, default-west"),
            (
                &meshes[..],
                Some("shop"),
                "no mesh \"shop\"; known: default, default-west",
            ),
        ] {
            let error = select(meshes, name).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
