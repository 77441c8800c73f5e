//! What one step waits for, by a look at its workloads alone: little enough to be asked again and again while an engine runs.

use super::workloads::{of_daemon_set, of_deployment};
use k8s_openapi::api::{
    apps::v1::{DaemonSet, Deployment},
    core::v1::PodTemplateSpec,
};
use kube::{Api, Client};
use shared::{
    api::{PlanStep, StepAction, WorkloadKind, WorkloadName},
    arrival,
    inventory::Rollout,
};
use std::time::Duration;

/// Containers that tell the version of a component of Istio; elsewhere the first one does.
const TELLING: [&str; 3] = ["discovery", "install-cni", "istio-proxy"];
/// An answer that takes longer tells nothing that is still true.
const ASKED_WITHIN: Duration = Duration::from_secs(4);

/// The first of a step's workloads that has not arrived, and what it lacks. Nothing where all have, where the step rolls out
/// none, or where it cannot be seen.
pub async fn awaited(client: &Client, step: &PlanStep) -> Option<String> {
    if !matches!(step.action, StepAction::Upgrade | StepAction::Install) {
        return None;
    }
    let looking = async {
        for workload in &step.workloads {
            let found = look(client, workload).await?;
            let found = found.as_ref().map(|(image, rollout)| (image.as_str(), *rollout));
            if let Err(what) = arrival::of_workload(step, workload, found) {
                return Ok(Some(what));
            }
        }
        Ok::<_, kube::Error>(None)
    };
    match tokio::time::timeout(ASKED_WITHIN, looking).await {
        Ok(Ok(what)) => what,
        Ok(Err(error)) => {
            tracing::debug!(%error, step = step.id, "what it waits for was not seen");
            None
        }
        Err(_) => None,
    }
}

async fn look(client: &Client, workload: &WorkloadName) -> Result<Option<(String, Rollout)>, kube::Error> {
    let WorkloadName { kind, namespace, name } = workload;
    Ok(match kind {
        WorkloadKind::Deployment => {
            let found: Option<Deployment> = Api::namespaced(client.clone(), namespace).get_opt(name).await?;
            found.map(|found| {
                let template = found.spec.as_ref().map(|spec| &spec.template);
                (template.map(image).unwrap_or_default(), of_deployment(&found))
            })
        }
        WorkloadKind::DaemonSet => {
            let found: Option<DaemonSet> = Api::namespaced(client.clone(), namespace).get_opt(name).await?;
            found.map(|found| {
                let template = found.spec.as_ref().map(|spec| &spec.template);
                (template.map(image).unwrap_or_default(), of_daemon_set(&found))
            })
        }
    })
}

/// The image that tells the version.
fn image(template: &PodTemplateSpec) -> String {
    let containers = template.spec.as_ref().map(|spec| spec.containers.as_slice());
    let containers = containers.unwrap_or_default();
    let telling = containers
        .iter()
        .find(|container| TELLING.contains(&container.name.as_str()));
    let telling = telling.or_else(|| containers.first());
    telling
        .and_then(|container| container.image.clone())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{Request, Response};
    use kube::client::Body;
    use serde_json::{Value, json};
    use shared::api::{Component, InstallerKind, ObjectName};

    fn step(action: StepAction) -> PlanStep {
        let workload = |name: &str| WorkloadName {
            kind: WorkloadKind::Deployment,
            namespace: "istio-system".to_owned(),
            name: name.to_owned(),
        };
        let at = ObjectName {
            namespace: "istio-system".to_owned(),
            name: "istiod".to_owned(),
        };
        PlanStep {
            action,
            workloads: vec![workload("first"), workload("second")],
            ..PlanStep::upgrade("east", Component::Istiod, InstallerKind::Helm, at, "1.30.3", "1.31.0")
        }
    }

    fn deployment(version: &str, ready: i32) -> Value {
        json!({
            "metadata": { "generation": 2 },
            "spec": { "replicas": 1, "selector": {}, "template": { "spec": { "containers": [
                { "name": "injected-by-somebody", "image": "x/agent:9" },
                { "name": "discovery", "image": format!("x/pilot:{version}") },
            ] } } },
            "status": { "observedGeneration": 2, "replicas": 1, "updatedReplicas": 1, "readyReplicas": ready },
        })
    }

    /// A server with these two; none is there where nothing is given.
    fn server(first: Option<Value>, second: Option<Value>) -> Client {
        let server = tower::service_fn(move |request: Request<Body>| {
            let asked = if request.uri().path().ends_with("/first") {
                &first
            } else {
                &second
            };
            let gone =
                json!({ "kind": "Status", "status": "Failure", "reason": "NotFound", "message": "gone", "code": 404 });
            let code = if asked.is_some() { 200 } else { 404 };
            let body = asked.clone().unwrap_or(gone).to_string().into_bytes();
            async move { Response::builder().status(code).body(Body::from(body)) }
        });
        Client::new(server, "default")
    }

    #[tokio::test]
    async fn the_first_that_has_not_arrived_is_waited_for() {
        let arrived = || Some(deployment("1.31.0", 1));
        for (first, second, expected) in [
            (arrived(), arrived(), None),
            (None, arrived(), Some("Deployment istio-system/first to be found")),
            (
                Some(deployment("1.30.3", 1)),
                arrived(),
                Some("Deployment istio-system/first to run 1.31.0 (now x/pilot:1.30.3)"),
            ),
            (
                arrived(),
                Some(deployment("1.31.0", 0)),
                Some("Deployment istio-system/second to roll out (0/1 pods ready and new)"),
            ),
        ] {
            let client = server(first, second);
            assert_eq!(awaited(&client, &step(StepAction::Upgrade)).await.as_deref(), expected);
            // What is to go is not waited for to come.
            assert_eq!(awaited(&client, &step(StepAction::Remove)).await, None);
        }
    }
}
