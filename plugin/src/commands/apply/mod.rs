//! `apply`: begins an upgrade, or goes on with the one that has begun.

mod drive;
mod plan_file;

use super::{Scene, check::observe_options, plan, refuse_contexts, refuse_impersonation, waivers};
use crate::{
    cli::{ApplyArgs, Global},
    clock::today,
    cluster,
    error::{CommandError, Exit},
    executor::{effects::observed, journal, lease::DriverLease, writing_client},
    guard,
    installer::{Writer, helm::Helm},
    ui::{Mark, Ui, confirm, print_report, strong},
};
use kube::ResourceExt as _;
use shared::{
    api::{JOURNAL_VERSION, Management, MeshUpgrade, MeshUpgradeSpec, Plan, Unguarded},
    finding::{Finding, Report},
    inventory::GuardPresence,
    mesh::MeshView,
    plan::{PlanFile, hash},
    preflight::{self, Purpose, Target},
    version::IstioVersion,
    waiver,
};

/// Runs `apply`.
///
/// # Errors
/// When the upgrade cannot begin, is held by somebody else, or the journal cannot be written.
pub async fn run(args: &ApplyArgs, global: &Global, ui: Ui) -> Result<Exit, CommandError> {
    refuse_impersonation(global, "apply")?;
    let file = plan_file::read(args)?;
    let args = &file
        .as_ref()
        .map_or_else(|| Ok(args.clone()), |file| plan_file::arguments(args, file))?;
    let reason = args.reason.as_deref().map(str::trim);
    if reason == Some("") {
        return Err(CommandError::usage(
            "--reason is empty: say why the upgrade goes on without the guard",
        ));
    }
    refuse_contexts(global, "apply")?;
    let scene = Scene::observe(global, ui, observe_options(!args.unguarded)).await?;
    let person = cluster::whoami(&scene.cluster).await?;
    let mut begun = journal::unfinished(&scene.cluster.client, args.mesh.mesh.as_deref()).await?;
    if begun.len() > 1 {
        let meshes = begun
            .iter()
            .map(|journal| journal.spec.mesh.clone())
            .collect::<Vec<_>>()
            .join(", ");
        return Err(
            CommandError::usage(format!("several upgrades have begun, of the meshes {meshes}"))
                .hint("name the one to go on with: kubectl mesh-upgrade apply MESH"),
        );
    }
    let helm = Helm::find(args.helm.as_deref()).await?;
    let driven = match begun.pop() {
        Some(journal) => resume(args, &scene, ui, &helm, &person, journal).await,
        None => begin(args, &scene, ui, &helm, &person, file.as_ref()).await,
    };
    match driven {
        Err(error) if error.exit == Exit::Held => Err(tell_how_far(args, &scene, error).await),
        driven => driven,
    }
}

async fn resume(
    args: &ApplyArgs,
    scene: &Scene,
    ui: Ui,
    helm: &Helm,
    person: &str,
    journal: MeshUpgrade,
) -> Result<Exit, CommandError> {
    let spec = &journal.spec;
    if let Some(to) = args.to.as_ref().filter(|to| to.to_string() != spec.to) {
        return Err(CommandError::blocked(format!(
            "the upgrade of mesh {} to {} has begun: there is no new target {to} before it has arrived",
            spec.mesh, spec.to
        ))
        .hint(format!("go on with it: kubectl mesh-upgrade apply {}", spec.mesh)));
    }
    if let Some(charts) = &args.charts
        && absolute(charts)? != spec.plan.charts.location
    {
        return Err(CommandError::usage(format!(
            "the upgrade has begun with charts from {}: they stay the same to its end",
            spec.plan.charts.location
        ))
        .hint("leave --charts out"));
    }
    let phase = journal::phase(&journal);
    ui.progress(
        Mark::Info,
        &format!("mesh {}: going on to {} from phase {phase}", spec.mesh, spec.to),
    );
    let guarded = spec.unguarded.is_none();
    let floor = epoch_floor(std::slice::from_ref(&journal));
    let lease = take_lease(scene, ui, &spec.mesh, person, guarded, floor).await?;
    let driven = async {
        // Read again under the lease: whoever held it may have gone on, and even ended, while we waited.
        let journal = journal::read(&scene.cluster.client, &journal).await?;
        drive::to_the_end(args, scene, ui, helm, person, journal, &lease).await
    };
    let driven = driven.await;
    lease.release().await;
    driven
}

/// To whom somebody else was quicker: how far the upgrade is.
async fn tell_how_far(args: &ApplyArgs, scene: &Scene, error: CommandError) -> CommandError {
    let mesh = args.mesh.mesh.as_deref();
    let is_meant = |journal: &MeshUpgrade| mesh.is_none_or(|mesh| mesh == journal.spec.mesh);
    match journal::all(&scene.cluster.client).await {
        Ok(journals) => match journals.iter().rev().find(|journal| is_meant(journal)) {
            Some(journal) => error.hint(journal::how_far(journal)),
            None => error,
        },
        Err(_) => error,
    }
}

async fn begin(
    args: &ApplyArgs,
    scene: &Scene,
    ui: Ui,
    helm: &Helm,
    person: &str,
    file: Option<&PlanFile>,
) -> Result<Exit, CommandError> {
    let Some(to) = &args.to else {
        return Err(
            CommandError::usage("no upgrade has begun, and no target is given: --to VERSION is missing")
                .hint("see the versions with: kubectl mesh-upgrade list"),
        );
    };
    let mesh = scene.mesh(args.mesh.mesh.as_deref())?;
    refuse_external(mesh, to)?;
    let purpose = if args.unguarded {
        Purpose::ApplyUnguarded
    } else {
        Purpose::Apply
    };
    let target = Target::new(to.clone()).for_purpose(purpose);
    let today = today();
    let report = preflight::check(mesh, &scene.inventory, &target, &scene.catalog, today);
    let report = waivers::apply(report, args.waivers.as_deref(), scene, mesh, today)?;
    if !report.is_free() {
        print_report(ui, &report, false);
        return Err(cannot_go(&report, &mesh.name, to));
    }
    refuse_several_clusters(mesh)?;
    let guarded = !args.unguarded;
    refuse_needless_consent(args, scene)?;
    let charts = plan::chart_source(args.charts.as_deref(), &scene.catalog, to)?;
    if let Some(file) = file {
        plan_file::refuse_drift(file, &scene.inventory)?;
    }
    let mut plan = plan::build(scene, mesh, to, &absolute(&charts)?)?;
    if plan.steps.is_empty() {
        ui.result(&format!("Mesh {} runs {to} already: nothing to do.", mesh.name));
        ui.next("kubectl mesh-upgrade list");
        return Ok(Exit::Done);
    }
    let looked = plan::look_at_charts(helm, scene, &mut plan).await;
    looked
        .map_err(|why| CommandError::error(why).hint("nothing was changed; say where the charts are with --charts"))?;
    if let Some(file) = file {
        plan_file::refuse_other(file, &plan)?;
    }
    print_report(ui, &report, false);
    plan::print(ui, &plan);
    ask(args, ui, &mesh.name, to, guarded)?;

    let from = mesh.version.as_ref().map(ToString::to_string).unwrap_or_default();
    let mut spec = spec_of(args, &mesh.name, &from, to, plan, person);
    spec.waivers = waiver::record(&report);
    if !guarded {
        guard::ensure_journal(&scene.cluster).await?;
    }
    let floor = epoch_floor(&journal::all(&scene.cluster.client).await?);
    let lease = take_lease(scene, ui, &mesh.name, person, guarded, floor).await?;
    let driven = async {
        // Looked at again under the lease: a rival may have begun while the question stood.
        let rivals = journal::unfinished(&scene.cluster.client, Some(&mesh.name)).await?;
        if let Some(rival) = rivals.first() {
            return Err(
                CommandError::new(Exit::Held, format!("{} has begun meanwhile", rival.name_any()))
                    .hint("see it with: kubectl mesh-upgrade status"),
            );
        }
        let writer = writing_client(&scene.cluster, &writer(guarded, lease.epoch)).map_err(CommandError::error)?;
        let journal = journal::create(&writer, spec).await?;
        // Suspended meanwhile, this driver may have found the journal of the one that took over.
        lease.still_held().await?;
        drive::to_the_end(args, scene, ui, helm, person, journal, &lease).await
    };
    let driven = driven.await;
    lease.release().await;
    driven
}

/// An external mesh is its owner's: this tool never writes to it, and says who does what instead.
fn refuse_external(mesh: &MeshView, to: &IstioVersion) -> Result<(), CommandError> {
    if mesh.management != Management::External {
        return Ok(());
    }
    Err(CommandError::blocked(format!(
        "mesh {} is operated by its owner (management: External): nothing is ever written to it",
        mesh.name
    ))
    .hint(format!(
        "the runbook for its owner: kubectl mesh-upgrade guide {} --to {to}",
        mesh.name
    )))
}

/// Checks and plans span clusters; an upgrade is driven in one.
fn refuse_several_clusters(mesh: &MeshView) -> Result<(), CommandError> {
    let clusters: Vec<&str> = mesh.clusters().collect();
    if clusters.len() < 2 {
        return Ok(());
    }
    Err(CommandError::blocked(format!(
        "mesh {} has {} clusters, {}: nothing was changed, because a freeze in several clusters at once cannot be driven \
         by this version",
        mesh.name,
        clusters.len(),
        clusters.join(", ")
    ))
    .hint(format!(
        "see the order of the steps with: kubectl mesh-upgrade plan {} --to VERSION",
        mesh.name
    )))
}

/// Where the guard stands, its policies let nobody but the driver write journals: going on without it cannot work.
fn refuse_needless_consent(args: &ApplyArgs, scene: &Scene) -> Result<(), CommandError> {
    let guard = observed(&scene.inventory, &scene.cluster.name).map(|observed| observed.guard);
    if args.unguarded && guard.is_some_and(GuardPresence::can_freeze) {
        return Err(CommandError::usage(format!(
            "the guard is installed in cluster {}: --unguarded has no place there",
            scene.cluster.name
        ))
        .hint("leave --unguarded and --reason out"));
    }
    Ok(())
}

/// The first blocker in the error itself, for who reads only the last line.
fn cannot_go(report: &Report, mesh: &str, to: &IstioVersion) -> CommandError {
    let mut blockers = report.blockers();
    let first = blockers.next().map(Finding::one_line).unwrap_or_default();
    let more = match blockers.count() {
        0 => String::new(),
        more => format!(" (and {more} more)"),
    };
    CommandError::blocked(format!(
        "mesh {mesh} cannot go to {to}, nothing was changed: {first}{more}"
    ))
    .hint(format!(
        "mend what is marked, then: kubectl mesh-upgrade check {mesh} --to {to}"
    ))
}

fn ask(args: &ApplyArgs, ui: Ui, mesh: &str, to: &IstioVersion, guarded: bool) -> Result<(), CommandError> {
    ui.note("");
    ui.note(&strong("There is no way back, and no stopping half-way."));
    ui.note("From the first changed component on, the upgrade can only go on to its end; if it stalls, it is resumed.");
    ui.note(if guarded {
        "Meanwhile nobody else can change this mesh's configuration."
    } else {
        "It is UNGUARDED: nothing stops others from changing this mesh meanwhile."
    });
    if args.yes {
        return Ok(());
    }
    match confirm(&format!("Type the mesh's name ({mesh}) to upgrade it to {to}:"), mesh) {
        Some(true) => Ok(()),
        Some(false) => Err(CommandError::error("not confirmed: nothing was changed")),
        None => Err(
            CommandError::usage("there is no terminal to ask on: nothing was changed")
                .hint("say yes beforehand with --yes"),
        ),
    }
}

fn spec_of(args: &ApplyArgs, mesh: &str, from: &str, to: &IstioVersion, plan: Plan, person: &str) -> MeshUpgradeSpec {
    MeshUpgradeSpec {
        journal_version: JOURNAL_VERSION,
        mesh: mesh.to_owned(),
        from: from.to_owned(),
        to: to.to_string(),
        plan_hash: hash(&plan),
        plan,
        requested_by: person.to_owned(),
        unguarded: args
            .reason
            .clone()
            .filter(|_| args.unguarded)
            .map(|reason| Unguarded { reason }),
        skip_image_pull: args.skip_image_pull,
        waivers: Vec::new(),
    }
}

fn writer(guarded: bool, epoch: i64) -> Writer {
    if guarded {
        Writer::Driver { epoch }
    } else {
        Writer::Caller
    }
}

/// No epoch is ever used twice, even when the lease was deleted.
fn epoch_floor(journals: &[MeshUpgrade]) -> i64 {
    let epochs = journals
        .iter()
        .filter_map(|journal| Some(journal.status.as_ref()?.epoch));
    epochs.max().unwrap_or(0)
}

async fn take_lease(
    scene: &Scene,
    ui: Ui,
    mesh: &str,
    person: &str,
    guarded: bool,
    floor: i64,
) -> Result<DriverLease, CommandError> {
    let client = writing_client(&scene.cluster, &writer(guarded, 0)).map_err(CommandError::error)?;
    DriverLease::acquire(client, mesh, person, floor, |what| ui.progress(Mark::Info, what)).await
}

/// A folder of charts is remembered by its full path: whoever resumes may stand elsewhere.
pub(super) fn absolute(charts: &str) -> Result<String, CommandError> {
    if charts.contains("://") {
        return Ok(charts.to_owned());
    }
    let path = std::fs::canonicalize(charts).map_err(|error| {
        CommandError::error(format!("no charts at {charts}: {error}"))
            .hint("nothing was changed; give a folder that holds base, istiod, … or a URL")
    })?;
    Ok(path.display().to_string())
}
