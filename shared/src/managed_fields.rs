//! What Kubernetes knows of an object's field managers, for whoever needs none of it. Whoever may write an object may write when
//! a manager last wrote it, and a time of the year 9999, which Kubernetes takes, is beyond what a time is here: with one such
//! object a whole list could not be read.

use serde_json::Value;

/// Takes it out of an object.
pub fn forget(object: &mut Value) {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
}

/// An object's namespace, if it has one, and its name, to say which one cannot be read all the same; the rest may quote it.
#[must_use]
pub fn place(object: &Value) -> String {
    let text = |field: &str| object.pointer(field).and_then(Value::as_str).unwrap_or_default();
    format!("{}/{}", text("/metadata/namespace"), text("/metadata/name"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn field_managers_go_and_the_rest_stays() {
        let mut object = json!({"kind": "Pod", "metadata": {"name": "a", "namespace": "shop", "managedFields": [{}]}});
        forget(&mut object);
        assert_eq!(
            object,
            json!({"kind": "Pod", "metadata": {"name": "a", "namespace": "shop"}})
        );
        assert_eq!(place(&object), "shop/a");
        for mut odd in [json!(null), json!({"metadata": []}), json!({"metadata": {"name": 1}})] {
            forget(&mut odd);
            assert_eq!(place(&odd), "/");
        }
    }
}
