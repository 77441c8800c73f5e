//! Whether a step's component has arrived at its target, judged from a fresh observation.

use crate::{
    api::{Component, PlanStep, WorkloadKind, WorkloadName},
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
    let waiting = |what: String| Arrival::Waiting(what);
    let release = observed
        .helm_releases
        .iter()
        .find(|release| release.namespace == step.namespace && release.name == step.release);
    let Some(release) = release else {
        return waiting(format!("helm release {}/{} to be found", step.namespace, step.release));
    };
    if release.chart_version.trim_start_matches('v') != step.to {
        return waiting(format!(
            "helm release {} to hold chart {} (now {})",
            step.release, step.to, release.chart_version
        ));
    }
    if release.status != "deployed" {
        return waiting(format!(
            "helm release {} to be deployed (now {})",
            step.release, release.status
        ));
    }
    for workload in &step.workloads {
        if let Some(what) = missing(step, workload, observed) {
            return waiting(what);
        }
    }
    Arrival::Arrived(format!(
        "chart {} {} deployed as revision {}",
        step.component, step.to, release.revision
    ))
}

/// What a workload still lacks; `None` when it has arrived.
fn missing(step: &PlanStep, workload: &WorkloadName, observed: &Observed) -> Option<String> {
    let shown = format!("{} {}/{}", workload.kind.as_str(), workload.namespace, workload.name);
    let Some((image, rollout)) = seen(step.component, workload, observed) else {
        return Some(format!("{shown} to be found"));
    };
    // An injected gateway gets its image from istiod: its template names none.
    if image != "auto" && IstioVersion::from_image(image).map(|version| version.to_string()) != Ok(step.to.clone()) {
        return Some(format!("{shown} to run {} (now {image})", step.to));
    }
    if !rollout.is_complete() {
        let pods = if workload.kind == WorkloadKind::DaemonSet {
            "nodes"
        } else {
            "pods"
        };
        return Some(format!(
            "{shown} to roll out ({}/{} {pods} ready and new)",
            rollout.ready.min(rollout.updated),
            rollout.desired
        ));
    }
    None
}

fn seen<'a>(component: Component, workload: &WorkloadName, observed: &'a Observed) -> Option<(&'a str, Rollout)> {
    match component {
        Component::Base => None,
        Component::Istiod => {
            let found = observed
                .control_planes
                .iter()
                .find(|plane| plane.workload == *workload)?;
            Some((&found.image, found.rollout))
        }
        Component::Cni | Component::Ztunnel => {
            let found = observed
                .node_components
                .iter()
                .find(|node| node.workload == *workload)?;
            Some((&found.image, found.rollout))
        }
        Component::Gateway => {
            let found = observed.gateways.iter().find(|gateway| gateway.workload == *workload)?;
            Some((&found.image, found.rollout))
        }
    }
}
