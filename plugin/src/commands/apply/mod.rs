//! `apply`: begins an upgrade, or goes on with the one that has begun.

mod begin;
mod begun;
mod drive;
mod find;
mod members;
mod plan_file;
mod reason;
mod resumed;
mod withdraw;

use super::{Scene, refuse_impersonation, refuse_namespace};
use crate::{
    cli::{ApplyArgs, Global},
    clock::passed,
    cluster::{self, Cluster, ClusterFlags},
    error::{CommandError, Exit},
    executor::{journal, lease::DriverLease, writing_client},
    installer::{AskedHelm, Engines, Given, Writer},
    ui::{Mark, Ui},
};
use shared::{
    api::{MeshUpgrade, Plan},
    machine::progress,
};
use std::time::Duration;

/// Runs `apply`.
///
/// # Errors
/// When the upgrade cannot begin, is held by somebody else, or the journal cannot be written.
pub async fn run(args: &ApplyArgs, global: &Global, ui: Ui) -> Result<Exit, CommandError> {
    refuse_impersonation(global, "apply")?;
    let file = plan_file::read(args)?;
    // A plan file says where they are, too, but nobody has said it now.
    let names_charts = args.charts.is_some();
    let args = &file
        .as_ref()
        .map_or_else(|| Ok(args.clone()), |file| plan_file::arguments(args, file))?;
    reason::refuse_stray(args)?;
    refuse_namespace(global, "apply")?;
    let helm = AskedHelm::begin(args.programs.helm.as_deref());
    let mesh = args.mesh.mesh.as_deref();
    let looked = passed();
    let (scene, journals) = find::look(args, global, ui).await?;
    let begun = journals.unfinished(mesh)?;
    let begun = begun::only(&begun)?;
    let home = match begun {
        Some(held) => held.home.clone(),
        None => find::home_of_new(args, &scene, &journals)?,
    };
    let task = Task {
        args,
        names_charts,
        scene: &scene,
        ui,
        person: &cluster::whoami(&home).await?,
        home: &home,
        floor: journals.epoch_floor(),
        looked,
        flags: global.cluster(),
    };
    let driven = match begun {
        Some(held) => task.resume(&held.journal, helm).await,
        None if args.withdraw => Err(withdraw::nothing_begun()),
        None => task.begin(file.as_ref(), helm).await,
    };
    match driven {
        Err(error) if error.exit == Exit::Held => Err(tell_how_far(args, &home, error).await),
        driven => driven,
    }
}

/// What beginning an upgrade and going on with one have in common.
pub struct Task<'a> {
    /// The command line.
    pub args: &'a ApplyArgs,
    /// Whether somebody has said now where the charts are.
    pub names_charts: bool,
    /// All clusters, and what runs there.
    pub scene: &'a Scene,
    /// Prints.
    pub ui: Ui,
    /// The cluster of the journal and the lease.
    pub home: &'a Cluster,
    /// Who asks, as the home cluster knows them.
    pub person: &'a str,
    /// The highest epoch that any cluster of the mesh has seen.
    pub floor: i64,
    /// When the clusters were begun to be looked at, by [`passed`].
    pub looked: Duration,
    /// The flags that say as whom clusters are reached.
    pub flags: ClusterFlags,
}

impl Task<'_> {
    async fn engines(&self, plan: &Plan, helm: AskedHelm) -> Result<Engines, CommandError> {
        let given = Given {
            helm,
            istioctl: self.args.programs.istioctl.as_deref(),
        };
        Engines::find(&plan.steps, given, self.ui).await
    }

    async fn take_lease(&self, mesh: &str, guarded: bool) -> Result<DriverLease, CommandError> {
        let client = writing_client(self.home, &writer(guarded, 0)).map_err(CommandError::error)?;
        let waiting = |what: &str| self.ui.progress(Mark::Info, what);
        DriverLease::acquire(client, mesh, self.person, self.floor, waiting).await
    }
}

/// To whom somebody else was quicker: how far the upgrade is.
async fn tell_how_far(args: &ApplyArgs, home: &Cluster, error: CommandError) -> CommandError {
    let mesh = args.mesh.mesh.as_deref();
    let is_meant = |journal: &MeshUpgrade| mesh.is_none_or(|mesh| mesh == journal.spec.mesh);
    match journal::all(&home.client).await {
        Ok(journals) => match journals.iter().rev().find(|journal| is_meant(journal)) {
            Some(journal) => error.hint(progress::in_a_sentence(journal)),
            None => error,
        },
        Err(_) => error,
    }
}

fn writer(guarded: bool, epoch: i64) -> Writer {
    if guarded {
        Writer::Driver { epoch }
    } else {
        Writer::Caller
    }
}
