//! Whether the mesh can be upgraded as a canary, and whether its old revision may go.

use super::Subject;
use crate::{
    api::{Revisions, WorkloadName},
    canary::{self, Canary, Stage},
    finding::{Finding, Report, codes},
    inventory::{ControlPlane, EXAMPLES},
    mesh::ObservedMember,
};

pub(super) fn check(subject: &Subject<'_>, report: &mut Report) {
    if !subject.target.canary {
        return;
    }
    for member in &subject.members {
        match Canary::of(member, &subject.target.version) {
            Err(reason) => report.find(
                Finding::new(
                    codes::NO_CANARY,
                    reason,
                    format!(
                        "upgrade it where it stands, without --strategy canary, or by hand: kubectl mesh-upgrade guide {} \
                         --to {}",
                        subject.mesh.name, subject.target.version
                    ),
                )
                .in_cluster(member.name()),
            ),
            Ok(Some(canary)) if is_to_go(subject) => old_revision(subject, member, &canary, report),
            Ok(_) => {}
        }
    }
}

/// The revisions of an Istio that the Sail Operator keeps beside each other. Whether it has some, which then are not to be
/// judged as if somebody had left them behind.
pub(super) fn by_operator(subject: &Subject<'_>, member: &ObservedMember<'_>, report: &mut Report) -> bool {
    let to = &subject.target.version;
    match Canary::by_operator(member, to) {
        Ok(Some(canary)) if canary.is_there => standing(subject, member, &canary, report),
        Ok(Some(canary)) => {
            let summary = format!(
                "the Sail Operator brings revision {} beside {}, which stays until nothing refers to it",
                canary.revisions.new, canary.revisions.old
            );
            report.pass(codes::NO_CANARY, Some(member.name()), summary);
        }
        // One alone, which keeps its version to itself.
        Ok(None) => {
            return member
                .control_planes()
                .all(|plane| canary::is_revision_of_a_version(member, plane));
        }
        Err(reason) => report.find(
            Finding::new(
                codes::NO_CANARY,
                reason,
                format!(
                    "mend that, then check again; or upgrade it by hand: kubectl mesh-upgrade guide {} --to {to}",
                    subject.mesh.name
                ),
            )
            .in_cluster(member.name()),
        ),
    }
    true
}

/// Control planes that the Sail Operator takes away by itself, where the new one runs the target.
pub(super) fn aside<'a>(subject: &Subject<'a>, member: &ObservedMember<'a>) -> Vec<&'a WorkloadName> {
    let canary = Canary::by_operator(member, &subject.target.version).ok().flatten();
    let Some(canary) = canary.filter(|canary| canary.is_there) else {
        return Vec::new();
    };
    let planes = member.control_planes();
    let old = planes.filter(|plane| plane.revision != canary.revisions.new);
    old.map(|plane| &plane.workload).collect()
}

/// Revisions that the Sail Operator takes away by itself, and what keeps each of them.
fn standing(subject: &Subject<'_>, member: &ObservedMember<'_>, canary: &Canary<'_>, report: &mut Report) {
    let new = &canary.revisions.new;
    for plane in member.control_planes().filter(|plane| plane.revision != *new) {
        let old = Revisions {
            old: plane.revision.clone(),
            ..canary.revisions.clone()
        };
        let uses = canary::uses(member.observed, &old);
        let (cause, fix) = if uses.is_empty() {
            (
                format!(
                    "revision {} ({}) runs beside {new}, and nothing refers to it",
                    old.old, plane.version.raw
                ),
                "the Sail Operator takes it away by itself after the grace period of its Istio".to_owned(),
            )
        } else {
            let more = uses.len().saturating_sub(EXAMPLES);
            let mut shown: Vec<String> = uses.into_iter().take(EXAMPLES).collect();
            if more > 0 {
                shown.push(format!("and {more} more"));
            }
            (
                format!(
                    "revision {} ({}) runs beside {new} and is still in use: {}",
                    old.old,
                    plane.version.raw,
                    shown.join("; ")
                ),
                format!(
                    "lead it to revision {new} and restart what runs: kubectl mesh-upgrade dataplane status {} tells who is \
                     due; the Sail Operator takes the old revision away when nothing refers to it",
                    subject.mesh.name
                ),
            )
        };
        let finding = Finding::new(codes::SEVERAL_REVISIONS, cause, fix);
        report.find(finding.in_cluster(member.name()).about(super::named(&plane.workload)));
    }
}

/// What refers to the revision of a control plane, as far as its cluster tells.
pub(super) fn uses_of(member: &ObservedMember<'_>, plane: &ControlPlane) -> Vec<String> {
    let revisions = Revisions {
        old: plane.revision.clone(),
        ..Revisions::default()
    };
    canary::uses(member.observed, &revisions)
}

/// Revisions that are kept beside each other, and whether something refers to each of them.
pub(super) fn beside(
    subject: &Subject<'_>,
    member: &ObservedMember<'_>,
    planes: &[&ControlPlane],
    report: &mut Report,
) {
    for plane in planes {
        let others = planes.iter().filter(|other| other.workload != plane.workload);
        let others: Vec<&str> = others.map(|other| other.revision.as_str()).collect();
        let others = others.join(", ");
        let uses = uses_of(member, plane);
        let count = uses.len();
        let cause = match uses.first() {
            None => format!(
                "revision {} ({}) runs beside {others}, and nothing was seen in this cluster that refers to it",
                plane.revision, plane.version.raw
            ),
            Some(first) => format!(
                "revision {} ({}) runs beside {others}; uses seen in this cluster: {count}, as {first}",
                plane.revision, plane.version.raw
            ),
        };
        let fix = format!(
            "before you remove it, lead what refers to it to another revision and restart what runs: kubectl mesh-upgrade \
             dataplane status {} shows the revision of each workload in all clusters; namespaces with \
             istio-injection=enabled and without istio.io/rev are of the revision or tag default",
            subject.mesh.name
        );
        let finding = Finding::new(codes::SEVERAL_REVISIONS, cause, fix);
        report.find(finding.in_cluster(member.name()).about(super::named(&plane.workload)));
    }
}

fn is_to_go(subject: &Subject<'_>) -> bool {
    // Asked for each member, about all of them: not where nobody wants a canary.
    subject.target.canary && canary::stage(&subject.members, &subject.target.version) == Ok(Some(Stage::Remove))
}

/// The control plane that is taken away next: how it does is nobody's concern any more.
pub(super) fn goes<'a>(subject: &Subject<'a>, member: &ObservedMember<'a>) -> Option<&'a WorkloadName> {
    if !is_to_go(subject) {
        return None;
    }
    let canary = Canary::of(member, &subject.target.version).ok().flatten();
    canary.map(|canary| &canary.old.workload)
}

fn old_revision(subject: &Subject<'_>, member: &ObservedMember<'_>, canary: &Canary<'_>, report: &mut Report) {
    let revisions = &canary.revisions;
    let uses = canary::uses(member.observed, revisions);
    if uses.is_empty() {
        let summary = format!("nothing refers to revision {}", revisions.old);
        return report.pass(codes::REVISION_IN_USE, Some(member.name()), summary);
    }
    let about = format!("revision {}", revisions.old);
    let fix = format!(
        "lead it to revision {} and restart what runs: kubectl mesh-upgrade dataplane status {} tells who is due",
        revisions.new, subject.mesh.name
    );
    for one in uses.iter().take(EXAMPLES) {
        let finding = Finding::new(codes::REVISION_IN_USE, one.clone(), fix.clone());
        report.find(finding.in_cluster(member.name()).about(about.clone()));
    }
    if let Some(more) = uses.len().checked_sub(EXAMPLES).filter(|more| *more > 0) {
        let finding = Finding::new(codes::REVISION_IN_USE, format!("and {more} more like these"), fix);
        report.find(finding.in_cluster(member.name()).about(about));
    }
}
