//! Applies the guard's objects by server-side apply, in order, whatever their kind.

use crate::{
    cluster::Cluster,
    error::{CommandError, api_code, api_message},
};
use k8s_openapi::api::{core::v1::Namespace, discovery::v1::EndpointSlice};
use kube::{
    Api, Client,
    api::{DeleteParams, DynamicObject, ListParams, ObjectMeta, Patch, PatchParams, PostParams},
    core::{GroupVersionKind, TypeMeta},
    discovery::{Scope, pinned_kind},
};
use serde_json::{Value, json};
use shared::names;
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

const DEADLINE: Duration = Duration::from_secs(60);

/// Applies one object; what others own of it is taken over, since all of it is ours.
///
/// # Errors
/// What the API server refused.
pub async fn apply(client: &Client, object: &Value) -> Result<(), CommandError> {
    let shown = show(object);
    let failed = |why: String| CommandError::error(format!("cannot apply {shown}: {why}"));
    let found = api_of(client, object).await.map_err(&failed)?;
    let api = found.ok_or_else(|| failed("the API server does not serve its kind".to_owned()))?;
    let params = PatchParams::apply(names::FIELD_MANAGER).force();
    api.patch(name_of(object), &params, &Patch::Apply(object))
        .await
        .map(|_| ())
        .map_err(|error| failed(api_message(&error)))
}

/// Whether an object is there: without its kind it is not.
///
/// # Errors
/// When it cannot be seen.
pub async fn is_there(client: &Client, object: &Value) -> Result<bool, CommandError> {
    let failed = |why: String| CommandError::error(format!("cannot look for {}: {why}", show(object)));
    let Some(api) = api_of(client, object).await.map_err(failed)? else {
        return Ok(false);
    };
    let found = api.get_metadata_opt(name_of(object)).await;
    found
        .map(|found| found.is_some())
        .map_err(|error| failed(api_message(&error)))
}

/// Deletes one object, and says whether it was there: one that is not, or whose kind is not, is gone already.
///
/// # Errors
/// What the API server refused.
pub async fn delete(client: &Client, object: &Value) -> Result<bool, CommandError> {
    let found = api_of(client, object).await;
    let found = found.map_err(|why| CommandError::error(format!("cannot delete {}: {why}", show(object))))?;
    let Some(api) = found else { return Ok(false) };
    match api.delete(name_of(object), &DeleteParams::background()).await {
        Ok(_) => Ok(true),
        Err(error) if api_code(&error) == 404 => Ok(false),
        Err(error) => Err(CommandError::error(format!(
            "cannot delete {}: {}",
            show(object),
            api_message(&error)
        ))),
    }
}

fn name_of(object: &Value) -> &str {
    let name = object.pointer("/metadata/name").and_then(Value::as_str);
    name.unwrap_or_default()
}

/// Kind and name, for people.
#[must_use]
pub fn show(object: &Value) -> String {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    match text("/metadata/namespace") {
        "" => format!("{} {}", text("/kind"), text("/metadata/name")),
        namespace => format!("{} {namespace}/{}", text("/kind"), text("/metadata/name")),
    }
}

/// `None` when the API server does not serve the kind.
async fn api_of(client: &Client, object: &Value) -> Result<Option<Api<DynamicObject>>, String> {
    let types: TypeMeta = serde_json::from_value(object.clone()).map_err(|error| error.to_string())?;
    let gvk = GroupVersionKind::try_from(types).map_err(|error| error.to_string())?;
    let (resource, capabilities) = match pinned_kind(client, &gvk).await {
        Ok(found) => found,
        Err(kube::Error::Discovery(_)) => return Ok(None),
        Err(error) if api_code(&error) == 404 => return Ok(None),
        Err(error) => return Err(api_message(&error)),
    };
    let namespace = object.pointer("/metadata/namespace").and_then(Value::as_str);
    Ok(Some(match (capabilities.scope, namespace) {
        (Scope::Namespaced, Some(namespace)) => Api::namespaced_with(client.clone(), namespace, &resource),
        _ => Api::all_with(client.clone(), &resource),
    }))
}

/// Whether the API server serves cert-manager's kinds.
///
/// # Errors
/// When it cannot be asked.
pub async fn serves_cert_manager(client: &Client) -> Result<bool, CommandError> {
    let certificate = json!({"apiVersion": "cert-manager.io/v1", "kind": "Certificate"});
    let found = api_of(client, &certificate).await;
    found
        .map(|api| api.is_some())
        .map_err(|why| CommandError::error(format!("cannot ask for cert-manager's kinds: {why}")))
}

/// Ports of the API servers behind their Service, and the Service's own; `None` where they cannot be read.
pub async fn api_server_ports(client: &Client) -> Option<Vec<u16>> {
    let slices: Api<EndpointSlice> = Api::namespaced(client.clone(), "default");
    let of_kubernetes = ListParams::default().labels("kubernetes.io/service-name=kubernetes");
    let listed = slices.list(&of_kubernetes).await.ok()?;
    let ports = listed.items.iter().flat_map(|slice| slice.ports.iter().flatten());
    let mut ports: BTreeSet<u16> = ports.filter_map(|port| u16::try_from(port.port?).ok()).collect();
    if ports.is_empty() {
        return None;
    }
    ports.insert(443);
    Some(ports.into_iter().collect())
}

/// Waits until the API server serves our custom resources.
///
/// # Errors
/// When it does not within a minute.
pub async fn wait_for_crds(client: &Client) -> Result<(), CommandError> {
    let started = Instant::now();
    let kinds = ["Mesh", "MeshUpgrade", "MeshFreeze"];
    loop {
        let mut missing = None;
        for kind in kinds {
            if !is_served(client, kind).await {
                missing = Some(kind);
            }
        }
        let Some(kind) = missing else { return Ok(()) };
        if started.elapsed() > DEADLINE {
            let seconds = DEADLINE.as_secs();
            return Err(CommandError::new(
                crate::error::Exit::Deadline,
                format!(
                    "the API server does not serve {kind}.{} after {seconds} s",
                    names::GROUP
                ),
            ));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// That a kind is discovered is not enough: its storage comes a moment later, and until then every request is refused.
async fn is_served(client: &Client, kind: &str) -> bool {
    let gvk = GroupVersionKind::gvk(names::GROUP, names::API_VERSION, kind);
    let Ok((resource, _)) = pinned_kind(client, &gvk).await else {
        return false;
    };
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
    api.list_metadata(&ListParams::default().limit(1)).await.is_ok()
}

/// What an unguarded upgrade needs all the same: somewhere to keep its journal and its Lease.
///
/// # Errors
/// What the API server refused.
pub async fn ensure_journal(cluster: &Cluster) -> Result<(), CommandError> {
    create_namespace(&cluster.client).await?;
    ensure_crds(cluster).await
}

/// Applies the definitions of our own objects, and waits until they are served.
///
/// # Errors
/// When they cannot be applied.
pub async fn ensure_crds(cluster: &Cluster) -> Result<(), CommandError> {
    for crd in shared::api::crds() {
        let crd = serde_json::to_value(crd).map_err(|error| CommandError::error(error.to_string()))?;
        apply(&cluster.client, &crd).await?;
    }
    wait_for_crds(&cluster.client).await
}

/// Only created, never applied: where the guard is installed, the namespace bears more than its name. One that is being
/// deleted, by an uninstall a moment ago, takes nothing new and is waited for.
async fn create_namespace(client: &Client) -> Result<(), CommandError> {
    let namespace = Namespace {
        metadata: ObjectMeta {
            name: Some(names::NAMESPACE.to_owned()),
            ..ObjectMeta::default()
        },
        ..Namespace::default()
    };
    let failed = |error: &kube::Error| {
        CommandError::error(format!(
            "cannot create namespace {}: {}",
            names::NAMESPACE,
            api_message(error)
        ))
    };
    let namespaces = Api::<Namespace>::all(client.clone());
    let started = Instant::now();
    loop {
        match namespaces.create(&PostParams::default(), &namespace).await {
            Ok(_) => return Ok(()),
            Err(error) if api_code(&error) == 409 => {}
            Err(error) => return Err(failed(&error)),
        }
        let standing = namespaces.get_metadata_opt(names::NAMESPACE).await;
        match standing.map_err(|error| failed(&error))? {
            Some(standing) if standing.metadata.deletion_timestamp.is_none() => return Ok(()),
            // Gone between the two requests: created the next time.
            Some(_) | None => {}
        }
        if started.elapsed() > DEADLINE {
            return Err(CommandError::new(
                crate::error::Exit::Deadline,
                format!(
                    "namespace {} is still being deleted after {} s",
                    names::NAMESPACE,
                    DEADLINE.as_secs()
                ),
            )
            .hint(format!(
                "what holds it: kubectl describe namespace {}",
                names::NAMESPACE
            )));
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{Request, Response};
    use kube::client::Body;

    /// An API server that serves the kinds of its core, and has one ConfigMap.
    fn server() -> Client {
        let service = tower::service_fn(|request: Request<Body>| {
            let not_found = || {
                let body = json!({
                    "apiVersion": "v1", "kind": "Status", "status": "Failure", "message": "not found", "reason": "NotFound",
                    "code": 404,
                });
                (404, body)
            };
            let (code, body) = match request.uri().path() {
                "/api/v1" => {
                    let resource = json!({
                        "name": "configmaps", "singularName": "configmap", "namespaced": true, "kind": "ConfigMap",
                        "verbs": ["get", "delete"],
                    });
                    (
                        200,
                        json!({"kind": "APIResourceList", "groupVersion": "v1", "resources": [resource]}),
                    )
                }
                "/api/v1/namespaces/shop/configmaps/there" => (
                    200,
                    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "there", "namespace": "shop"}}),
                ),
                _ => not_found(),
            };
            let response = Response::builder()
                .status(code)
                .body(Body::from(body.to_string().into_bytes()));
            async move { response }
        });
        Client::new(service, "default")
    }

    #[tokio::test]
    async fn only_what_was_there_is_told_as_deleted() {
        let client = server();
        let config_map = |name: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "shop"}});
        let certificate = json!({
            "apiVersion": "cert-manager.io/v1", "kind": "Certificate", "metadata": {"name": "there", "namespace": "shop"},
        });
        for (object, there) in [
            (config_map("there"), true),
            (config_map("gone"), false),
            (certificate, false),
        ] {
            assert_eq!(delete(&client, &object).await.unwrap(), there, "{object}");
            assert_eq!(is_there(&client, &object).await.unwrap(), there, "{object}");
        }
    }
}
