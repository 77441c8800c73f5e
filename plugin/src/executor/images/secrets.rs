//! The Secrets that images are pulled with: those that the mesh itself is pulled with in the namespace.

use super::patiently;
use crate::error::api_message;
use k8s_openapi::api::{
    apps::v1::{DaemonSet, Deployment},
    core::v1::{PodTemplateSpec, ServiceAccount},
};
use kube::{Api, Client, api::ListParams};
use serde_json::{Value, json};
use shared::api::{WorkloadKind, WorkloadName};
use std::collections::BTreeSet;

/// ServiceAccount that Istio's charts bring in every cluster, a remote one included, with `global.imagePullSecrets`.
const IN_EVERY_CLUSTER: &str = "istio-reader-service-account";

/// Secrets of the namespace that the mesh itself is pulled with: those of istiod's pods, of the other workloads given that are
/// there, and of their ServiceAccounts.
pub(super) async fn of_mesh(
    client: &Client,
    namespace: &str,
    workloads: &[WorkloadName],
) -> Result<Vec<Value>, String> {
    let failed = |what: &str, error: &kube::Error| format!("cannot read {what} in {namespace}: {}", api_message(error));
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), namespace);
    let daemon_sets: Api<DaemonSet> = Api::namespaced(client.clone(), namespace);
    let istiod = ListParams::default().labels("app=istiod");
    let list = patiently(|| deployments.list(&istiod)).await;
    let list = list.map_err(|error| failed("istiod's Deployment", &error))?;
    let mut templates: Vec<PodTemplateSpec> = list.items.into_iter().filter_map(template_of).collect();
    for workload in workloads.iter().filter(|workload| workload.namespace == namespace) {
        let name = workload.name.as_str();
        let found = match workload.kind {
            WorkloadKind::Deployment => patiently(|| deployments.get_opt(name))
                .await
                .map(|found| found.and_then(template_of)),
            WorkloadKind::DaemonSet => {
                let found = patiently(|| daemon_sets.get_opt(name)).await;
                found.map(|found| Some(found?.spec?.template))
            }
        };
        let what = format!("{} {name}", workload.kind.as_str());
        templates.extend(found.map_err(|error| failed(&what, &error))?);
    }
    let (mut secrets, mut accounts) = (BTreeSet::new(), BTreeSet::from([IN_EVERY_CLUSTER.to_owned()]));
    for template in templates.into_iter().filter_map(|template| template.spec) {
        secrets.extend(
            template
                .image_pull_secrets
                .into_iter()
                .flatten()
                .map(|secret| secret.name),
        );
        accounts.extend(template.service_account_name);
    }
    let api: Api<ServiceAccount> = Api::namespaced(client.clone(), namespace);
    for name in accounts {
        let account = patiently(|| api.get_opt(&name)).await;
        let account = account.map_err(|error| failed(&format!("ServiceAccount {name}"), &error))?;
        let of_account = account.and_then(|account| account.image_pull_secrets);
        secrets.extend(of_account.into_iter().flatten().map(|secret| secret.name));
    }
    Ok(secrets.into_iter().map(|name| json!({ "name": name })).collect())
}

fn template_of(deployment: Deployment) -> Option<PodTemplateSpec> {
    Some(deployment.spec?.template)
}

#[cfg(test)]
mod tests {
    use super::super::manifest;
    use super::*;
    use http::{Request, Response, StatusCode};
    use kube::client::Body;

    #[tokio::test]
    async fn the_meshs_own_secrets_are_taken_each_once() {
        let server = tower::service_fn(|request: Request<Body>| {
            let path = request.uri().path().to_owned();
            let of_pods = |account: Option<&str>, secrets: &[&str]| {
                let secrets: Vec<_> = secrets.iter().map(|name| json!({ "name": name })).collect();
                json!({"metadata": {"name": "istiod"}, "spec": {"selector": {}, "template": {"spec": {
                    "containers": [], "serviceAccountName": account, "imagePullSecrets": secrets}}}})
            };
            let (code, body) = match path.as_str() {
                "/apis/apps/v1/namespaces/mesh-a/deployments" => {
                    assert_eq!(request.uri().query(), Some("&labelSelector=app%3Distiod"));
                    // Two revisions with an account in common, one with an account that is gone, and one with that of its namespace.
                    let items = [
                        of_pods(Some("istiod"), &["of-pods", "mirror"]),
                        of_pods(Some("istiod"), &["mirror"]),
                        of_pods(Some("gone"), &[]),
                        of_pods(None, &[]),
                    ];
                    let list =
                        json!({"apiVersion": "apps/v1", "kind": "DeploymentList", "metadata": {}, "items": items});
                    (StatusCode::OK, list)
                }
                "/apis/apps/v1/namespaces/mesh-a/daemonsets/ztunnel" => {
                    let mut node = of_pods(None, &["of-node"]);
                    node["apiVersion"] = json!("apps/v1");
                    node["kind"] = json!("DaemonSet");
                    (StatusCode::OK, node)
                }
                "/api/v1/namespaces/mesh-a/serviceaccounts/istio-reader-service-account" => {
                    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount",
                        "metadata": {"name": "istio-reader-service-account"},
                        "imagePullSecrets": [{"name": "of-reader"}]});
                    (StatusCode::OK, account)
                }
                "/api/v1/namespaces/mesh-a/serviceaccounts/istiod" => {
                    let secrets = json!([{"name": "mirror"}, {"name": "of-account"}]);
                    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "istiod"},
                        "imagePullSecrets": secrets});
                    (StatusCode::OK, account)
                }
                _ => {
                    let gone = json!({"kind": "Status", "reason": "NotFound", "message": path, "code": 404});
                    (StatusCode::NOT_FOUND, gone)
                }
            };
            let response = Response::builder().status(code);
            async move { response.body(Body::from(body.to_string().into_bytes())) }
        });
        let workloads = [
            (WorkloadKind::DaemonSet, "mesh-a"),
            (WorkloadKind::Deployment, "elsewhere"),
        ];
        let workloads = workloads.map(|(kind, namespace)| WorkloadName {
            kind,
            namespace: namespace.to_owned(),
            name: "ztunnel".to_owned(),
        });
        let secrets = of_mesh(&Client::new(server, "default"), "mesh-a", &workloads)
            .await
            .unwrap();
        let expected = ["mirror", "of-account", "of-node", "of-pods", "of-reader"].map(|name| json!({ "name": name }));
        assert_eq!(secrets, expected);
        let image = "hub/pilot:1.31.0".to_owned();
        let pod = manifest("pull-0", "node-0", &[&image], &secrets);
        assert_eq!(pod["spec"]["imagePullSecrets"], json!(expected));
    }
}
