//! A frozen mesh, in whichever clusters it is frozen: found, and lifted by hand for `unlock` and `guard uninstall`.

use super::{
    journals::{Held, Journals, Members, uid},
    living,
};
use crate::{
    cli::Global,
    cluster::{self, Cluster},
    error::{CommandError, Exit},
    executor::{fault::Fault, journal},
    guard::lift::{self, Frozen},
    ui::{Mark, Ui},
};
use futures::future::join_all;
use kube::ResourceExt as _;
use serde_json::{Value, json};
use shared::{
    api::{FreezeScope, MeshFreeze, MeshFreezeSpec, MeshUpgrade, PlanCluster},
    journals::{self, Begun, FrozenBy},
};
use std::collections::BTreeSet;

/// A frozen mesh.
pub struct Freeze {
    /// Its name.
    pub mesh: String,
    /// The upgrade that froze it, where its journal was found.
    pub journal: Option<MeshUpgrade>,
    /// Clusters of the upgrade that could not be reached, with the reason.
    pub unreached: Vec<(String, String)>,
    /// The cluster of the journal and the lease, where it was found.
    home: Option<Cluster>,
    clusters: Vec<(Cluster, Frozen)>,
}

/// What came of lifting a freeze.
pub struct Lifted {
    /// Clusters that are open, with the evidence.
    pub opened: Vec<Value>,
    /// Clusters that are not, with the reason.
    pub failed: Vec<(String, String)>,
}

impl Freeze {
    /// The freeze of the mesh of that name, or the only one, in all clusters that the members and the upgrade's journal
    /// lead to; `None` when nothing is frozen.
    ///
    /// # Errors
    /// When no cluster can be read, or several meshes are frozen and none was named.
    pub async fn find(members: &Members, global: &Global, mesh: Option<&str>) -> Result<Option<Self>, CommandError> {
        members.refuse_unreadable()?;
        let looking = members.clusters.iter().map(lift::frozen);
        let mut here = Vec::new();
        let mut unreached: Vec<(String, String)> = members.unreached.clone().into_iter().collect();
        for (place, (cluster, found)) in members.clusters.iter().zip(join_all(looking).await).enumerate() {
            match found {
                Ok(found) => here.push((cluster.clone(), found)),
                Err(fault) if place == 0 => return Err(failed(fault)),
                Err(fault) => unreached.push((cluster.name.clone(), fault.to_string())),
            }
        }
        let begun = members.journals.unfinished(mesh)?;
        let of_journals = members.journals.begun().map(|held| held.journal.spec.mesh.clone());
        let of_freezes = here.iter().flat_map(|(_, found)| found.keys().cloned());
        let known: BTreeSet<String> = of_journals.chain(of_freezes).collect();
        let Some(mesh) = only(mesh, known)? else {
            return Ok(None);
        };
        let clusters: Vec<(Cluster, Frozen)> = here
            .into_iter()
            .map(|(cluster, mut found)| (cluster, found.remove(&mesh).unwrap_or_default()))
            .collect();
        let of_mesh: Vec<&Held> = begun
            .into_iter()
            .filter(|held| held.journal.spec.mesh == mesh)
            .collect();
        let asked = (global.contexts.len() <= 1).then_some(members.first.as_str());
        let upgrade = meant(&of_mesh, &clusters, asked).map_err(|several| which(&mesh, &several))?;
        let held = of_mesh
            .into_iter()
            .find(|held| Some(held.journal.name_any()) == upgrade);
        let mut freeze = Self {
            clusters,
            mesh,
            journal: held.map(|held| held.journal.clone()),
            home: held.map(|held| held.home.clone()),
            unreached,
        };
        freeze.find_planned(global).await;
        // Of a mesh that bears the same name in another cluster.
        let its = |frozen: &Frozen| journals::may_be_of(frozen.record.as_ref(), upgrade.as_deref());
        freeze.clusters.retain(|(_, frozen)| its(frozen));
        Ok(freeze.if_frozen())
    }

    /// The freeze of a mesh in this cluster alone.
    ///
    /// # Errors
    /// When the cluster cannot be read.
    pub async fn find_here(global: &Global, cluster: &Cluster, mesh: &str) -> Result<Option<Self>, CommandError> {
        let mut here = lift::frozen(cluster).await.map_err(failed)?;
        let journals = Journals::read(std::slice::from_ref(cluster)).await;
        let begun = journals.unfinished(Some(mesh))?;
        let frozen = here.remove(mesh).unwrap_or_default();
        let home = match frozen.record.as_ref().filter(|record| record.spec.home.is_some()) {
            // Whether its driver is alive is asked there, as far as a context leads to it.
            Some(record) => home_of(global, record).await.ok(),
            None => Some(cluster.clone()),
        };
        let clusters = vec![(cluster.clone(), frozen)];
        // Of several without a record none is noted in: the guard goes, whosever freeze it was.
        let upgrade = meant(&begun, &clusters, Some(&cluster.name)).unwrap_or_default();
        let held = begun.into_iter().find(|held| Some(held.journal.name_any()) == upgrade);
        let freeze = Self {
            mesh: mesh.to_owned(),
            journal: held.map(|held| held.journal.clone()),
            home,
            clusters,
            unreached: Vec::new(),
        };
        Ok(freeze.if_frozen())
    }

    fn if_frozen(mut self) -> Option<Self> {
        let nothing = |frozen: &Frozen| frozen.record.is_none() && frozen.policies.is_empty();
        self.clusters.retain(|(_, frozen)| !nothing(frozen));
        (!self.clusters.is_empty() || !self.unreached.is_empty()).then_some(self)
    }

    /// What the journal's plan names is what counts: clusters that nothing led to are looked for by contexts of their
    /// names, and members that the plan does not write to are not missed. Which one a cluster is, its identity tells.
    async fn find_planned(&mut self, global: &Global) {
        let Some(journal) = &self.journal else { return };
        let planned = journal.spec.plan.clusters.clone();
        let uids = join_all(self.clusters.iter().map(|(cluster, _)| uid(cluster))).await;
        let is_here = |planned: &PlanCluster| {
            let mut known = self.clusters.iter().zip(&uids);
            known.any(|((cluster, _), uid)| match uid {
                Some(uid) => *uid == planned.uid,
                None => cluster.name == planned.name,
            })
        };
        let missing: Vec<PlanCluster> = planned.into_iter().filter(|planned| !is_here(planned)).collect();
        let known = std::mem::take(&mut self.unreached);
        for planned in missing {
            let known = known.iter().find(|(name, _)| *name == planned.name);
            let found = match known {
                Some((_, why)) => Err(why.clone()),
                None => search(global, &planned).await,
            };
            let frozen = match found {
                Ok(cluster) => match lift::frozen(&cluster).await {
                    Ok(mut frozen) => Ok((cluster, frozen.remove(&self.mesh).unwrap_or_default())),
                    Err(fault) => Err(fault.to_string()),
                },
                Err(why) => Err(why),
            };
            match frozen {
                Ok(found) => self.clusters.push(found),
                Err(why) => self.unreached.push((planned.name, why)),
            }
        }
    }

    /// Names of the clusters, for a person.
    #[must_use]
    pub fn cluster_names(&self) -> String {
        let names: Vec<&str> = self.clusters.iter().map(|(cluster, _)| cluster.name.as_str()).collect();
        names.join(", ")
    }

    /// Asks each cluster before anything is changed in any.
    ///
    /// # Errors
    /// When the caller lacks the verb, with who has it.
    pub async fn refuse_without_verb(&self) -> Result<(), CommandError> {
        for (cluster, _) in &self.clusters {
            if !may_unlock(cluster, &self.mesh).await? {
                return Err(denied(cluster, Some(&self.mesh)).await);
            }
        }
        Ok(())
    }

    /// A driver that is at work would freeze the mesh again within seconds.
    ///
    /// # Errors
    /// [`Exit::Held`] when one is alive.
    pub async fn refuse_beside_driver(&self, ui: Ui) -> Result<(), CommandError> {
        let Some(home) = &self.home else {
            living::unknown(
                ui,
                "the journal and the lease of the upgrade are in a cluster that was not reached",
            );
            return Ok(());
        };
        let held = |driver: &str| {
            CommandError::new(Exit::Held, format!("{driver} is driving this upgrade"))
                .hint("stop that driver first (Ctrl-C there ends it after its step): it would freeze the mesh again")
        };
        living::refuse_living(home.client.clone(), &self.mesh, ui, held).await
    }

    /// Lifts it: the reason in every cluster, the journal, then record and policies in every cluster, each proved open.
    /// Where one cluster fails the others are opened nevertheless.
    ///
    /// # Errors
    /// What a cluster refused when it is the only one, and what the journal refused; it can be run again.
    pub async fn lift(&self, ui: Ui, reason: &str) -> Result<Lifted, CommandError> {
        let mut lifted = Lifted {
            opened: Vec::new(),
            failed: Vec::new(),
        };
        let mut said = Vec::new();
        for (cluster, frozen) in &self.clusters {
            match self.say_why(cluster, frozen, reason).await {
                Ok(by) => {
                    ui.progress(Mark::Pass, &format!("unlocked in {} by {by}: {reason}", cluster.name));
                    said.push((cluster, frozen));
                }
                Err(why) => lifted.failed.push((cluster.name.clone(), why)),
            }
        }
        self.note(ui, reason).await?;
        for (cluster, frozen) in said {
            match self.open(cluster, frozen).await {
                Ok(evidence) => {
                    ui.progress(Mark::Pass, &format!("opened {}: {evidence}", cluster.name));
                    lifted
                        .opened
                        .push(json!({"cluster": cluster.name, "evidence": evidence}));
                }
                Err(fault) => lifted.failed.push((cluster.name.clone(), fault.to_string())),
            }
        }
        match lifted.failed.as_slice() {
            [(_, why)] if self.clusters.len() == 1 => Err(CommandError::error(why.clone()).hint(AGAIN)),
            _ => Ok(lifted),
        }
    }

    async fn say_why(&self, cluster: &Cluster, frozen: &Frozen, reason: &str) -> Result<String, String> {
        let by = cluster::whoami(cluster).await.map_err(|error| error.to_string())?;
        let said = lift::say_why(cluster, &self.mesh, frozen, &by, reason).await;
        said.map(|()| by).map_err(|fault| fault.to_string())
    }

    async fn note(&self, ui: Ui, reason: &str) -> Result<(), CommandError> {
        let (Some(journal), Some(home)) = (&self.journal, &self.home) else {
            return Ok(());
        };
        let by = cluster::whoami(home).await?;
        let noted = lift::note(home, journal, &by, reason).await;
        if noted.map_err(failed)? {
            ui.progress(Mark::Pass, &format!("noted in the journal {}", journal.name_any()));
        }
        Ok(())
    }

    async fn open(&self, cluster: &Cluster, frozen: &Frozen) -> Result<String, Fault> {
        lift::take_down(cluster, &self.mesh, frozen).await?;
        lift::prove_open(cluster, &self.scope(cluster, frozen)).await
    }

    fn scope(&self, cluster: &Cluster, frozen: &Frozen) -> FreezeScope {
        let of_record = frozen.record.as_ref().map(|record| record.spec.scope.clone());
        let planned = || {
            let plan = &self.journal.as_ref()?.spec.plan;
            let named = plan.cluster(&cluster.name);
            Some(named.or(plan.clusters.first())?.scope.clone())
        };
        of_record.or_else(planned).unwrap_or_default()
    }
}

/// The upgrade whose freeze is meant; see [`journals::meant`].
fn meant(
    begun: &[&Held],
    clusters: &[(Cluster, Frozen)],
    asked: Option<&str>,
) -> Result<Option<String>, Vec<(String, String)>> {
    let names: Vec<String> = begun.iter().map(|held| held.journal.name_any()).collect();
    let begun: Vec<Begun<'_>> = begun
        .iter()
        .zip(&names)
        .map(|(held, name)| Begun {
            name,
            home: &held.home.name,
            driven: !journals::is_untouched(&held.journal),
        })
        .collect();
    let frozen: Vec<FrozenBy<'_>> = clusters
        .iter()
        .filter_map(|(cluster, frozen)| {
            Some(FrozenBy {
                cluster: &cluster.name,
                upgrade: &frozen.record.as_ref()?.spec.upgrade,
            })
        })
        .collect();
    let owned = |(upgrade, cluster): &(&str, &str)| ((*upgrade).to_owned(), (*cluster).to_owned());
    match journals::meant(&begun, &frozen, asked) {
        Ok(upgrade) => Ok(upgrade.map(str::to_owned)),
        Err(several) => Err(several.iter().map(owned).collect()),
    }
}

/// That several upgrades of meshes of one name are under way, and how to name one.
fn which(mesh: &str, several: &[(String, String)]) -> CommandError {
    let several: Vec<String> = several
        .iter()
        .map(|(upgrade, cluster)| format!("{upgrade} ({cluster})"))
        .collect();
    CommandError::usage(format!(
        "several upgrades have begun of meshes that are called {mesh}: {}",
        several.join(", ")
    ))
    .hint("nothing was changed; name a cluster of the one to unlock, with --context NAME alone")
}

/// The mesh that is meant. A name that nothing bears while others are frozen is a slip: nobody is told that all is open.
fn only(named: Option<&str>, known: BTreeSet<String>) -> Result<Option<String>, CommandError> {
    let several: Vec<String> = known.into_iter().collect();
    if let Some(named) = named {
        return if several.is_empty() || several.iter().any(|known| known == named) {
            Ok(Some(named.to_owned()))
        } else {
            Err(CommandError::usage(format!(
                "mesh {named} is not being upgraded here, and not frozen; these are: {}",
                several.join(", ")
            ))
            .hint("nothing was changed; name one of them: kubectl mesh-upgrade unlock MESH --reason TEXT"))
        };
    }
    match several.as_slice() {
        [] => Ok(None),
        [only] => Ok(Some(only.clone())),
        several => Err(CommandError::usage(format!(
            "several meshes are being upgraded here: {}",
            several.join(", ")
        ))
        .hint("name one: kubectl mesh-upgrade unlock MESH --reason TEXT")),
    }
}

/// The cluster that holds the journal and the lease of a freeze in another one, by a context of the name that the mesh calls
/// it by.
///
/// # Errors
/// Why it was not reached.
pub async fn home_of(global: &Global, freeze: &MeshFreeze) -> Result<Cluster, String> {
    let MeshFreezeSpec { home, upgrade, .. } = &freeze.spec;
    let name = home.as_deref().unwrap_or_default();
    let mut flags = global.cluster();
    flags.context = Some(name.to_owned());
    let cluster = cluster::connect(&flags).await.map_err(|error| error.to_string())?;
    let journals = journal::all(&cluster.client).await.map_err(|error| error.to_string())?;
    // Contexts of one name may lead to different clusters.
    if journals.iter().any(|journal| journal.name_any() == *upgrade) {
        Ok(cluster)
    } else {
        Err(format!(
            "context {name} leads to a cluster without the journal {upgrade}"
        ))
    }
}

/// A planned cluster by a context of its name.
async fn search(global: &Global, planned: &PlanCluster) -> Result<Cluster, String> {
    let mut flags = global.cluster();
    flags.context = Some(planned.name.clone());
    let cluster = cluster::connect(&flags).await.map_err(|error| error.to_string())?;
    match uid(&cluster).await {
        Some(uid) if uid != planned.uid => Err(format!("context {} leads to another cluster", planned.name)),
        Some(_) | None => Ok(cluster),
    }
}

/// Whether the caller has the verb `unlock` for a mesh in a cluster.
///
/// # Errors
/// When the cluster cannot be asked.
pub async fn may_unlock(cluster: &Cluster, mesh: &str) -> Result<bool, CommandError> {
    lift::may_unlock(cluster, mesh).await.map_err(failed)
}

/// That the verb is missing, and who has it.
pub async fn denied(cluster: &Cluster, mesh: Option<&str>) -> CommandError {
    let freeze = mesh.map_or_else(|| "a freeze".to_owned(), |mesh| format!("the freeze of mesh {mesh}"));
    CommandError::error(format!(
        "you may not lift {freeze} in cluster {}: the RBAC verb unlock on meshfreezes is missing",
        cluster.name
    ))
    .hint(format!("who may: {}", lift::who_may(cluster).await))
}

const AGAIN: &str = "what was not done can be done again: run the same command once more";

fn failed(fault: Fault) -> CommandError {
    CommandError::from(fault).hint(AGAIN)
}
