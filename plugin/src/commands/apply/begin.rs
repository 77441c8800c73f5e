//! Beginning an upgrade: checked, planned, confirmed, and only then written down.

use super::{Task, begun, drive, find, plan_file, writer};
use crate::{
    cli::{ApplyArgs, HowTo},
    clock::today,
    cluster::Cluster,
    commands::{
        Scene, again,
        chart_source::{absolute, charts_of, look_at_charts},
        journals::Journals,
        plan, waivers,
    },
    error::{CommandError, Exit},
    executor::{journal, writing_client},
    guard,
    installer::AskedHelm,
    ui::{Mark, Ui, confirm, print_report, print_report_again, strong},
};
use kube::ResourceExt as _;
use serde_json::json;
use shared::{
    api::{Management, MeshUpgradeSpec, Plan, Unguarded},
    choice,
    finding::{Finding, Report},
    mesh::{MeshView, ObservedMember},
    plan::PlanFile,
    preflight::{self, Purpose, Target},
    version::IstioVersion,
    waiver,
};

impl Task<'_> {
    /// Begins an upgrade: checked, planned, and confirmed by whoever asks for it.
    pub(super) async fn begin(&self, file: Option<&PlanFile>, helm: AskedHelm) -> Result<Exit, CommandError> {
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
        let charts = charts_of(args.charts.as_deref(), scene, mesh, to)?;
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
        let looked = look_at_charts(&engines, scene, &mut plan).await;
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
        plan::print(*ui, &plan, &scene.inventory);
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
            let journals = self.refuse_rivals(mesh).await?;
            let writer = writing_client(home, &writer(guarded, lease.epoch)).map_err(CommandError::error)?;
            let name = self.name_of_new(&spec, &journals);
            let journal = journal::create(&writer, &name, spec).await?;
            // Suspended meanwhile, this driver may have found the journal of the one that took over.
            lease.still_held().await?;
            let course = drive::Course {
                begins: true,
                ..drive::Course::default()
            };
            drive::to_the_end(self, &engines, journal, &lease, course).await
        };
        let driven = driven.await;
        lease.release().await;
        driven
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
    async fn refuse_rivals(&self, mesh: &MeshView) -> Result<Journals, CommandError> {
        let members = self.scene.clusters.iter();
        let members = members.filter(|cluster| mesh.clusters().any(|member| member == cluster.name));
        let members: Vec<Cluster> = members.cloned().collect();
        let journals = Journals::read(&members).await;
        if let Some((cluster, why)) = journals.unread.first_key_value() {
            return Err(find::unseen(cluster, why));
        }
        begun::refuse_other_name(mesh, self.scene, &journals)?;
        match journals.unfinished(Some(&mesh.name))?.first() {
            Some(rival) => Err(CommandError::new(
                Exit::Held,
                format!("{} has begun meanwhile", rival.journal.name_any()),
            )
            .hint("see it with: kubectl mesh-upgrade status")),
            None => Ok(journals),
        }
    }

    /// The name of the journal, after all that were found: a cluster under two names has its own under one of them.
    fn name_of_new(&self, spec: &MeshUpgradeSpec, journals: &Journals) -> String {
        // A home that did not answer is Unknown, which no upgrade begins with.
        let home = self.scene.inventory.observed(&self.home.name);
        let uid = home.map(|home| home.uid.as_str()).unwrap_or_default();
        journal::next_name(spec, journals.all.iter().map(|held| &held.journal), uid)
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
    if args.skip_image_pull {
        let risk = if guarded {
            ui.lang.apply_without_images()
        } else {
            ui.lang.apply_without_images_unguarded()
        };
        ui.note(&format!("{} {risk}", ui.mark(Mark::Warn)));
    }
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
        unguarded: args
            .reason
            .clone()
            .filter(|_| args.unguarded)
            .map(|reason| Unguarded { reason }),
        skip_image_pull: args.skip_image_pull,
        ..MeshUpgradeSpec::of(mesh, from, &to.to_string(), plan, person)
    }
}
