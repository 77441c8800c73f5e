//! Whether the mesh can be upgraded as a canary, and whether its old revision may go.

use super::Subject;
use crate::{
    api::WorkloadName,
    canary::{self, Canary, Stage},
    finding::{Finding, Report, codes},
    inventory::EXAMPLES,
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
