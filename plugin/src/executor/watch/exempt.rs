//! The kinds that no guard is asked about, in one cluster: read, and the guard's own put back.

use crate::{cluster::Cluster, error::api_code, executor::fault::Fault};
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
};
use std::collections::BTreeMap;

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
#[derive(Debug, Default)]
pub struct Read {
    /// Digests.
    pub picture: Picture,
    /// The objects, to be put back should they be the guard's.
    pub objects: BTreeMap<(ExemptKind, String), Value>,
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
        field_manager: Some(shared::names::FIELD_MANAGER.to_owned()),
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
