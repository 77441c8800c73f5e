//! Steps of a canary: the first upgrade installs the new revision and moves what leads to the old one, the second takes the
//! old one away.

use super::PlanError;
use crate::{
    api::{Component, InstallerKind, ObjectName, PlanStep, StepAction, WorkloadKind, WorkloadName},
    canary::{Canary, Stage},
    mesh::{MeshView, ObservedMember},
    version::IstioVersion,
};

/// Steps of a member in place of those that would upgrade it where it stands.
pub(super) fn steps(
    mesh: &MeshView,
    member: &ObservedMember<'_>,
    to: &IstioVersion,
    stage: Stage,
    due: Vec<PlanStep>,
) -> Result<Vec<PlanStep>, PlanError> {
    let found = Canary::of(member, to).map_err(|reason| hindered(mesh, member.name(), reason))?;
    Ok(match (found, stage) {
        (Some(canary), Stage::Install) => canary.placing(member, to, due),
        (Some(canary), Stage::Remove) => vec![canary.removal(member, to)],
        (None, Stage::Install) => due,
        (None, Stage::Remove) => Vec::new(),
    })
}

/// The same where the Sail Operator keeps revisions beside each other, and nobody has to ask for it.
pub(super) fn steps_by_operator(
    mesh: &MeshView,
    member: &ObservedMember<'_>,
    to: &IstioVersion,
    due: Vec<PlanStep>,
) -> Result<Vec<PlanStep>, PlanError> {
    let found = Canary::by_operator(member, to).map_err(|reason| hindered(mesh, member.name(), reason))?;
    let Some(canary) = found else { return Ok(due) };
    if member.observed.surroundings.is_none() {
        let reason = "its webhooks could not be looked at".to_owned();
        return Err(hindered(mesh, member.name(), reason));
    }
    Ok(canary.placing(member, to, due))
}

pub(super) fn hindered(mesh: &MeshView, cluster: &str, reason: String) -> PlanError {
    PlanError::NoCanary {
        mesh: mesh.name.clone(),
        cluster: cluster.to_owned(),
        reason,
    }
}

/// Where a step stands beside others of its cluster: what leads to the new revision is moved when that runs.
pub(super) fn rank(step: &PlanStep) -> (Component, bool) {
    match step.action {
        StepAction::MoveTags => (Component::Istiod, true),
        StepAction::Install | StepAction::Upgrade | StepAction::Remove => (step.component, false),
    }
}

impl Canary<'_> {
    fn step(&self, member: &ObservedMember<'_>, to: &IstioVersion) -> PlanStep {
        let at = ObjectName {
            namespace: self.release.namespace.clone(),
            name: self.revisions.new_release.clone(),
        };
        let (istiod, from) = (Component::Istiod, self.from());
        PlanStep {
            action: StepAction::Install,
            revisions: Some(self.revisions.clone()),
            release_revision: revision_of(member, &at.namespace, &at.name),
            workloads: vec![WorkloadName {
                kind: WorkloadKind::Deployment,
                namespace: self.old.workload.namespace.clone(),
                name: format!("istiod-{}", self.revisions.new),
            }],
            ..PlanStep::upgrade(member.name(), istiod, self.installer, at, from, to.to_string())
        }
    }

    /// The chart tells it of a release that helm alone changes; what its pods report may be newer for a moment.
    fn from(&self) -> String {
        self.release.chart_version.clone()
    }

    fn placing(&self, member: &ObservedMember<'_>, to: &IstioVersion, due: Vec<PlanStep>) -> Vec<PlanStep> {
        let is_old = |step: &PlanStep| step.component == Component::Istiod;
        let mut steps: Vec<PlanStep> = due.into_iter().filter(|step| !is_old(step)).collect();
        for release in member.releases() {
            if release.component != Component::Gateway || !self.is_named_by(release) {
                continue;
            }
            let is_its = |step: &&mut PlanStep| step.namespace == release.namespace && step.release == release.name;
            match steps.iter_mut().find(is_its) {
                Some(step) => step.revisions = Some(self.revisions.clone()),
                // At the target, and still injected by the old revision.
                None => steps.push(PlanStep {
                    id: format!("{}/gateway/{}/{}", member.name(), release.namespace, release.name),
                    component: Component::Gateway,
                    action: StepAction::Upgrade,
                    installer: InstallerKind::Helm,
                    namespace: release.namespace.clone(),
                    release: release.name.clone(),
                    from: release.chart_version.clone(),
                    release_revision: release.revision,
                    workloads: super::running(member, release).workloads,
                    ..self.step(member, to)
                }),
            }
        }
        let install = self.step(member, to);
        if self.tags_are_due {
            steps.push(PlanStep {
                id: format!("{}/tags", install.id),
                action: StepAction::MoveTags,
                ..install.clone()
            });
        }
        if self.validator_is_due {
            let mut bases = member.releases().into_iter();
            steps.extend(
                bases
                    .find(|release| release.component == Component::Base)
                    .map(|base| PlanStep {
                        id: format!("{}/base/{}/{}/validator", member.name(), base.namespace, base.name),
                        component: Component::Base,
                        action: StepAction::MoveTags,
                        namespace: base.namespace.clone(),
                        release: base.name.clone(),
                        release_revision: base.revision,
                        workloads: Vec::new(),
                        ..install.clone()
                    }),
            );
        }
        if !self.is_there {
            steps.push(install);
        }
        steps
    }

    fn removal(&self, member: &ObservedMember<'_>, to: &IstioVersion) -> PlanStep {
        let release = self.release;
        PlanStep {
            id: format!("{}/istiod/{}/{}", member.name(), release.namespace, release.name),
            action: StepAction::Remove,
            release: release.name.clone(),
            release_revision: release.revision,
            workloads: vec![self.old.workload.clone()],
            ..self.step(member, to)
        }
    }
}

/// Helm's count of a release; 0 where there is none.
fn revision_of(member: &ObservedMember<'_>, namespace: &str, name: &str) -> i64 {
    let release = member.observed.helm_release(namespace, name);
    release.map_or(0, |release| release.revision)
}
