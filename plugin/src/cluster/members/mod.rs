//! All clusters of the meshes that the operator named: found, connected to and observed at the same time, each with its
//! own deadline. One that cannot be reached is Unknown, and the others complete.

mod reach;

pub use reach::{Reached, reach_members};

use super::{
    client::{self, Cluster, ClusterFlags},
    error::ClusterError,
    kubeconfig::Kubeconfigs,
    observe::{Lead, Leads, ObserveOptions, leads, observe_further},
    remote_secret,
    stats::ClusterStats,
};
use futures::{StreamExt as _, future::join_all, stream};
use shared::{
    catalog::{self, Catalog},
    inventory::{ClusterInventory, ClusterState, Inventory},
    members::{self, Entry, Host, Led, Member, RemoteSecret, Same, Way},
    names,
};
use std::{
    num::NonZero,
    sync::{Arc, LazyLock},
    time::Instant,
};
use tokio::{sync::Semaphore, task::JoinError};

/// Clusters that are observed at once. Their answers are read while they arrive, so a hundred take little memory.
const CLUSTERS_AT_ONCE: usize = 128;
/// Connections to all clusters together: many systems allow a process 1,024 open files.
const CONNECTIONS: usize = 768;
/// How many times its deadline a cluster may wait for others' credential plugins to end.
const TURNS: u32 = 3;
/// Connections that are built at once, by credential plugins most of all: those of a hundred clusters, each a program, would
/// keep the processors from ending any of them in time.
static BUILT_AT_ONCE: LazyLock<Semaphore> = LazyLock::new(|| {
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    Semaphore::new(processors.saturating_mul(2))
});

/// The clusters that were asked, and what they said.
pub struct Members {
    /// Clusters that could be asked, whether they answered or not; the first that the operator named comes first.
    pub clusters: Vec<Cluster>,
    /// What was observed.
    pub inventory: Inventory,
    /// Two names that led to one cluster.
    pub same: Vec<Same>,
    /// The catalog that counted.
    pub catalog: Option<Arc<Catalog>>,
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
        // Where all of them hang, nobody waits for ever; the deadline is for what is done after the wait.
        let turn = tokio::time::timeout(options.deadline.saturating_mul(TURNS), BUILT_AT_ONCE.acquire()).await;
        let since = Instant::now();
        let connected = match tokio::time::timeout(options.deadline, Box::pin(connecting)).await {
            Ok(connected) => connected,
            Err(_) => Err(ClusterError::Credentials {
                context: context.to_owned(),
                reason: "its credential plugin did not end in time".to_owned(),
            }),
        };
        drop(turn);
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
            match Box::pin(leads(cluster, options)).await {
                Ok(leads) => self.leads = leads,
                Err(error) => self.failure = Some(error),
            }
        }
        self
    }

    /// Of a cluster whose task broke, nothing is known.
    fn failed(context: &str, error: &JoinError) -> Self {
        Self {
            since: Instant::now(),
            cluster: None,
            failure: Some(ClusterError::ContextUnusable {
                context: context.to_owned(),
                reason: format!("asking it broke off: {error}"),
            }),
            leads: Leads::default(),
        }
    }

    async fn observe(mut self, member: Member, options: &ObserveOptions) -> Observation {
        if let Some(cluster) = &mut self.cluster {
            cluster.name.clone_from(&member.name);
        }
        let (Some(cluster), None) = (&self.cluster, &self.failure) else {
            return self.unobserved(member);
        };
        let mut state = observe_further(cluster, options, &self.leads.known).await.state;
        if let ClusterState::Observed(observed) = &mut state {
            observed.unreadable.append(&mut self.leads.unreadable);
        }
        self.with(member, state)
    }

    fn unobserved(mut self, member: Member) -> Observation {
        let reason = self.failure.take().map(|failure| failure.to_string());
        let reason = reason.unwrap_or_else(|| "it could not be connected to".to_owned());
        self.with(member, ClusterState::Unknown { reason })
    }

    fn with(self, member: Member, state: ClusterState) -> Observation {
        let meter = self.cluster.as_ref().map(|cluster| cluster.meter.as_ref());
        Observation {
            stats: ClusterStats::new(&member.name, meter, self.since.elapsed()),
            cluster: self.cluster,
            inventory: ClusterInventory {
                name: member.name,
                found: member.found,
                state,
            },
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
/// A Mesh object may be found only in a cluster that another one has led to. What it lists, and how it calls it, is then
/// followed as if the operator had named that cluster: from every cluster of a mesh the same ones are found.
///
/// # Errors
/// When the kubeconfig or one of the contexts named cannot be used, or Mesh objects contradict each other.
pub async fn observe_members(
    flags: &ClusterFlags,
    contexts: &[String],
    options: &ObserveOptions,
) -> Result<Members, MembersError> {
    let source = Kubeconfigs::read(flags.kubeconfig.as_deref())?;
    let mut named = named(&source, flags, contexts)?;
    loop {
        let members = observe_once(&source, &named, flags, options).await?;
        match home_led_to(&members, &named) {
            Some(context) => named.push(context),
            None => return Ok(members),
        }
    }
}

/// Context of a cluster that nobody named, and that holds a Mesh object with clusters.
fn home_led_to(members: &Members, named: &[String]) -> Option<String> {
    members.inventory.clusters.iter().find_map(|found| {
        let ClusterState::Observed(observed) = &found.state else {
            return None;
        };
        let cluster = members.clusters.iter().find(|cluster| cluster.name == found.name)?;
        let context = cluster
            .own_context()
            .filter(|own| !named.iter().any(|named| named == own))?;
        let lists = observed.meshes.iter().any(|mesh| !mesh.clusters.is_empty());
        lists.then(|| context.to_owned())
    })
}

async fn observe_once(
    source: &Kubeconfigs,
    named: &[String],
    flags: &ClusterFlags,
    options: &ObserveOptions,
) -> Result<Members, MembersError> {
    let shared = Arc::new(Shared {
        limit: at_once(named.len()),
        source: source.clone(),
        flags: flags.clone(),
        options: options.clone(),
        secrets: Vec::new(),
    });
    let mut entered = enter_all(&shared, named).await;
    refuse_none(&mut entered)?;
    let entries = entries(named, &entered);
    let known = shared.source.known();
    let members = members::members(&entries, &known)?;
    let catalog = own_catalog(&mut entered).or_else(|| options.catalog.clone());
    let options = ObserveOptions {
        catalog: catalog.clone(),
        ..options.clone()
    };
    let hosts = members::hosts(&entries, &known, &members);
    let remotes = members::remotes(&entries, &known, &members);
    let shared = Arc::new(Shared {
        limit: at_once(members.len()),
        secrets: entered
            .iter_mut()
            .map(|asked| std::mem::take(&mut asked.leads.secrets))
            .collect(),
        source: shared.source.clone(),
        flags: flags.clone(),
        options,
    });
    // Those that the operator named come first, in their order.
    let mut entered = entered.into_iter();
    let observing = members
        .into_iter()
        .map(|member| observe_one(Arc::clone(&shared), entered.next(), member))
        .enumerate();
    let mut observed: Vec<(usize, Observation)> = stream::iter(observing)
        .map(|(place, observing)| async move { (place, observing.await) })
        .buffer_unordered(CLUSTERS_AT_ONCE)
        .collect()
        .await;
    observed.sort_by_key(|(place, _)| *place);
    let observed = observed.into_iter().map(|(_, observed)| observed);
    Ok(Members {
        catalog,
        ..gather(observed, hosts, remotes)
    })
}

/// The catalog that the first cluster brings which answered, so that what it names is looked for at once. What is wrong
/// with one that cannot be used is told by whoever needs it.
fn own_catalog(entered: &mut [Asked]) -> Option<Arc<Catalog>> {
    let mut answered = entered
        .iter_mut()
        .filter(|asked| asked.cluster.is_some() && asked.failure.is_none());
    let text = answered.next()?.leads.catalog.take()?;
    let place = format!("ConfigMap {}/{}", names::NAMESPACE, catalog::CONFIG_MAP);
    Catalog::from_yaml(&text, &place).ok().map(Arc::new)
}

async fn enter_all(shared: &Arc<Shared>, contexts: &[String]) -> Vec<Asked> {
    let entering = contexts
        .iter()
        .map(|context| enter(Arc::clone(shared), context.clone()));
    join_all(entering).await
}

/// When not one of the clusters named could even be tried, that is an error, and no Unknown cluster.
fn refuse_none(entered: &mut [Asked]) -> Result<(), MembersError> {
    if entered.iter().all(|asked| asked.cluster.is_none())
        && let Some(error) = entered.iter_mut().find_map(|asked| asked.failure.take())
    {
        return Err(error.into());
    }
    Ok(())
}

fn entries(named: &[String], entered: &[Asked]) -> Vec<Entry> {
    named.iter().cloned().zip(entered).map(entry).collect()
}

/// What all clusters are asked with.
struct Shared {
    source: Kubeconfigs,
    flags: ClusterFlags,
    options: ObserveOptions,
    /// Kubeconfigs out of Secrets, by the entry that led to them.
    secrets: Vec<Vec<Lead>>,
    /// Connections to one cluster that may be open at once.
    limit: usize,
}

/// Runs what concerns one cluster as a task of its own, on whichever thread is free: reading what many clusters answer
/// takes the processor longer than the network.
async fn apart<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> Result<T, JoinError> {
    tokio::spawn(work).await
}

/// Connects to a cluster that the operator named, and asks what it leads to.
async fn enter(shared: Arc<Shared>, context: String) -> Asked {
    let named = context.clone();
    let entered = apart(async move {
        let connecting = client::open(&shared.source, &context, &shared.flags, shared.limit);
        let asked = Asked::connect(&context, &shared.options, connecting).await;
        asked.lead(&shared.options).await
    });
    entered.await.unwrap_or_else(|error| Asked::failed(&named, &error))
}

async fn observe_one(shared: Arc<Shared>, entered: Option<Asked>, member: Member) -> Observation {
    let wanted = member.clone();
    let observed = apart(async move {
        let asked = match entered {
            Some(entered) => entered,
            None => {
                let connecting = join(&shared, &member);
                Asked::connect(&member.name, &shared.options, connecting).await
            }
        };
        asked.observe(member, &shared.options).await
    });
    match observed.await {
        Ok(observed) => observed,
        Err(error) => Asked::failed(&wanted.name, &error).unobserved(wanted),
    }
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

/// Connections to each of several clusters that may be open at once.
fn at_once(clusters: usize) -> usize {
    CONNECTIONS
        .checked_div(clusters)
        .unwrap_or(CONNECTIONS)
        .clamp(4, client::AT_ONCE)
}

/// Connects to a member that another cluster led to.
async fn join(shared: &Shared, member: &Member) -> Result<Cluster, ClusterError> {
    match &member.way {
        Way::Context(context) => {
            shared.source.context_name(Some(context))?;
            client::open(&shared.source, context, &shared.flags, shared.limit).await
        }
        Way::Secret(entry, number) => {
            let lead = shared.secrets.get(*entry).and_then(|secrets| secrets.get(*number));
            let (from, kubeconfig) = lead.map_or((String::new(), &[][..]), |lead| {
                let RemoteSecret { namespace, name, .. } = &lead.secret;
                (format!("Secret {namespace}/{name}"), &lead.kubeconfig)
            });
            let config = remote_secret::sanitized(kubeconfig, &member.name).map_err(|refused| {
                ClusterError::ContextUnusable {
                    context: member.name.clone(),
                    reason: format!("{from}: {refused}"),
                }
            })?;
            // Whoever the operator acts as, it is not with Istio's credentials.
            let flags = ClusterFlags {
                request_timeout: shared.flags.request_timeout,
                ..ClusterFlags::default()
            };
            client::open(&Kubeconfigs::of(config, &from), &member.name, &flags, shared.limit).await
        }
    }
}

fn gather(observed: impl Iterator<Item = Observation>, hosts: Vec<Host>, remotes: Vec<Led>) -> Members {
    let mut members = Members {
        clusters: Vec::new(),
        inventory: Inventory::default(),
        same: Vec::new(),
        catalog: None,
        stats: Vec::new(),
    };
    for observation in observed {
        members.clusters.extend(observation.cluster);
        members.inventory.clusters.push(observation.inventory);
        members.stats.push(observation.stats);
    }
    // Before two names of one cluster become one, so that these follow.
    members::tell_hosts(&mut members.inventory, hosts);
    members::tell_remotes(&mut members.inventory, remotes);
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
