//! Whether a step's component has arrived at its target, judged from a fresh observation.

mod due;
mod unseen;

pub use due::{is_due, next_due};
pub use unseen::unseen;

use crate::{
    api::{Component, InstallerKind, PlanStep, Revisions, StepAction, WorkloadKind, WorkloadName},
    canary, gitops,
    inventory::{Observed, Rollout},
    version::IstioVersion,
};

/// How far a component is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// At the target and rolled out; the evidence in a sentence.
    Arrived(String),
    /// Not yet; what is waited for, in a sentence.
    Waiting(String),
}

/// Judges one step in its cluster.
#[must_use]
pub fn of_step(step: &PlanStep, observed: &Observed) -> Arrival {
    if let (Some(revisions), StepAction::MoveTags | StepAction::Remove) = (&step.revisions, step.action) {
        let arrived = match step.action {
            StepAction::Remove => of_removal(step, revisions, observed),
            _ => of_release(step, observed).and_then(|_| canary::moved(step.component, revisions, observed)),
        };
        return arrived.map_or_else(Arrival::Waiting, Arrival::Arrived);
    }
    let evidence = match step.installer {
        InstallerKind::Helm => match of_release(step, observed) {
            Ok(evidence) => evidence,
            Err(what) => return Arrival::Waiting(what),
        },
        InstallerKind::ArgoCd => match of_followed(step, observed) {
            Ok(evidence) => evidence,
            Err(what) => return Arrival::Waiting(what),
        },
        // What is to be merged comes first, and helm's own record last.
        InstallerKind::Flux | InstallerKind::Sail => {
            match of_followed(step, observed).and_then(|said| Ok((said, of_release(step, observed)?))) {
                Ok((said, evidence)) => format!("{evidence}; {said}"),
                Err(what) => return Arrival::Waiting(what),
            }
        }
        InstallerKind::Istioctl => format!(
            "istioctl installed {} as revision {}, {} workloads rolled out",
            step.to,
            step.release,
            step.workloads.len()
        ),
    };
    let missing = step
        .workloads
        .iter()
        .find_map(|workload| missing(step, workload, observed));
    if let Some(what) = missing {
        return Arrival::Waiting(what);
    }
    match by_operator(step).map(|revisions| canary::moved(step.component, revisions, observed)) {
        Some(Ok(moved)) => Arrival::Arrived(format!("{evidence}; {moved}")),
        Some(Err(what)) => Arrival::Waiting(what),
        None => Arrival::Arrived(evidence),
    }
}

/// The revisions of a step by which the Sail Operator brings the new one, and moves its tags to it.
fn by_operator(step: &PlanStep) -> Option<&Revisions> {
    let is_its = step.installer == InstallerKind::Sail && step.action == StepAction::Install;
    step.revisions.as_ref().filter(|_| is_its)
}

/// Whether the old revision is gone and what it brought with it, and the tags that lead to the new one are not.
fn of_removal(step: &PlanStep, revisions: &Revisions, observed: &Observed) -> Result<String, String> {
    if let Some(release) = observed.helm_release(&step.namespace, &step.release) {
        return Err(format!(
            "helm release {} to be gone (now {})",
            step.release, release.status
        ));
    }
    if let Some(workload) = step
        .workloads
        .iter()
        .find(|workload| seen(workload, observed).is_some())
    {
        return Err(format!(
            "{} {}/{} to be gone",
            workload.kind.as_str(),
            workload.namespace,
            workload.name
        ));
    }
    let owner = Some((step.namespace.clone(), step.release.clone()));
    let mut webhooks = observed.surroundings.iter().flat_map(|around| &around.webhooks);
    if let Some(webhook) = webhooks.find(|webhook| webhook.helm_release == owner) {
        return Err(format!("{} to be gone", webhook.configuration));
    }
    let moved = canary::moved(step.component, revisions, observed)?;
    // Where tags had to be brought again, a helm that was killed in between has left it pending.
    match observed.helm_release(&step.namespace, &revisions.new_release) {
        Some(release) if release.status == "deployed" => Ok(format!("revision {} is gone; {moved}", revisions.old)),
        Some(release) => Err(format!(
            "helm release {} to be deployed (now {})",
            release.name, release.status
        )),
        None => Err(format!(
            "helm release {}/{} to be found",
            step.namespace, revisions.new_release
        )),
    }
}

/// What a GitOps controller says of a step; what is waited for when it has not brought the target yet.
fn of_followed(step: &PlanStep, observed: &Observed) -> Result<String, String> {
    let Some(followed) = gitops::of_step(observed, step) else {
        return Err(format!("the object that brings {} to be found", step.told()));
    };
    match (followed.arrival(&step.to), &followed.obstacle) {
        (Arrival::Arrived(evidence), _) => Ok(evidence),
        (Arrival::Waiting(_), Some(obstacle)) => Err(format!("{} to go on: {obstacle}", followed.told())),
        (Arrival::Waiting(what), None) => Err(what),
    }
}

/// What helm's storage says of a step; what is waited for when it is not there yet.
fn of_release(step: &PlanStep, observed: &Observed) -> Result<String, String> {
    let release = observed.helm_release(&step.namespace, &step.release);
    let Some(release) = release else {
        return Err(format!("helm release {}/{} to be found", step.namespace, step.release));
    };
    if release.chart_version.trim_start_matches('v') != step.to {
        return Err(format!(
            "helm release {} to hold chart {} (now {})",
            step.release, step.to, release.chart_version
        ));
    }
    if release.status != "deployed" {
        return Err(format!(
            "helm release {} to be deployed (now {})",
            step.release, release.status
        ));
    }
    let named = release.settings.revision.as_ref();
    let follows = step.revisions.as_ref().map(|revisions| &revisions.new);
    if step.component == Component::Gateway && follows.is_some_and(|follows| named != Some(follows)) {
        return Err(format!("helm release {} to name the new revision", step.release));
    }
    Ok(format!(
        "chart {} {} deployed as revision {}",
        step.chart(),
        step.to,
        release.revision
    ))
}

/// How many pods of a step's workloads are at its target and ready.
#[must_use]
pub fn rolled_out(step: &PlanStep, observed: &Observed) -> i64 {
    let found = step.workloads.iter().filter_map(|workload| seen(workload, observed));
    // What a controller has not looked at yet are the counts of what ran before.
    let new = found.filter(|(image, rollout)| rollout.observed && is_at_target(image, step));
    new.map(|(_, rollout)| i64::from(rollout.ready.min(rollout.updated)))
        .fold(0, i64::saturating_add)
}

/// An injected gateway gets its image from istiod: its template names none.
fn is_at_target(image: &str, step: &PlanStep) -> bool {
    image == "auto" || IstioVersion::from_image(image).is_ok_and(|version| version.to_string() == step.to)
}

/// What a workload still lacks; `None` when it has arrived.
fn missing(step: &PlanStep, workload: &WorkloadName, observed: &Observed) -> Option<String> {
    of_workload(step, workload, seen(workload, observed)).err()
}

/// Judges one workload of a step, by its image and its rollout where it is there at all.
///
/// # Errors
/// What it still lacks, in a sentence.
pub fn of_workload(step: &PlanStep, workload: &WorkloadName, found: Option<(&str, Rollout)>) -> Result<(), String> {
    let shown = format!("{} {}/{}", workload.kind.as_str(), workload.namespace, workload.name);
    let Some((image, rollout)) = found else {
        return Err(format!("{shown} to be found"));
    };
    if !is_at_target(image, step) {
        return Err(format!("{shown} to run {} (now {image})", step.to));
    }
    if !rollout.is_complete() {
        let pods = if workload.kind == WorkloadKind::DaemonSet {
            "nodes"
        } else {
            "pods"
        };
        return Err(format!(
            "{shown} to roll out ({}/{} {pods} ready and new)",
            rollout.ready.min(rollout.updated),
            rollout.desired
        ));
    }
    Ok(())
}

fn seen<'a>(workload: &WorkloadName, observed: &'a Observed) -> Option<(&'a str, Rollout)> {
    let planes = observed.control_planes.iter();
    let planes = planes.map(|plane| (&plane.workload, &plane.image, plane.rollout));
    let nodes = observed.node_components.iter();
    let nodes = nodes.map(|node| (&node.workload, &node.image, node.rollout));
    let gateways = observed.gateways.iter();
    let gateways = gateways.map(|gateway| (&gateway.workload, &gateway.image, gateway.rollout));
    let vendors = observed.vendor_components.iter();
    let vendors = vendors.map(|found| (&found.workload, &found.image, found.rollout));
    let mut all = planes.chain(nodes).chain(gateways).chain(vendors);
    all.find(|(name, ..)| *name == workload)
        .map(|(_, image, rollout)| (image.as_str(), rollout))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::sample;

    #[test]
    fn pods_count_that_are_new_and_ready() {
        let workload = sample::workload(WorkloadKind::DaemonSet, "istio-system", "ztunnel");
        let step = PlanStep {
            component: Component::Ztunnel,
            workloads: vec![workload.clone()],
            ..crate::machine::tests::spec().plan.steps[0].clone()
        };
        let rollout = |updated: i32, ready: i32, observed: bool| Rollout {
            desired: 200,
            updated,
            ready,
            observed,
        };
        for (image, rollout, expected) in [
            ("x/ztunnel:1.30.3", rollout(200, 200, true), 0),
            // Its template is new, and its counts are those of the old one.
            ("x/ztunnel:1.31.0", rollout(200, 200, false), 0),
            ("x/ztunnel:1.31.0", rollout(12, 199, true), 12),
            ("x/ztunnel:1.31.0", rollout(200, 199, true), 199),
        ] {
            let mut inventory = sample::one("1.30.3", "v1.36.3");
            let mut node = sample::node(Component::Ztunnel, "1.30.3");
            node.workload = workload.clone();
            (node.image, node.rollout) = (image.to_owned(), rollout);
            inventory.seen(0).node_components = vec![node];
            assert_eq!(rolled_out(&step, inventory.seen(0)), expected, "{image} {rollout:?}");
        }
    }
}
