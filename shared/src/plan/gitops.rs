//! Steps for what Argo CD brings: one for each Application, which somebody else merges for.

use super::{PlanError, judge, oldest};
use crate::{
    api::{Controller, InstallerKind, ObjectName, PlanStep, Revisions},
    catalog::Catalog,
    gitops::{self, revision_object},
    mesh::{MeshView, ObservedMember},
    version::{IstioVersion, Move},
};

/// Steps of a member's Applications that are not at the target.
pub(super) fn due(
    mesh: &MeshView,
    member: &ObservedMember<'_>,
    target: &IstioVersion,
    catalog: &Catalog,
) -> Result<Vec<PlanStep>, PlanError> {
    let mut steps = Vec::new();
    for brought in member.brought() {
        let (followed, component) = (brought.followed, brought.component);
        let place = format!("{component} of {}, {}", member.name(), followed.told());
        let oldest = oldest(mesh, &place, &brought.versions, target, catalog)?;
        let has_come = followed.progress.version.as_deref();
        let chart: Option<IstioVersion> = has_come.and_then(|version| version.parse().ok());
        if let Some(chart) = &chart
            && Move::between(chart, target) == Move::Downgrade
        {
            judge(mesh, &place, chart, target, catalog)?;
        }
        let is_merged = followed
            .sources
            .iter()
            .all(|source| source.version.as_deref() == has_come);
        if is_merged && chart.as_ref() == Some(target) && oldest.is_none_or(|version| version == target) {
            continue;
        }
        let from = oldest.or(chart.as_ref()).map(ToString::to_string).unwrap_or_default();
        let application = ObjectName {
            namespace: followed.namespace.clone(),
            name: followed.name.clone(),
        };
        let (argo_cd, to) = (InstallerKind::ArgoCd, target.to_string());
        steps.push(PlanStep {
            workloads: brought.workloads,
            ..PlanStep::upgrade(member.name(), component, argo_cd, application, from, to)
        });
    }
    Ok(steps)
}

/// Controllers that these steps wait for, each with what is its own.
pub(super) fn controllers(member: &ObservedMember<'_>, steps: &[PlanStep]) -> Vec<Controller> {
    let waited_for = steps.iter().flat_map(|step| {
        let followed = gitops::of_step(member.observed, step)?;
        let user = followed.user.clone()?;
        let brings = Controller {
            user: user.clone(),
            step: step.id.clone(),
            version: step.to.clone(),
            helm_releases: followed.release.iter().cloned().collect(),
            applications: followed.marks(),
            operator_objects: followed.revision().into_iter().collect(),
        };
        Some(match &step.revisions {
            Some(revisions) => of_revisions(step, revisions, brings),
            None => vec![brings],
        })
    });
    waited_for.flatten().collect()
}

/// The Sail Operator brings a new revision, and takes the old one away where nothing refers to it, in the same round.
fn of_revisions(step: &PlanStep, revisions: &Revisions, brings: Controller) -> Vec<Controller> {
    let of = |name: &str| ObjectName {
        namespace: step.namespace.clone(),
        name: name.to_owned(),
    };
    let takes_away = Controller {
        version: String::new(),
        helm_releases: vec![of(&revisions.old_release)],
        operator_objects: vec![revision_object(&revisions.old)],
        ..brings.clone()
    };
    let brings = Controller {
        helm_releases: vec![of(&step.release)],
        operator_objects: vec![revision_object(&revisions.new)],
        ..brings
    };
    vec![brings, takes_away]
}
