//! Ten thousand meshed pods and five thousand Istio objects, as they are in a cluster that has been in use.

use std::path::Path;

use anyhow::{Context as _, Result};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use kube::{
    Api, Client, Config,
    api::{ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams},
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::{Value, json};

use crate::harness::Cluster;

/// Writes that run at once.
const AT_ONCE: usize = 24;
/// Namespaces that pods and objects are spread over.
const NAMESPACES: usize = 50;

/// A client with somebody's kubeconfig.
pub(super) async fn client(kubeconfig: &Path) -> Result<Client> {
    let kubeconfig = Kubeconfig::read_from(kubeconfig)?;
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    Ok(Client::try_from(config)?)
}

/// A pod as the real injection makes it, with an application of one container.
pub(super) fn injected_pod(cluster: &Cluster) -> Result<Value> {
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": "template", "labels": {"istio-injection": "enabled"}}});
    cluster.apply_stdin(&namespace.to_string())?.ok()?;
    let pod = json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "template", "namespace": "template", "labels": {"app": "reviews", "version": "v1"}},
        "spec": {"containers": [{"name": "app", "image": "example/reviews:v1", "ports": [{"containerPort": 8080}],
            "env": [{"name": "LOG_LEVEL", "value": "info"}]}]}});
    let create = ["create", "--dry-run=server", "-o", "json", "--filename", "-"];
    crate::harness::wait_until("injection", std::time::Duration::from_secs(30), || {
        let created = cluster.kubectl_with("admin", &create, Some(&pod.to_string()))?.json()?;
        Ok(created.to_string().contains("proxyv2").then_some(created))
    })
}

/// Fills a cluster with pods and objects.
pub(super) async fn populate(client: &Client, template: &Value, pods: usize, objects: usize) -> Result<()> {
    let namespaces: Vec<String> = (0..NAMESPACES).map(|number| format!("figures-{number:02}")).collect();
    let namespace_api: Api<DynamicObject> =
        Api::all_with(client.clone(), &resource("", "v1", "Namespace", "namespaces"));
    for name in &namespaces {
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        namespace_api
            .create(&PostParams::default(), &serde_json::from_value(namespace)?)
            .await?;
    }
    let namespace = |number: usize| namespaces.get(number % NAMESPACES).map_or("default", String::as_str);
    // A namespace takes pods once its service account is there.
    for name in &namespaces {
        let accounts: Api<DynamicObject> = Api::namespaced_with(
            client.clone(),
            name,
            &resource("", "v1", "ServiceAccount", "serviceaccounts"),
        );
        while accounts.get_opt("default").await?.is_none() {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }
    stream::iter(0..pods)
        .map(|number| pod(client, template, namespace(number), number))
        .buffer_unordered(AT_ONCE)
        .try_collect::<Vec<()>>()
        .await
        .context("create pods")?;
    stream::iter(0..objects)
        .map(|number| object(client, namespace(number), number))
        .buffer_unordered(AT_ONCE)
        .try_collect::<Vec<()>>()
        .await
        .context("create Istio objects")
        .map(drop)
}

fn resource(group: &str, version: &str, kind: &str, plural: &str) -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural)
}

/// A pod that runs, as its status says; on no node, so that nobody else writes to it.
async fn pod(client: &Client, template: &Value, namespace: &str, number: usize) -> Result<()> {
    let name = format!("reviews-v1-{number:05}");
    let mut pod = template.clone();
    if let Some(pod) = pod.as_object_mut() {
        pod.remove("status");
    }
    if let Some(meta) = pod.get_mut("metadata").and_then(Value::as_object_mut) {
        for field in [
            "uid",
            "resourceVersion",
            "creationTimestamp",
            "generation",
            "managedFields",
        ] {
            meta.remove(field);
        }
        meta.insert("name".to_owned(), json!(name));
        meta.insert("namespace".to_owned(), json!(namespace));
    }
    if let Some(spec) = pod.get_mut("spec").and_then(Value::as_object_mut) {
        spec.insert("schedulerName".to_owned(), json!("nobody"));
    }
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource("", "v1", "Pod", "pods"));
    api.create(&PostParams::default(), &serde_json::from_value(pod)?)
        .await?;
    let address = format!("10.{}.{}.{}", 1 + number / 62_500, number / 250 % 250, 1 + number % 250);
    let status = json!({"status": {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}],
        "conditions": [{"type": "Ready", "status": "True"}]}});
    api.patch_status(&name, &PatchParams::default(), &Patch::Merge(&status))
        .await?;
    Ok(())
}

/// One of five kinds, in turn.
async fn object(client: &Client, namespace: &str, number: usize) -> Result<()> {
    let host = format!("svc-{number}.{namespace}.svc.cluster.local");
    let (group, kind, plural, spec) = match number % 5 {
        0 => (
            "networking.istio.io",
            "VirtualService",
            "virtualservices",
            json!({"hosts": [host],
            "http": [{"match": [{"uri": {"prefix": "/api"}}], "route": [{"destination": {"host": host}}]}]}),
        ),
        1 => (
            "networking.istio.io",
            "DestinationRule",
            "destinationrules",
            json!({"host": host,
            "trafficPolicy": {"loadBalancer": {"simple": "LEAST_REQUEST"}}}),
        ),
        2 => (
            "networking.istio.io",
            "ServiceEntry",
            "serviceentries",
            json!({"hosts": [format!("ext-{number}.example.com")],
            "ports": [{"number": 443, "name": "tls", "protocol": "TLS"}], "resolution": "DNS", "location": "MESH_EXTERNAL"}),
        ),
        3 => (
            "security.istio.io",
            "AuthorizationPolicy",
            "authorizationpolicies",
            json!({
            "selector": {"matchLabels": {"app": format!("app-{number}")}},
            "rules": [{"from": [{"source": {"principals": ["cluster.local/ns/default/sa/default"]}}]}]}),
        ),
        _ => (
            "security.istio.io",
            "PeerAuthentication",
            "peerauthentications",
            json!({
            "selector": {"matchLabels": {"app": format!("app-{number}")}}, "mtls": {"mode": "STRICT"}}),
        ),
    };
    let resource = resource(group, "v1", kind, plural);
    let object = json!({"apiVersion": format!("{group}/v1"), "kind": kind,
        "metadata": {"name": format!("object-{number}"), "namespace": namespace}, "spec": spec});
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource);
    api.create(&PostParams::default(), &serde_json::from_value(object)?)
        .await?;
    Ok(())
}
