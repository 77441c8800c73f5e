//! The Secrets that images are pulled with: those that istiod itself is pulled with.

use super::patiently;
use crate::error::api_message;
use k8s_openapi::api::{apps::v1::Deployment, core::v1::ServiceAccount};
use kube::{Api, Client, api::ListParams};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Secrets that istiod itself is pulled with: those of its pods and of their ServiceAccount.
pub(super) async fn of_istiod(client: &Client, namespace: &str) -> Result<Vec<Value>, String> {
    let failed = |what: &str, error: &kube::Error| format!("cannot read {what} in {namespace}: {}", api_message(error));
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), namespace);
    let istiod = ListParams::default().labels("app=istiod");
    let list = patiently(|| deployments.list(&istiod)).await;
    let list = list.map_err(|error| failed("istiod's Deployment", &error))?;
    let (mut secrets, mut accounts) = (BTreeSet::new(), BTreeSet::new());
    for template in list
        .items
        .into_iter()
        .filter_map(|deployment| deployment.spec?.template.spec)
    {
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

#[cfg(test)]
mod tests {
    use super::super::manifest;
    use super::*;
    use http::{Request, Response, StatusCode};
    use kube::client::Body;

    #[tokio::test]
    async fn istiods_own_secrets_are_taken_each_once() {
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
        let secrets = of_istiod(&Client::new(server, "default"), "mesh-a").await.unwrap();
        let expected = ["mirror", "of-account", "of-pods"].map(|name| json!({ "name": name }));
        assert_eq!(secrets, expected);
        let image = "hub/pilot:1.31.0".to_owned();
        let pod = manifest("pull-0", "node-0", &[&image], &secrets);
        assert_eq!(pod["spec"]["imagePullSecrets"], json!(expected));
    }
}
