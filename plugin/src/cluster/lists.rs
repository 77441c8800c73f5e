//! Lists that no single object of somebody else's keeps from being read, by its [`managed_fields`] above all.

use kube::{
    Api, Resource,
    api::ListParams,
    core::{ObjectList, PartialObjectMeta, Request},
};
use serde::de::DeserializeOwned;
use serde_json::Value;
use shared::managed_fields;
use std::fmt::Debug;

/// As [`Api::list`]. Nothing of an answer is logged.
///
/// # Errors
/// As that, and with the name of an object that cannot be read.
pub async fn list<K>(api: &Api<K>, params: &ListParams) -> Result<ObjectList<K>, kube::Error>
where
    K: Resource + Clone + DeserializeOwned,
{
    let request = Request::new(api.resource_url()).list(params);
    ask(api, request).await
}

/// As [`Api::list_metadata`]. Nothing of an answer is logged.
///
/// # Errors
/// As that, and with the name of an object that cannot be read.
pub async fn list_metadata<K>(
    api: &Api<K>,
    params: &ListParams,
) -> Result<ObjectList<PartialObjectMeta<K>>, kube::Error>
where
    K: Resource<DynamicType = ()> + Clone + Debug,
{
    let request = Request::new(api.resource_url()).list_metadata(params);
    ask(api, request).await
}

async fn ask<K, T>(
    api: &Api<K>,
    request: Result<http::Request<Vec<u8>>, kube::core::request::Error>,
) -> Result<ObjectList<T>, kube::Error>
where
    K: Resource + Clone,
    T: Clone + DeserializeOwned,
{
    let request = request.map_err(kube::Error::BuildRequest)?;
    let text = api.clone().into_client().request_text(request).await?;
    read(&text)
}

/// What a list holds. Only where it cannot be read as it is, that is done object by object.
fn read<T: Clone + DeserializeOwned>(text: &str) -> Result<ObjectList<T>, kube::Error> {
    match serde_json::from_str(text) {
        Ok(list) => Ok(list),
        Err(error) => one_by_one(text).unwrap_or(Err(kube::Error::SerdeError(error))),
    }
}

/// The same without what is known of its field managers; `None` of what is no list at all.
fn one_by_one<T: Clone + DeserializeOwned>(text: &str) -> Option<Result<ObjectList<T>, kube::Error>> {
    let mut list: Value = serde_json::from_str(text).ok()?;
    let Some(Value::Array(items)) = list.get_mut("items").map(Value::take) else {
        return None;
    };
    let kind = list.get("kind").and_then(Value::as_str).unwrap_or_default();
    let kind = kind.strip_suffix("List").unwrap_or(kind).to_owned();
    let mut list: ObjectList<T> = serde_json::from_value(list).ok()?;
    for mut item in items {
        managed_fields::forget(&mut item);
        let place = managed_fields::place(&item);
        match serde_json::from_value(item) {
            Ok(item) => list.items.push(item),
            // By its name alone: the rest may quote it.
            Err(_) => {
                let why = format!("{kind} {place} in its answer cannot be read");
                return Some(Err(kube::Error::Service(why.into())));
            }
        }
    }
    Some(Ok(list))
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::apps::v1::DaemonSet;
    use kube::ResourceExt as _;
    use serde_json::json;

    fn daemon_set(name: &str, written: &str, made: &str) -> Value {
        let managed = json!([{"manager": "kubectl", "operation": "Update", "apiVersion": "apps/v1", "time": written,
            "fieldsType": "FieldsV1", "fieldsV1": {}}]);
        json!({
            "metadata": {"namespace": "shop", "name": name, "creationTimestamp": made, "managedFields": managed},
            "spec": {"selector": {"matchLabels": {"app": name}}, "template": {
                "metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "x", "image": "hunter2"}]},
            }},
        })
    }

    fn list_of(items: &[Value]) -> String {
        json!({"apiVersion": "apps/v1", "kind": "DaemonSetList", "items": items,
            "metadata": {"resourceVersion": "7", "continue": "abc"}})
        .to_string()
    }

    #[test]
    fn a_far_time_of_one_object_does_not_lose_the_list() {
        let (now, far) = ("2026-11-25T08:00:00Z", "9999-12-31T00:00:00Z");
        let text = list_of(&[daemon_set("ztunnel", now, now), daemon_set("late", far, now)]);
        assert!(serde_json::from_str::<ObjectList<DaemonSet>>(&text).is_err());
        let read_list = read::<DaemonSet>(&text).unwrap();
        let names: Vec<String> = read_list.items.iter().map(kube::ResourceExt::name_any).collect();
        assert_eq!(names, ["ztunnel", "late"]);
        assert!(read_list.items.iter().all(|item| item.spec.is_some()));
        assert_eq!(read_list.metadata.continue_.as_deref(), Some("abc"));
        let read_list = read::<PartialObjectMeta<DaemonSet>>(&text).unwrap();
        assert_eq!(
            (read_list.items.len(), read_list.items[1].name_any()),
            (2, "late".to_owned())
        );
        // Nothing is lost where nothing has to be.
        let text = list_of(&[daemon_set("ztunnel", now, now)]);
        assert_eq!(read::<DaemonSet>(&text).unwrap().items[0].managed_fields().len(), 1);
    }

    #[test]
    fn what_still_cannot_be_read_is_named_and_not_quoted() {
        let (now, far) = ("2026-11-25T08:00:00Z", "9999-12-31T00:00:00Z");
        let text = list_of(&[daemon_set("ztunnel", now, now), daemon_set("late", now, far)]);
        let error = crate::error::api_message(&read::<DaemonSet>(&text).unwrap_err());
        assert!(
            error.contains("DaemonSet shop/late in its answer cannot be read") && !error.contains("hunter2"),
            "{error}"
        );
        for text in [
            "",
            "<html>",
            "[]",
            "{}",
            r#"{"items": 1}"#,
            r#"{"kind": "DaemonSetList", "items": [1, "#,
        ] {
            let error = read::<DaemonSet>(text);
            assert!(matches!(error, Err(kube::Error::SerdeError(_))), "{text}: {error:?}");
        }
    }
}
