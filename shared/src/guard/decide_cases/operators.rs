//! Versions that operators are asked for, old object and new.

use super::{
    super::decide::{KnownControlPlane, KnownMesh},
    *,
};

fn running(version: &str) -> Facts {
    Facts {
        control_planes: vec![KnownControlPlane {
            namespace: "istio-system".to_owned(),
            version: version.parse().ok(),
            ..KnownControlPlane::default()
        }],
        ..Facts::default()
    }
}

fn sail(resource: &str, old: Option<&str>, new: &str) -> Ask {
    let spec = |version: &str| json!({"version": version, "namespace": "istio-system", "values": {"a": [1]}});
    let ask = |operation| Ask::new(operation, "sailoperator.io", resource, "default");
    match old {
        Some(old) => ask("UPDATE")
            .set("oldObject.spec", spec(old))
            .set("object.spec", spec(new)),
        None => ask("CREATE").set("object.spec", spec(new)),
    }
}

fn operator(old: Option<Value>, new: Value) -> Ask {
    let ask = |operation| {
        Ask::new(
            operation,
            "install.istio.io",
            "istiooperators",
            "istio-system/control-plane",
        )
    };
    match old {
        Some(old) => ask("UPDATE").set("oldObject.spec", old).set("object.spec", new),
        None => ask("CREATE").set("object.spec", new),
    }
}

#[test]
fn sail_is_asked_for_one_minor_more_at_most() {
    use Code::{Downgrade, MixedFlavor, SkipVersion, UnreadableVersion};
    let none = Facts::default();
    let at_30 = running("1.30.3");
    for (what, expected, facts, old, new) in [
        ("a patch", None, &none, Some("v1.30.3"), "v1.30.4"),
        ("one minor", None, &none, Some("v1.30.3"), "v1.31.0"),
        ("two minors", Some(SkipVersion), &none, Some("v1.29.8"), "v1.31.0"),
        ("back", Some(Downgrade), &none, Some("v1.31.0"), "v1.30.3"),
        ("back a patch", Some(Downgrade), &none, Some("v1.31.1"), "v1.31.0"),
        (
            "a vendor's",
            Some(MixedFlavor),
            &none,
            Some("v1.31.0"),
            "v1.31.0-mspider",
        ),
        ("to an alias", None, &none, Some("v1.30.3"), "v1.31-latest"),
        ("to its own alias", None, &none, Some("v1.30.3"), "v1.30-latest"),
        (
            "to an alias too far",
            Some(SkipVersion),
            &none,
            Some("v1.30.3"),
            "v1.32-latest",
        ),
        (
            "to an older alias",
            Some(Downgrade),
            &none,
            Some("v1.31.0"),
            "v1.30-latest",
        ),
        ("from alias to alias", None, &none, Some("v1.30-latest"), "v1.31-latest"),
        (
            "from alias to alias too far",
            Some(SkipVersion),
            &none,
            Some("v1.29-latest"),
            "v1.31-latest",
        ),
        (
            "from an alias to what runs",
            None,
            &at_30,
            Some("v1.30-latest"),
            "v1.30.3",
        ),
        (
            "from an alias back a patch",
            Some(Downgrade),
            &at_30,
            Some("v1.30-latest"),
            "v1.30.1",
        ),
        (
            "a development build",
            None,
            &none,
            Some("v1.30.3"),
            "v1.31-alpha.9c6178f5",
        ),
        ("master", Some(UnreadableVersion), &none, Some("v1.30.3"), "master"),
        ("master, as before", None, &at_30, Some("master"), "master"),
        ("away from master", None, &at_30, Some("master"), "v1.31.0"),
        (
            "away from master, too far",
            Some(SkipVersion),
            &at_30,
            Some("master"),
            "v1.32.0",
        ),
        ("the first", None, &none, None, "v1.31.0"),
        ("beside what runs", None, &at_30, None, "v1.31.0"),
        (
            "beside what runs, too far",
            Some(SkipVersion),
            &at_30,
            None,
            "v1.32-latest",
        ),
        ("beside what runs, older", Some(Downgrade), &at_30, None, "v1.29.8"),
        (
            "nothing readable beside what runs",
            Some(UnreadableVersion),
            &at_30,
            None,
            "master",
        ),
    ] {
        for resource in ["istios", "istiorevisions", "remoteistios"] {
            assert_eq!(sail(resource, old, new).code(facts), expected, "{resource}: {what}");
        }
    }
    for (what, expected, old, new) in [
        ("one minor", None, Some("v1.30.3"), "v1.31.0"),
        ("two", Some(SkipVersion), Some("v1.29.8"), "v1.31.0"),
        ("back", Some(Downgrade), Some("v1.31.0"), "v1.30.3"),
        ("a new one, a minor behind", None, None, "v1.29.8"),
        ("a new one, two behind", Some(Downgrade), None, "v1.28.0"),
        ("a new one, two ahead", Some(SkipVersion), None, "v1.32-latest"),
    ] {
        for resource in ["istiocnis", "ztunnels"] {
            let elsewhere = sail(resource, old, new).set("object.spec.namespace", json!("istio-cni"));
            assert_eq!(elsewhere.code(&at_30), expected, "{resource}: {what}");
        }
    }
    let tags = Ask::new("CREATE", "sailoperator.io", "istiorevisiontags", "default");
    assert_eq!(
        tags.set("object.spec", json!({"targetRef": {"kind": "Istio"}}))
            .code(&at_30),
        None
    );
    let status = sail("istios", Some("v1.29.8"), "v1.31.0").sub("status");
    assert_eq!(status.code(&none), None);
}

#[test]
fn a_namespace_of_its_own_is_another_mesh() {
    let mut facts = running("1.31.0");
    let elsewhere = sail("istios", None, "v1.29.8").set("object.spec.namespace", json!("team"));
    assert_eq!(elsewhere.code(&facts), None);
    facts.meshes.push(KnownMesh {
        name: "default".to_owned(),
        istio_namespace: "istio-system".to_owned(),
        namespaces: vec!["team".to_owned()],
        ..KnownMesh::default()
    });
    assert_eq!(
        elsewhere.code(&facts),
        Some(Code::Downgrade),
        "two revisions in two namespaces of one mesh"
    );
}

#[test]
fn istio_operator_says_its_tag_in_several_places() {
    use Code::{Downgrade, SkipVersion, UnreadableVersion};
    let at_30 = running("1.30.3");
    let none = Facts::default();
    let tag = |tag: &str| json!({"hub": "docker.io/istio", "tag": tag});
    for (what, expected, facts, ask) in [
        (
            "one minor",
            None,
            &none,
            operator(Some(tag("1.30.3")), tag("1.31.0-distroless")),
        ),
        (
            "two",
            Some(SkipVersion),
            &none,
            operator(Some(tag("1.29.8")), tag("1.31.0")),
        ),
        (
            "back",
            Some(Downgrade),
            &none,
            operator(Some(tag("1.31.0")), tag("1.30.3")),
        ),
        (
            "to latest",
            Some(UnreadableVersion),
            &none,
            operator(Some(tag("1.31.0")), tag("latest")),
        ),
        (
            "no more",
            Some(UnreadableVersion),
            &none,
            operator(Some(tag("1.31.0")), json!({"profile": "demo"})),
        ),
        (
            "never any",
            None,
            &at_30,
            operator(Some(json!({})), json!({"profile": "demo"})),
        ),
        (
            "the operator's own choice",
            None,
            &at_30,
            operator(None, json!({"profile": "demo"})),
        ),
        (
            "a number",
            Some(UnreadableVersion),
            &none,
            operator(Some(tag("1.30.3")), json!({"tag": 1.31})),
        ),
        ("the first", None, &none, operator(None, tag("1.31.0"))),
        (
            "beside what runs",
            Some(SkipVersion),
            &at_30,
            operator(None, tag("1.32.0")),
        ),
        (
            "a component's own tag",
            Some(SkipVersion),
            &none,
            operator(
                Some(tag("1.30.3")),
                json!({"tag": "1.30.3", "components": {"pilot": {"tag": "1.32.0"}}}),
            ),
        ),
        (
            "in the values",
            Some(SkipVersion),
            &none,
            operator(
                Some(tag("1.30.3")),
                json!({"tag": "1.30.3", "values": {"global": {"tag": "1.32.0"}}}),
            ),
        ),
        (
            "in the values of istiod",
            Some(Downgrade),
            &none,
            operator(
                Some(tag("1.30.3")),
                json!({"tag": "1.30.3", "values": {"pilot": {"tag": "1.29.0"}}}),
            ),
        ),
        (
            "in another namespace",
            None,
            &at_30,
            operator(
                None,
                json!({"tag": "1.32.0", "values": {"global": {"istioNamespace": "team"}}}),
            ),
        ),
        (
            "of another shape",
            Some(UnreadableVersion),
            &none,
            operator(Some(tag("1.30.3")), json!({"values": 7})),
        ),
    ] {
        assert_eq!(ask.code(facts), expected, "{what}");
    }
}
