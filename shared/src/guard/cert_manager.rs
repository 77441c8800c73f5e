//! The webhook's certificates as cert-manager makes them: an authority of the guard's own, and a certificate of it.
//!
//! A self-signed certificate alone would be simpler, but then each renewal would change what API servers must trust in
//! the same moment as what is served. With an authority of five years only the served one changes.

use crate::names;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Annotation by which cert-manager writes its authority into a webhook configuration.
pub(super) const INJECT_FROM: &str = "cert-manager.io/inject-ca-from";

/// The served certificate lasts for 90 days and is renewed when a third of them is left.
const LIFETIME_HOURS: u32 = 90 * 24;
const RENEW_BEFORE_HOURS: u32 = 30 * 24;
/// The authority lasts for five years.
const AUTHORITY_HOURS: u32 = 5 * 365 * 24;
/// Issuer that signs nothing but the authority's certificate.
const SELF_SIGNED: &str = "mesh-upgrade-webhook-self-signed";

/// Issuers and Certificates, in order.
pub(super) fn objects() -> Vec<Value> {
    vec![
        issuer(SELF_SIGNED, &json!({"selfSigned": {}})),
        certificate(
            names::MANAGED_AUTHORITY,
            SELF_SIGNED,
            &json!({
                "isCA": true,
                "commonName": names::MANAGED_AUTHORITY,
                "duration": format!("{AUTHORITY_HOURS}h"),
                "usages": ["cert sign", "crl sign"],
            }),
        ),
        issuer(
            names::MANAGED_AUTHORITY,
            &json!({"ca": {"secretName": names::MANAGED_AUTHORITY}}),
        ),
        certificate(
            names::MANAGED_CERTIFICATE,
            names::MANAGED_AUTHORITY,
            &json!({
                "dnsNames": [format!("{}.{}.svc", names::WEBHOOK, names::NAMESPACE)],
                "duration": format!("{LIFETIME_HOURS}h"),
                "renewBefore": format!("{RENEW_BEFORE_HOURS}h"),
                "usages": ["digital signature", "server auth"],
            }),
        ),
    ]
}

/// Annotation of the webhook configuration by which cert-manager keeps the authority in it.
pub(super) fn injection() -> BTreeMap<String, String> {
    BTreeMap::from([(
        INJECT_FROM.to_owned(),
        format!("{}/{}", names::NAMESPACE, names::MANAGED_CERTIFICATE),
    )])
}

fn object(kind: &str, name: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": "cert-manager.io/v1",
        "kind": kind,
        "metadata": {
            "name": name,
            "namespace": names::NAMESPACE,
            "labels": {names::LABEL_PART_OF: names::PART_OF},
        },
        "spec": spec,
    })
}

fn issuer(name: &str, spec: &Value) -> Value {
    object("Issuer", name, spec)
}

fn certificate(name: &str, issuer: &str, more: &Value) -> Value {
    let mut spec = json!({
        "secretName": name,
        "privateKey": {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Always"},
        "issuerRef": {"group": "cert-manager.io", "kind": "Issuer", "name": issuer},
    });
    if let (Some(spec), Some(more)) = (spec.as_object_mut(), more.as_object()) {
        spec.extend(more.clone());
    }
    object("Certificate", name, &spec)
}
