//! All clusters of the meshes that the operator named: found, connected to and observed at the same time, each with its
//! own deadline. One that cannot be reached is Unknown, and the others complete.

use super::{
    client::{self, Cluster, ClusterFlags},
    error::ClusterError,
    kubeconfig::Kubeconfigs,
    observe::{Lead, Leads, ObserveOptions, leads, observe},
    remote_secret,
    stats::ClusterStats,
};
use futures::{StreamExt as _, future::join_all, stream};
use shared::{
    inventory::{ClusterInventory, ClusterState, Inventory},
    members::{self, Entry, Member, Same, Way},
};
use std::time::Instant;

/// Clusters that are observed at once. Their answers are read while they arrive, so a hundred take little memory.
const CLUSTERS_AT_ONCE: usize = 128;
/// Connections to all clusters together: many systems allow a process 1,024 open files.
const CONNECTIONS: usize = 768;
/// How many times the deadline of one question a cluster may take in all.
const QUESTIONS_LONG: u32 = 3;

/// The clusters that were asked, and what they said.
pub struct Members {
    /// Clusters that could be asked, whether they answered or not; the first that the operator named comes first.
    pub clusters: Vec<Cluster>,
    /// What was observed.
    pub inventory: Inventory,
    /// Two names that led to one cluster.
    pub same: Vec<Same>,
    /// What it cost, in the order of the inventory; clusters that turned out to be the same are counted, too.
    pub stats: Vec<ClusterStats>,
}

/// Why no cluster could be asked.
#[derive(Debug, thiserror::Error)]
pub enum MembersError {
    /// The kubeconfig or a context cannot be used.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// Mesh objects contradict each other.
    #[error(transparent)]
    Name(#[from] members::NameTaken),
}

/// A cluster on its way to being observed.
struct Asked {
    since: Instant,
    /// `None` when it could not even be tried.
    cluster: Option<Cluster>,
    /// Why it is Unknown, as far as that is clear already.
    failure: Option<ClusterError>,
    leads: Leads,
}

impl Asked {
    /// Connects, without sending anything yet. Credential plugins run, and may wait for a person or for ever.
    async fn connect(
        context: &str,
        options: &ObserveOptions,
        connecting: impl Future<Output = Result<Cluster, ClusterError>>,
    ) -> Self {
        let since = Instant::now();
        let connected = match tokio::time::timeout(options.deadline, Box::pin(connecting)).await {
            Ok(connected) => connected,
            Err(_) => Err(ClusterError::Credentials {
                context: context.to_owned(),
                reason: "its credential plugin did not end in time".to_owned(),
            }),
        };
        let (cluster, failure) = match connected {
            Ok(cluster) => (Some(cluster), None),
            Err(error) => (None, Some(error)),
        };
        Self {
            since,
            cluster,
            failure,
            leads: Leads::default(),
        }
    }

    /// Asks what other clusters this one leads to.
    async fn lead(mut self, options: &ObserveOptions) -> Self {
        if let Some(cluster) = &self.cluster {
            match Box::pin(leads(cluster, options.deadline)).await {
                Ok(leads) => self.leads = leads,
                Err(error) => self.failure = Some(error),
            }
        }
        self
    }

    /// The parts of an observation are large, and a hundred of them are made: they are kept off the stack.
    async fn observe(self, member: Member, options: &ObserveOptions) -> Observation {
        let cluster = self.cluster.map(|mut cluster| {
            cluster.name.clone_from(&member.name);
            cluster
        });
        let limit = options.deadline.saturating_mul(QUESTIONS_LONG);
        let state = match (&cluster, self.failure) {
            (Some(cluster), None) => match tokio::time::timeout(limit, Box::pin(observe(cluster, options))).await {
                Ok(observed) => observed.state,
                Err(_) => ClusterState::Unknown {
                    reason: format!("{} took longer than {} s in all", cluster.server(), limit.as_secs()),
                },
            },
            (_, Some(error)) => ClusterState::Unknown {
                reason: error.to_string(),
            },
            (None, None) => ClusterState::Unknown {
                reason: "it could not be connected to".to_owned(),
            },
        };
        let mut inventory = ClusterInventory {
            name: member.name,
            found: member.found,
            state,
        };
        if let ClusterState::Observed(observed) = &mut inventory.state {
            observed.unreadable.extend(self.leads.unreadable);
        }
        let meter = cluster.as_ref().map(|cluster| cluster.meter.as_ref());
        Observation {
            stats: ClusterStats::new(&inventory.name, meter, self.since.elapsed()),
            cluster,
            inventory,
        }
    }
}

/// A cluster that was observed, or not.
struct Observation {
    cluster: Option<Cluster>,
    inventory: ClusterInventory,
    stats: ClusterStats,
}

/// Observes the clusters of the contexts named (the current one if none is), and all that they lead to.
///
/// # Errors
/// When the kubeconfig or one of the contexts named cannot be used, or Mesh objects contradict each other.
pub async fn observe_members(
    flags: &ClusterFlags,
    contexts: &[String],
    options: &ObserveOptions,
) -> Result<Members, MembersError> {
    let source = Kubeconfigs::read(flags.kubeconfig.as_deref())?;
    let named = named(&source, flags, contexts)?;
    let limit = at_once(named.len());
    let entered = named.iter().map(|context| async {
        let connecting = client::open(&source, context, flags, limit);
        Asked::connect(context, options, connecting).await.lead(options).await
    });
    let mut entered = join_all(entered).await;
    if entered.iter().all(|asked| asked.cluster.is_none())
        && let Some(error) = entered.iter_mut().find_map(|asked| asked.failure.take())
    {
        return Err(error.into());
    }
    let entries: Vec<Entry> = named.into_iter().zip(&entered).map(entry).collect();
    let secrets: Vec<Vec<Lead>> = entered
        .iter_mut()
        .map(|asked| std::mem::take(&mut asked.leads.secrets))
        .collect();
    let members = members::members(&entries, &source.known())?;
    let limit = at_once(members.len());
    // Those that the operator named come first, in their order.
    let mut entered = entered.into_iter();
    let observing = members.into_iter().map(|member| {
        let entered = entered.next();
        let (source, secrets) = (&source, &secrets);
        async move {
            let asked = match entered {
                Some(entered) => entered,
                None => {
                    let connecting = join(source, &member, secrets, flags, limit);
                    Asked::connect(&member.name, options, connecting).await
                }
            };
            asked.observe(member, options).await
        }
    });
    let mut observed: Vec<(usize, Observation)> = stream::iter(observing.enumerate())
        .map(|(place, observing)| async move { (place, observing.await) })
        .buffer_unordered(CLUSTERS_AT_ONCE)
        .collect()
        .await;
    observed.sort_by_key(|(place, _)| *place);
    Ok(gather(observed.into_iter().map(|(_, observed)| observed)))
}

/// Contexts that the operator named, checked to exist: a wrong one is a slip of the pen, and no silent cluster.
fn named(source: &Kubeconfigs, flags: &ClusterFlags, contexts: &[String]) -> Result<Vec<String>, ClusterError> {
    if contexts.is_empty() {
        return Ok(vec![source.context_name(flags.context.as_deref())?]);
    }
    let mut named: Vec<String> = Vec::new();
    for context in contexts {
        let context = source.context_name(Some(context))?;
        if !named.contains(&context) {
            named.push(context);
        }
    }
    Ok(named)
}

fn entry((context, asked): (String, &Asked)) -> Entry {
    Entry {
        context,
        meshes: asked.leads.meshes.clone(),
        secrets: asked.leads.secrets.iter().map(|lead| lead.secret.clone()).collect(),
    }
}

/// Requests to each of several clusters that run at once.
fn at_once(clusters: usize) -> usize {
    CONNECTIONS
        .checked_div(clusters)
        .unwrap_or(CONNECTIONS)
        .clamp(4, client::AT_ONCE)
}

/// Connects to a member that another cluster led to.
async fn join(
    source: &Kubeconfigs,
    member: &Member,
    secrets: &[Vec<Lead>],
    flags: &ClusterFlags,
    at_once: usize,
) -> Result<Cluster, ClusterError> {
    match &member.way {
        Way::Context(context) => {
            source.context_name(Some(context))?;
            client::open(source, context, flags, at_once).await
        }
        Way::Secret(entry, number) => {
            let lead = secrets.get(*entry).and_then(|secrets| secrets.get(*number));
            let (secret, kubeconfig) = lead.map_or((None, &[][..]), |lead| (Some(&lead.secret), &lead.kubeconfig));
            let from = secret.map_or_else(String::new, |secret| {
                format!("Secret {}/{}", secret.namespace, secret.name)
            });
            let config = remote_secret::sanitized(kubeconfig, &member.name).map_err(|refused| {
                ClusterError::ContextUnusable {
                    context: member.name.clone(),
                    reason: format!("{from}: {refused}"),
                }
            })?;
            // Whoever the operator acts as, it is not with Istio's credentials.
            let flags = ClusterFlags {
                request_timeout: flags.request_timeout,
                ..ClusterFlags::default()
            };
            client::open(&Kubeconfigs::of(config, &from), &member.name, &flags, at_once).await
        }
    }
}

fn gather(observed: impl Iterator<Item = Observation>) -> Members {
    let mut members = Members {
        clusters: Vec::new(),
        inventory: Inventory::default(),
        same: Vec::new(),
        stats: Vec::new(),
    };
    for observation in observed {
        members.clusters.extend(observation.cluster);
        members.inventory.clusters.push(observation.inventory);
        members.stats.push(observation.stats);
    }
    members.same = members::merge(&mut members.inventory);
    for same in &members.same {
        let place = |name: &str| members.clusters.iter().position(|cluster| cluster.name == name);
        if let (Some(dropped), Some(kept)) = (place(&same.dropped), place(&same.kept)) {
            // The one that stays takes the place, so that the first remains the operator's first.
            members.clusters.swap(dropped.min(kept), kept);
            members.clusters.remove(dropped.max(kept));
        }
    }
    members
}
