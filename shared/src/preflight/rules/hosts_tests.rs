//! Hosts that several objects name: each is told where it makes a difference.

use super::*;
use serde_json::json;

#[test]
fn a_host_is_told_only_where_namespaces_differ() {
    let mut reader = Reader::default();
    let none = BTreeMap::new();
    for (namespace, name, host) in [
        ("a", "one", "x.example.com"),
        ("a", "two", "x.example.com"),
        ("b", "three", "x.example.com"),
        ("b", "four", "y.example.com"),
    ] {
        reader.look(&Object {
            definition: "serviceentries.networking.istio.io",
            kind: "ServiceEntry",
            namespace,
            name,
            labels: &none,
            annotations: &none,
            spec: &json!({"hosts": [host], "resolution": "DNS"}),
        });
    }
    let hits = reader.finish(None);
    let of_rule = hits.of_exported(codes::HOST_IN_SEVERAL_NAMESPACES).unwrap();
    assert_eq!(
        (of_rule.count, of_rule.examples[0].object.as_str()),
        (1, "ServiceEntry b/three")
    );
    assert_eq!(of_rule.examples[0].detail, "x.example.com is declared in a as well");
}

#[test]
fn what_no_other_namespace_sees_collides_with_nothing() {
    let none = BTreeMap::new();
    for (host, export_to, expected) in [
        ("x.example.com", json!(["."]), None),
        ("x.example.com", json!(["shop"]), None),
        ("x.example.com", json!(["~"]), None),
        (
            "x.example.com",
            json!([".", "pay"]),
            Some("x.example.com is declared in first as well"),
        ),
        (
            "x.example.com",
            json!([]),
            Some("x.example.com is declared in first as well"),
        ),
        // A Service has this host already, whether or not a ServiceEntry of its namespace has it, too.
        (
            "db.pay.svc.cluster.local",
            json!(null),
            Some("db.pay.svc.cluster.local has the form of a Service's name in pay"),
        ),
        ("db.pay.svc.cluster.local", json!(["."]), None),
        ("*.pay.svc.cluster.local", json!(null), None),
        ("db.pay.svc.clusterset.local", json!(null), None),
        ("db.shop.svc.cluster.local", json!(null), None),
        ("db.pay.svc", json!(null), None),
    ] {
        let mut reader = Reader::default();
        let mut look = |namespace: &str, spec: &Value| {
            reader.look(&Object {
                definition: "serviceentries.networking.istio.io",
                kind: "ServiceEntry",
                namespace,
                name: "one",
                labels: &none,
                annotations: &none,
                spec,
            });
        };
        look("first", &json!({"hosts": ["x.example.com"], "resolution": "DNS"}));
        look(
            "shop",
            &json!({"hosts": [host], "exportTo": export_to, "resolution": "DNS"}),
        );
        let hits = reader.finish(None);
        let hits = hits.of_exported(codes::HOST_IN_SEVERAL_NAMESPACES);
        let detail = hits.as_ref().map(|hits| hits.examples[0].detail.as_str());
        assert_eq!(detail, expected, "{host} {export_to}");
    }
}

#[test]
fn what_leaves_its_export_to_the_mesh_collides_as_the_mesh_says() {
    let none = BTreeMap::new();
    let all = json!(["*"]);
    let silent = json!(null);
    for (exports, certain, exported) in [
        (&[("a", &all), ("b", &all)][..], 1, 1),
        (&[("a", &silent), ("b", &silent)], 0, 1),
        (&[("a", &silent), ("b", &all)], 0, 1),
        (&[("a", &all), ("b", &silent)], 0, 1),
        (&[("a", &silent), ("b", &all), ("c", &all)], 1, 2),
        (&[("a", &silent), ("a", &all), ("b", &all)], 1, 1),
        (&[("a", &silent), ("a", &all), ("a", &silent)], 0, 0),
        (&[("a", &json!(["."])), ("b", &all), ("c", &silent)], 0, 1),
    ] {
        let mut reader = Reader::default();
        for (namespace, export_to) in exports {
            reader.look(&Object {
                definition: "serviceentries.networking.istio.io",
                kind: "ServiceEntry",
                namespace,
                name: "one",
                labels: &none,
                annotations: &none,
                spec: &json!({"hosts": ["x.example.com"], "exportTo": export_to}),
            });
        }
        reader.has_sidecars = true;
        let hits = reader.finish(None);
        for code in [codes::HOST_IN_SEVERAL_NAMESPACES, codes::SIDECAR_SCOPE] {
            let found = (
                hits.of(code).map_or(0, |hits| hits.count),
                hits.of_exported(code).map_or(0, |hits| hits.count),
            );
            assert_eq!(found, (certain, exported), "{code} {exports:?}");
        }
    }
}

#[test]
fn an_external_name_is_told_only_where_something_routes_to_it() {
    let none = BTreeMap::new();
    let mut reader = Reader::default();
    let mut look = |definition: &str, kind: &str, spec: Value| {
        reader.look(&Object {
            definition,
            kind,
            namespace: "shop",
            name: "one",
            labels: &none,
            annotations: &none,
            spec: &spec,
        });
    };
    look(
        "virtualservices.networking.istio.io",
        "VirtualService",
        json!({"hosts": ["front"], "http": [{"route": [{"destination": {"host": "db.pay.svc.cluster.local"}}]}]}),
    );
    look(
        "destinationrules.networking.istio.io",
        "DestinationRule",
        json!({"host": "cache"}),
    );
    for (namespace, name) in [("pay", "db"), ("shop", "cache"), ("pay", "cache"), ("pay", "other")] {
        reader.external_name(namespace, name);
    }
    let hits = reader.finish(None);
    let hits = hits.of(codes::EXTERNAL_NAME_ROUTED).unwrap();
    let found: Vec<(&str, &str)> = hits
        .examples
        .iter()
        .map(|hit| (hit.object.as_str(), hit.detail.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            ("Service shop/cache", "DestinationRule shop/one names it"),
            ("Service pay/db", "VirtualService shop/one names it"),
        ]
    );
}

#[test]
fn sidecars_matter_where_a_host_is_declared_twice() {
    let none = BTreeMap::new();
    for (sidecar, twice, expected) in [(true, true, true), (false, true, false), (true, false, false)] {
        let mut reader = Reader::default();
        let mut look = |definition: &str, namespace: &str, spec: Value| {
            reader.look(&Object {
                definition,
                kind: "Kind",
                namespace,
                name: "one",
                labels: &none,
                annotations: &none,
                spec: &spec,
            });
        };
        let entry = json!({"hosts": ["x.example.com"], "resolution": "DNS"});
        look("serviceentries.networking.istio.io", "a", entry.clone());
        if twice {
            look("serviceentries.networking.istio.io", "b", entry);
        }
        if sidecar {
            look("sidecars.networking.istio.io", "a", json!({}));
        }
        let found = reader.finish(None).of_exported(codes::SIDECAR_SCOPE).is_some();
        assert_eq!(found, expected, "{sidecar} {twice}");
    }
}
