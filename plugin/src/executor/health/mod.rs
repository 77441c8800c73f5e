//! Health that means something: reported versions, and Istio's own validation and injection, tried in dry runs.

use crate::{
    cluster::{self, Cluster, ObserveOptions},
    error::{api_code, api_message},
    ui::{Mark, Ui},
};
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, PostParams},
    core::GroupVersionKind,
};
use serde_json::{Value, json};
use shared::{
    api::PlanCluster,
    inventory::{ClusterState, ControlPlane},
    names,
    version::IstioVersion,
};
use std::time::{Duration, Instant};

const DEADLINE: Duration = Duration::from_secs(180);
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Namespace of the pod that is never created: one that every cluster has.
const PROBE_NAMESPACE: &str = "default";

/// Proves the health of one cluster at the target. Returns the evidence in a sentence.
///
/// # Errors
/// What was waited for in vain.
pub async fn prove(
    ui: Ui,
    cluster: &Cluster,
    writer: &Client,
    planned: &PlanCluster,
    target: &str,
) -> Result<String, String> {
    let started = Instant::now();
    let mut said = String::new();
    loop {
        let what = match try_once(cluster, writer, planned, target).await {
            Ok(evidence) => return Ok(evidence),
            Err(what) => what,
        };
        if started.elapsed() > DEADLINE {
            return Err(format!(
                "{}: waited {} s in vain for {what}",
                cluster.name,
                DEADLINE.as_secs()
            ));
        }
        if what != said {
            ui.progress(Mark::Info, &format!("waiting for {what}"));
            said = what;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn try_once(cluster: &Cluster, writer: &Client, planned: &PlanCluster, target: &str) -> Result<String, String> {
    let options = ObserveOptions {
        ask_running_versions: true,
        ..ObserveOptions::default()
    };
    let observed = match cluster::observe(cluster, &options).await.state {
        ClusterState::Observed(observed) => observed,
        ClusterState::Unknown { reason } => return Err(format!("the cluster to answer ({reason})")),
    };
    let scope = &planned.scope;
    let planes: Vec<&ControlPlane> = observed
        .control_planes
        .iter()
        .filter(|plane| scope.istio_namespaces.contains(&plane.workload.namespace))
        .collect();
    let mut reports = 0;
    for plane in &planes {
        reports += reports_target(plane, target)?;
        injects(writer, plane, target).await?;
    }
    if let Some(namespace) = scope.istio_namespaces.first() {
        validates(writer, namespace).await?;
    }
    Ok(format!(
        "{}: {reports} istiod report {target}, validation refuses the bad and accepts the good, injection yields {target}",
        cluster.name
    ))
}

fn reports_target(plane: &ControlPlane, target: &str) -> Result<usize, String> {
    let name = format!("{}/{}", plane.workload.namespace, plane.workload.name);
    if !plane.rollout.is_complete() {
        return Err(format!("Deployment {name} to roll out"));
    }
    if plane.running.is_empty() {
        return Err(format!("the pods of {name} to report their version"));
    }
    match plane.running.iter().find(|running| !is_version(running, target)) {
        Some(other) => Err(format!(
            "every istiod of {name} to report {target} (one reports {other})"
        )),
        None => Ok(plane.running.len()),
    }
}

fn is_version(text: &str, target: &str) -> bool {
    match (text.parse::<IstioVersion>(), target.parse::<IstioVersion>()) {
        (Ok(running), Ok(target)) => running == target,
        _ => text == target,
    }
}

/// Istio's validation webhook must refuse what is known to be bad, and let pass what is good.
async fn validates(writer: &Client, namespace: &str) -> Result<(), String> {
    let gvk = GroupVersionKind::gvk("networking.istio.io", "v1", "VirtualService");
    let resource = ApiResource::from_gvk_with_plural(&gvk, "virtualservices");
    let api: Api<DynamicObject> = Api::namespaced_with(writer.clone(), namespace, &resource);
    // A negative weight: every Istio refuses that in validation, and no schema does.
    match create_dry(&api, &virtual_service(namespace, -1)).await? {
        Err((_, message)) if message.contains("denied the request") => {}
        Err((code, message)) => {
            return Err(format!(
                "Istio's validation to refuse a bad VirtualService (the answer was {code}: {message})"
            ));
        }
        Ok(_) => return Err("Istio's validation to refuse a bad VirtualService (it was accepted)".to_owned()),
    }
    match create_dry(&api, &virtual_service(namespace, 100)).await? {
        Ok(_) => Ok(()),
        Err((code, message)) => Err(format!(
            "Istio's validation to accept a good VirtualService (the answer was {code}: {message})"
        )),
    }
}

fn virtual_service(namespace: &str, weight: i32) -> Value {
    json!({
        "apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
        "metadata": { "name": names::CANARY, "namespace": namespace },
        "spec": {
            "hosts": ["mesh-upgrade-canary.invalid"],
            "http": [{ "route": [{ "destination": { "host": "mesh-upgrade-canary.invalid" }, "weight": weight }] }],
        },
    })
}

/// A pod that asks for injection must come back with the target's proxy; it is never created.
async fn injects(writer: &Client, plane: &ControlPlane, target: &str) -> Result<(), String> {
    let api: Api<DynamicObject> =
        Api::namespaced_with(writer.clone(), PROBE_NAMESPACE, &ApiResource::erase::<Pod>(&()));
    let mut labels = json!({ "sidecar.istio.io/inject": "true" });
    if plane.revision != "default"
        && let Some(labels) = labels.as_object_mut()
    {
        labels.insert("istio.io/rev".to_owned(), plane.revision.clone().into());
    }
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": { "name": names::CANARY, "namespace": PROBE_NAMESPACE, "labels": labels },
        "spec": { "containers": [{ "name": "app", "image": "registry.k8s.io/pause:3.10" }] },
    });
    let injected = match create_dry(&api, &pod).await? {
        Ok(pod) => pod,
        Err((code, message)) => return Err(format!("injection to answer (the answer was {code}: {message})")),
    };
    let images: Vec<&str> = ["initContainers", "containers"]
        .iter()
        .filter_map(|list| injected.data.get("spec")?.get(list)?.as_array())
        .flatten()
        .filter(|container| container.get("name").and_then(Value::as_str) == Some("istio-proxy"))
        .filter_map(|container| container.get("image").and_then(Value::as_str))
        .collect();
    match images.first() {
        None => Err("injection to add a proxy to a pod that asks for it".to_owned()),
        Some(image) if IstioVersion::from_image(image).is_ok_and(|found| is_version(&found.to_string(), target)) => {
            Ok(())
        }
        Some(image) => Err(format!("injection to yield the proxy of {target} (it yields {image})")),
    }
}

type DryAnswer = Result<DynamicObject, (u16, String)>;

async fn create_dry(api: &Api<DynamicObject>, object: &Value) -> Result<DryAnswer, String> {
    let object = serde_json::from_value(object.clone()).map_err(|error| error.to_string())?;
    let dry_run = PostParams {
        dry_run: true,
        field_manager: Some(names::FIELD_MANAGER.to_owned()),
    };
    match api.create(&dry_run, &object).await {
        Ok(object) => Ok(Ok(object)),
        Err(error) => Ok(Err((api_code(&error), api_message(&error)))),
    }
}
