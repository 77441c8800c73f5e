//! Waiting until something changes that a check would see.

use super::super::client::Cluster;
use futures::{StreamExt as _, future::select_all};
use http::{Request, header};
use http_body_util::BodyExt as _;
use kube::client::Body;
use serde::Deserialize;
use std::time::Duration;

/// What is watched, metadata alone: control planes, releases, webhooks, definitions and Istio's configuration.
const WATCHED: [&str; 12] = [
    "/apis/apps/v1/deployments?labelSelector=app%3Distiod",
    "/api/v1/secrets?labelSelector=owner%3Dhelm",
    "/api/v1/namespaces?labelSelector=istio.io%2Frev",
    "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations?",
    "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations?",
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions?",
    "/apis/networking.istio.io/v1/destinationrules?",
    "/apis/networking.istio.io/v1/gateways?",
    "/apis/networking.istio.io/v1/serviceentries?",
    "/apis/networking.istio.io/v1/virtualservices?",
    "/apis/networking.istio.io/v1alpha3/envoyfilters?",
    "/apis/security.istio.io/v1/authorizationpolicies?",
];
/// How long one watch lasts before it is begun anew.
const LASTS: Duration = Duration::from_secs(240);
/// Pause after a watch that could not be had: the kind may not be there, or the server be away.
const PAUSE: Duration = Duration::from_secs(30);
const AS_METADATA: &str = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io";

/// Returns when something relevant has changed in one of the clusters, and says where.
pub async fn change(clusters: &[Cluster]) -> String {
    let watches = clusters
        .iter()
        .flat_map(|cluster| WATCHED.iter().map(move |path| Box::pin(watch(cluster, path))));
    let (what, _, _) = select_all(watches).await;
    what
}

/// Ends with the first event of a kind; never where the kind cannot be watched.
async fn watch(cluster: &Cluster, path: &str) -> String {
    loop {
        match first_event(cluster, path).await {
            Some(true) => {
                let kind = path
                    .split('?')
                    .next()
                    .unwrap_or(path)
                    .rsplit('/')
                    .next()
                    .unwrap_or(path);
                return format!("{kind} of {}", cluster.name);
            }
            Some(false) => {}
            None => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// Whether an event came before the watch ended; `None` when it could not be begun.
async fn first_event(cluster: &Cluster, path: &str) -> Option<bool> {
    #[derive(Deserialize)]
    struct List {
        metadata: Meta,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Meta {
        resource_version: String,
    }
    let request = |path: String, accept: &str| {
        Request::get(path)
            .header(header::ACCEPT, accept)
            .body(Body::empty())
            .ok()
    };
    let listed = cluster
        .client
        .send(request(format!("{path}&limit=1"), AS_METADATA)?)
        .await
        .ok()
        .filter(|response| response.status().is_success())?;
    let body = listed.into_body().collect().await.ok()?.to_bytes();
    let from = serde_json::from_slice::<List>(&body).ok()?.metadata.resource_version;
    let watch = format!(
        "{path}&watch=1&resourceVersion={from}&timeoutSeconds={}",
        LASTS.as_secs()
    );
    let accept = AS_METADATA.replace("List", "");
    let watched = cluster
        .client
        .send(request(watch, &accept)?)
        .await
        .ok()
        .filter(|response| response.status().is_success())?;
    let mut events = watched.into_body().into_data_stream();
    match events.next().await {
        Some(Ok(event)) => Some(!event.is_empty()),
        // The connection was silent for longer than it may be.
        Some(Err(_)) | None => Some(false),
    }
}
