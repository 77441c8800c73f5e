//! Drift: what has changed since a plan was made, so that it may not be performed as it stands.

use crate::{
    api::{InstallerKind, Plan, PlanStep},
    gitops,
    inventory::{ClusterState, HelmRelease, Inventory, Observed},
    version::IstioVersion,
};

/// What no longer is as the plan found it, a sentence each; empty when the plan still holds.
#[must_use]
pub fn drift(plan: &Plan, inventory: &Inventory) -> Vec<String> {
    let mut changes = Vec::new();
    for planned in &plan.clusters {
        let name = &planned.name;
        let found = inventory.cluster(name);
        let observed = match found.map(|cluster| &cluster.state) {
            None => {
                changes.push(format!("cluster {name} is not among those that were asked"));
                continue;
            }
            Some(ClusterState::Unknown { reason }) => {
                changes.push(format!("cluster {name} could not be observed: {reason}"));
                continue;
            }
            Some(ClusterState::Observed(observed)) => observed,
        };
        if observed.uid != planned.uid {
            changes.push(format!(
                "cluster {name} is another one: its kube-system had the UID {}, now {}",
                planned.uid, observed.uid
            ));
            continue;
        }
        for step in plan.steps.iter().filter(|step| step.cluster == *name) {
            changes.extend(step_drift(step, observed));
        }
    }
    changes
}

fn step_drift(step: &PlanStep, observed: &Observed) -> Vec<String> {
    let place = format!("{} of {}", step.told(), step.cluster);
    let (versions, from) = (versions(step, observed), &step.from);
    let mut changes = Vec::new();
    match step.installer {
        InstallerKind::Helm | InstallerKind::Flux | InstallerKind::Sail => {
            let found = observed.helm_release(&step.namespace, &step.release);
            let Some(found) = found.or_else(|| beside(step, observed)) else {
                return vec![format!("{place} is gone")];
            };
            // The Sail Operator has helm upgrade at each of its rounds.
            let is_counted = step.installer != InstallerKind::Sail && found.name == step.release;
            if is_counted && found.revision != step.release_revision {
                changes.push(format!(
                    "{place} was at revision {}, now {}",
                    step.release_revision, found.revision
                ));
            }
            if versions.is_empty()
                && step.workloads.is_empty()
                && step.revisions.is_none()
                && found.chart_version != *from
            {
                changes.push(format!("{place} was at {from}, now {}", found.chart_version));
            }
        }
        InstallerKind::ArgoCd => {
            let Some(followed) = gitops::of_step(observed, step) else {
                return vec![format!("{place} is gone")];
            };
            let chart = followed.progress.version.as_deref();
            if let Some(chart) = chart.filter(|chart| versions.is_empty() && chart != from) {
                changes.push(format!("{place} was at {from}, now {chart}"));
            }
        }
        InstallerKind::Istioctl if versions.is_empty() => return vec![format!("{place} is gone")],
        InstallerKind::Istioctl => {}
    }
    if !versions.is_empty() && step.revisions.is_none() && !versions.contains(from) {
        changes.push(format!(
            "{} of {} ran {from}, now {}",
            step.component,
            step.cluster,
            versions.join(", ")
        ));
    }
    changes
}

/// The release that a new revision is installed beside, or has its tags from, while it is not there itself.
fn beside<'a>(step: &PlanStep, observed: &'a Observed) -> Option<&'a HelmRelease> {
    let revisions = step.revisions.as_ref().filter(|_| step.release_revision == 0)?;
    observed.helm_release(&step.namespace, &revisions.old_release)
}

/// Versions of the workloads that a step rolls out.
fn versions(step: &PlanStep, observed: &Observed) -> Vec<String> {
    let shown = |version: &Option<IstioVersion>, raw: &str| {
        version.as_ref().map_or_else(|| raw.to_owned(), ToString::to_string)
    };
    let planes = observed
        .control_planes
        .iter()
        .map(|plane| (&plane.workload, &plane.version));
    let nodes = observed
        .node_components
        .iter()
        .map(|node| (&node.workload, &node.version));
    planes
        .chain(nodes)
        .filter(|(workload, _)| step.workloads.contains(workload))
        .map(|(_, version)| shown(&version.version, &version.raw))
        .collect()
}
