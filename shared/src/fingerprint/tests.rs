//! What of an object counts, and what was seen of it.

use super::*;
use crate::api::{MeshFreezeSpec, MeshFreezeStatus, ObjectName};
pub(super) use ExemptKind::MutatingWebhookConfiguration as Mutating;
use ExemptKind::{ValidatingAdmissionPolicy as Policy, ValidatingWebhookConfiguration as Validating};
use serde_json::{Value, json};

pub(super) fn release(name: &str) -> ObjectName {
    ObjectName {
        namespace: "istio-system".to_owned(),
        name: name.to_owned(),
    }
}

fn manager(name: &str, second: u32, fields: &Value) -> Value {
    json!({"manager": name, "operation": "Update", "time": format!("2026-01-01T00:00:{second:02}Z"),
        "fieldsType": "FieldsV1", "fieldsV1": fields})
}

/// As helm writes it and istiod completes it.
fn webhook(name: &str) -> Value {
    let webhooks = |leaf: Value| json!({"f:webhooks": {"k:{\"name\":\"rev.validation.istio.io\"}": leaf}});
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": {
            "name": name, "uid": "1", "resourceVersion": "7", "generation": 2, "creationTimestamp": "2026-01-01T00:00:00Z",
            "labels": {"istio.io/rev": "default"},
            "annotations": {
                "meta.helm.sh/release-name": "istiod", "meta.helm.sh/release-namespace": "istio-system",
                "kubectl.kubernetes.io/last-applied-configuration": "{}",
            },
            "managedFields": [
                manager("helm", 1, &webhooks(json!({".": {}, "f:name": {}, "f:rules": {}, "f:failurePolicy": {}}))),
                manager("pilot-discovery", 2,
                    &webhooks(json!({"f:clientConfig": {"f:caBundle": {}}, "f:failurePolicy": {}}))),
            ],
        },
        "webhooks": [{
            "name": "rev.validation.istio.io", "failurePolicy": "Ignore", "sideEffects": "None",
            "clientConfig": {"service": {"name": "istiod", "namespace": "istio-system"}, "caBundle": "b2xk"},
            "rules": [{"apiGroups": ["networking.istio.io"], "resources": ["*"]}],
        }],
    })
}

fn at(mut object: Value, pointer: &str, value: Value) -> Value {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    match object.pointer_mut(parent).unwrap() {
        Value::Object(map) => drop(map.insert(key.replace("~1", "/"), value)),
        Value::Array(items) => items.push(value),
        _ => unreachable!(),
    }
    object
}

fn print(kind: ExemptKind, object: &Value) -> Fingerprint {
    fingerprint(kind, object).unwrap().1
}

const NAME: &str = "istio-validator-istio-system";

pub(super) fn seen(name: &str, sha: &str, of: Option<&str>, writers: &[&str]) -> Fingerprint {
    Fingerprint {
        kind: Mutating,
        name: name.to_owned(),
        sha256: sha.to_owned(),
        release: of.map(release),
        writers: writers.iter().map(|writer| (*writer).to_owned()).collect(),
    }
}

#[test]
fn what_istiod_and_the_api_server_write_does_not_count() {
    let before = print(Validating, &webhook(NAME));
    for (pointer, value) in [
        ("/metadata/uid", json!("2")),
        ("/metadata/resourceVersion", json!("8")),
        ("/metadata/generation", json!(3)),
        ("/metadata/finalizers", json!(["x"])),
        (
            "/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration",
            json!("{\"a\":1}"),
        ),
        ("/webhooks/0/clientConfig/caBundle", json!("bmV3")),
        ("/webhooks/0/failurePolicy", json!("Fail")),
        ("/status", json!({"observedGeneration": 1})),
    ] {
        let after = print(Validating, &at(webhook(NAME), pointer, value));
        assert_eq!(after.sha256, before.sha256, "{pointer}");
    }
    assert_eq!(
        before.writers,
        ["helm 2026-01-01T00:00:01Z"],
        "istiod writes nothing that counts"
    );
    assert_eq!(before.release, Some(release("istiod")));
}

#[test]
fn whatever_else_it_does_counts() {
    let before = print(Validating, &webhook(NAME));
    for (pointer, value) in [
        ("/metadata/labels/istio.io~1rev", json!("other")),
        ("/metadata/annotations/meta.helm.sh~1release-name", json!("other")),
        (
            "/metadata/ownerReferences",
            json!([{"kind": "ConfigMap", "name": "gone"}]),
        ),
        (
            "/webhooks/0/clientConfig/service",
            json!({"name": "other", "namespace": "istio-system"}),
        ),
        ("/webhooks/0/rules", json!([])),
        ("/webhooks/0/timeoutSeconds", json!(1)),
        ("/webhooks/-", json!({"name": "second"})),
        ("/webhooks", json!([])),
    ] {
        let after = print(Validating, &at(webhook(NAME), pointer, value));
        assert_ne!(after.sha256, before.sha256, "{pointer}");
    }
}

#[test]
fn an_injector_and_the_guards_webhook_must_keep_their_failure_policy() {
    for (kind, name) in [(Mutating, "istio-sidecar-injector"), (Validating, names::WEBHOOK)] {
        let before = print(kind, &webhook(name));
        let after = print(kind, &at(webhook(name), "/webhooks/0/failurePolicy", json!("Fail")));
        assert_ne!(after.sha256, before.sha256, "{name}");
        let rotated = print(
            kind,
            &at(webhook(name), "/webhooks/0/clientConfig/caBundle", json!("bmV3")),
        );
        assert_eq!(rotated.sha256, before.sha256, "{name}");
    }
}

#[test]
fn texts_are_not_confused_with_their_neighbours() {
    let of = |spec: Value| {
        print(
            Policy,
            &json!({"metadata": {"name": "stable-channel-policy"}, "spec": spec}),
        )
        .sha256
    };
    assert_ne!(of(json!({"a": "b", "c": "d"})), of(json!({"a": "b\"1:c\"1:d"})));
    assert_ne!(of(json!(["ab", "c"])), of(json!(["a", "bc"])));
    assert_ne!(of(json!(["1"])), of(json!([1])));
    assert_ne!(of(json!([[1], 2])), of(json!([[1, 2]])));
}

#[test]
fn tells_whose_an_object_is() {
    let of = |kind, name: &str, label: Option<(&str, &str)>| {
        let labels = label.map(|(key, value)| (key.to_owned(), value.to_owned()));
        owner(kind, name, &labels.into_iter().collect())
    };
    for (kind, name, label, expected) in [
        (Mutating, "istio-sidecar-injector", None, Some(Owner::Mesh)),
        (
            Mutating,
            "istio-sidecar-injector-canary-istio-two",
            None,
            Some(Owner::Mesh),
        ),
        (Mutating, "istio-revision-tag-prod", None, Some(Owner::Mesh)),
        (Mutating, "renamed", Some(("istio.io/tag", "prod")), Some(Owner::Mesh)),
        (Validating, "istiod-default-validator", None, Some(Owner::Mesh)),
        (Validating, "istio-validator-istio-system", None, Some(Owner::Mesh)),
        (
            Policy,
            "stable-channel-policy-istio-system.istio.io",
            None,
            Some(Owner::Mesh),
        ),
        (
            Policy,
            "stable-channel-default-policy.istio.io",
            None,
            Some(Owner::Mesh),
        ),
        (Policy, "mesh-freeze-default-1", None, Some(Owner::Freeze)),
        (Policy, names::OWN_OBJECTS_POLICY, None, Some(Owner::Guard)),
        (Validating, names::WEBHOOK, None, Some(Owner::Guard)),
        (Mutating, names::WEBHOOK, None, None),
        (Validating, "cert-manager-webhook", None, None),
        (
            Validating,
            "kyverno-policy-validating-webhook-cfg",
            Some(("app", "kyverno")),
            None,
        ),
        (Policy, "safe-upgrades.gateway.networking.k8s.io", None, None),
    ] {
        assert_eq!(of(kind, name, label), expected, "{name}");
    }
}

#[test]
fn a_picture_follows_lists_and_watches_and_keeps_only_what_is_ours() {
    let scope = FreezeScope {
        helm_releases: vec![release("extra")],
        ..FreezeScope::default()
    };
    let object = |name: &str, of: &str| {
        json!({"metadata": {"name": name, "annotations": {
            "meta.helm.sh/release-name": of, "meta.helm.sh/release-namespace": "istio-system"}}})
    };
    let names = |picture: &Picture| {
        let of = picture.of(&scope);
        of.into_iter().map(|fingerprint| fingerprint.name).collect::<Vec<_>>()
    };
    let mut picture = Picture::default();
    picture.begin(Mutating);
    for (name, of) in [
        ("istio-sidecar-injector", "istiod"),
        ("named-otherwise", "extra"),
        ("foreign", "foreign"),
    ] {
        picture.arrive(Mutating, &object(name, of));
    }
    assert!(
        !picture.has(Mutating) && names(&picture).is_empty(),
        "a list under way says nothing yet"
    );
    picture.complete(Mutating);
    assert!(picture.has(Mutating) && !picture.has(Policy));
    assert_eq!(names(&picture), ["istio-sidecar-injector", "named-otherwise"]);
    picture.apply(Mutating, &object("istio-revision-tag-x", "istiod"));
    picture.delete(Mutating, "named-otherwise");
    assert_eq!(names(&picture), ["istio-revision-tag-x", "istio-sidecar-injector"]);
    picture.begin(Mutating);
    picture.complete(Mutating);
    assert!(
        names(&picture).is_empty(),
        "a new list without them says that they are gone"
    );
    picture.apply(Mutating, &json!({"metadata": {}}));
}

#[test]
fn a_webhook_put_back_keeps_the_certificates_that_stand_now() {
    let rotated = at(webhook("w"), "/webhooks/0/clientConfig/caBundle", json!("bmV3"));
    let emptied = at(rotated, "/webhooks/0/rules", json!([]));
    let restored = with_ca_bundles_of(webhook("w"), &emptied);
    assert_eq!(
        restored,
        at(webhook("w"), "/webhooks/0/clientConfig/caBundle", json!("bmV3"))
    );
    assert_eq!(with_ca_bundles_of(webhook("w"), &json!({})), webhook("w"));
}

#[test]
fn a_hostile_name_stays_on_its_line_and_many_changes_stay_short() {
    let now: Vec<Fingerprint> = (0..50)
        .map(|n| seen(&format!("{n:02}\n{}", "x".repeat(500)), "1", None, &[]))
        .collect();
    let text = describe(&judge(&[], &now, None));
    assert!(
        !text.contains('\n') && text.len() < 1000 && text.ends_with("and 45 more"),
        "{text}"
    );
}

#[test]
fn a_takeover_under_way_is_no_drift_and_hides_none() {
    let spec: MeshFreezeSpec = serde_json::from_value(json!({"mesh": "default", "upgrade": "default-1",
        "from": "1.30.3", "to": "1.31.0", "holder": "alice", "epoch": 2, "since": "2026-01-01T00:00:00Z", "scope": {}}))
    .unwrap();
    let policy = |epoch: i64, sha: &str| Fingerprint {
        kind: Policy,
        ..seen(&names::freeze_policy("default", epoch), sha, None, &[])
    };
    let mut status = MeshFreezeStatus::default();
    let now = [policy(2, "1"), seen("istio-sidecar-injector", "2", None, &[])];
    assert_eq!(judge_freeze(&spec, &status, &now), [], "nothing to compare with yet");
    status.fingerprints = vec![policy(1, "1"), seen("istio-sidecar-injector", "1", None, &[])];
    let changes = judge_freeze(&spec, &status, &now);
    assert_eq!(
        describe(&changes),
        "MutatingWebhookConfiguration istio-sidecar-injector was changed"
    );
    status.fingerprints = vec![policy(2, "1"), seen("istio-sidecar-injector", "2", None, &[])];
    assert_eq!(judge_freeze(&spec, &status, &now), []);
    let changes = judge_freeze(&spec, &status, &now[1..]);
    assert_eq!(
        describe(&changes),
        "ValidatingAdmissionPolicy mesh-freeze-default-2 was deleted"
    );
    assert!(changes[0].is_of_guard());
    assert_eq!(judge_freeze(&spec, &status, &[policy(2, "9"), now[1].clone()]).len(), 1);
}

#[test]
fn a_successor_keeps_what_was_remembered_and_takes_over_the_guard_that_it_has_proved() {
    let of = |kind, name: &str, sha: &str| Fingerprint {
        kind,
        ..seen(name, sha, None, &[])
    };
    let before = [
        of(Validating, names::WEBHOOK, "1"),
        of(Policy, names::OWN_OBJECTS_POLICY, "1"),
        of(Policy, "mesh-freeze-default-1", "1"),
        seen("istio-sidecar-injector", "1", None, &[]),
        seen("istio-revision-tag-x", "1", Some("istiod"), &[]),
    ];
    let now = [
        of(Validating, names::WEBHOOK, "2"),
        of(Policy, "mesh-freeze-default-2", "1"),
        seen("istio-sidecar-injector", "2", None, &[]),
        seen("istio-revision-tag-x", "2", Some("istiod"), &["helm t1"]),
    ];
    let (kept, changes) = taken_over(&before, &now, Some(&release("istiod")));
    assert_eq!(
        describe(&changes),
        "ValidatingWebhookConfiguration mesh-upgrade-webhook was changed; MutatingWebhookConfiguration \
         istio-sidecar-injector was changed; ValidatingAdmissionPolicy mesh-upgrade-own-objects was deleted"
    );
    let kept: Vec<(&str, &str)> = kept.iter().map(|it| (it.name.as_str(), it.sha256.as_str())).collect();
    assert_eq!(
        kept,
        [
            (names::WEBHOOK, "2"),
            ("istio-revision-tag-x", "2"),
            ("istio-sidecar-injector", "1"),
            ("mesh-freeze-default-2", "1"),
            (names::OWN_OBJECTS_POLICY, "1"),
        ]
    );
}
