//! Members: which clusters are asked, out of what the operator named, what Mesh objects list, and what istiod was given.

mod relations;

pub use relations::{Host, Led, hosts, remotes, tell_hosts, tell_remotes};

use crate::{
    api::MeshCluster,
    inventory::{ClusterState, Found, Hosted, Inventory, MeshRecord, Observed, Remote},
};
use relations::{Place, led_to, same_server};

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
            members.extend(by_secret(&members, entries, (place, number), secret, contexts));
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

/// A Secret's cluster, unless it is a member already by its name or by its server. Where a Secret of another istiod means
/// another server by the same name, it is asked under a name of its own: whether it is the same one its UID tells.
fn by_secret(
    members: &[Member],
    entries: &[Entry],
    place: Place,
    secret: &RemoteSecret,
    contexts: &[KnownContext],
) -> Option<Member> {
    if led_to(members, entries, place, secret, contexts).is_some() {
        return None;
    }
    // The operator's clusters stand first, in their order.
    let holder = &members.get(place.0)?.name;
    let RemoteSecret {
        namespace,
        name,
        cluster,
        ..
    } = secret;
    let names = [
        cluster.clone(),
        format!("{cluster}@{holder}"),
        format!("{cluster}@{holder}/{namespace}"),
        format!("{cluster}@{holder}/{namespace}/{name}"),
    ];
    let mut names = names.into_iter();
    let free = names.find(|name| !members.iter().any(|member| member.name == *name))?;
    let way = match contexts.iter().find(|known| same_server(secret, known)) {
        Some(known) => Way::Context(known.name.clone()),
        None => Way::Secret(place.0, place.1),
    };
    Some(Member {
        name: free,
        way,
        found: Found::RemoteSecret {
            cluster: holder.clone(),
            namespace: namespace.clone(),
            name: name.clone(),
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
    let mut moved: Vec<(String, Vec<Hosted>, Vec<Remote>)> = Vec::new();
    let same = |name: &str| merged.iter().find(|same| same.dropped == name);
    inventory.clusters.retain_mut(|cluster| {
        let Some(same) = same(&cluster.name) else {
            return true;
        };
        // What was found under the name that goes is true of the cluster.
        if let ClusterState::Observed(observed) = &mut cluster.state {
            let Observed { hosted, remotes, .. } = observed.as_mut();
            moved.push((same.kept.clone(), std::mem::take(hosted), std::mem::take(remotes)));
        }
        false
    });
    let rename = |name: &mut String| {
        if let Some(same) = same(name) {
            name.clone_from(&same.kept);
        }
    };
    for cluster in &mut inventory.clusters {
        if let Found::RemoteSecret { cluster: holder, .. } = &mut cluster.found {
            rename(holder);
        }
        let ClusterState::Observed(observed) = &mut cluster.state else {
            continue;
        };
        for (_, hosted, remotes) in moved.iter_mut().filter(|(kept, ..)| *kept == cluster.name) {
            observed.hosted.append(hosted);
            observed.remotes.append(remotes);
        }
        observed
            .hosted
            .iter_mut()
            .for_each(|hosted| rename(&mut hosted.cluster));
        observed
            .remotes
            .iter_mut()
            .for_each(|remote| rename(&mut remote.cluster));
        let (mut hosted, mut remotes) = (Vec::new(), Vec::new());
        observed.hosted.retain(|one| first(&mut hosted, one));
        observed.remotes.retain(|one| first(&mut remotes, one));
    }
    merged
}

/// Whether it is met for the first time.
fn first<T: Clone + PartialEq>(seen: &mut Vec<T>, one: &T) -> bool {
    let is_first = !seen.contains(one);
    if is_first {
        seen.push(one.clone());
    }
    is_first
}

#[cfg(test)]
mod tests;
