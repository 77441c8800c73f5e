//! The condition, evaluated as the API server does it.

use super::*;
use crate::guard::{install::WebhookClient, rules::webhook_configuration};
use serde_json::{Value, json};

fn coverage() -> Coverage {
    Coverage {
        istio_namespaces: BTreeSet::from(["istio-system".to_owned()]),
        config_maps: BTreeSet::from([object("istio-system", "istio")]),
        helm_releases: BTreeSet::from([object("istio-system", "istiod"), object("mesh", "my.base")]),
        ..Coverage::default()
    }
}

/// What the API server would make of the condition.
fn matches(coverage: &Coverage, request: &Value, object: &Value, old: &Value) -> bool {
    let program = ::cel::Program::compile(&coverage.condition().expression).unwrap();
    let mut context = ::cel::Context::default();
    for (name, value) in [("request", request), ("object", object), ("oldObject", old)] {
        context.add_variable(name, value.clone()).unwrap();
    }
    program.execute(&context).unwrap() == ::cel::Value::Bool(true)
}

fn asked(coverage: &Coverage, resource: &str, path: &str, metadata: Value) -> bool {
    let (namespace, name) = path.split_once('/').unwrap_or(("", path));
    let mut request = json!({"resource": {"group": "", "resource": resource}});
    if !namespace.is_empty() {
        request["namespace"] = json!(namespace);
    }
    let mut object = json!({});
    object["metadata"] = metadata;
    if !name.is_empty() {
        object["metadata"]["name"] = json!(name);
    }
    let created = matches(coverage, &request, &object, &Value::Null);
    let deleted = matches(coverage, &request, &Value::Null, &object);
    assert_eq!(created, deleted, "{resource} {path}");
    created
}

#[test]
fn nothing_but_the_releases_of_the_mesh_reaches_the_webhook() {
    let helm = |name: &str| json!({"labels": {"owner": "helm", "name": name}});
    let owned = |namespace: &str, name: &str| json!({"annotations": {"meta.helm.sh/release-name": name, "meta.helm.sh/release-namespace": namespace}});
    let none = || json!({});
    let remote = || json!({"labels": {"istio/multiCluster": "true"}});
    for (what, resource, path, metadata, expected) in [
        (
            "a release",
            "secrets",
            "istio-system/sh.helm.release.v1.istiod.v7",
            helm("istiod"),
            true,
        ),
        (
            "by its name alone",
            "secrets",
            "istio-system/sh.helm.release.v1.istiod.v7",
            none(),
            true,
        ),
        (
            "by its label alone",
            "secrets",
            "istio-system/innocent",
            helm("istiod"),
            true,
        ),
        (
            "in a ConfigMap",
            "configmaps",
            "mesh/sh.helm.release.v1.my.base.v1",
            none(),
            true,
        ),
        (
            "a new revision",
            "secrets",
            "istio-system/sh.helm.release.v1.istiod-canary.v1",
            none(),
            true,
        ),
        (
            "one elsewhere",
            "secrets",
            "shop/sh.helm.release.v1.istiod.v1",
            helm("istiod"),
            false,
        ),
        (
            "another's",
            "secrets",
            "istio-system/sh.helm.release.v1.grafana.v1",
            helm("grafana"),
            false,
        ),
        (
            "a dot is no wildcard",
            "secrets",
            "mesh/sh.helm.release.v1.myxbase.v1",
            none(),
            false,
        ),
        (
            "an application's",
            "secrets",
            "shop/sh.helm.release.v1.shop.v1",
            helm("shop"),
            false,
        ),
        ("a password", "secrets", "istio-system/cacerts", none(), false),
        ("a remote cluster", "secrets", "istio-system/west", remote(), true),
        (
            "a remote cluster of another mesh",
            "secrets",
            "shop/west",
            remote(),
            false,
        ),
        (
            "its label on a ConfigMap",
            "configmaps",
            "istio-system/west",
            remote(),
            false,
        ),
        (
            "the way to the configuration",
            "secrets",
            "istio-system/istio-kubeconfig",
            none(),
            true,
        ),
        ("its name elsewhere", "secrets", "shop/istio-kubeconfig", none(), false),
        (
            "another owner",
            "secrets",
            "istio-system/x",
            json!({"labels": {"owner": "me", "name": "istiod"}}),
            false,
        ),
        (
            "half a label",
            "secrets",
            "istio-system/x",
            json!({"labels": {"owner": "helm"}}),
            false,
        ),
        ("a generated name to come", "secrets", "istio-system/", none(), false),
        ("mesh configuration", "configmaps", "istio-system/istio", none(), true),
        (
            "a canary",
            "configmaps",
            "istio-system/mesh-upgrade-canary",
            none(),
            true,
        ),
        ("its name elsewhere", "configmaps", "shop/istio", none(), false),
        (
            "leader election",
            "configmaps",
            "istio-system/istio-leader",
            none(),
            false,
        ),
        ("a Secret of its name", "secrets", "istio-system/istio", none(), false),
        (
            "what a release owns",
            "services",
            "istio-system/istiod",
            owned("istio-system", "istiod"),
            true,
        ),
        (
            "in no namespace",
            "clusterroles",
            "istiod",
            owned("istio-system", "istiod"),
            true,
        ),
        (
            "a Secret that it owns",
            "secrets",
            "shop/x",
            owned("mesh", "my.base"),
            true,
        ),
        (
            "of a release elsewhere",
            "services",
            "shop/istiod",
            owned("shop", "istiod"),
            false,
        ),
        (
            "half an owner",
            "services",
            "a/b",
            json!({"annotations": {"meta.helm.sh/release-name": "istiod"}}),
            false,
        ),
        ("of nobody", "services", "istio-system/istiod", none(), false),
        (
            "labels on a Service",
            "services",
            "istio-system/x",
            helm("istiod"),
            false,
        ),
    ] {
        assert_eq!(asked(&coverage(), resource, path, metadata), expected, "{what}");
    }
    assert!(!asked(
        &Coverage::default(),
        "secrets",
        "istio-system/sh.helm.release.v1.istiod.v1",
        helm("istiod")
    ));
}

#[test]
fn what_is_taken_off_or_put_on_is_seen() {
    let plain = json!({"metadata": {"name": "istiod"}});
    let owned = json!({"metadata": {"name": "istiod", "annotations":
        {"meta.helm.sh/release-name": "istiod", "meta.helm.sh/release-namespace": "istio-system"}}});
    let request = json!({"resource": {"group": "", "resource": "services"}, "namespace": "istio-system"});
    assert!(matches(&coverage(), &request, &plain, &owned), "taken off");
    assert!(matches(&coverage(), &request, &owned, &plain), "put on");
    assert!(!matches(&coverage(), &request, &plain, &plain));
}

#[test]
fn names_stay_data() {
    let evil = Coverage {
        helm_releases: BTreeSet::from([object("a\"] || true || [\"", "b'\\")]),
        ..Coverage::default()
    };
    assert!(!asked(&evil, "secrets", "shop/password", json!({})));
    assert!(asked(
        &evil,
        "secrets",
        "a\"] || true || [\"/sh.helm.release.v1.b'\\.v1",
        json!({})
    ));
}

#[test]
fn a_configuration_covers_what_its_annotation_and_its_condition_say() {
    let mut configuration = webhook_configuration(&WebhookClient::Service, &coverage());
    assert_eq!(Coverage::of_configuration(&configuration), coverage());
    let wider = coverage().and(Coverage::documented());
    assert!(wider.write(&mut configuration));
    assert_eq!(Coverage::of_configuration(&configuration), wider);
    assert!(wider.lacks(&coverage()).is_empty());
    assert_eq!(
        coverage().lacks(&Coverage {
            istio_namespaces: BTreeSet::from(["canary".to_owned()]),
            config_maps: BTreeSet::from([object("canary", "istio")]),
            helm_releases: BTreeSet::from([object("istio-system", "ztunnel"), object("mesh", "my.base")]),
            ..Coverage::default()
        }),
        [
            "helm release istio-system/ztunnel",
            "ConfigMap canary/istio",
            "namespace canary"
        ]
    );
    // Somebody narrowed the condition by hand, or took the annotation away.
    let mut narrowed = configuration.clone();
    for webhook in narrowed.webhooks.iter_mut().flatten() {
        webhook.match_conditions = Some(vec![Coverage::default().condition()]);
    }
    assert!(Coverage::of_configuration(&narrowed).is_empty());
    assert_eq!(Coverage::noted(&narrowed), Some(wider.clone()), "to be covered again");
    configuration.metadata.annotations = None;
    assert!(Coverage::of_configuration(&configuration).is_empty());
    assert!(!wider.write(&mut ValidatingWebhookConfiguration::default()));
}

#[test]
fn what_istioctl_installed_reaches_the_webhook_by_its_labels() {
    let labels = |namespace: &str, revision: &str| json!({"labels": {"install.operator.istio.io/owning-resource-namespace": namespace, "istio.io/rev": revision}});
    let with = Coverage {
        istioctl: BTreeSet::from([object("istio-system", "blue")]),
        ..coverage()
    };
    for (metadata, expected) in [
        (labels("istio-system", "blue"), true),
        (labels("istio-system", "green"), false),
        (labels("other", "blue"), false),
        (json!({"labels": {"istio.io/rev": "blue"}}), false),
        (json!({}), false),
    ] {
        assert_eq!(
            asked(&with, "serviceaccounts", "istio-system/x", metadata.clone()),
            expected,
            "{metadata}"
        );
        assert!(!asked(&coverage(), "serviceaccounts", "istio-system/x", metadata));
    }
    assert_eq!(coverage().lacks(&with), ["istioctl's revision istio-system/blue"]);
    assert!(!coverage().annotation().contains("istioctl"), "as it stood before");
}
