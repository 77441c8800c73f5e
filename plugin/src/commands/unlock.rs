//! `unlock`: the audited way out of a freeze, for those with the RBAC verb `unlock`. The upgrade stays resumable.

use super::{refuse_contexts, refuse_impersonation};
use crate::{
    cli::{Global, UnlockArgs},
    cluster::{self, Cluster},
    error::{CommandError, Exit},
    executor::{fault::Fault, journal, lease},
    guard::lift::{self, Frozen},
    ui::{Mark, Output, Ui, confirm, strong},
};
use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, ResourceExt as _};
use serde_json::json;
use shared::{
    api::{FreezeScope, MeshUpgrade},
    guard::own_objects::LONGEST_REASON,
};

/// Runs `unlock`.
///
/// # Errors
/// When the caller may not, a driver is alive, it is not confirmed, or a cluster refuses or cannot be reached.
pub async fn run(args: &UnlockArgs, global: &Global, ui: Ui) -> Result<Exit, CommandError> {
    refuse_impersonation(global, "unlock")?;
    refuse_contexts(global, "unlock")?;
    let reason = reason(&args.reason)?;
    let home = cluster::connect(&global.cluster()).await?;
    let mesh = args.mesh.mesh.as_deref();
    let found = match Freeze::find(&home, Some(global), mesh).await {
        // Who may not unlock may well not even look: then that is what is missing.
        Err(_) if !may_unlock(&home, mesh.unwrap_or_default()).await? => return Err(denied(&home, mesh).await),
        found => found?,
    };
    let Some(freeze) = found else {
        ui.result(&format!("Nothing is frozen in cluster {}.", home.name));
        ui.next("kubectl mesh-upgrade status");
        return Ok(Exit::Done);
    };
    freeze.refuse_without_verb().await?;
    freeze.refuse_beside_driver(ui).await?;
    ask(args, ui, &freeze)?;
    let opened = freeze.lift(ui, &reason).await?;
    let mesh = &freeze.mesh;
    if ui.output != Output::Text {
        let unreached: Vec<_> = freeze
            .unreached
            .iter()
            .map(|(name, why)| json!({"cluster": name, "reason": why}))
            .collect();
        ui.document(
            "Unlocked",
            json!({"mesh": mesh, "reason": reason, "clusters": opened, "unreached": unreached}),
        )?;
    }
    if let Some((name, why)) = freeze.unreached.first() {
        return Err(
            CommandError::error(format!("cluster {name} was not reached and stays frozen: {why}")).hint(format!(
                "in that cluster: kubectl mesh-upgrade unlock {mesh} --context NAME --reason TEXT"
            )),
        );
    }
    ui.result(&format!(
        "{} Mesh {mesh} is open: everybody may change it again.",
        ui.mark(Mark::Pass)
    ));
    if freeze.journal.is_some() {
        ui.note("The upgrade keeps its target and can be resumed; it freezes the mesh again first.");
        ui.next(&format!("kubectl mesh-upgrade apply {mesh}"));
    } else {
        ui.next("kubectl mesh-upgrade status");
    }
    Ok(Exit::Done)
}

/// A reason that says something and fits into an Event.
///
/// # Errors
/// When it is blank or too long.
pub(super) fn reason(text: &str) -> Result<String, CommandError> {
    let reason: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if reason.is_empty() {
        return Err(CommandError::usage(
            "--reason is empty: say why, for whoever reads the record later",
        ));
    }
    if reason.chars().count() > LONGEST_REASON {
        return Err(CommandError::usage(format!(
            "--reason is longer than {LONGEST_REASON} characters: name the ticket instead"
        )));
    }
    Ok(reason)
}

fn ask(args: &UnlockArgs, ui: Ui, freeze: &Freeze) -> Result<(), CommandError> {
    let mesh = &freeze.mesh;
    ui.note(&strong(&format!(
        "This lifts the freeze of mesh {mesh} in: {}.",
        freeze.cluster_names()
    )));
    if let Some(journal) = &freeze.journal {
        let phase = journal::phase(journal);
        ui.note(&format!(
            "Its upgrade from {} to {} stopped in phase {phase}. Its components may run different versions, and from now \
             on anybody can change them.",
            journal.spec.from, journal.spec.to
        ));
        ui.note("To finish the upgrade instead, with the mesh frozen to its end: kubectl mesh-upgrade apply");
    }
    if args.yes {
        return Ok(());
    }
    match confirm(&format!("Type the mesh's name ({mesh}) to lift its freeze:"), mesh) {
        Some(true) => Ok(()),
        Some(false) => Err(CommandError::error("not confirmed: the mesh stays frozen")),
        None => Err(
            CommandError::usage("there is no terminal to ask on: the mesh stays frozen")
                .hint("say yes beforehand with --yes"),
        ),
    }
}

/// A frozen mesh, wherever it is frozen.
pub(super) struct Freeze {
    /// Its name.
    pub mesh: String,
    /// The upgrade that froze it, when its journal is in this cluster.
    pub journal: Option<MeshUpgrade>,
    home: Cluster,
    clusters: Vec<(Cluster, Frozen)>,
    unreached: Vec<(String, String)>,
}

impl Freeze {
    /// The freeze of the mesh of that name, or the only one; `None` when nothing is frozen. With flags, the upgrade's
    /// other clusters are looked at, too.
    ///
    /// # Errors
    /// When the cluster cannot be read, or several meshes are frozen and none was named.
    pub async fn find(
        home: &Cluster,
        flags: Option<&Global>,
        mesh: Option<&str>,
    ) -> Result<Option<Self>, CommandError> {
        let mut here = lift::frozen(home).await.map_err(|fault| failed(&fault))?;
        let begun = journal::unfinished(&home.client, mesh).await?;
        let mut known: Vec<String> = here.keys().cloned().collect();
        known.extend(begun.iter().map(|journal| journal.spec.mesh.clone()));
        known.sort();
        known.dedup();
        let mesh = match (mesh, known.as_slice()) {
            (Some(mesh), _) => mesh.to_owned(),
            (None, []) => return Ok(None),
            (None, [only]) => only.clone(),
            (None, several) => {
                return Err(CommandError::usage(format!(
                    "several meshes are being upgraded here: {}",
                    several.join(", ")
                ))
                .hint("name one: kubectl mesh-upgrade unlock MESH --reason TEXT"));
            }
        };
        let journal = begun.into_iter().find(|journal| journal.spec.mesh == mesh);
        let mut freeze = Self {
            clusters: vec![(home.clone(), here.remove(&mesh).unwrap_or_default())],
            mesh,
            journal,
            home: home.clone(),
            unreached: Vec::new(),
        };
        if let Some(flags) = flags {
            freeze.find_elsewhere(flags).await;
        }
        let nothing = |frozen: &Frozen| frozen.record.is_none() && frozen.policies.is_empty();
        freeze.clusters.retain(|(_, frozen)| !nothing(frozen));
        if freeze.clusters.is_empty() && freeze.unreached.is_empty() {
            return Ok(None);
        }
        Ok(Some(freeze))
    }

    /// The plan's other clusters, by contexts of their names. Which one this is, its identity tells.
    async fn find_elsewhere(&mut self, global: &Global) {
        let Some(journal) = &self.journal else { return };
        let planned = journal.spec.plan.clusters.clone();
        let here = uid(&self.home).await;
        for planned in planned {
            let is_here = match &here {
                Some(uid) => *uid == planned.uid,
                None => planned.name == self.home.name,
            };
            if is_here {
                continue;
            }
            let mut flags = global.cluster();
            flags.context = Some(planned.name.clone());
            let found = async {
                let cluster = cluster::connect(&flags).await.map_err(|error| error.to_string())?;
                if uid(&cluster).await.is_some_and(|uid| uid != planned.uid) {
                    return Err(format!("context {} leads to another cluster", planned.name));
                }
                let mut frozen = lift::frozen(&cluster).await.map_err(|fault| fault.to_string())?;
                let frozen = frozen.remove(&self.mesh).unwrap_or_default();
                Ok((cluster, frozen))
            };
            match found.await {
                Ok(found) => self.clusters.push(found),
                Err(why) => self.unreached.push((planned.name, why)),
            }
        }
    }

    fn cluster_names(&self) -> String {
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
        let says = |what: &str| ui.progress(Mark::Info, what);
        match lease::living_driver(self.home.client.clone(), &self.mesh, says).await {
            Ok(None) => Ok(()),
            Ok(Some(driver)) => Err(
                CommandError::new(Exit::Held, format!("{driver} is driving this upgrade")).hint(
                    "stop that driver first (Ctrl-C there ends it after its step): it would freeze the mesh again",
                ),
            ),
            Err(fault) => {
                ui.progress(Mark::Warn, &format!("whether a driver is alive is not known: {fault}"));
                Ok(())
            }
        }
    }

    /// Lifts it: the reason in every cluster, the journal, then record and policies in every cluster, each proved open.
    ///
    /// # Errors
    /// What a cluster refused; it can be run again.
    pub async fn lift(&self, ui: Ui, reason: &str) -> Result<Vec<serde_json::Value>, CommandError> {
        let Self { mesh, home, .. } = self;
        let by = cluster::whoami(home).await?;
        for (cluster, frozen) in &self.clusters {
            let by = cluster::whoami(cluster).await?;
            let said = lift::say_why(cluster, mesh, frozen, &by, reason).await;
            said.map_err(|fault| failed(&fault))?;
        }
        ui.progress(Mark::Pass, &format!("unlocked by {by}: {reason}"));
        if let Some(journal) = &self.journal {
            lift::note(home, journal, &by, reason)
                .await
                .map_err(|fault| failed(&fault))?;
            ui.progress(Mark::Pass, &format!("noted in the journal {}", journal.name_any()));
        }
        let mut opened = Vec::new();
        for (cluster, frozen) in &self.clusters {
            lift::take_down(cluster, mesh, frozen)
                .await
                .map_err(|fault| failed(&fault))?;
            let scope = self.scope(cluster, frozen);
            let evidence = lift::prove_open(cluster, &scope)
                .await
                .map_err(|fault| failed(&fault))?;
            ui.progress(Mark::Pass, &format!("opened {}: {evidence}", cluster.name));
            opened.push(json!({"cluster": cluster.name, "evidence": evidence}));
        }
        Ok(opened)
    }

    fn scope(&self, cluster: &Cluster, frozen: &Frozen) -> FreezeScope {
        let of_record = frozen.record.as_ref().map(|record| record.spec.scope.clone());
        let planned = || {
            let clusters = &self.journal.as_ref()?.spec.plan.clusters;
            let named = clusters.iter().find(|planned| planned.name == cluster.name);
            Some(named.or(clusters.first())?.scope.clone())
        };
        of_record.or_else(planned).unwrap_or_default()
    }
}

async fn may_unlock(cluster: &Cluster, mesh: &str) -> Result<bool, CommandError> {
    lift::may_unlock(cluster, mesh).await.map_err(|fault| failed(&fault))
}

async fn denied(cluster: &Cluster, mesh: Option<&str>) -> CommandError {
    let freeze = mesh.map_or_else(|| "a freeze".to_owned(), |mesh| format!("the freeze of mesh {mesh}"));
    CommandError::error(format!(
        "you may not lift {freeze} in cluster {}: the RBAC verb unlock on meshfreezes is missing",
        cluster.name
    ))
    .hint(format!("who may: {}", lift::who_may(cluster).await))
}

/// The cluster's identity, when the caller may see it.
async fn uid(cluster: &Cluster) -> Option<String> {
    let namespaces: Api<Namespace> = Api::all(cluster.client.clone());
    namespaces.get_metadata("kube-system").await.ok()?.uid()
}

fn failed(fault: &Fault) -> CommandError {
    CommandError::error(fault.to_string()).hint("what was not done can be done again: run the same command once more")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_says_something_in_one_line() {
        assert_eq!(reason(" pager\n 7 ").unwrap(), "pager 7");
        for text in ["", " \t\n", &"x".repeat(201)] {
            assert_eq!(reason(text).unwrap_err().exit, Exit::Usage, "{text:?}");
        }
    }
}
