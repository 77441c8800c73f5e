//! One file for each verb, and what they share: the cluster, its meshes and the catalog.

mod address;
pub mod adopt;
mod again;
pub mod apply;
mod catalog;
mod chart_source;
mod charts;
pub mod check;
mod check_all;
pub mod dataplane;
pub mod explain;
mod frozen;
pub mod guard;
mod guard_status;
pub mod guide;
mod journals;
pub mod list;
mod living;
mod path;
pub mod plan;
pub mod status;
mod status_watch;
mod under_way;
mod uninstall;
pub mod unlock;
pub mod version;
mod waivers;
pub mod wizard;

use crate::{
    cli::{Command, DataplaneCommand, Global},
    cluster::{
        self, Cluster, ClusterStats, Members, ObserveOptions, permissions_for_apply, permissions_for_unguarded_apply,
    },
    error::{CommandError, Exit},
    ui::{Mark, Ui, print_stats},
};
use shared::{
    catalog::{Catalog, ExtraComponent},
    guard::is_refused_by_rbac,
    inventory::{ClusterState, Inventory},
    mesh::{self, MeshView, SelectError},
    version::Flavor,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Runs a verb.
///
/// # Errors
/// What the verb could not do, with its exit code and hints.
pub async fn run(command: Command, global: &Global, ui: Ui) -> Result<Exit, CommandError> {
    match command {
        Command::List => list::run(global, ui).await,
        Command::Check(args) => check::run(&args, global, ui).await,
        Command::Plan(args) => plan::run(&args, global, ui).await,
        Command::Apply(args) => apply::run(&args, global, ui).await,
        Command::Adopt(args) => adopt::run(&args, global, ui).await,
        Command::Dataplane(DataplaneCommand::Status(args)) => dataplane::run(&args, global, ui).await,
        Command::Guide(args) => guide::run(&args, global, ui).await,
        Command::Status(args) => status::run(&args, global, ui).await,
        Command::Unlock(args) => unlock::run(&args, global, ui).await,
        Command::Guard(args) => guard::run(args, global, ui).await,
        Command::Explain(args) => explain::run(&args, ui),
        Command::Version(_) => version::run(global, ui).await,
    }
}

/// What `check`, `plan` and `apply` look at before anything is changed.
#[must_use]
pub fn observe_options(guarded: bool) -> ObserveOptions {
    let permissions = if guarded {
        permissions_for_apply()
    } else {
        permissions_for_unguarded_apply()
    };
    ObserveOptions {
        ask_running_versions: true,
        count_proxies: true,
        surroundings: true,
        permissions,
        ..ObserveOptions::default()
    }
}

/// The clusters that the flags lead to, and what runs there.
pub struct Scene {
    /// The first cluster, as the caller.
    pub cluster: Cluster,
    /// All clusters that could be asked, as the caller.
    pub clusters: Vec<Cluster>,
    /// What was observed.
    pub inventory: Inventory,
    /// The meshes in it.
    pub meshes: Vec<MeshView>,
    /// Versions that are known.
    pub catalog: Arc<Catalog>,
    /// What asking cost.
    pub stats: Vec<ClusterStats>,
}

impl Scene {
    /// Connects to the clusters that the flags name and to all members of their meshes, and observes them at the same
    /// time. A member that cannot be read is Unknown, which is for the checks to judge.
    ///
    /// # Errors
    /// When the kubeconfig cannot be used, the catalog is broken, or no cluster at all can be read.
    pub async fn observe(global: &Global, ui: Ui, options: ObserveOptions) -> Result<Self, CommandError> {
        let given = catalog::given(global)?;
        let is_given = given.is_some();
        let known = match given {
            Some(given) => given,
            None => Catalog::embedded().map_err(|error| CommandError::error(error.to_string()))?,
        };
        let first = ObserveOptions {
            own_catalog: !is_given,
            ..options.clone()
        };
        let mut scene = Self::observe_with(global, ui, &first, Arc::new(known)).await?;
        if is_given {
            return Ok(scene);
        }
        let Some(answered) = scene.answered().next() else {
            return Ok(scene);
        };
        let own = Arc::new(catalog::of(answered).await?);
        if scene.looked_for(&own) == scene.looked_for(&scene.catalog) {
            scene.catalog = own;
            return Ok(scene);
        }
        // The catalog of the first cluster that answered names other components of its vendor than the one that counted.
        Self::observe_with(global, ui, &options, own).await
    }

    /// What vendors run beside Istio's own components, as a catalog names it for the flavors that run here.
    fn looked_for<'c>(&self, catalog: &'c Catalog) -> Vec<&'c ExtraComponent> {
        let running = self.meshes.iter().filter_map(|mesh| mesh.version.as_ref());
        let flavors: BTreeSet<&Flavor> = running.map(|version| &version.flavor).collect();
        let known = flavors.into_iter().filter_map(|flavor| catalog.flavor(flavor));
        known.flat_map(|flavor| &flavor.components).collect()
    }

    async fn observe_with(
        global: &Global,
        ui: Ui,
        options: &ObserveOptions,
        catalog: Arc<Catalog>,
    ) -> Result<Self, CommandError> {
        let options = ObserveOptions {
            catalog: Some(Arc::clone(&catalog)),
            ..with_deadline(global, options.clone())
        };
        let members = cluster::observe_members(&global.cluster(), &global.contexts, &options).await?;
        for same in &members.same {
            ui.progress(
                Mark::Info,
                &format!("{} and {} are one cluster, counted once", same.kept, same.dropped),
            );
        }
        let Members {
            clusters,
            inventory,
            catalog: counted,
            stats,
            ..
        } = members;
        let mut unread: BTreeMap<&str, &str> = BTreeMap::new();
        for cluster in &inventory.clusters {
            if let ClusterState::Unknown { reason } = &cluster.state {
                unread.insert(&cluster.name, reason);
            }
        }
        let answers = clusters
            .iter()
            .any(|cluster| !unread.contains_key(cluster.name.as_str()));
        let (Some(first), true) = (clusters.first(), answers) else {
            let told = unread
                .iter()
                .map(|(cluster, reason)| format!("cluster {cluster} cannot be read: {reason}"));
            let error = CommandError::error(told.collect::<Vec<_>>().join("\n"));
            let hints = unread_hints(unread.into_values());
            return Err(hints.into_iter().fold(error, CommandError::hint));
        };
        let mut meshes = mesh::meshes(&inventory);
        // Where there is no mesh at all, that is told instead.
        for stray in mesh::strays(&inventory, &meshes).filter(|_| !meshes.is_empty()) {
            ui.progress(
                Mark::Warn,
                &format!(
                    "cluster {stray} runs parts of Istio and is of none of the meshes: no istiod that was found has its \
                     kubeconfig, and no Mesh object lists it"
                ),
            );
        }
        if let Some(namespace) = &global.namespace {
            meshes.retain(|mesh| mesh.is_in(namespace));
        }
        Ok(Self {
            catalog: counted.unwrap_or(catalog),
            cluster: first.clone(),
            meshes,
            clusters,
            inventory,
            stats,
        })
    }

    /// Contexts of the operator's own that lead to the clusters, by the clusters' names.
    #[must_use]
    pub fn contexts(&self) -> BTreeMap<String, String> {
        let clusters = self.clusters.iter();
        clusters
            .filter_map(|cluster| Some((cluster.name.clone(), cluster.own_context()?.to_owned())))
            .collect()
    }

    /// These clusters, each with the operator's own context that leads there.
    #[must_use]
    pub fn places<'s>(&'s self, names: impl IntoIterator<Item = &'s str>) -> Vec<(&'s str, Option<&'s str>)> {
        let context = |name: &str| self.clusters.iter().find(|one| one.name == name)?.own_context();
        names.into_iter().map(|name| (name, context(name))).collect()
    }

    /// The clusters that answered.
    pub fn answered(&self) -> impl Iterator<Item = &Cluster> {
        let answered = |cluster: &&Cluster| self.inventory.observed(&cluster.name).is_some();
        self.clusters.iter().filter(answered)
    }

    /// Adds what asking cost to a document, if the flags want it.
    pub fn add_stats(&self, global: &Global, document: &mut serde_json::Value) {
        if let (true, Some(document)) = (global.stats, document.as_object_mut()) {
            document.insert("stats".to_owned(), serde_json::json!(self.stats));
        }
    }

    /// Prints what asking cost, if the flags want it.
    pub fn print_stats(&self, global: &Global, ui: Ui) {
        if global.stats {
            print_stats(ui, &self.stats);
        }
    }

    /// The mesh of that name, or the only one.
    ///
    /// # Errors
    /// When there is none, or there are several and none was named.
    pub fn mesh(&self, name: Option<&str>) -> Result<&MeshView, CommandError> {
        mesh::select(&self.meshes, name).map_err(|error| {
            let hint = match &error {
                SelectError::None => {
                    "no Deployment of istiod was found in any namespace; is this the right --context, and --namespace?"
                }
                SelectError::Ambiguous { .. } => "name the mesh, as in: kubectl mesh-upgrade check MESH --to VERSION; all of them at once: check --all --to VERSION",
                SelectError::NotFound { .. } => "see the meshes with: kubectl mesh-upgrade list",
            };
            CommandError::error(error.to_string()).hint(hint)
        })
    }
}

/// What to do about clusters that could not be read, by why each could not: who lacks the right to it reaches it already.
fn unread_hints<'r>(reasons: impl Iterator<Item = &'r str>) -> BTreeSet<&'static str> {
    let hints = reasons.map(|reason| {
        if is_refused_by_rbac(reason) {
            MISSING_ROLE
        } else {
            "nothing was changed; name another cluster with --context, or check: kubectl cluster-info"
        }
    });
    hints.collect()
}

const MISSING_ROLE: &str = "nothing was changed; ask an administrator for the ClusterRole mesh-upgrade-operator, which comes \
                            with: kubectl mesh-upgrade guard install";

/// How long one question may take: as long as the flags say.
fn with_deadline(global: &Global, options: ObserveOptions) -> ObserveOptions {
    ObserveOptions {
        deadline: global.request_timeout.unwrap_or(options.deadline),
        ..options
    }
}

/// Refuses several contexts where one cluster is meant.
///
/// # Errors
/// When `--contexts` is given.
pub fn refuse_contexts(global: &Global, verb: &str) -> Result<(), CommandError> {
    if global.contexts.is_empty() {
        return Ok(());
    }
    Err(CommandError::usage(format!(
        "{verb} acts in one cluster: --contexts is for what concerns a whole mesh"
    ))
    .hint("name the cluster with --context"))
}

/// Refuses a namespace where meshes are not chosen by one.
///
/// # Errors
/// When `--namespace` is given.
pub fn refuse_namespace(global: &Global, verb: &str) -> Result<(), CommandError> {
    match global.namespace {
        None => Ok(()),
        Some(_) => Err(CommandError::usage(format!(
            "{verb} takes no --namespace: that is for list, check, plan, guide, dataplane and adopt"
        ))
        .hint("name the mesh instead; see them with: kubectl mesh-upgrade list")),
    }
}

/// Refuses to write as somebody else with a verb that writes in the caller's own name.
///
/// # Errors
/// When `--as` or `--as-group` is given.
pub fn refuse_to_write_as(global: &Global, verb: &str) -> Result<(), CommandError> {
    if global.as_user.is_none() && global.as_groups.is_empty() {
        return Ok(());
    }
    Err(CommandError::usage(format!(
        "{verb} cannot be combined with --as: it writes, and --as is for reading"
    ))
    .hint("use a kubeconfig of the user who is to do it"))
}

/// Refuses to write as somebody else: impersonation does not nest, and the driver is impersonated already.
///
/// # Errors
/// When `--as` or `--as-group` is given.
pub fn refuse_impersonation(global: &Global, verb: &str) -> Result<(), CommandError> {
    if global.as_user.is_none() && global.as_groups.is_empty() {
        return Ok(());
    }
    Err(CommandError::usage(format!(
        "{verb} cannot be combined with --as: it writes as the ServiceAccount {} by impersonation, which does not nest",
        shared::names::driver_user()
    ))
    .hint("use a kubeconfig of the user who is to do it"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use std::ffi::OsString;

    fn global(words: &[&str]) -> Global {
        let line = ["kubectl-mesh_upgrade"].iter().chain(words).map(OsString::from);
        Cli::read(line).unwrap().global
    }

    #[test]
    fn who_may_not_read_is_sent_to_an_administrator() {
        let denied = "not allowed to list Deployments: deployments.apps is forbidden: User \"bob\" cannot list resource \
                      \"deployments\" in API group \"apps\" at the cluster scope";
        let silent = "nothing listens at east:6443: connection refused";
        for (reasons, to_administrator, to_the_network) in [
            (&[denied][..], true, false),
            (&[silent], false, true),
            (&[denied, silent, denied], true, true),
        ] {
            let hints = unread_hints(reasons.iter().copied());
            let says = |text: &str| hints.iter().any(|hint| hint.contains(text));
            assert_eq!(says("ask an administrator"), to_administrator, "{hints:?}");
            assert_eq!(says("kubectl cluster-info"), to_the_network, "{hints:?}");
            assert!(hints.iter().all(|hint| hint.starts_with("nothing was changed")));
        }
    }

    #[test]
    fn a_verb_says_which_flags_are_not_for_it() {
        let namespace = refuse_namespace(&global(&["-n", "istio-system"]), "status").unwrap_err();
        assert_eq!(
            namespace.to_string(),
            "status takes no --namespace: that is for list, check, plan, guide, dataplane and adopt"
        );
        for flag in ["--as", "--as-group"] {
            let error = refuse_to_write_as(&global(&[flag, "bob"]), "adopt").unwrap_err();
            assert_eq!(error.exit, Exit::Usage, "{flag}");
        }
        assert!(refuse_to_write_as(&global(&[]), "adopt").is_ok());
    }
}
