//! Drives a journal to its end, and says how it ended.

use super::{super::again, Task, begun, members};
use crate::{
    cli::ApplyArgs,
    cluster::{self, Cluster},
    error::{CommandError, Exit},
    executor::{
        Drive, End, Members, effects::Effects, inherited::Inherited, lease::DriverLease, watch::Watch, writing_client,
    },
    installer::Engines,
    ui::{Mark, Output, Ui, completed, progress::HowFar},
};
use futures::future::try_join_all;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt as _;
use serde_json::{Value, json};
use shared::{
    api::{MeshUpgrade, Plan, Revisions},
    charts::Digests,
    conditions,
    guard::own_objects::CONDITION_UNLOCKED,
    journals,
    machine::{Driver, Stop, progress},
    phase::Phase,
};
use std::sync::Arc;

/// What this driver does otherwise than the journal says.
#[derive(Clone, Debug, Default)]
pub struct Course {
    /// A folder of charts in the place of the journal's, which never changes.
    pub charts: Option<String>,
    /// Digests of the charts at hand; empty where the upgrade has just been planned with them.
    pub chart_digests: Digests,
    /// Why the upgrade is given up, where the operator asked for it.
    pub abandoned: Option<String>,
    /// Whether the upgrade begins with this driver, so that the first check has seen what the operator's own saw.
    pub begins: bool,
}

/// Drives a journal under a lease, and says how it ended.
pub async fn to_the_end(
    task: &Task<'_>,
    engines: &Engines,
    journal: MeshUpgrade,
    lease: &DriverLease,
    course: Course,
) -> Result<Exit, CommandError> {
    let Task { ui, person, .. } = *task;
    let guarded = journal.spec.unguarded.is_none();
    let writer = super::writer(guarded, lease.epoch);
    let spec = &journal.spec;
    let members = members::find(task, &spec.mesh, &spec.plan.clusters, &task.flags).await;
    // What a backup brought back may be of a cluster that is there no more, and can be neither driven nor withdrawn.
    let members = members.map_err(|error| {
        if journals::is_untouched(&journal) {
            error.hint(begun::remove(&journal, None))
        } else {
            error
        }
    })?;
    if guarded {
        refuse_lost_epoch(task.home, &members, lease.epoch).await?;
    }
    for (cluster, why) in &members.unreached {
        ui.progress(Mark::Warn, &ui.lang.cluster_unknown(cluster, why));
    }
    let home = writing_client(task.home, &writer).map_err(CommandError::error)?;
    let status = journal.status.as_ref();
    let mut chart_digests = journal.chart_digests();
    chart_digests.extend(course.chart_digests.clone());
    let drive = Drive {
        ui,
        home: home.clone(),
        lease,
        driver: Driver {
            name: person.to_owned(),
            epoch: lease.epoch,
        },
        abandoned: course.abandoned.clone(),
        chart_digests: course.chart_digests.clone(),
        effects: Effects {
            ui,
            members: &members,
            writer,
            journal: journal.name_any(),
            holder: person.to_owned(),
            epoch: lease.epoch,
            tenure: lease.tenure().clone(),
            catalog: Arc::clone(&task.scene.catalog),
            engines,
            charts: course.charts.as_deref(),
            chart_digests,
            step_timeout: task.args.step_timeout,
            merge_timeout: task.args.merge_timeout,
            frozen_since: frozen_since(&journal),
            inherited: Inherited::of(&journal),
            home,
            journal_uid: journal.metadata.uid.clone(),
            lately: course.begins.then_some((task.looked, &task.scene.inventory)),
            watch: Watch::new(status.map(|status| status.fingerprints.as_slice()).unwrap_or_default()),
        },
        how_far: HowFar::new(),
    };
    // First, since the journal ends with the drive, and nobody would come back to it.
    if course.abandoned.is_some() && journal.phase() >= Phase::Pulling {
        drive.effects.take_away_pulls(&journal.spec).await;
    }
    let (journal, end) = drive.run(journal).await?;
    drop(drive);
    conclude(ui, task.args, &course, &journal, end)
}

/// What the epoch fences off rests on its arrival, in every cluster that is written to.
async fn refuse_lost_epoch(home: &Cluster, members: &Members, epoch: i64) -> Result<(), CommandError> {
    // Mostly one of those that are written to, under its name there.
    let home = Some(home).filter(|_| members.cluster(&members.home).is_err());
    let asking = home.into_iter().chain(&members.clusters).map(|cluster| async move {
        if cluster::impersonation_arrives(cluster, epoch).await? {
            return Ok(());
        }
        Err(CommandError::error(format!(
            "the epoch does not arrive at the API server of cluster {}: impersonation loses the extra",
            cluster.name
        ))
        .hint("is there a proxy before the API server that drops Impersonate-Extra headers?"))
    });
    try_join_all(asking).await.map(drop)
}

/// Since when the mesh is frozen; a freeze that was lifted by hand begins anew.
fn frozen_since(journal: &MeshUpgrade) -> Option<Time> {
    let status = journal.status.as_ref()?;
    if conditions::holds(&status.conditions, CONDITION_UNLOCKED) {
        return None;
    }
    status.frozen_since.clone()
}

fn conclude(ui: Ui, args: &ApplyArgs, course: &Course, journal: &MeshUpgrade, end: End) -> Result<Exit, CommandError> {
    let spec = &journal.spec;
    let going_on = || {
        let flags = again::going_on(args, course.charts.as_deref());
        ui.lang.apply_go_on_with(format!("{}{flags}", spec.mesh))
    };
    match end {
        End::Stopped(Stop::Succeeded) => {
            if ui.output != Output::Text {
                ui.streamed("UpgradeResult", result_of(journal))?;
                return Ok(Exit::Done);
            }
            if let Some(revisions) = placed(&spec.plan) {
                let beside = ui
                    .lang
                    .apply_beside(&spec.mesh, &revisions.new, &spec.to, &revisions.old);
                ui.result(&format!("{} {beside}", ui.mark(Mark::Pass)));
                if revisions.are_the_operators() {
                    ui.note(&ui.lang.apply_operator_takes_away(&revisions.old, &revisions.new));
                    ui.next(&format!("kubectl mesh-upgrade dataplane status {}", spec.mesh));
                    return Ok(Exit::Done);
                }
                ui.note(&ui.lang.apply_move_over(&revisions.old, &revisions.new, &spec.mesh));
                ui.next(&format!(
                    "kubectl mesh-upgrade apply {} --to {} --strategy canary{}{}{}",
                    spec.mesh,
                    spec.to,
                    again::flag("--charts", args.charts.as_ref()),
                    again::waivers(args.waivers.as_deref()),
                    again::programs(&args.programs)
                ));
                return Ok(Exit::Done);
            }
            let arrived = ui.lang.apply_arrived(&spec.mesh, &spec.to);
            ui.result(&format!("{} {arrived}", ui.mark(Mark::Pass)));
            if spec.plan.removal().is_some() {
                ui.next("kubectl mesh-upgrade list");
                return Ok(Exit::Done);
            }
            ui.note(&ui.lang.apply_sidecars_left());
            if ui.is_led() {
                ui.note(&completed(&ui.lang.apply_who_is_due(&spec.mesh)));
            }
            ui.next(&format!("kubectl mesh-upgrade dataplane status {}", spec.mesh));
            Ok(Exit::Done)
        }
        End::Stopped(Stop::Withdrawn(_)) if course.abandoned.is_some() => {
            if ui.output != Output::Text {
                ui.streamed("UpgradeResult", result_of(journal))?;
                return Ok(Exit::Done);
            }
            let given_up = ui.lang.apply_given_up(&spec.mesh, &spec.to);
            ui.result(&format!("{} {given_up}", ui.mark(Mark::Pass)));
            ui.next("kubectl mesh-upgrade list");
            Ok(Exit::Done)
        }
        End::Stopped(Stop::Withdrawn(reasons)) => {
            let charts = again::flag("--charts", args.charts.as_ref());
            let waivers = again::waivers(args.waivers.as_deref());
            let target = format!("{}{}{charts}{waivers}", spec.to, spec.plan.strategy_flag());
            Err(CommandError::blocked(ui.lang.apply_withdrawn(reasons.join("; ")))
                .hint(ui.lang.apply_mend_and_check(&spec.mesh, &target)))
        }
        End::Stopped(Stop::Stalled { reason, message }) => {
            Err(CommandError::error(ui.lang.apply_stalled(reason, message))
                .hint(if progress::is_known_frozen(journal) {
                    ui.lang.apply_stays_frozen()
                } else {
                    ui.lang.apply_keeps_its_target()
                })
                .hint(going_on()))
        }
        End::Interrupted => Err(interrupted(ui, journal, course.abandoned.is_some(), going_on())),
    }
}

/// Left by the operator: what holds meanwhile, and the ways on. Of one that was being given up the freeze may be half lifted.
fn interrupted(ui: Ui, journal: &MeshUpgrade, given_up: bool, going_on: String) -> CommandError {
    let phase = journal.phase();
    let mut error = CommandError::error(ui.lang.apply_stopped(phase));
    if progress::stays_frozen(journal) && !given_up {
        error = error.hint(ui.lang.apply_stays_frozen_meanwhile());
    }
    error = error.hint(going_on);
    if phase.is_past_return() || given_up {
        return error;
    }
    error.hint(ui.lang.apply_or_give_up(&journal.spec.mesh))
}

/// What programs are told in the end.
fn result_of(journal: &MeshUpgrade) -> Value {
    json!({ "name": journal.name_any(), "spec": journal.spec, "status": journal.status })
}

/// The revisions that run beside each other after the first upgrade of a canary.
fn placed(plan: &Plan) -> Option<&Revisions> {
    let mut steps = plan.steps.iter().filter(|_| plan.removal().is_none());
    steps.find_map(|step| step.revisions.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::Format;
    use k8s_openapi::jiff::Timestamp;
    use shared::{api::MeshUpgradeSpec, phase::Phase};

    #[test]
    fn whoever_leaves_is_told_what_stays_and_which_ways_there_are() {
        const FROZEN: &str = "the mesh stays frozen until the upgrade has ended";
        const ON: &str = "go on";
        const BACK: &str = "or give it up: kubectl mesh-upgrade apply shop --withdraw";
        let spec: MeshUpgradeSpec = serde_json::from_value(json!({
            "journalVersion": 1, "mesh": "shop", "from": "1.30.3", "to": "1.31.0", "planHash": "", "requestedBy": "alice",
            "plan": {"clusters": [], "steps": [], "charts": {"location": ""}},
        }))
        .unwrap();
        for (phase, frozen, given_up, expected) in [
            (Phase::Pulling, false, false, &[ON, BACK][..]),
            (Phase::Freezing, false, false, &[ON, BACK]),
            (Phase::Freezing, true, false, &[FROZEN, ON, BACK]),
            (Phase::Freezing, true, true, &[ON]),
            (Phase::Upgrading, true, false, &[FROZEN, ON]),
            (Phase::Thawing, true, false, &[ON]),
        ] {
            let mut journal = MeshUpgrade::new("shop-1", spec.clone());
            let status = journal.status.get_or_insert_default();
            status.phase = phase;
            status.frozen_since = frozen.then_some(Time(Timestamp::UNIX_EPOCH));
            let ui = Ui::new(Format::Json, None);
            let error = interrupted(ui, &journal, given_up, ON.to_owned());
            assert_eq!(error.hints(), expected, "{phase} {frozen} {given_up}");
            assert_eq!(error.to_string(), format!("stopped in phase {phase}"));
        }
    }
}
