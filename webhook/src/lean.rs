//! Objects without their [`managed_fields`]: by those of one DaemonSet of somebody else's no list would ever be complete, and no
//! replica ready.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{Resource, runtime::watcher::Event};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error as _},
};
use serde_json::Value;
use shared::managed_fields;
use std::borrow::Cow;

/// An object that is read without them.
#[derive(Clone, Debug)]
pub(crate) struct Lean<K>(K);

impl<'de, K: DeserializeOwned> Deserialize<'de> for Lean<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut object = Value::deserialize(deserializer)?;
        managed_fields::forget(&mut object);
        let place = managed_fields::place(&object);
        serde_json::from_value(object)
            .map(Self)
            .map_err(|error| D::Error::custom(format!("{place}: {error}")))
    }
}

impl<K: Resource> Resource for Lean<K> {
    type DynamicType = K::DynamicType;
    type Scope = K::Scope;

    fn kind(of: &Self::DynamicType) -> Cow<'_, str> {
        K::kind(of)
    }

    fn group(of: &Self::DynamicType) -> Cow<'_, str> {
        K::group(of)
    }

    fn version(of: &Self::DynamicType) -> Cow<'_, str> {
        K::version(of)
    }

    fn plural(of: &Self::DynamicType) -> Cow<'_, str> {
        K::plural(of)
    }

    fn meta(&self) -> &ObjectMeta {
        self.0.meta()
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        self.0.meta_mut()
    }
}

/// What a watch tells, of the objects themselves.
pub(crate) fn without<K>(event: Event<Lean<K>>) -> Event<K> {
    match event {
        Event::Apply(Lean(object)) => Event::Apply(object),
        Event::Delete(Lean(object)) => Event::Delete(object),
        Event::Init => Event::Init,
        Event::InitApply(Lean(object)) => Event::InitApply(object),
        Event::InitDone => Event::InitDone,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::apps::v1::DaemonSet;
    use kube::core::{ObjectList, WatchEvent};
    use serde_json::json;

    #[test]
    fn a_far_time_of_one_object_does_not_lose_the_list() {
        let daemon_set = |name: &str, made: &str| {
            json!({
                "apiVersion": "apps/v1", "kind": "DaemonSet",
                "metadata": {"namespace": "shop", "name": name, "creationTimestamp": made, "managedFields": [
                    {"manager": "x", "operation": "Update", "apiVersion": "apps/v1", "time": "9999-12-31T00:00:00Z",
                    "fieldsType": "FieldsV1", "fieldsV1": {}},
                ]},
            })
        };
        let now = "2026-11-25T08:00:00Z";
        let list = json!({"apiVersion": "apps/v1", "kind": "DaemonSetList", "metadata": {"resourceVersion": "7"},
            "items": [daemon_set("one", now), daemon_set("two", now)]})
        .to_string();
        assert!(serde_json::from_str::<ObjectList<DaemonSet>>(&list).is_err());
        let read: ObjectList<Lean<DaemonSet>> = serde_json::from_str(&list).unwrap();
        let names: Vec<_> = read.items.iter().filter_map(|one| one.meta().name.as_deref()).collect();
        assert_eq!(names, ["one", "two"]);
        assert!(read.items.iter().all(|one| one.meta().managed_fields.is_none()));
        let event = json!({"type": "MODIFIED", "object": daemon_set("one", now)}).to_string();
        let event: WatchEvent<Lean<DaemonSet>> = serde_json::from_str(&event).unwrap();
        assert!(matches!(event, WatchEvent::Modified(_)));
        // What cannot be read all the same is named.
        let late = daemon_set("late", "9999-12-31T00:00:00Z").to_string();
        let error = serde_json::from_str::<Lean<DaemonSet>>(&late).unwrap_err();
        assert!(error.to_string().contains("shop/late"), "{error}");
    }
}
