//! What of an object counts, and its digest.

use super::{Owner, owner};
use crate::{
    api::{ExemptKind, Fingerprint, ObjectName},
    gitops,
    guard::table::{HELM_RELEASE_NAME, HELM_RELEASE_NAMESPACE},
    istioctl,
};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

/// Annotation in which kubectl repeats the object.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Metadata that does something. The rest is book-keeping, and a finalizer only delays.
const METADATA: &[&str] = &["labels", "annotations", "ownerReferences"];

/// The fingerprint of an object as the API server shows it, and whose it is by name and labels.
#[must_use]
pub fn fingerprint(kind: ExemptKind, object: &Value) -> Option<(Option<Owner>, Fingerprint)> {
    let name = object.pointer("/metadata/name")?.as_str()?.to_owned();
    let labels = texts(object.pointer("/metadata/labels"));
    let owner = owner(kind, &name, &labels);
    let ignored = ignored(kind, owner);
    let mut hasher = Sha256::new();
    feed(&mut hasher, &counting(object, ignored));
    let annotations = texts(object.pointer("/metadata/annotations"));
    let release = annotations.get(HELM_RELEASE_NAME).map(|name| ObjectName {
        namespace: annotations.get(HELM_RELEASE_NAMESPACE).cloned().unwrap_or_default(),
        name: name.clone(),
    });
    let release = release.or_else(|| istioctl::installation_of(&labels).map(|found| istioctl::as_release(&found)));
    let release = release.or_else(|| gitops::instance_of(&labels, &annotations).map(gitops::mark_as_release));
    let fingerprint = Fingerprint {
        kind,
        name,
        sha256: hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect(),
        release,
        writers: writers(object, ignored),
    };
    Some((owner, fingerprint))
}

/// An object to be written anew over the one that stands now: with the certificates of the latter, which may have been
/// rotated meanwhile.
#[must_use]
pub fn with_ca_bundles_of(mut object: Value, now: &Value) -> Value {
    let bundles: BTreeMap<&str, &Value> = webhooks(now)
        .filter_map(|webhook| {
            Some((
                webhook.get("name")?.as_str()?,
                webhook.pointer("/clientConfig/caBundle")?,
            ))
        })
        .collect();
    for webhook in object
        .get_mut("webhooks")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        let name = webhook.get("name").and_then(Value::as_str).unwrap_or_default();
        let Some(bundle) = bundles.get(name) else { continue };
        if let Some(config) = webhook.get_mut("clientConfig").and_then(Value::as_object_mut) {
            config.insert("caBundle".to_owned(), (*bundle).clone());
        }
    }
    object
}

fn webhooks(object: &Value) -> impl Iterator<Item = &Value> {
    object.get("webhooks").and_then(Value::as_array).into_iter().flatten()
}

/// Fields of a webhook that somebody else writes all the time. istiod patches its certificate into all of Istio's
/// webhooks, and into its validators the failurePolicy, once it has proved them; the guard's certificate is rotated.
/// A certificate that is wrong opens nothing that is not proved otherwise: ours is asked by canaries.
fn ignored(kind: ExemptKind, owner: Option<Owner>) -> &'static [&'static str] {
    match (kind, owner) {
        (ExemptKind::ValidatingWebhookConfiguration, Some(Owner::Mesh)) => &["caBundle", "failurePolicy"],
        _ => &["caBundle"],
    }
}

fn counting(object: &Value, ignored: &[&str]) -> Value {
    let mut counting = Map::new();
    for (key, value) in object.as_object().into_iter().flatten() {
        match key.as_str() {
            "apiVersion" | "kind" | "status" | "metadata" => {}
            "webhooks" => {
                let webhooks = value.as_array().into_iter().flatten();
                let webhooks = webhooks.map(|webhook| without(webhook, ignored)).collect();
                counting.insert(key.clone(), Value::Array(webhooks));
            }
            _ => drop(counting.insert(key.clone(), value.clone())),
        }
    }
    for key in METADATA {
        let Some(value) = object.pointer(&format!("/metadata/{key}")) else {
            continue;
        };
        let mut value = value.clone();
        if let Some(annotations) = value.as_object_mut() {
            annotations.remove(LAST_APPLIED);
        }
        counting.insert((*key).to_owned(), value);
    }
    Value::Object(counting)
}

/// A webhook without these fields, and its client configuration without them.
fn without(webhook: &Value, ignored: &[&str]) -> Value {
    let mut webhook = webhook.clone();
    for field in ignored {
        if let Some(fields) = webhook.as_object_mut() {
            fields.remove(*field);
        }
        if let Some(fields) = webhook.get_mut("clientConfig").and_then(Value::as_object_mut) {
            fields.remove(*field);
        }
    }
    webhook
}

/// Those who wrote something that counts. A manager that owns only ignored fields is istiod, or a certificate's.
fn writers(object: &Value, ignored: &[&str]) -> Vec<String> {
    let entries = object.pointer("/metadata/managedFields").and_then(Value::as_array);
    let mut writers: Vec<String> = entries
        .into_iter()
        .flatten()
        .filter(|entry| {
            entry
                .get("fieldsV1")
                .is_some_and(|fields| owns_more_than(fields, ignored))
        })
        .map(|entry| {
            let text = |key: &str| entry.get(key).and_then(Value::as_str).unwrap_or_default();
            format!("{} {}", text("manager"), text("time"))
        })
        .collect();
    writers.sort();
    writers
}

/// Whether a set of fields has a leaf that counts. Lists' items (`k:…`), the items themselves (`.`), and the names that
/// identify them are structure.
fn owns_more_than(fields: &Value, ignored: &[&str]) -> bool {
    fields.as_object().into_iter().flatten().any(|(key, below)| {
        if below.as_object().is_some_and(|below| !below.is_empty()) {
            return owns_more_than(below, ignored);
        }
        let Some(field) = key.strip_prefix("f:") else {
            return key.starts_with("v:");
        };
        field != "name" && !ignored.contains(&field)
    })
}

/// Feeds a value with its keys in order, whatever map they came from, and each text with its length before it.
fn feed(hasher: &mut Sha256, value: &Value) {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort();
            hasher.update(format!("{{{}", keys.len()));
            for key in keys {
                hasher.update(format!("{}:{key}", key.len()));
                feed(hasher, map.get(key).unwrap_or(&Value::Null));
            }
        }
        Value::Array(items) => {
            hasher.update(format!("[{}", items.len()));
            for item in items {
                feed(hasher, item);
            }
        }
        Value::String(text) => hasher.update(format!("\"{}:{text}", text.len())),
        other => hasher.update(format!("={other};")),
    }
}

fn texts(value: Option<&Value>) -> BTreeMap<String, String> {
    let entries = value.and_then(Value::as_object).into_iter().flatten();
    entries
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect()
}
