//! Members: which clusters are asked, out of what the operator named, what Mesh objects list, and what istiod was given.

use crate::{
    api::MeshCluster,
    inventory::{ClusterState, Found, Hosted, Inventory, MeshRecord},
};

/// A cluster that the operator named, and what it says about others.
#[derive(Clone, Debug, Default)]
pub struct Entry {
    /// Context of the operator's kubeconfig that leads to it.
    pub context: String,
    /// Mesh objects in it.
    pub meshes: Vec<MeshRecord>,
    /// Kubeconfigs that were given to its istiods.
    pub secrets: Vec<RemoteSecret>,
}

/// One kubeconfig of a Secret with the label `istio/multiCluster=true`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteSecret {
    /// Namespace of the Secret, which is that of a control plane.
    pub namespace: String,
    /// Name of the Secret.
    pub name: String,
    /// Name of the cluster, by the key in the Secret.
    pub cluster: String,
    /// URL of the API server, where the kubeconfig tells one.
    pub server: Option<String>,
    /// Whether the istiod beside it reads its own configuration there, as Istio's external control plane does.
    pub configures: bool,
}

/// A control plane that reads its configuration in another cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Name of the cluster that it runs in.
    pub cluster: String,
    /// What it is there.
    pub hosted: Hosted,
}

/// The control planes that read their configuration in another cluster, by the names that the members have.
#[must_use]
pub fn hosts(entries: &[Entry], contexts: &[KnownContext], members: &[Member]) -> Vec<Host> {
    let mut hosts = Vec::new();
    // The operator's clusters stand first among the members, in their order.
    for (entry, host) in entries.iter().zip(members) {
        for secret in entry.secrets.iter().filter(|secret| secret.configures) {
            let is_it = |member: &&Member| match &member.way {
                Way::Context(context) => contexts
                    .iter()
                    .any(|known| known.name == *context && same_server(secret, known)),
                Way::Secret(..) => false,
            };
            let named = members.iter().find(|member| member.name == secret.cluster);
            let member = members.iter().find(is_it).or(named);
            hosts.push(Host {
                cluster: host.name.clone(),
                hosted: Hosted {
                    namespace: secret.namespace.clone(),
                    cluster: member.map_or_else(|| secret.cluster.clone(), |member| member.name.clone()),
                },
            });
        }
    }
    hosts
}

/// Puts them into what was observed of the clusters that they run in.
pub fn tell_hosts(inventory: &mut Inventory, hosts: Vec<Host>) {
    for host in hosts {
        let found = inventory
            .clusters
            .iter_mut()
            .find(|cluster| cluster.name == host.cluster);
        if let Some(ClusterState::Observed(observed)) = found.map(|cluster| &mut cluster.state) {
            observed.hosted.push(host.hosted);
        }
    }
}

fn same_server(secret: &RemoteSecret, known: &KnownContext) -> bool {
    let server = secret.server.as_deref().map(|server| server.trim_end_matches('/'));
    server == Some(known.server.trim_end_matches('/'))
}

/// A context of the operator's kubeconfig.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownContext {
    /// Its name.
    pub name: String,
    /// URL of its API server.
    pub server: String,
}

/// How a cluster is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// With a context of the operator's kubeconfig.
    Context(String),
    /// With the kubeconfig in a Secret: entry's place in the list, and the kubeconfig's place in the entry.
    Secret(usize, usize),
}

/// A cluster that is to be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name in the inventory.
    pub name: String,
    /// How it is reached.
    pub way: Way,
    /// How it became a member.
    pub found: Found,
}

/// Two Mesh objects mean different clusters by one name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the Mesh objects call two clusters {name:?}: one is reached by the context {first:?}, the other by {second:?} (mesh \
     {mesh})"
)]
pub struct NameTaken {
    /// The name.
    pub name: String,
    /// Context of the one.
    pub first: String,
    /// Context of the other.
    pub second: String,
    /// Mesh object that lists the other.
    pub mesh: String,
}

/// Which clusters to ask. Those that the operator named come first, in their order, under the names that Mesh objects
/// give them; then those that Mesh objects list, then those of Secrets, each by a context of the operator's where one
/// leads to the same API server, since a Secret's credentials are Istio's and read little.
///
/// # Errors
/// When one name stands for two clusters.
pub fn members(entries: &[Entry], contexts: &[KnownContext]) -> Result<Vec<Member>, NameTaken> {
    let mut members: Vec<Member> = Vec::new();
    for entry in entries {
        let listed = entries.iter().flat_map(listed).find(|(_, cluster)| {
            context(cluster) == entry.context && !members.iter().any(|member| member.name == cluster.name)
        });
        members.push(match listed {
            Some((mesh, cluster)) => by_list(mesh, cluster),
            None => Member {
                name: entry.context.clone(),
                way: Way::Context(entry.context.clone()),
                found: Found::Named,
            },
        });
    }
    for (mesh, cluster) in entries.iter().flat_map(listed) {
        let wanted = by_list(mesh, cluster);
        match members.iter().find(|member| member.name == cluster.name) {
            None => members.push(wanted),
            Some(Member {
                way: Way::Context(first),
                ..
            }) if first != context(cluster) => {
                return Err(NameTaken {
                    name: cluster.name.clone(),
                    first: first.clone(),
                    second: context(cluster).to_owned(),
                    mesh: mesh.name.clone(),
                });
            }
            Some(_) => {}
        }
    }
    for (place, entry) in entries.iter().enumerate() {
        for (number, secret) in entry.secrets.iter().enumerate() {
            members.extend(by_secret(&members, (place, number), secret, contexts));
        }
    }
    Ok(members)
}

fn listed(entry: &Entry) -> impl Iterator<Item = (&MeshRecord, &MeshCluster)> {
    entry
        .meshes
        .iter()
        .flat_map(|mesh| mesh.clusters.iter().map(move |cluster| (mesh, cluster)))
}

/// Context that leads to a cluster of a Mesh object.
fn context(cluster: &MeshCluster) -> &str {
    cluster.context.as_deref().unwrap_or(&cluster.name)
}

fn by_list(mesh: &MeshRecord, cluster: &MeshCluster) -> Member {
    Member {
        name: cluster.name.clone(),
        way: Way::Context(context(cluster).to_owned()),
        found: Found::Listed {
            mesh: mesh.name.clone(),
        },
    }
}

/// A Secret's cluster, unless it is a member already by its name or by its server.
fn by_secret(
    members: &[Member],
    place: (usize, usize),
    secret: &RemoteSecret,
    contexts: &[KnownContext],
) -> Option<Member> {
    let mut own = contexts.iter().filter(|known| same_server(secret, known));
    let is_member = |known: &KnownContext| {
        let way = Way::Context(known.name.clone());
        members.iter().any(|member| member.way == way)
    };
    if members.iter().any(|member| member.name == secret.cluster) || own.clone().any(is_member) {
        return None;
    }
    let way = match own.next() {
        Some(known) => Way::Context(known.name.clone()),
        None => Way::Secret(place.0, place.1),
    };
    Some(Member {
        name: secret.cluster.clone(),
        way,
        found: Found::RemoteSecret {
            // The operator's clusters stand first, in their order.
            cluster: members.get(place.0)?.name.clone(),
            namespace: secret.namespace.clone(),
            name: secret.name.clone(),
        },
    })
}

/// Two names of one cluster, of which one was dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Same {
    /// The name that is no longer in the inventory.
    pub dropped: String,
    /// The name that stays.
    pub kept: String,
}

/// Drops what is one cluster by the UID of its `kube-system` and was asked under two names: the name that a Mesh object
/// gives stays, then the one that the operator gave, then the first. Two names in Mesh objects both stay: that is for a
/// person to correct, and a finding.
#[must_use]
pub fn merge(inventory: &mut Inventory) -> Vec<Same> {
    let weight = |found: &Found| match found {
        Found::Listed { .. } => 2,
        Found::Named => 1,
        Found::RemoteSecret { .. } => 0,
    };
    let mut kept: Vec<(String, u8, String)> = Vec::new();
    let mut merged: Vec<Same> = Vec::new();
    for cluster in &inventory.clusters {
        let ClusterState::Observed(observed) = &cluster.state else {
            continue;
        };
        let weight = weight(&cluster.found);
        let known = kept
            .iter_mut()
            .find(|(uid, ..)| *uid == observed.uid && !uid.is_empty());
        match known {
            None => kept.push((observed.uid.clone(), weight, cluster.name.clone())),
            Some((_, 2, _)) if weight == 2 => {}
            Some((_, heavier, name)) if *heavier >= weight => merged.push(Same {
                dropped: cluster.name.clone(),
                kept: name.clone(),
            }),
            Some((_, lighter, name)) => {
                let dropped = std::mem::replace(name, cluster.name.clone());
                *lighter = weight;
                for same in &mut merged {
                    if same.kept == dropped {
                        same.kept.clone_from(&cluster.name);
                    }
                }
                merged.push(Same {
                    dropped,
                    kept: cluster.name.clone(),
                });
            }
        }
    }
    let same = |name: &str| merged.iter().find(|same| same.dropped == name);
    inventory.clusters.retain(|cluster| same(&cluster.name).is_none());
    for cluster in &mut inventory.clusters {
        if let Found::RemoteSecret { cluster: holder, .. } = &mut cluster.found
            && let Some(same) = same(holder)
        {
            holder.clone_from(&same.kept);
        }
        if let ClusterState::Observed(observed) = &mut cluster.state {
            for hosted in &mut observed.hosted {
                if let Some(same) = same(&hosted.cluster) {
                    hosted.cluster.clone_from(&same.kept);
                }
            }
        }
    }
    merged
}

#[cfg(test)]
mod tests;
