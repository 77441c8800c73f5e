//! Which control planes and clusters belong together, and what their mesh is called.

use super::{MeshMember, MeshView};
use crate::{
    api::{Management, MeshCluster, is_mesh_name},
    inventory::{ClusterState, Found, Hosted, Inventory, MeshRecord, Observed},
    version::{Flavor, IstioVersion},
};
use std::{cmp::Ordering, collections::BTreeSet};

/// Longest name of a mesh; see [`is_mesh_name`].
const MAX_NAME: usize = 40;

/// A control plane's place: cluster and namespace.
type Place = (String, String);

/// Control planes that belong together, while they are being gathered.
#[derive(Default)]
struct Group<'a> {
    mesh_id: Option<&'a str>,
    places: Vec<Place>,
    object: Option<(&'a str, &'a MeshRecord)>,
}

/// Groups what was observed into meshes.
///
/// A Mesh object names its mesh and lists its clusters. Control planes with the same mesh ID are one mesh; without one,
/// each namespace of each cluster is a mesh of its own. A cluster that did not answer counts as a member of every mesh
/// that has no object to say otherwise.
#[must_use]
pub fn meshes(inventory: &Inventory) -> Vec<MeshView> {
    let mut groups = join_by_secrets(by_mesh_id(inventory), inventory);
    for (home, record) in records(inventory) {
        groups = claim(groups, home, record);
    }
    let listed: BTreeSet<&str> = groups
        .iter()
        .filter_map(|group| group.object)
        .flat_map(|(home, record)| member_names(home, record))
        .collect();
    let only_one = groups.len() == 1;
    let mut taken = BTreeSet::new();
    // Names that people chose come first, so that a derived one never takes them.
    groups.sort_by_key(|group| group.object.is_none());
    groups
        .iter()
        .map(|group| {
            let view = group.view(inventory, &listed, only_one, &taken);
            taken.insert(view.name.clone());
            view
        })
        .collect()
}

/// Mesh objects with the clusters that hold them, each name once.
fn records(inventory: &Inventory) -> Vec<(&str, &MeshRecord)> {
    let mut seen = BTreeSet::new();
    observed(inventory)
        .flat_map(|(cluster, observed)| observed.meshes.iter().map(move |record| (cluster, record)))
        .filter(|(_, record)| seen.insert(record.name.as_str()))
        .collect()
}

fn observed(inventory: &Inventory) -> impl Iterator<Item = (&str, &Observed)> {
    inventory.clusters.iter().filter_map(|cluster| match &cluster.state {
        ClusterState::Observed(observed) => Some((cluster.name.as_str(), observed.as_ref())),
        ClusterState::Unknown { .. } => None,
    })
}

/// The cluster that holds a Mesh object, and those that it lists.
fn member_names<'a>(home: &'a str, record: &'a MeshRecord) -> Vec<&'a str> {
    let mut names = vec![home];
    // A list that leaves its own cluster out is complete nevertheless: the control plane may be hosted here for others.
    names.extend(
        record
            .clusters
            .iter()
            .map(|cluster: &MeshCluster| cluster.name.as_str()),
    );
    let mut seen = BTreeSet::new();
    names.retain(|name| seen.insert(*name));
    names
}

fn by_mesh_id(inventory: &Inventory) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for (cluster, observed) in observed(inventory) {
        for plane in &observed.control_planes {
            let place = (cluster.to_owned(), plane.workload.namespace.clone());
            let mesh_id = plane.mesh_id.as_deref().filter(|id| !id.is_empty());
            let known = groups
                .iter_mut()
                .find(|group| group.places.contains(&place) || (mesh_id.is_some() && group.mesh_id == mesh_id));
            match known {
                Some(group) => {
                    group.mesh_id = group.mesh_id.or(mesh_id);
                    if !group.places.contains(&place) {
                        group.places.push(place);
                    }
                }
                None => groups.push(Group {
                    mesh_id,
                    places: vec![place],
                    object: None,
                }),
            }
        }
    }
    groups
}

/// Joins what istiods know of each other: who was given a cluster's kubeconfig is of one mesh with the istiods there,
/// unless their mesh IDs say otherwise, or Mesh objects that each of them is another's.
fn join_by_secrets<'a>(mut groups: Vec<Group<'a>>, inventory: &Inventory) -> Vec<Group<'a>> {
    let records = records(inventory);
    for remote in given(inventory) {
        let of = |groups: &[Group<'_>], is_it: &dyn Fn(&Place) -> bool| {
            groups.iter().position(|group| group.places.iter().any(is_it))
        };
        let ours = of(&groups, &|place| remote.is_holder(place));
        let Some(ours) = ours else { continue };
        let is_there = |(cluster, _): &Place| *cluster == remote.cluster;
        if groups.get(ours).is_some_and(|group| group.places.iter().any(is_there)) {
            continue;
        }
        // Of several there, the one in the namespace that such meshes share.
        let alike = of(&groups, &|place| is_there(place) && place.1 == remote.holder.1);
        let Some(theirs) = alike.or_else(|| of(&groups, &is_there)) else {
            continue;
        };
        let id = |place: usize| groups.get(place).and_then(|group| group.mesh_id);
        let (our_id, their_id) = (id(ours), id(theirs));
        if our_id.is_some() && their_id.is_some() {
            continue;
        }
        let object = |place: usize| {
            let group = groups.get(place)?;
            let mut records = records.iter();
            records.position(|(home, record)| is_claimed(&group.places, &member_names(home, record), record))
        };
        let (our_object, their_object) = (object(ours), object(theirs));
        if our_object.is_some() && their_object.is_some() && our_object != their_object {
            continue;
        }
        let joined = groups.remove(theirs);
        let ours = if theirs < ours { ours - 1 } else { ours };
        if let Some(group) = groups.get_mut(ours) {
            group.mesh_id = our_id.or(their_id);
            group.places.extend(joined.places);
        }
    }
    groups
}

/// A cluster whose kubeconfig an istiod was given.
#[derive(Clone, Copy)]
struct Given<'a> {
    /// The cluster of that istiod, and its namespace.
    holder: (&'a str, &'a str),
    cluster: &'a str,
}

/// By what istiods have, and by what led to clusters.
fn given(inventory: &Inventory) -> impl Iterator<Item = Given<'_>> {
    let had = observed(inventory).flat_map(|(holder, observed)| {
        observed.remotes.iter().map(move |remote| Given {
            holder: (holder, &remote.namespace),
            cluster: &remote.cluster,
        })
    });
    let led = inventory.clusters.iter().filter_map(|found| match &found.found {
        Found::RemoteSecret { cluster, namespace, .. } => Some(Given {
            holder: (cluster, namespace),
            cluster: &found.name,
        }),
        _ => None,
    });
    had.chain(led)
}

/// The name by which istiods know a cluster that was asked under a name of its own, as that of another istiod leads to
/// another server, and did not answer.
fn unknown_again<'a>(inventory: &'a Inventory, name: &str) -> Option<&'a str> {
    let cluster = inventory.cluster(name)?;
    match (&cluster.found, &cluster.state) {
        (Found::RemoteSecret { cluster: holder, .. }, ClusterState::Unknown { .. }) => {
            let (plain, by) = cluster.name.split_once('@')?;
            let rest = by.strip_prefix(holder.as_str())?;
            (rest.is_empty() || rest.starts_with('/')).then_some(plain)
        }
        _ => None,
    }
}

impl Given<'_> {
    /// Whether the control plane there was given the kubeconfig.
    fn is_holder(&self, (cluster, namespace): &Place) -> bool {
        (cluster.as_str(), namespace.as_str()) == self.holder
    }
}

/// Whether one of these control planes is in the namespace of a Mesh object and in one of its clusters.
fn is_claimed(places: &[Place], clusters: &[&str], record: &MeshRecord) -> bool {
    let mut places = places.iter();
    places.any(|(cluster, namespace)| *namespace == record.istio_namespace && clusters.contains(&cluster.as_str()))
}

/// Gives a Mesh object the control planes in its namespace of its clusters, and all that share a mesh ID with them.
fn claim<'a>(groups: Vec<Group<'a>>, home: &'a str, record: &'a MeshRecord) -> Vec<Group<'a>> {
    let clusters = member_names(home, record);
    let mut claimed = Group {
        object: Some((home, record)),
        ..Group::default()
    };
    let mut rest = Vec::new();
    for group in groups {
        if group.object.is_none() && is_claimed(&group.places, &clusters, record) {
            claimed.mesh_id = claimed.mesh_id.or(group.mesh_id);
            claimed.places.extend(group.places);
        } else {
            rest.push(group);
        }
    }
    rest.push(claimed);
    rest
}

impl Group<'_> {
    fn view(
        &self,
        inventory: &Inventory,
        listed: &BTreeSet<&str>,
        only_one: bool,
        taken: &BTreeSet<String>,
    ) -> MeshView {
        let istio_namespace = match (self.object, self.places.first()) {
            (Some((_, record)), _) => record.istio_namespace.clone(),
            (None, Some((_, namespace))) => namespace.clone(),
            (None, None) => String::new(),
        };
        let mut view = MeshView {
            name: String::new(),
            management: self.object.map(|(_, record)| record.management).unwrap_or_default(),
            flavor: None,
            version: None,
            members: self.members(inventory, &istio_namespace, listed, only_one),
            home: None,
            has_object: self.object.is_some(),
            recorded_version: self.object.and_then(|(_, record)| record.recorded_version.clone()),
            freeze: self.object.map(|(_, record)| record.freeze.clone()).unwrap_or_default(),
            istio_namespace,
        };
        view.home = self.home(inventory, &view);
        view.name = self.name(&view, taken);
        let versions: Vec<&IstioVersion> = view
            .observed(inventory)
            .flat_map(|member| member.control_planes())
            .filter_map(|plane| plane.version.version.as_ref())
            .collect();
        let newest = versions.iter().copied().max_by(|a, b| oldest_first(a, b)).cloned();
        let flavor = match (self.object, versions.split_first()) {
            (Some((_, record)), _) => Some(Flavor::from_suffix(record.flavor.as_deref())),
            (None, Some((first, rest))) if rest.iter().all(|other| other.flavor == first.flavor) => {
                Some(first.flavor.clone())
            }
            (None, _) => None,
        };
        view.version = newest;
        view.flavor = flavor;
        // Without an object it is what fits.
        if self.object.is_none() && view.hosted(inventory).next().is_some() {
            view.management = Management::Hosted;
        }
        view
    }

    fn members(
        &self,
        inventory: &Inventory,
        namespace: &str,
        listed: &BTreeSet<&str>,
        only_one: bool,
    ) -> Vec<MeshMember> {
        let mut names: Vec<&str> = match self.object {
            Some((home, record)) => member_names(home, record),
            None => Vec::new(),
        };
        names.extend(self.places.iter().map(|(cluster, _)| cluster.as_str()));
        // Whose istiod was given a cluster's kubeconfig, its mesh the cluster is of: unless it has a mesh of its own.
        names.extend(given(inventory).filter_map(|remote| {
            let has_its_own =
                observed(inventory).any(|(name, seen)| name == remote.cluster && !seen.control_planes.is_empty());
            let its = self.places.iter().any(|place| remote.is_holder(place));
            let is_anothers = listed.contains(remote.cluster);
            (its && !has_its_own && !is_anothers).then_some(remote.cluster)
        }));
        // An external control plane and the cluster that holds its configuration are of one mesh.
        names.extend(observed(inventory).flat_map(|(host, observed)| {
            let its = move |hosted: &&Hosted| {
                let mut places = self.places.iter();
                places.any(|(cluster, namespace)| cluster == host && *namespace == hosted.namespace)
            };
            observed.hosted.iter().filter(its).map(|hosted| hosted.cluster.as_str())
        }));
        if self.object.is_none() {
            names.extend(inventory.clusters.iter().filter_map(|cluster| {
                let by_secret = matches!(cluster.found, Found::RemoteSecret { .. });
                let unclaimed = !by_secret && !listed.contains(cluster.name.as_str());
                let may_belong = match &cluster.state {
                    ClusterState::Unknown { .. } => true,
                    ClusterState::Observed(observed) => only_one && observed.control_planes.is_empty(),
                };
                (unclaimed && may_belong).then_some(cluster.name.as_str())
            }));
        }
        let mut seen = BTreeSet::new();
        names.retain(|name| seen.insert(*name));
        // In one mesh a name means one cluster, however many addresses its istiods know it by.
        names.retain(|name| !unknown_again(inventory, name).is_some_and(|plain| seen.contains(plain)));
        let mut members: Vec<MeshMember> = names
            .into_iter()
            .map(|cluster| {
                let mut istio_namespaces: Vec<String> = self
                    .places
                    .iter()
                    .filter(|(place, _)| place == cluster)
                    .map(|(_, namespace)| namespace.clone())
                    .collect();
                if istio_namespaces.is_empty() {
                    istio_namespaces.push(namespace.to_owned());
                }
                MeshMember {
                    cluster: cluster.to_owned(),
                    istio_namespaces,
                }
            })
            .collect();
        let home = self.object.map(|(home, _)| home);
        let is_primary = |name: &str| self.places.iter().any(|(cluster, _)| cluster == name);
        members.sort_by_key(|member| (home != Some(member.cluster.as_str()), !is_primary(&member.cluster)));
        members
    }

    /// Names of clusters are the operator's own words; their identities are not.
    fn home(&self, inventory: &Inventory, view: &MeshView) -> Option<String> {
        if let Some((home, _)) = self.object {
            return Some(home.to_owned());
        }
        let is_primary = |name: &str| self.places.iter().any(|(cluster, _)| cluster == name);
        let primaries = observed(inventory).filter(|(name, _)| is_primary(name));
        let first = primaries.min_by_key(|(_, observed)| observed.uid.as_str());
        let first = first.map(|(name, _)| name).or_else(|| view.clusters().next());
        first.map(str::to_owned)
    }

    fn name(&self, view: &MeshView, taken: &BTreeSet<String>) -> String {
        if let Some((_, record)) = self.object {
            return record.name.clone();
        }
        let base = match self.mesh_id {
            Some(id) if is_mesh_name(id) => id.to_owned(),
            _ if view.istio_namespace == "istio-system" => "default".to_owned(),
            _ => legal_name(&view.istio_namespace),
        };
        let with_cluster = legal_name(&format!("{base}-{}", view.clusters().next().unwrap_or_default()));
        let numbered = (2..).map(|number: u32| {
            let number = format!("-{number}");
            let head: String = base.chars().take(MAX_NAME - number.len()).collect();
            format!("{}{number}", head.trim_end_matches('-'))
        });
        [base.clone(), with_cluster]
            .into_iter()
            .chain(numbered)
            .find(|name| !taken.contains(name))
            .unwrap_or(base)
    }
}

fn oldest_first(a: &IstioVersion, b: &IstioVersion) -> Ordering {
    a.cmp_release(b).then_with(|| a.flavor.cmp(&b.flavor))
}

/// Turns any text into a legal name of a mesh, keeping what can be kept.
fn legal_name(text: &str) -> String {
    let legal: String = text
        .to_ascii_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .take(MAX_NAME)
        .collect();
    match legal.trim_matches('-') {
        "" => "mesh".to_owned(),
        legal => legal.to_owned(),
    }
}
