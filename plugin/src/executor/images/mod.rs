//! Pulls the target's images before anything is frozen: a short-lived pod for each image and node.
//!
//! Istio's images have no shell; each pod runs its binary's own version command. Whether it succeeds does not matter,
//! only whether the kubelet could get the image.

use super::settle;
use crate::{
    cluster::Cluster,
    error::{api_code, api_message},
};
use futures::{StreamExt as _, stream};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::{
    Api, Client,
    api::{DeleteParams, ListParams, PostParams},
};
use serde_json::json;
use shared::names;
use std::time::Duration;

const DEADLINE: Duration = Duration::from_secs(300);
/// Pods at one time: a registry's rate limit is met sooner than a scheduler's.
const AT_ONCE: usize = 16;

/// Pulls every image on every node that can be scheduled to. Returns the evidence in a sentence.
///
/// # Errors
/// One line naming each image and node that failed, with the kubelet's reason.
pub async fn pull(cluster: &Cluster, client: &Client, namespace: &str, images: &[String]) -> Result<String, String> {
    let nodes = schedulable_nodes(&cluster.client).await?;
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    clear(&pods).await?;
    let jobs: Vec<(usize, &String, usize, &String)> = images
        .iter()
        .enumerate()
        .flat_map(|(i, image)| nodes.iter().enumerate().map(move |(n, node)| (i, image, n, node)))
        .collect();
    let results: Vec<Result<(), String>> = stream::iter(jobs)
        .map(|(i, image, n, node)| {
            let pods = pods.clone();
            async move {
                let name = format!("mesh-upgrade-pull-{i}-{n}");
                let result = pull_one(&pods, &name, image, node).await;
                settle(pods.delete(&name, &DeleteParams::default().grace_period(0)).await)?;
                result.map_err(|why| format!("{image} on node {node}: {why}"))
            }
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let failures: Vec<String> = results.into_iter().filter_map(Result::err).collect();
    if failures.is_empty() {
        return Ok(format!("{} images pulled on {} nodes", images.len(), nodes.len()));
    }
    Err(format!("images cannot be pulled: {}", failures.join("; ")))
}

async fn schedulable_nodes(client: &Client) -> Result<Vec<String>, String> {
    let nodes: Api<Node> = Api::all(client.clone());
    let list = nodes.list(&ListParams::default()).await;
    let list = list.map_err(|error| format!("cannot list nodes: {}", api_message(&error)))?;
    let schedulable = |node: &Node| !node.spec.as_ref().and_then(|spec| spec.unschedulable).unwrap_or(false);
    let names: Vec<String> = list
        .items
        .into_iter()
        .filter(schedulable)
        .filter_map(|node| node.metadata.name)
        .collect();
    if names.is_empty() {
        Err("there is no node that pods can be scheduled to".to_owned())
    } else {
        Ok(names)
    }
}

/// What a killed driver may have left.
async fn clear(pods: &Api<Pod>) -> Result<(), String> {
    let ours = ListParams::default().labels(&format!(
        "{}={},app=mesh-upgrade-pull",
        names::LABEL_PART_OF,
        names::PART_OF
    ));
    let left = pods.list_metadata(&ours).await.map_err(|error| api_message(&error))?;
    for pod in left.items {
        if let Some(name) = pod.metadata.name {
            settle(pods.delete(&name, &DeleteParams::default().grace_period(0)).await)?;
        }
    }
    Ok(())
}

async fn pull_one(pods: &Api<Pod>, name: &str, image: &str, node: &str) -> Result<(), String> {
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": name,
            "labels": {
                names::LABEL_PART_OF: names::PART_OF, "app": "mesh-upgrade-pull", "sidecar.istio.io/inject": "false",
            },
        },
        "spec": {
            "nodeName": node, "restartPolicy": "Never", "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": false, "enableServiceLinks": false,
            "tolerations": [{ "operator": "Exists" }],
            "securityContext": { "runAsNonRoot": true, "runAsUser": 1337, "seccompProfile": { "type": "RuntimeDefault" } },
            "containers": [{
                "name": "pull", "image": image, "imagePullPolicy": "IfNotPresent", "args": ["version"],
                "resources": { "requests": { "cpu": "1m", "memory": "8Mi" } },
                "securityContext": { "allowPrivilegeEscalation": false, "capabilities": { "drop": ["ALL"] } },
            }],
        },
    });
    let pod = serde_json::from_value(pod).map_err(|error| error.to_string())?;
    match pods.create(&PostParams::default(), &pod).await {
        Ok(_) => {}
        Err(error) if api_code(&error) == 409 => {}
        Err(error) => return Err(format!("cannot create the pod that pulls it: {}", api_message(&error))),
    }
    let pulled = async {
        loop {
            match pods.get_opt(name).await {
                Ok(Some(pod)) => match verdict(&pod) {
                    Some(verdict) => return verdict,
                    None => tokio::time::sleep(Duration::from_millis(200)).await,
                },
                Ok(None) => return Err("the pod that pulls it was deleted by somebody else".to_owned()),
                Err(error) => return Err(api_message(&error)),
            }
        }
    };
    let timed = tokio::time::timeout(DEADLINE, pulled).await;
    timed.unwrap_or_else(|_| Err(format!("not pulled within {} s", DEADLINE.as_secs())))
}

/// `None` while the kubelet is still at it. A first failed try may be a hiccup; the back-off says it was not.
fn verdict(pod: &Pod) -> Option<Result<(), String>> {
    let status = pod.status.as_ref()?;
    let state = status.container_statuses.as_ref()?.first()?.state.as_ref()?;
    if state.running.is_some() || state.terminated.is_some() {
        return Some(Ok(()));
    }
    let waiting = state.waiting.as_ref()?;
    match waiting.reason.as_deref() {
        Some(reason @ ("ImagePullBackOff" | "InvalidImageName" | "ErrImageNeverPull" | "ErrImagePull")) => Some(Err(
            format!("{reason}: {}", waiting.message.as_deref().unwrap_or("no message")),
        )),
        // The image is there; that its process cannot start is not our question.
        Some("CrashLoopBackOff" | "RunContainerError" | "CreateContainerError") => Some(Ok(())),
        _ => None,
    }
}
