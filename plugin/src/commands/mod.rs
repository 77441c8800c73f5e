//! One file for each verb, and what they share: the cluster, its meshes and the catalog.

pub mod apply;
mod catalog;
pub mod check;
pub mod explain;
pub mod guard;
pub mod list;
mod path;
pub mod plan;
pub mod status;
pub mod version;
mod waivers;

use crate::{
    cli::{Command, Global},
    cluster::{self, Cluster, ObserveOptions},
    error::{CommandError, Exit},
    ui::Ui,
};
use shared::{
    catalog::Catalog,
    inventory::{ClusterState, Inventory},
    mesh::{self, MeshView, SelectError},
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
        Command::Status(args) => status::run(&args, global, ui).await,
        Command::Guard(args) => guard::run(args, global, ui).await,
        Command::Explain(args) => explain::run(&args, ui),
        Command::Version => version::run(ui),
    }
}

/// The cluster that the flags lead to, and what runs there.
pub struct Scene {
    /// The cluster, as the caller.
    pub cluster: Cluster,
    /// What was observed.
    pub inventory: Inventory,
    /// The meshes in it.
    pub meshes: Vec<MeshView>,
    /// Versions that are known.
    pub catalog: Catalog,
}

impl Scene {
    /// Connects and observes.
    ///
    /// # Errors
    /// When the kubeconfig cannot be used, the catalog is broken, or the cluster cannot be read.
    pub async fn observe(global: &Global, options: ObserveOptions) -> Result<Self, CommandError> {
        let given = catalog::given(global)?;
        let cluster = cluster::connect(&global.cluster()).await?;
        let catalog = catalog::of(given, &cluster).await?;
        let inventory = cluster::observe_all(std::slice::from_ref(&cluster), &options).await;
        if let Some(ClusterState::Unknown { reason }) = inventory.clusters.first().map(|cluster| &cluster.state) {
            return Err(
                CommandError::error(format!("cluster {} cannot be read: {reason}", cluster.name))
                    .hint("nothing was changed; name another cluster with --context, or check: kubectl cluster-info"),
            );
        }
        let meshes = mesh::meshes(&inventory);
        Ok(Self {
            cluster,
            inventory,
            meshes,
            catalog,
        })
    }

    /// The mesh of that name, or the only one.
    ///
    /// # Errors
    /// When there is none, or there are several and none was named.
    pub fn mesh(&self, name: Option<&str>) -> Result<&MeshView, CommandError> {
        mesh::select(&self.meshes, name).map_err(|error| {
            let hint = match &error {
                SelectError::None => "no Deployment of istiod was found in any namespace; is this the right --context?",
                SelectError::Ambiguous { .. } => "name the mesh, as in: kubectl mesh-upgrade check MESH --to VERSION",
                SelectError::NotFound { .. } => "see the meshes with: kubectl mesh-upgrade list",
            };
            CommandError::error(error.to_string()).hint(hint)
        })
    }
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
