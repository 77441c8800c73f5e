//! Which istiods were given the kubeconfigs of which clusters, by the names that the members have.

use super::{Entry, KnownContext, Member, RemoteSecret, Way};
use crate::inventory::{ClusterState, Found, Hosted, Inventory, Observed, Remote};

/// A kubeconfig's place: that of the entry in the list, and its own in the entry.
pub(super) type Place = (usize, usize);

/// A control plane that reads its configuration in another cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Name of the cluster that it runs in.
    pub cluster: String,
    /// What it is there.
    pub hosted: Hosted,
}

/// A cluster whose kubeconfig an istiod was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Led {
    /// Name of the cluster that the istiod runs in.
    pub holder: String,
    /// The cluster, and where the istiod is.
    pub remote: Remote,
}

/// The control planes that read their configuration in another cluster, by the names that the members have.
#[must_use]
pub fn hosts(entries: &[Entry], contexts: &[KnownContext], members: &[Member]) -> Vec<Host> {
    let configuring = all(entries, contexts, members).filter(|(secret, ..)| secret.configures);
    configuring
        .map(|(secret, holder, cluster)| Host {
            cluster: holder.to_owned(),
            hosted: Hosted {
                namespace: secret.namespace.clone(),
                cluster: cluster.to_owned(),
            },
        })
        .collect()
}

/// Whose kubeconfigs the istiods were given, by the names that the members have, however each of them became one.
#[must_use]
pub fn remotes(entries: &[Entry], contexts: &[KnownContext], members: &[Member]) -> Vec<Led> {
    all(entries, contexts, members)
        .map(|(secret, holder, cluster)| Led {
            holder: holder.to_owned(),
            remote: Remote {
                namespace: secret.namespace.clone(),
                cluster: cluster.to_owned(),
            },
        })
        .collect()
}

/// Each Secret with the names of its holder and of the cluster that it leads to.
fn all<'a>(
    entries: &'a [Entry],
    contexts: &'a [KnownContext],
    members: &'a [Member],
) -> impl Iterator<Item = (&'a RemoteSecret, &'a str, &'a str)> {
    // The operator's clusters stand first among the members, in their order.
    let holders = entries.iter().zip(members).enumerate();
    holders.flat_map(move |(entry, (held, holder))| {
        held.secrets.iter().enumerate().map(move |(number, secret)| {
            let member = led_to(members, entries, (entry, number), secret, contexts);
            let cluster = member.map_or(secret.cluster.as_str(), |member| member.name.as_str());
            (secret, holder.name.as_str(), cluster)
        })
    })
}

/// The member that a Secret leads to: that which it made one, or that of the same server, or that of the same name.
pub(super) fn led_to<'m>(
    members: &'m [Member],
    entries: &[Entry],
    place: Place,
    secret: &RemoteSecret,
    contexts: &[KnownContext],
) -> Option<&'m Member> {
    let find = |is_it: &dyn Fn(&Member) -> bool| members.iter().find(|member| is_it(member));
    let made = Way::Secret(place.0, place.1);
    let by_context = |member: &Member| match &member.way {
        Way::Context(context) => contexts
            .iter()
            .any(|known| known.name == *context && same_server(secret, known)),
        Way::Secret(..) => false,
    };
    if let Some(member) = find(&|member| member.way == made).or_else(|| find(&by_context)) {
        return Some(member);
    }
    let named = find(&|member| member.name == secret.cluster)?;
    let wanted = secret.server.as_deref().map(plain);
    let server = |member: &Member| server(member, entries, contexts);
    let is_other = match &named.found {
        // The name is a person's own word, who may know the cluster by another address than its istiods do.
        Found::Named | Found::Listed { .. } => false,
        // An istiod takes one Secret for each name, and leaves the others alone.
        Found::RemoteSecret { cluster, namespace, .. } => {
            let is_beside = members.get(place.0).is_some_and(|holder| holder.name == *cluster);
            let is_same_istiod = is_beside && *namespace == secret.namespace;
            !is_same_istiod && wanted.is_some() && server(named).is_some_and(|server| Some(server) != wanted)
        }
    };
    if !is_other {
        return Some(named);
    }
    find(&|member| matches!(member.way, Way::Secret(..)) && server(member) == wanted)
}

/// URL of a member's API server, where it is known.
fn server<'a>(member: &Member, entries: &'a [Entry], contexts: &'a [KnownContext]) -> Option<&'a str> {
    let server = match &member.way {
        Way::Context(context) => contexts.iter().find(|known| known.name == *context)?.server.as_str(),
        Way::Secret(entry, number) => entries.get(*entry)?.secrets.get(*number)?.server.as_deref()?,
    };
    Some(plain(server))
}

pub(super) fn same_server(secret: &RemoteSecret, known: &KnownContext) -> bool {
    secret.server.as_deref().map(plain) == Some(plain(&known.server))
}

fn plain(server: &str) -> &str {
    server.trim_end_matches('/')
}

/// Puts them into what was observed of the clusters that they run in.
pub fn tell_hosts(inventory: &mut Inventory, hosts: Vec<Host>) {
    for host in hosts {
        if let Some(observed) = observed(inventory, &host.cluster) {
            observed.hosted.push(host.hosted);
        }
    }
}

/// Puts them into what was observed of the clusters whose istiods were given the kubeconfigs.
pub fn tell_remotes(inventory: &mut Inventory, remotes: Vec<Led>) {
    for led in remotes {
        if let Some(observed) = observed(inventory, &led.holder) {
            observed.remotes.push(led.remote);
        }
    }
}

fn observed<'i>(inventory: &'i mut Inventory, name: &str) -> Option<&'i mut Observed> {
    let found = inventory.clusters.iter_mut().find(|cluster| cluster.name == name);
    match found.map(|cluster| &mut cluster.state) {
        Some(ClusterState::Observed(observed)) => Some(observed),
        Some(ClusterState::Unknown { .. }) | None => None,
    }
}
