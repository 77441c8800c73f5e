//! Why a workload does not become ready, in the scheduler's and the kubelet's own words: an engine knows only that its
//! time has passed.

use super::images::{first, shortened};
use k8s_openapi::{
    api::{
        apps::v1::{DaemonSet, Deployment},
        core::v1::{ContainerState, Pod},
    },
    apimachinery::pkg::apis::meta::v1::LabelSelector,
};
use kube::{
    Api, Client, ResourceExt as _,
    api::ListParams,
    core::{Expression, Selector},
};
use shared::api::{PlanStep, WorkloadKind, WorkloadName};

/// What keeps the pods of a step's workloads from being ready; nothing when no pod says so, or none can be read.
pub(super) async fn why(client: &Client, step: &PlanStep) -> Option<String> {
    let mut reasons = Vec::new();
    for workload in &step.workloads {
        for pod in pods(client, workload).await.unwrap_or_default() {
            reasons.extend(of_pod(&pod));
        }
    }
    (!reasons.is_empty()).then(|| first(&reasons))
}

async fn pods(client: &Client, workload: &WorkloadName) -> Option<Vec<Pod>> {
    let WorkloadName { kind, namespace, name } = workload;
    let selector: LabelSelector = match kind {
        WorkloadKind::Deployment => {
            let api: Api<Deployment> = Api::namespaced(client.clone(), namespace);
            api.get(name).await.ok()?.spec?.selector
        }
        WorkloadKind::DaemonSet => {
            let api: Api<DaemonSet> = Api::namespaced(client.clone(), namespace);
            api.get(name).await.ok()?.spec?.selector
        }
    };
    let labels = selector.match_labels.unwrap_or_default();
    let selector: Selector = labels
        .into_iter()
        .map(|(key, value)| Expression::Equal(key, value))
        .collect();
    let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let found = api.list(&ListParams::default().labels_from(&selector)).await;
    found.ok().map(|list| list.items)
}

/// Why a pod is not ready; `None` for one that is, or that says nothing.
fn of_pod(pod: &Pod) -> Option<String> {
    let status = pod.status.as_ref()?;
    let name = pod.name_any();
    let conditions = status.conditions.as_deref().unwrap_or_default();
    let unscheduled = conditions
        .iter()
        .find(|condition| condition.type_ == "PodScheduled" && condition.status == "False");
    if let Some(condition) = unscheduled {
        let why = shortened(condition.message.as_deref().unwrap_or("the scheduler says no reason"));
        return Some(format!("no node takes pod {name}: {why}"));
    }
    let containers = status
        .init_container_statuses
        .iter()
        .chain(&status.container_statuses)
        .flatten();
    let stuck = containers.filter(|container| !container.ready).find_map(|container| {
        let why = of_state(container.state.as_ref()?)?;
        Some(format!("container {} of pod {name}: {why}", container.name))
    });
    stuck.or_else(|| {
        let unready = conditions
            .iter()
            .find(|condition| condition.type_ == "Ready" && condition.status == "False")?;
        Some(format!(
            "pod {name} is not ready: {}",
            shortened(unready.message.as_deref()?)
        ))
    })
}

fn of_state(state: &ContainerState) -> Option<String> {
    let said = |reason: &Option<String>, message: &Option<String>| {
        let reason = reason.as_deref().filter(|reason| !reason.is_empty())?;
        Some(match message.as_deref() {
            Some(message) => format!("{reason}: {}", shortened(message)),
            None => reason.to_owned(),
        })
    };
    if let Some(waiting) = &state.waiting {
        let begins = matches!(waiting.reason.as_deref(), Some("ContainerCreating" | "PodInitializing"));
        return if begins {
            None
        } else {
            said(&waiting.reason, &waiting.message)
        };
    }
    let ended = state.terminated.as_ref().filter(|ended| ended.exit_code != 0)?;
    said(&ended.reason, &ended.message).map(|why| format!("ended with {}, {why}", ended.exit_code))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[expect(
        clippy::needless_pass_by_value,
        reason = "a literal reads better without a reference"
    )]
    fn said(status: Value) -> Option<String> {
        of_pod(&serde_json::from_value(json!({"metadata": {"name": "istiod-x"}, "status": status})).unwrap())
    }

    fn container(ready: bool, state: &Value) -> Value {
        json!({"name": "discovery", "image": "", "imageID": "", "ready": ready, "restartCount": 0, "state": state})
    }

    #[test]
    fn who_is_not_ready_says_why() {
        let unscheduled = json!({"conditions": [
            {"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available: 3 Insufficient cpu."},
        ]});
        assert_eq!(
            said(unscheduled).unwrap(),
            "no node takes pod istiod-x: 0/3 nodes are available: 3 Insufficient cpu."
        );
        let waiting = json!({"waiting": {"reason": "ImagePullBackOff", "message": "Back-off"}});
        let of = |state| said(json!({"containerStatuses": [container(false, &state)]}));
        assert_eq!(
            of(waiting).unwrap(),
            "container discovery of pod istiod-x: ImagePullBackOff: Back-off"
        );
        assert_eq!(
            of(json!({"terminated": {"exitCode": 137, "reason": "OOMKilled"}})).unwrap(),
            "container discovery of pod istiod-x: ended with 137, OOMKilled"
        );
        let unready = json!({"conditions": [{"type": "Ready", "status": "False", "message": "probe failed"}]});
        assert_eq!(said(unready).unwrap(), "pod istiod-x is not ready: probe failed");
    }

    #[test]
    fn who_is_ready_or_begins_says_nothing() {
        let running = json!({"containerStatuses": [container(true, &json!({"running": {}}))]});
        assert_eq!(said(running), None);
        let begins =
            json!({"containerStatuses": [container(false, &json!({"waiting": {"reason": "ContainerCreating"}}))]});
        assert_eq!(said(begins), None);
        assert_eq!(said(json!({})), None);
    }
}
