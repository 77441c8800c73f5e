//! Pulls the target's images before anything is frozen: a short-lived pod on each node, with a container for each image.
//!
//! Istio's images have no shell; each container runs its binary's own version command. Whether it succeeds does not
//! matter, only whether the kubelet could get the image.

mod node;
mod secrets;
mod verdict;

use super::{is_transient, pauses::Pauses, restricted, settle};
use crate::{
    cluster::Cluster,
    error::{api_code, api_message},
};
use futures::{StreamExt as _, stream};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::{
    Api, Client, ResourceExt as _,
    api::{DeleteParams, ListParams, PostParams},
};
use node::Asked;
use serde_json::{Value, json};
use shared::{
    api::{PlanCluster, WorkloadKind},
    names,
};
use std::{
    collections::BTreeSet,
    future::Future,
    time::{Duration, Instant},
};
use verdict::{Failure, Judged};
pub(super) use verdict::{first, shortened};

const DEADLINE: Duration = Duration::from_secs(300);
/// How long calls around the pulls are tried again while the API server restarts.
const PATIENCE: Duration = Duration::from_secs(120);
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Nodes at one time: a registry's rate limit is met sooner than the API server's.
const AT_ONCE: usize = 32;
/// Nodes in one page of the list.
const PAGE: u32 = 500;
/// Label `app` of the pods that pull.
pub const APP: &str = "mesh-upgrade-pull";

/// The namespace in which pods pull in a cluster.
#[must_use]
pub fn place(planned: &PlanCluster) -> &str {
    let namespaces = &planned.scope.istio_namespaces;
    namespaces.first().map_or("istio-system", String::as_str)
}

/// Pulls every image on every ready linux node that can be scheduled to, and on cordoned ones where DaemonSets are upgraded.
/// Returns the evidence in a sentence.
///
/// # Errors
/// One line that counts what failed and names the first images and nodes, with the kubelet's reasons.
pub async fn pull(
    cluster: &Cluster,
    client: &Client,
    planned: &PlanCluster,
    images: &[String],
) -> Result<String, String> {
    let namespace = place(planned);
    let images: Vec<&String> = images.iter().collect::<BTreeSet<_>>().into_iter().collect();
    if images.is_empty() {
        return Ok(format!("{}: the plan names no image to pull", cluster.name));
    }
    let workloads = &planned.scope.workloads;
    let on_all = workloads.iter().any(|one| one.kind == WorkloadKind::DaemonSet);
    let place = Place {
        pods: Api::namespaced(client.clone(), namespace),
        nodes: Api::all(client.clone()),
        asked: if on_all { Asked::Cordoned } else { Asked::Schedulable },
    };
    let ((asked, mut passed_over), secrets, ()) = tokio::try_join!(
        nodes(client, place.asked),
        secrets::of_mesh(client, namespace, workloads),
        clear(&place.pods)
    )?;
    if asked.is_empty() {
        return Err(format!(
            "{}: there is no ready linux node that pods can be scheduled to{}",
            cluster.name,
            told(&passed_over)
        ));
    }
    let results: Vec<OnNode> = stream::iter(asked.iter().enumerate())
        .map(|(n, node)| on_node(&place, format!("{APP}-{n}"), node, &images, &secrets))
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let (mut failures, mut left, mut pulled) = (Vec::new(), Vec::new(), 0_usize);
    for one in results {
        match one.passed_over {
            Some(why) => passed_over.push(why),
            None => pulled += 1,
        }
        failures.extend(one.failures);
        left.extend(one.left);
    }
    let passed_over = told(&passed_over);
    let left = match left.len() {
        0 => String::new(),
        _ => format!("; pods left in namespace {namespace}: {}", verdict::first(&left)),
    };
    if !failures.is_empty() {
        let why = verdict::sentence(&failures, images.len(), pulled);
        return Err(format!("{}: {why}{passed_over}{left}", cluster.name));
    }
    if pulled == 0 {
        return Err(format!(
            "{}: no node was left to pull the images{passed_over}{left}",
            cluster.name
        ));
    }
    Ok(format!(
        "{}: {} images pulled on {pulled} nodes{passed_over}{left}",
        cluster.name,
        images.len()
    ))
}

/// Nodes that do not count, in brackets; empty where there are none.
fn told(passed_over: &[String]) -> String {
    match passed_over.len() {
        0 => String::new(),
        many => format!(" ({many} passed over: {})", verdict::first(passed_over)),
    }
}

/// Names of the nodes to ask, and of the others with the reason.
async fn nodes(client: &Client, which: Asked) -> Result<(Vec<String>, Vec<String>), String> {
    let api: Api<Node> = Api::all(client.clone());
    let (mut asked, mut passed_over) = (Vec::new(), Vec::new());
    let mut page = ListParams::default().limit(PAGE);
    loop {
        let list = patiently(|| api.list(&page)).await;
        let list = list.map_err(|error| format!("cannot list nodes: {}", api_message(&error)))?;
        for node in &list.items {
            match node::not_asked(node, which) {
                None => asked.push(node.name_any()),
                Some(why) => passed_over.push(format!("{} {why}", node.name_any())),
            }
        }
        match list.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => page = page.continue_token(&token),
            None => return Ok((asked, passed_over)),
        }
    }
}

/// Takes away the pods of a pull that was cut short, for whoever does not pull again.
///
/// # Errors
/// What may be left, and why.
pub async fn take_away(client: &Client, namespace: &str) -> Result<(), String> {
    clear(&Api::namespaced(client.clone(), namespace)).await
}

/// What a killed driver may have left: each goes that can.
async fn clear(pods: &Api<Pod>) -> Result<(), String> {
    let ours = ListParams::default().labels(&format!("{}={},app={APP}", names::LABEL_PART_OF, names::PART_OF));
    let found = patiently(|| pods.list_metadata(&ours)).await;
    let found = found.map_err(|error| format!("cannot list pods of an earlier try: {}", api_message(&error)))?;
    let mut left = Vec::new();
    for pod in found.items {
        let name = pod.name_any();
        if let Err(why) = remove(pods, &name).await {
            left.push(format!("{name} ({why})"));
        }
    }
    if left.is_empty() {
        return Ok(());
    }
    Err(format!(
        "cannot delete pods of an earlier try: {}",
        verdict::first(&left)
    ))
}

async fn remove(pods: &Api<Pod>, name: &str) -> Result<(), String> {
    let now = DeleteParams::default().grace_period(0);
    settle(patiently(|| pods.delete(name, &now)).await)
}

/// Where pods are made, and the nodes that they are made for.
struct Place {
    pods: Api<Pod>,
    nodes: Api<Node>,
    asked: Asked,
}

/// What came of one node.
struct OnNode {
    failures: Vec<Failure>,
    /// The node and why it does not count: what failed on it says nothing of the images.
    passed_over: Option<String>,
    /// The pod, where it could not be deleted.
    left: Option<String>,
}

/// Pulls on one node. Nodes are listed once and come and go meanwhile, so whatever fails is held against a second look at
/// its node.
async fn on_node(place: &Place, name: String, node: &str, images: &[&String], secrets: &[Value]) -> OnNode {
    let (mut failures, mut passed_over) = (Vec::new(), None);
    match pull_on(&place.pods, &name, node, images, secrets).await {
        Ok(Judged::Pulled) => {}
        Ok(Judged::Failed(found)) => failures = found,
        Ok(Judged::Refused(why)) => passed_over = Some(format!("{node} {why}")),
        Err(reason) => failures.extend(images.iter().map(|image| Failure {
            image: (*image).clone(),
            node: node.to_owned(),
            reason: reason.clone(),
        })),
    }
    if !failures.is_empty()
        && let Ok(now) = patiently(|| place.nodes.get_opt(node)).await
        && let Some(why) = node::gone(now.as_ref(), place.asked)
    {
        failures.clear();
        passed_over = Some(format!("{node} {why}"));
    }
    let left = remove(&place.pods, &name).await.err();
    OnNode {
        failures,
        passed_over,
        left: left.map(|why| format!("{name} ({why})")),
    }
}

async fn pull_on(
    pods: &Api<Pod>,
    name: &str,
    node: &str,
    images: &[&String],
    secrets: &[Value],
) -> Result<Judged, String> {
    let pod = serde_json::from_value(manifest(name, node, images, secrets)).map_err(|error| error.to_string())?;
    let creation = PostParams::default();
    match patiently(|| pods.create(&creation, &pod)).await {
        Ok(_) => {}
        // A lost answer to a first try.
        Err(error) if api_code(&error) == 409 => {}
        Err(error) => return Err(format!("cannot create the pod that pulls it: {}", api_message(&error))),
    }
    let started = Instant::now();
    let mut pauses = Pauses::up_to(LOOK_EVERY);
    let mut trouble = None;
    let mut last = None;
    while started.elapsed() < DEADLINE {
        match pods.get_opt(name).await {
            Ok(Some(pod)) => {
                if let Some(judged) = verdict::of_pod(&pod, node) {
                    return Ok(judged);
                }
                last = Some(pod);
            }
            Ok(None) => return Err("the pod that pulls it was deleted by somebody else".to_owned()),
            Err(error) if is_transient(&error) => trouble = Some(api_message(&error)),
            Err(error) => return Err(api_message(&error)),
        }
        pauses.pause().await;
    }
    match last {
        Some(pod) => Ok(verdict::at_deadline(&pod, node, DEADLINE.as_secs())),
        None => Err(trouble.unwrap_or_else(|| format!("nothing seen within {} s", DEADLINE.as_secs()))),
    }
}

/// Tries a call again while its error may pass. Deleting twice and creating twice (409) are told apart by the caller.
async fn patiently<T, F, R>(mut call: F) -> Result<T, kube::Error>
where
    F: FnMut() -> R,
    R: Future<Output = Result<T, kube::Error>>,
{
    let started = Instant::now();
    loop {
        match call().await {
            Err(error) if is_transient(&error) && started.elapsed() < PATIENCE => {
                tracing::debug!(error = api_message(&error), "tried again");
                tokio::time::sleep(LOOK_EVERY).await;
            }
            result => return result,
        }
    }
}

fn manifest(name: &str, node: &str, images: &[&String], secrets: &[Value]) -> Value {
    let containers: Vec<Value> = images
        .iter()
        .enumerate()
        .map(|(n, image)| {
            json!({
                "name": format!("pull-{n}"), "image": image, "imagePullPolicy": "IfNotPresent", "args": ["version"],
                "resources": { "requests": { "cpu": "1m", "memory": "8Mi" } },
                "securityContext": restricted::of_container(),
            })
        })
        .collect();
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": name,
            "labels": {
                names::LABEL_PART_OF: names::PART_OF, "app": APP, "sidecar.istio.io/inject": "false",
            },
        },
        "spec": {
            "nodeName": node, "restartPolicy": "Never", "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": false, "enableServiceLinks": false,
            "tolerations": [{ "operator": "Exists" }], "imagePullSecrets": secrets,
            // An image that would run as root, or as a user without a number, is refused by the kubelet only when it has been
            // pulled.
            "securityContext": restricted::of_pod(),
            "containers": containers,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{Method, Request, Response, StatusCode};
    use kube::client::Body;
    use std::sync::{Arc, Mutex};

    #[tokio::test]
    async fn what_an_earlier_try_left_goes_as_far_as_it_can() {
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let deleted = Arc::clone(&asked);
        let server = tower::service_fn(move |request: Request<Body>| {
            let name = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
            let (code, body) = match *request.method() {
                Method::DELETE => {
                    deleted.lock().unwrap().push(name.clone());
                    let code = if name == "pull-1" {
                        StatusCode::FORBIDDEN
                    } else {
                        StatusCode::OK
                    };
                    (
                        code,
                        json!({"kind": "Status", "message": "not yours", "code": code.as_u16()}),
                    )
                }
                _ => {
                    let pod = |name: &str| json!({"metadata": {"name": name, "namespace": "istio-system"}});
                    let items = [pod("pull-0"), pod("pull-1"), pod("pull-2")];
                    let kind = "PartialObjectMetadataList";
                    let list = json!({"apiVersion": "meta.k8s.io/v1", "kind": kind, "metadata": {}, "items": items});
                    (StatusCode::OK, list)
                }
            };
            let response = Response::builder().status(code);
            async move { response.body(Body::from(body.to_string().into_bytes())) }
        });
        let left = take_away(&Client::new(server, "default"), "istio-system")
            .await
            .unwrap_err();
        assert_eq!(*asked.lock().unwrap(), ["pull-0", "pull-1", "pull-2"]);
        assert!(left.contains("pull-1 (") && !left.contains("pull-0"), "{left}");
    }

    #[test]
    fn pods_are_restricted_and_leave_the_user_to_the_platform() {
        let image = "hub/pilot:1.31.0".to_owned();
        let pod = manifest("pull-0", "node-0", &[&image], &[]);
        let of_pod = &pod["spec"]["securityContext"];
        let of_container = &pod["spec"]["containers"][0]["securityContext"];
        for id in ["runAsUser", "runAsGroup", "fsGroup"] {
            assert_eq!((of_pod.get(id), of_container.get(id)), (None, None), "{id}");
        }
        assert_eq!(of_pod["runAsNonRoot"], true);
        assert_eq!(of_pod["seccompProfile"]["type"], "RuntimeDefault");
        assert_eq!(of_container["allowPrivilegeEscalation"], false);
        assert_eq!(of_container["capabilities"]["drop"], json!(["ALL"]));
    }
}
