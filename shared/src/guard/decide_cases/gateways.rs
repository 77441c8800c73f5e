//! Gateways whose proxy is pinned: never ahead of the control plane, and as careful with themselves as everything else.

use super::{super::decide::KnownControlPlane, *};

fn planes(versions: &[(&str, &str)]) -> Facts {
    let planes = versions.iter().map(|(namespace, version)| KnownControlPlane {
        namespace: (*namespace).to_owned(),
        version: version.parse().ok(),
        user: format!("system:serviceaccount:{namespace}:istiod"),
        ..KnownControlPlane::default()
    });
    Facts {
        control_planes: planes.collect(),
        ..Facts::default()
    }
}

/// As Istio's gateway chart makes it, with further containers beside the proxy.
fn gateway(tag: &str) -> Value {
    pods(json!({"labels": {"app": "ingress", "istio": "ingress"}}), tag, true)
}

fn pods(metadata: Value, tag: &str, others: bool) -> Value {
    let image = if tag == "auto" {
        tag.to_owned()
    } else {
        format!("docker.io/istio/proxyv2:{tag}")
    };
    let mut containers = vec![json!({"name": "istio-proxy", "image": image})];
    if others {
        containers.push(json!({"name": "logs", "image": "logs:1"}));
    }
    let mut spec = json!({"template": {"spec": {"containers": containers}}});
    spec["template"]["metadata"] = metadata;
    spec
}

fn update(old: Value, new: Value) -> Ask {
    Ask::new("UPDATE", "apps", "deployments", "istio-ingress/ingress")
        .set("oldObject.spec", old)
        .set("object.spec", new)
}

fn create(new: Value) -> Ask {
    Ask::new("CREATE", "apps", "deployments", "istio-ingress/ingress").set("object.spec", new)
}

#[test]
fn a_pinned_gateway_trails_its_control_plane_and_never_leads_it() {
    use Code::{AheadOfControlPlane, Downgrade, MixedFlavor, SkipVersion, UnreadableVersion};
    let none = Facts::default();
    let at_31 = planes(&[("istio-system", "1.31.0")]);
    let two = planes(&[("istio-system", "1.30.3"), ("canary", "1.31.0")]);
    for (what, expected, facts, ask) in [
        ("with the control plane", None, &at_31, create(gateway("1.31.0"))),
        ("a patch ahead", None, &at_31, create(gateway("1.31.2"))),
        ("behind it", None, &at_31, create(gateway("1.29.1"))),
        (
            "ahead of it",
            Some(AheadOfControlPlane),
            &at_31,
            create(gateway("1.32.0")),
        ),
        ("ahead of one of two", None, &two, create(gateway("1.31.0"))),
        (
            "ahead of both",
            Some(AheadOfControlPlane),
            &two,
            create(gateway("1.32.0")),
        ),
        (
            "of a vendor",
            Some(MixedFlavor),
            &at_31,
            create(gateway("1.31.0-mspider")),
        ),
        (
            "where there is no control plane",
            None,
            &none,
            create(gateway("1.32.0")),
        ),
        ("an image of one's own", None, &at_31, create(gateway("my-build"))),
        ("by one", None, &at_31, update(gateway("1.30.3"), gateway("1.31.0"))),
        (
            "by one, ahead",
            Some(AheadOfControlPlane),
            &at_31,
            update(gateway("1.31.0"), gateway("1.32.0")),
        ),
        (
            "by two",
            Some(SkipVersion),
            &at_31,
            update(gateway("1.29.1"), gateway("1.31.0")),
        ),
        (
            "by two, without a control plane",
            Some(SkipVersion),
            &none,
            update(gateway("1.29.1"), gateway("1.31.0")),
        ),
        (
            "back",
            Some(Downgrade),
            &at_31,
            update(gateway("1.31.0"), gateway("1.30.3")),
        ),
        (
            "to a vendor",
            Some(MixedFlavor),
            &at_31,
            update(gateway("1.31.0"), gateway("1.31.0-mspider")),
        ),
        (
            "to latest",
            Some(UnreadableVersion),
            &at_31,
            update(gateway("1.31.0"), gateway("latest")),
        ),
        (
            "from latest",
            None,
            &at_31,
            update(gateway("latest"), gateway("1.31.0")),
        ),
        (
            "from latest, ahead",
            Some(AheadOfControlPlane),
            &at_31,
            update(gateway("latest"), gateway("1.32.0")),
        ),
        ("to injection", None, &at_31, update(gateway("1.29.1"), gateway("auto"))),
        ("injected", None, &at_31, create(gateway("auto"))),
        (
            "pinned where it is",
            None,
            &at_31,
            update(gateway("auto"), gateway("1.31.0")),
        ),
        (
            "pinned further back",
            Some(Downgrade),
            &at_31,
            update(gateway("auto"), gateway("1.30.3")),
        ),
        (
            "pinned at the older of two",
            None,
            &two,
            update(gateway("auto"), gateway("1.30.3")),
        ),
        (
            "pinned ahead",
            Some(AheadOfControlPlane),
            &at_31,
            update(gateway("auto"), gateway("1.32.0")),
        ),
        (
            "given up",
            None,
            &at_31,
            update(gateway("1.31.0"), json!({"template": {}})),
        ),
        (
            "ahead already, and restarted",
            None,
            &at_31,
            update(gateway("1.32.0"), gateway("1.32.0")),
        ),
    ] {
        assert_eq!(ask.code(facts), expected, "{what}");
    }
}

#[test]
fn a_gateway_is_known_by_what_cannot_be_taken_off() {
    let facts = planes(&[("istio-system", "1.31.0")]);
    let managed = json!({"labels": {"gateway.networking.k8s.io/gateway-name": "shop"}});
    let templated = json!({"annotations": {"inject.istio.io/templates": "gateway, mine"}});
    let bare = || json!({});
    let app = || json!({"labels": {"app": "shop", "security.istio.io/tlsMode": "istio"}});
    for (what, expected, ask) in [
        ("that istiod manages", true, create(pods(managed, "1.33.0", true))),
        ("of its own template", true, create(pods(templated, "1.33.0", true))),
        ("nothing but a proxy", true, create(pods(bare(), "1.33.0", false))),
        // The labels are in the selector, which the API server lets nobody change; should they go, the old object tells.
        (
            "its labels off",
            true,
            update(gateway("1.31.0"), pods(bare(), "1.33.0", true)),
        ),
        (
            "its metadata's labels off",
            true,
            update(gateway("1.31.0"), gateway("1.33.0")).set("object.metadata.labels", json!({})),
        ),
        ("a sidecar put in by hand", false, create(pods(app(), "1.33.0", true))),
        (
            "a sidecar over two minors",
            false,
            update(pods(app(), "1.29.0", true), pods(app(), "1.33.0", true)),
        ),
    ] {
        assert_eq!(ask.code(&facts).is_some(), expected, "{what}");
    }
    let set =
        |tag: &str| Ask::new("CREATE", "apps", "daemonsets", "istio-ingress/edge").set("object.spec", gateway(tag));
    assert_eq!(set("1.33.0").code(&facts), Some(Code::AheadOfControlPlane));
    assert_eq!(set("1.31.0").code(&facts), None);
}

#[test]
fn what_istiod_makes_follows_from_istiod() {
    let facts = planes(&[("istio-system", "1.31.0")]);
    let made = |by: &str, label: &str| {
        let labels = json!({label: "istio.io-gateway-controller"});
        let spec = |tag: &str| {
            pods(
                json!({"labels": {"gateway.networking.k8s.io/gateway-name": "shop"}}),
                tag,
                false,
            )
        };
        update(spec("1.29.0"), spec("1.31.0"))
            .set("object.metadata.labels", labels.clone())
            .set("oldObject.metadata.labels", labels)
            .by(by)
    };
    assert_eq!(made(ISTIOD, "gateway.istio.io/managed").code(&facts), None);
    assert_eq!(
        made("bob", "gateway.istio.io/managed").code(&facts),
        Some(Code::SkipVersion)
    );
    assert_eq!(made(ISTIOD, "app").code(&facts), Some(Code::SkipVersion));
    let elsewhere = "system:serviceaccount:shop:istiod";
    assert_eq!(
        made(elsewhere, "gateway.istio.io/managed").code(&facts),
        Some(Code::SkipVersion)
    );
}

#[test]
fn of_several_meshes_a_gateway_goes_with_that_of_its_namespace() {
    let facts = planes(&[("istio-system", "1.31.0"), ("team", "1.29.0")]);
    let beside = |tag: &str| create(gateway(tag)).set("namespace", json!("team"));
    assert_eq!(beside("1.30.0").code(&facts), Some(Code::AheadOfControlPlane));
    assert_eq!(create(gateway("1.30.0")).code(&facts), None, "it may be the other's");
}
