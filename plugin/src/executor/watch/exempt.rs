//! The kinds that no guard is asked about, in one cluster: read, and the guard's own put back.

use crate::{
    cluster::Cluster,
    error::api_code,
    executor::{
        fault::Fault,
        freeze::policies::{self, Standing},
    },
};
use futures::future::join_all;
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, ListParams, PostParams, TypeMeta},
    discovery,
};
use serde_json::Value;
use shared::{
    api::ExemptKind,
    fingerprint::{Picture, with_ca_bundles_of},
    names,
};
use std::collections::{BTreeMap, BTreeSet};

/// Metadata that the API server writes.
const WRITTEN_BY_THE_SERVER: &[&str] = &[
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "managedFields",
];

/// The kinds that this API server serves.
pub type Served = Vec<(ExemptKind, ApiResource)>;

/// What was read, and the objects themselves.
#[derive(Clone, Debug, Default)]
pub struct Read {
    /// Digests.
    pub picture: Picture,
    /// The objects, to be put back should they be the guard's.
    pub objects: BTreeMap<(ExemptKind, String), Value>,
    /// The kinds that could be listed.
    listed: BTreeSet<ExemptKind>,
}

impl Read {
    /// What stands of freezes; nothing is known where their policies or bindings could not be listed.
    pub fn standing(&self) -> Option<Vec<Standing>> {
        let policies = self.of_freezes(ExemptKind::ValidatingAdmissionPolicy)?;
        let bindings = self.of_freezes(ExemptKind::ValidatingAdmissionPolicyBinding)?;
        Some(policies::joined(policies, bindings))
    }

    /// As [`policies::labelled`].
    fn of_freezes(&self, kind: ExemptKind) -> Option<Vec<(String, String)>> {
        let of_kind = self.objects.iter().filter(|((its, _), _)| *its == kind);
        let named = of_kind.filter_map(|((_, name), object)| {
            let labels = object.get("metadata")?.get("labels")?;
            Some((labels.get(names::LABEL_MESH)?.as_str()?.to_owned(), name.clone()))
        });
        self.listed.contains(&kind).then(|| named.collect())
    }
}

/// Asks which of the exempt kinds are served.
pub async fn served(cluster: &Cluster) -> Result<Served, Fault> {
    let group = discovery::group(&cluster.client, ExemptKind::GROUP)
        .await
        .map_err(|error| Fault::of_api("see which admission kinds are served", &error))?;
    let served = group.resources_by_stability();
    let found = |kind: ExemptKind| served.iter().find(|(resource, _)| resource.kind == kind.as_str());
    let kinds = ExemptKind::ALL.into_iter();
    Ok(kinds.filter_map(|kind| Some((kind, found(kind)?.0.clone()))).collect())
}

/// Lists them all, at once: each consistent read may wait until the API server's cache has caught up with its store. A kind
/// that may not be listed is left out: an older guard's roles do not know the newest kinds.
pub async fn read(client: &Client, served: &Served) -> Result<Read, Fault> {
    let listing = served.iter().map(|(_, resource)| async move {
        let api: Api<DynamicObject> = Api::all_with(client.clone(), resource);
        api.list(&ListParams::default()).await
    });
    let listed = join_all(listing).await;
    let mut read = Read::default();
    for ((kind, _), list) in served.iter().zip(listed) {
        let list = match list {
            Ok(list) => list,
            Err(error) if api_code(&error) == 403 => continue,
            Err(error) => return Err(Fault::of_api(&format!("list {}", kind.resource()), &error)),
        };
        read.picture.begin(*kind);
        for object in list.items {
            let value = serde_json::to_value(&object).unwrap_or_default();
            read.picture.arrive(*kind, &value);
            if let Some(name) = object.metadata.name {
                read.objects.insert((*kind, name), value);
            }
        }
        read.picture.complete(*kind);
        read.listed.insert(*kind);
    }
    Ok(read)
}

/// Makes an object what it was. Replaced and not applied: what somebody has added is to go as well.
pub async fn put_back(client: &Client, resource: &ApiResource, name: &str, was: &Value) -> Result<(), Fault> {
    // The guard writes its certificate into its own configuration at any time.
    let failed = |error: &kube::Error| Fault::of_change(&format!("put {} {name} back", resource.kind), error);
    let api: Api<DynamicObject> = Api::all_with(client.clone(), resource);
    let found = api.get_opt(name).await.map_err(|error| failed(&error))?;
    let mut object = was.clone();
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.retain(|key, _| !WRITTEN_BY_THE_SERVER.contains(&key.as_str()));
    }
    // What comes out of a list does not say its kind.
    let typed = |object: Value| {
        let typed = serde_json::from_value::<DynamicObject>(object);
        let mut typed = typed.map_err(|error| Fault::lasting(format!("{name}: {error}")))?;
        typed.types = Some(TypeMeta {
            api_version: resource.api_version.clone(),
            kind: resource.kind.clone(),
        });
        Ok::<_, Fault>(typed)
    };
    let params = PostParams {
        field_manager: Some(names::FIELD_MANAGER.to_owned()),
        ..PostParams::default()
    };
    let Some(found) = found else {
        let created = api.create(&params, &typed(object)?).await;
        return created.map(drop).map_err(|error| failed(&error));
    };
    let now = serde_json::to_value(&found).unwrap_or_default();
    let mut object = typed(with_ca_bundles_of(object, &now))?;
    object.metadata.resource_version = found.metadata.resource_version;
    let replaced = api.replace(name, &params, &object).await;
    replaced.map(drop).map_err(|error| failed(&error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{Request, Response, StatusCode};
    use k8s_openapi::api::admissionregistration::v1::{
        ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding, ValidatingWebhookConfiguration,
    };
    use kube::client::Body;
    use serde_json::json;

    /// A server with a freeze of mesh `shop` beside somebody's policy, whose bindings can be listed or not.
    fn serving(bindings: StatusCode) -> Client {
        let server = tower::service_fn(move |request: Request<Body>| async move {
            let path = request.uri().path();
            let code = if path.ends_with("bindings") {
                bindings
            } else {
                StatusCode::OK
            };
            let body = if code.is_success() {
                let ours = json!({"metadata": {"name": "mesh-freeze-shop-1", "labels": {names::LABEL_MESH: "shop"}}});
                let others = json!({"metadata": {"name": "others"}});
                json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "List", "metadata": {}, "items": [ours, others]})
            } else {
                json!({"kind": "Status", "status": "Failure", "message": "no", "code": code.as_u16()})
            };
            let response = Response::builder().status(code);
            response.body(Body::from(body.to_string().into_bytes()))
        });
        Client::new(server, "default")
    }

    #[tokio::test]
    async fn a_freeze_is_seen_in_what_was_read_where_both_of_its_kinds_could_be() {
        let all: Served = vec![
            (
                ExemptKind::ValidatingWebhookConfiguration,
                ApiResource::erase::<ValidatingWebhookConfiguration>(&()),
            ),
            (
                ExemptKind::ValidatingAdmissionPolicy,
                ApiResource::erase::<ValidatingAdmissionPolicy>(&()),
            ),
            (
                ExemptKind::ValidatingAdmissionPolicyBinding,
                ApiResource::erase::<ValidatingAdmissionPolicyBinding>(&()),
            ),
        ];
        let ours = || vec![("shop".to_owned(), "mesh-freeze-shop-1".to_owned())];
        let whole = policies::joined(ours(), ours());
        let standing = async |bindings, served: &Served| read(&serving(bindings), served).await.unwrap().standing();
        assert_eq!(standing(StatusCode::OK, &all).await, Some(whole));
        assert_eq!(standing(StatusCode::FORBIDDEN, &all).await, None, "not to be listed");
        assert_eq!(
            standing(StatusCode::OK, &all[..2].to_vec()).await,
            None,
            "not known to be served"
        );
    }
}
