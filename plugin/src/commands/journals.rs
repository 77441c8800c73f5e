//! Journals of a mesh's upgrades, wherever its home is: looked for in every cluster that can be asked.

use crate::{
    cli::Global,
    cluster::{self, Cluster, ObserveOptions, Reached},
    error::{CommandError, api_message},
    executor::journal,
};
use futures::future::join_all;
use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Client, ResourceExt as _, api::ListParams};
use shared::api::{MeshFreeze, MeshUpgrade};
use std::collections::{BTreeMap, BTreeSet};

/// A journal, and the cluster that holds it.
pub struct Held {
    /// The mesh's home.
    pub home: Cluster,
    /// The journal.
    pub journal: MeshUpgrade,
}

/// What clusters know of upgrades.
#[derive(Default)]
pub struct Journals {
    /// Every journal, oldest first within its cluster.
    pub all: Vec<Held>,
    /// Freezes, with the names of their clusters.
    pub freezes: Vec<(String, MeshFreeze)>,
    /// Clusters that could not be asked, with the reason.
    pub unread: BTreeMap<String, String>,
}

/// The clusters of the meshes that the flags lead to, connected to, with what they know of upgrades.
pub struct Members {
    /// Those that could be connected to, the operator's first one first; each once.
    pub clusters: Vec<Cluster>,
    /// What they know.
    pub journals: Journals,
    /// Clusters that could not be reached, with the reason.
    pub unreached: BTreeMap<String, String>,
    /// The cluster that the operator named first, or whose context is current.
    pub first: String,
}

impl Members {
    /// Reaches them. Where a freeze tells of a home that nothing else led to, a context of its name is followed, too.
    ///
    /// # Errors
    /// When the kubeconfig or a context cannot be used, or the one cluster that there is cannot be reached.
    pub async fn reach(global: &Global) -> Result<Self, CommandError> {
        let mut contexts = global.contexts.clone();
        let members = Self::reach_once(global, &contexts).await?;
        let Some(elsewhere) = members.journals.elsewhere(None) else {
            return Ok(members);
        };
        if contexts.is_empty() {
            contexts.extend(members.clusters.first().map(|first| first.context().to_owned()));
        }
        contexts.push(elsewhere.home);
        // Without such a context the freeze itself still tells where to look.
        Ok(Self::reach_once(global, &contexts).await.unwrap_or(members))
    }

    async fn reach_once(global: &Global, contexts: &[String]) -> Result<Self, CommandError> {
        let options = super::with_deadline(global, ObserveOptions::default());
        let reached = cluster::reach_members(&global.cluster(), contexts, &options).await?;
        let first = reached.first().map(|first| first.name.clone()).unwrap_or_default();
        let mut unreached = BTreeMap::new();
        let mut connected = Vec::new();
        for Reached { name, cluster } in reached {
            match cluster {
                Ok(cluster) => connected.push(cluster),
                Err(why) => drop(unreached.insert(name, why)),
            }
        }
        let uids = join_all(connected.iter().map(uid)).await;
        let mut clusters: Vec<Cluster> = Vec::new();
        let mut seen = BTreeSet::new();
        for (cluster, uid) in connected.into_iter().zip(uids) {
            // Of a cluster whose identity is not told nobody can say that it is another's.
            if uid.is_none_or(|uid| seen.insert(uid)) {
                clusters.push(cluster);
            }
        }
        let journals = Journals::read(&clusters).await;
        Ok(Self {
            clusters,
            journals,
            unreached,
            first,
        })
    }

    /// Clusters whose journals are not known, with the reason: not reached, or not to be read.
    #[must_use]
    pub fn unknown(&self) -> BTreeMap<String, String> {
        let unread = self.journals.unread.clone();
        self.unreached.clone().into_iter().chain(unread).collect()
    }

    /// When not even the first cluster's journals can be read, nothing is known.
    ///
    /// # Errors
    /// With the reason.
    pub fn refuse_unreadable(&self) -> Result<(), CommandError> {
        let unread = |name: &str| self.unreached.get(name).or_else(|| self.journals.unread.get(name));
        match unread(&self.first) {
            Some(why) if self.journals.all.is_empty() => {
                let hints = super::unread_hints(std::iter::once(why.as_str()));
                Err(hints
                    .into_iter()
                    .fold(CommandError::error(why.clone()), CommandError::hint))
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// The cluster's identity, when the caller may see it.
pub async fn uid(cluster: &Cluster) -> Option<String> {
    let namespaces: Api<Namespace> = Api::all(cluster.client.clone());
    namespaces.get_metadata("kube-system").await.ok()?.uid()
}

/// A freeze whose journal is in a cluster that was not asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elsewhere {
    /// The frozen cluster.
    pub cluster: String,
    /// Name of the mesh.
    pub mesh: String,
    /// Name of the journal.
    pub upgrade: String,
    /// The cluster that holds it, as the mesh calls it.
    pub home: String,
}

impl Elsewhere {
    /// That the journal cannot be read, and what to do.
    #[must_use]
    pub fn error(&self, why: &str) -> CommandError {
        let Self {
            cluster,
            mesh,
            upgrade,
            home,
        } = self;
        CommandError::error(format!(
            "mesh {mesh} is frozen in cluster {cluster} by the upgrade {upgrade}, whose journal is in cluster {home}: {why}"
        ))
        .hint(format!(
            "nothing was changed; name a context that leads to {home}, with --context or --contexts"
        ))
    }
}

impl Journals {
    /// Asks all of these clusters at the same time.
    pub async fn read(clusters: &[Cluster]) -> Self {
        let asked = clusters.iter().map(|cluster| async move {
            let (journals, freezes) = futures::join!(journal::all(&cluster.client), freezes(&cluster.client));
            (cluster, journals.map_err(|error| error.to_string()), freezes)
        });
        let mut read = Self::default();
        for (cluster, journals, freezes) in join_all(asked).await {
            match journals {
                Ok(journals) => {
                    // One cluster under two names has each journal once.
                    let new = journals.into_iter().filter(|journal| {
                        let known = |held: &Held| held.journal.uid().is_some() && held.journal.uid() == journal.uid();
                        !read.all.iter().any(known)
                    });
                    let new: Vec<Held> = new
                        .map(|journal| Held {
                            home: cluster.clone(),
                            journal,
                        })
                        .collect();
                    read.all.extend(new);
                    let named = freezes.into_iter().map(|freeze| (cluster.name.clone(), freeze));
                    read.freezes.extend(named);
                }
                Err(why) => drop(read.unread.insert(cluster.name.clone(), why)),
            }
        }
        read
    }

    /// Those of upgrades that are not over yet: of all meshes, or of the one that is named.
    ///
    /// # Errors
    /// When one was written by a newer plugin.
    pub fn unfinished(&self, mesh: Option<&str>) -> Result<Vec<&Held>, CommandError> {
        let mut begun = Vec::new();
        for held in self.begun() {
            if mesh.is_none_or(|mesh| mesh == held.journal.spec.mesh) {
                journal::refuse_newer(&held.journal)?;
                begun.push(held);
            }
        }
        Ok(begun)
    }

    /// The same with those that a newer plugin wrote, of which not much more than the mesh's name may be read.
    pub fn begun(&self) -> impl Iterator<Item = &Held> {
        self.all.iter().filter(|held| !held.journal.phase().is_final())
    }

    /// The first freeze whose journal is in none of the clusters that were asked.
    #[must_use]
    pub fn elsewhere(&self, mesh: Option<&str>) -> Option<Elsewhere> {
        self.freezes.iter().find_map(|(cluster, freeze)| {
            let spec = &freeze.spec;
            let is_meant = mesh.is_none_or(|mesh| mesh == spec.mesh);
            // A former home may hold an older journal of that name.
            let is_it = |held: &Held| held.journal.name_any() == spec.upgrade && !held.journal.phase().is_final();
            let is_here = self.all.iter().any(is_it);
            let home = spec.home.clone().filter(|_| is_meant && !is_here)?;
            Some(Elsewhere {
                cluster: cluster.clone(),
                mesh: spec.mesh.clone(),
                upgrade: spec.upgrade.clone(),
                home,
            })
        })
    }

    /// The highest epoch that was ever used here: none is used twice, even when the lease was deleted.
    #[must_use]
    pub fn epoch_floor(&self) -> i64 {
        let journals = self
            .all
            .iter()
            .filter_map(|held| Some(held.journal.status.as_ref()?.epoch));
        let freezes = self.freezes.iter().map(|(_, freeze)| freeze.spec.epoch);
        journals.chain(freezes).max().unwrap_or(0)
    }
}

/// Freezes that stand in a cluster. They only lead to journals: who may not see them still sees those.
async fn freezes(client: &Client) -> Vec<MeshFreeze> {
    let api: Api<MeshFreeze> = Api::all(client.clone());
    match cluster::list(&api, &ListParams::default()).await {
        Ok(list) => list.items,
        Err(error) => {
            tracing::debug!(error = %api_message(&error), "MeshFreezes cannot be listed");
            Vec::new()
        }
    }
}
