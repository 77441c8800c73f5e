//! `apply`: begins an upgrade, or goes on with the one that has begun.

mod begun;
mod drive;
mod members;
mod plan_file;
mod reason;
mod resumed;
mod withdraw;

use super::{
    MISSING_ROLE, Scene, again, check::observe_options, journals::Journals, plan, refuse_impersonation,
    refuse_namespace, waivers,
};
use crate::{
    cli::{ApplyArgs, Global, HowTo},
    clock::today,
    cluster::{self, Cluster, ClusterFlags},
    error::{CommandError, Exit},
    executor::{journal, lease::DriverLease, writing_client},
    guard,
    installer::{AskedHelm, Engines, Given, Writer},
    ui::{Mark, Ui, confirm, print_report, print_report_again, strong},
};
use kube::ResourceExt as _;
use serde_json::json;
use shared::{
    api::{Management, MeshUpgrade, MeshUpgradeSpec, Plan, Unguarded},
    choice,
    finding::{Finding, Report},
    guard::is_refused_by_rbac,
    inventory::ClusterState,
    machine::progress,
    mesh::{MeshView, ObservedMember},
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
    reason::refuse_stray(args)?;
    refuse_namespace(global, "apply")?;
    let helm = AskedHelm::begin(args.programs.helm.as_deref());
    let mesh = args.mesh.mesh.as_deref();
    let (scene, journals) = look(args, global, ui).await?;
    let begun = journals.unfinished(mesh)?;
    let begun = begun::only(&begun)?;
    let home = match begun {
        Some(held) => held.home.clone(),
        None => home_of_new(args, &scene, &journals)?,
    };
    let task = Task {
        args,
        scene: &scene,
        ui,
        person: &cluster::whoami(&home).await?,
        home: &home,
        floor: journals.epoch_floor(),
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

/// Observes the mesh, and reads the journals of all its clusters. A freeze in one of them tells where its journal is:
/// nobody begins a second upgrade because they came from another side.
async fn look(args: &ApplyArgs, global: &Global, ui: Ui) -> Result<(Scene, Journals), CommandError> {
    let mesh = args.mesh.mesh.as_deref();
    let observe = async |global: &Global| {
        let scene = Scene::observe(global, ui, observe_options(!args.unguarded)).await?;
        let answered: Vec<Cluster> = scene.answered().cloned().collect();
        let journals = Journals::read(&answered).await;
        Ok::<_, CommandError>((scene, journals))
    };
    let (scene, journals) = observe(global).await?;
    let Some(elsewhere) = journals.elsewhere(mesh) else {
        return Ok((scene, journals));
    };
    if let Some(why) = unread(&scene, &journals, &elsewhere.home) {
        return Err(elsewhere.error(&why));
    }
    let mut contexts = global.contexts.clone();
    if contexts.is_empty() {
        contexts.push(scene.cluster.context().to_owned());
    }
    contexts.push(elsewhere.home.clone());
    let wider = Global {
        context: None,
        contexts,
        ..global.clone()
    };
    let (scene, journals) = observe(&wider)
        .await
        .map_err(|error| elsewhere.error(&error.to_string()))?;
    if journals.elsewhere(mesh) == Some(elsewhere.clone()) {
        let why = unread(&scene, &journals, &elsewhere.home);
        return Err(elsewhere.error(&why.unwrap_or_else(|| "it is not there".to_owned())));
    }
    Ok((scene, journals))
}

/// Why a cluster, or its journals, could not be read.
fn unread(scene: &Scene, journals: &Journals, cluster: &str) -> Option<String> {
    let of_scene = scene.inventory.clusters.iter().find(|found| found.name == cluster);
    match of_scene.map(|found| &found.state) {
        Some(ClusterState::Unknown { reason }) => Some(reason.clone()),
        Some(ClusterState::Observed(_)) | None => journals.unread.get(cluster).cloned(),
    }
}

/// Where the journal of a new upgrade will be. Nothing may be begun where it cannot be seen whether something has.
fn home_of_new(args: &ApplyArgs, scene: &Scene, journals: &Journals) -> Result<Cluster, CommandError> {
    if args.to.is_none() || args.withdraw {
        let silent = scene.inventory.clusters.iter().find_map(|found| match &found.state {
            ClusterState::Unknown { reason } => Some((&found.name, reason)),
            ClusterState::Observed(_) => None,
        });
        if let Some((cluster, reason)) = silent {
            return Err(CommandError::error(format!(
                "no upgrade has begun in the clusters that answered, and cluster {cluster} did not: {reason}"
            ))
            .hint(if args.withdraw {
                "nothing was changed; try again when it is back: kubectl mesh-upgrade apply --withdraw"
            } else {
                "nothing was changed; go on when it is back: kubectl mesh-upgrade apply"
            }));
        }
        if let Some((cluster, why)) = journals.unread.first_key_value() {
            return Err(unseen(cluster, why));
        }
        if args.withdraw {
            return Err(withdraw::nothing_begun());
        }
        return Err(
            CommandError::usage("no upgrade has begun, and no target is given: --to VERSION is missing")
                .hint("see the versions with: kubectl mesh-upgrade list"),
        );
    }
    let mesh = scene.mesh(args.mesh.mesh.as_deref())?;
    begun::refuse_other_name(mesh, scene, journals)?;
    let mut unread = journals.unread.iter();
    if let Some((cluster, why)) = unread.find(|(cluster, _)| mesh.clusters().any(|one| one == *cluster)) {
        return Err(unseen(cluster, why));
    }
    if let Some((cluster, freeze)) = journals
        .freezes
        .iter()
        .find(|(_, freeze)| freeze.spec.mesh == mesh.name)
    {
        return Err(CommandError::blocked(format!(
            "mesh {} is frozen in cluster {cluster} by the upgrade {}, and no journal of it is under way in the clusters \
             that answered",
            mesh.name, freeze.spec.upgrade
        ))
        .hint(format!(
            "nothing was changed; when that upgrade is abandoned, lift its freeze: kubectl mesh-upgrade unlock {} --reason \
             TEXT",
            mesh.name
        )));
    }
    let home = mesh.home().unwrap_or_default();
    let found = scene.clusters.iter().find(|cluster| cluster.name == home);
    // One that could not even be connected to is Unknown, which the check tells about.
    Ok(found.unwrap_or(&scene.cluster).clone())
}

fn unseen(cluster: &str, why: &str) -> CommandError {
    let error = CommandError::error(format!(
        "whether an upgrade has begun cannot be seen in cluster {cluster}: {why}"
    ));
    error.hint(if is_refused_by_rbac(why) {
        MISSING_ROLE
    } else {
        "nothing was changed"
    })
}

/// What beginning an upgrade and going on with one have in common.
pub struct Task<'a> {
    /// The command line.
    pub args: &'a ApplyArgs,
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
    /// The flags that say as whom clusters are reached.
    pub flags: ClusterFlags,
}

impl Task<'_> {
    async fn resume(&self, journal: &MeshUpgrade, helm: AskedHelm) -> Result<Exit, CommandError> {
        let Self { args, ui, home, .. } = self;
        let spec = &journal.spec;
        if let Some(to) = args.to.as_ref().filter(|to| to.to_string() != spec.to) {
            let refusal = CommandError::blocked(format!(
                "the upgrade of mesh {} to {} has begun: there is no new target {to} before it has arrived",
                spec.mesh, spec.to
            ))
            .hint(format!("go on with it: kubectl mesh-upgrade apply {}", spec.mesh));
            return Err(if journal::phase(journal).is_past_return() {
                refusal
            } else {
                refusal.hint(format!(
                    "or give it up, since it has changed nothing yet: kubectl mesh-upgrade apply {} --withdraw",
                    spec.mesh
                ))
            });
        }
        if args.withdraw {
            return self.withdraw(journal, helm).await;
        }
        let course = drive::Course {
            charts: resumed::charts(args.charts.as_deref(), &spec.plan.charts.location)?,
            ..drive::Course::default()
        };
        if let Some(how) = args.strategy
            && (how == HowTo::Canary) != spec.plan.is_canary()
        {
            return Err(CommandError::usage(format!(
                "the upgrade of mesh {} has begun the other way: its control planes are replaced as planned, to the end",
                spec.mesh
            ))
            .hint("leave --strategy out"));
        }
        resumed::refuse_unknown_vendor(journal, &self.scene.catalog)?;
        let phase = journal::phase(journal);
        let at = match spec.plan.clusters.len() {
            0 | 1 => String::new(),
            many => ui.lang.apply_over_clusters(many, &home.name),
        };
        let goes_on = ui.lang.apply_goes_on(&spec.mesh, &spec.to, phase);
        ui.progress(Mark::Info, &format!("{goes_on}{at}"));
        let guarded = spec.unguarded.is_none();
        let engines = self.engines(&spec.plan, helm).await?;
        resumed::look_at_charts(&engines, journal, course.charts.as_deref()).await?;
        let lease = self.take_lease(&spec.mesh, guarded).await?;
        let driven = async {
            // Read again under the lease: whoever held it may have gone on, and even ended, while we waited.
            let journal = journal::read(&home.client, journal).await?;
            drive::to_the_end(self, &engines, journal, &lease, course).await
        };
        let driven = driven.await;
        lease.release().await;
        driven
    }

    async fn begin(&self, file: Option<&PlanFile>, helm: AskedHelm) -> Result<Exit, CommandError> {
        let Self {
            args, scene, ui, home, ..
        } = self;
        let Some(to) = &args.to else {
            return Err(CommandError::usage("no target is given: --to VERSION is missing"));
        };
        if let Some(file) = file {
            plan_file::refuse_other_charts(args, file)?;
        }
        let mesh = scene.mesh(args.mesh.mesh.as_deref())?;
        refuse_external(mesh, to)?;
        let purpose = if args.unguarded {
            Purpose::ApplyUnguarded
        } else {
            Purpose::Apply
        };
        let target = Target::new(to.clone())
            .for_purpose(purpose)
            .as_canary(HowTo::is_canary(args.strategy));
        let today = today();
        let report = preflight::check(mesh, &scene.inventory, &target, &scene.catalog, today);
        let report = waivers::apply(report, args.waivers.as_deref(), scene, mesh, today)?;
        let running = mesh.version.as_ref();
        let running = running.map_or_else(|| ui.lang.check_unknown_version(), ToString::to_string);
        let title = strong(&ui.lang.check_title(&mesh.name, running, to));
        if !report.is_free() {
            ui.result(&title);
            print_report(*ui, &report, false);
            return Err(self.cannot_go(&report, mesh, to));
        }
        let guarded = !args.unguarded;
        refuse_needless_consent(args, scene, mesh)?;
        let charts = plan::charts_of(args.charts.as_deref(), scene, mesh, to)?;
        if let Some(file) = file {
            plan_file::refuse_drift(file, &scene.inventory)?;
        }
        let mut plan = plan::build(scene, mesh, &target, &absolute(&charts)?)?;
        plan::refuse_in_place(args.strategy, &mesh.name, &plan)?;
        if plan.steps.is_empty() {
            ui.result(&ui.lang.apply_nothing_to_do(&mesh.name, to));
            ui.nothing_to_do("apply", json!({ "mesh": mesh.name, "to": to.to_string() }))?;
            ui.next("kubectl mesh-upgrade list");
            return Ok(Exit::Done);
        }
        // Said while the charts are looked at, which takes longest of all that comes before the question.
        ui.result(&title);
        print_report_again(*ui, &report);
        let engines = self.engines(&plan, helm).await?;
        let looked = plan::look_at_charts(&engines, scene, &mut plan).await;
        looked.map_err(|why| {
            CommandError::error(why).hint(if plan.takes_charts() {
                "nothing was changed; say where the charts are with --charts"
            } else {
                "nothing was changed"
            })
        })?;
        if let Some(file) = file {
            plan_file::refuse_other(file, &plan)?;
        }
        plan::print(*ui, &plan);
        let from = match plan.removal() {
            Some(removal) => removal.from.clone(),
            None => mesh.version.as_ref().map(ToString::to_string).unwrap_or_default(),
        };
        let places = scene.places(plan.clusters.iter().map(|cluster| cluster.name.as_str()));
        let question = ui.lang.apply_confirm(&mesh.name, &from, to, ui.lang.place(&places));
        ask(args, *ui, &mesh.name, &question, guarded)?;
        let mut spec = spec_of(args, &mesh.name, &from, to, plan, self.person);
        spec.waivers = waiver::record(&report);
        if !guarded {
            guard::ensure_journal(home).await?;
        }
        let lease = self.take_lease(&mesh.name, guarded).await?;
        let driven = async {
            self.refuse_rivals(mesh).await?;
            let writer = writing_client(home, &writer(guarded, lease.epoch)).map_err(CommandError::error)?;
            let journal = journal::create(&writer, spec).await?;
            // Suspended meanwhile, this driver may have found the journal of the one that took over.
            lease.still_held().await?;
            drive::to_the_end(self, &engines, journal, &lease, drive::Course::default()).await
        };
        let driven = driven.await;
        lease.release().await;
        driven
    }

    async fn engines(&self, plan: &Plan, helm: AskedHelm) -> Result<Engines, CommandError> {
        let given = Given {
            helm,
            istioctl: self.args.programs.istioctl.as_deref(),
        };
        Engines::find(&plan.steps, given, self.ui).await
    }

    /// The first blocker in the error itself, for who reads only the last line.
    fn cannot_go(&self, report: &Report, mesh: &MeshView, to: &IstioVersion) -> CommandError {
        let mut blockers = report.blockers();
        let first = blockers.next().map(Finding::one_line).unwrap_or_default();
        let more = match blockers.count() {
            0 => String::new(),
            more => format!(" (and {more} more)"),
        };
        let mesh_name = &mesh.name;
        let error = CommandError::blocked(format!(
            "mesh {mesh_name} cannot go to {to}, nothing was changed: {first}{more}"
        ));
        let how = again::check_for(self.args);
        if !choice::is_out_of_reach(report.blockers()) {
            return error.hint(format!(
                "mend what is marked, then: kubectl mesh-upgrade check {mesh_name} --to {to}{how}"
            ));
        }
        let Scene { inventory, catalog, .. } = self.scene;
        match choice::farthest(mesh, inventory, catalog, today()) {
            Some(other) => error.hint(format!(
                "another version is in reach: kubectl mesh-upgrade check {mesh_name} --to {other}{how}"
            )),
            None => error.hint("see the versions with: kubectl mesh-upgrade list"),
        }
    }

    /// Looked at again under the lease: a rival may have begun while the question stood, in whichever cluster.
    async fn refuse_rivals(&self, mesh: &MeshView) -> Result<(), CommandError> {
        let members = self.scene.clusters.iter();
        let members = members.filter(|cluster| mesh.clusters().any(|member| member == cluster.name));
        let members: Vec<Cluster> = members.cloned().collect();
        let journals = Journals::read(&members).await;
        if let Some((cluster, why)) = journals.unread.first_key_value() {
            return Err(unseen(cluster, why));
        }
        begun::refuse_other_name(mesh, self.scene, &journals)?;
        match journals.unfinished(Some(&mesh.name))?.first() {
            Some(rival) => Err(CommandError::new(
                Exit::Held,
                format!("{} has begun meanwhile", rival.journal.name_any()),
            )
            .hint("see it with: kubectl mesh-upgrade status")),
            None => Ok(()),
        }
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

/// Where the guard stands, its policies let nobody but the driver write journals: going on without it cannot work.
fn refuse_needless_consent(args: &ApplyArgs, scene: &Scene, mesh: &MeshView) -> Result<(), CommandError> {
    let guarded = |member: &ObservedMember<'_>| member.observed.guard.can_freeze();
    match mesh.observed(&scene.inventory).find(guarded) {
        Some(member) if args.unguarded => Err(CommandError::usage(format!(
            "the guard is installed in cluster {}: --unguarded has no place there",
            member.name()
        ))
        .hint("leave --unguarded and --reason out; every other cluster of the mesh needs the guard, too")),
        Some(_) | None => Ok(()),
    }
}

fn ask(args: &ApplyArgs, ui: Ui, mesh: &str, question: &str, guarded: bool) -> Result<(), CommandError> {
    ui.note("");
    ui.note(&strong(&ui.lang.apply_no_way_back()));
    ui.note(&ui.lang.apply_only_on());
    ui.note(&if guarded {
        ui.lang.apply_guarded()
    } else {
        ui.lang.apply_unguarded()
    });
    if args.yes {
        return Ok(());
    }
    match confirm(question, mesh) {
        Some(true) => Ok(()),
        Some(false) => Err(CommandError::declined(ui.lang.apply_not_confirmed())),
        None => Err(CommandError::usage(ui.lang.apply_no_terminal()).hint(ui.lang.apply_say_yes())),
    }
}

fn spec_of(args: &ApplyArgs, mesh: &str, from: &str, to: &IstioVersion, plan: Plan, person: &str) -> MeshUpgradeSpec {
    MeshUpgradeSpec {
        journal_version: plan.journal_version(),
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

/// A folder of charts is remembered by its full path: whoever resumes may stand elsewhere.
pub(super) fn absolute(charts: &str) -> Result<String, CommandError> {
    if charts.contains("://") || charts.is_empty() {
        return Ok(charts.to_owned());
    }
    let path = std::fs::canonicalize(charts).map_err(|error| {
        CommandError::error(format!("no charts at {charts}: {error}"))
            .hint("nothing was changed; give a folder that holds base, istiod, … or a URL")
    })?;
    Ok(path.display().to_string())
}
