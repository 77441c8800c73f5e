//! Each rule hits what it is for, and nothing beside it.

use super::*;
use serde_json::json;

fn look(kind: &str, annotations: &[(&str, &str)], spec: &Value) -> Vec<(String, String)> {
    let definition = READ
        .into_iter()
        .find(|definition| *definition == kind)
        .unwrap_or_else(|| panic!("{kind} is not read"));
    let map: BTreeMap<String, String> = annotations
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    let mut reader = Reader::default();
    reader.look(&Object {
        definition,
        kind: "Kind",
        namespace: "shop",
        name: "reviews",
        labels: &map,
        annotations: &map,
        spec,
    });
    let hits = reader.finish(None);
    crate::finding::Code::all()
        .filter_map(|code| {
            let hits = hits.of_exported(code)?;
            let hit = hits.examples.first()?;
            assert_eq!(hit.object, "Kind shop/reviews");
            Some((code.to_string(), hit.detail.clone()))
        })
        .collect()
}

#[test]
fn rules_hit_what_they_are_for() {
    const DR: &str = "destinationrules.networking.istio.io";
    const VS: &str = "virtualservices.networking.istio.io";
    const SE: &str = "serviceentries.networking.istio.io";
    const AP: &str = "authorizationpolicies.security.istio.io";
    const GW: &str = "gateways.networking.istio.io";
    const HR: &str = "httproutes.gateway.networking.k8s.io";
    const K8S: &str = "gateways.gateway.networking.k8s.io";
    type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], Value, &'a [(&'a str, &'a str)]);
    let cases: [Case<'_>; 38] = [
        (
            DR,
            &[],
            json!({"host": "db.example.com", "trafficPolicy": {"portLevelSettings": [{"tls": {"mode": "SIMPLE"}}]}}),
            &[("MU701", "TLS SIMPLE to db.example.com without caCertificates and sni")],
        ),
        (
            DR,
            &[],
            json!({"host": "a", "trafficPolicy": {"tls": {"mode": "SIMPLE", "caCertificates": "/ca"}}}),
            &[("MU701", "TLS SIMPLE to a without sni")],
        ),
        (
            DR,
            &[],
            json!({"host": "a", "trafficPolicy": {"tls": {"mode": "MUTUAL", "credentialName": "", "sni": "a"}}}),
            &[("MU701", "TLS MUTUAL to a without caCertificates")],
        ),
        (
            DR,
            &[],
            json!({"trafficPolicy": {"tls": {"mode": "SIMPLE", "caCertificates": "system", "sni": "a"}}}),
            &[],
        ),
        (
            DR,
            &[],
            json!({"trafficPolicy": {"tls": {"mode": "MUTUAL", "insecureSkipVerify": true}}}),
            &[],
        ),
        (
            DR,
            &[],
            json!({"trafficPolicy": {"tls": {"mode": "ISTIO_MUTUAL"}}}),
            &[],
        ),
        (
            DR,
            &[],
            json!({"subsets": [{"trafficPolicy": {"outlierDetection": {}, "connectionPool": {}}}]}),
            &[
                ("MU722", "connectionPool is set"),
                ("MU725", "outlierDetection without minHealthPercent"),
            ],
        ),
        (
            DR,
            &[],
            json!({"trafficPolicy": {"outlierDetection": {"minHealthPercent": 50}}}),
            &[],
        ),
        (
            VS,
            &[],
            json!({"hosts": ["*.example.com"]}),
            &[("MU702", "the host *.example.com")],
        ),
        (VS, &[], json!({"hosts": ["*"], "gateways": ["ingress"]}), &[]),
        (
            VS,
            &[],
            json!({"hosts": ["a"], "http": [{"mirror": {"host": "b"}}]}),
            &[("MU718", "mirrors to b")],
        ),
        (
            SE,
            &[],
            json!({"hosts": ["a"], "ports": [{"number": 80, "targetPort": 8080}]}),
            &[
                ("MU704", "targetPort 8080 with the resolution NONE"),
                ("MU719", "the resolution is NONE"),
            ],
        ),
        (
            SE,
            &[],
            json!({"hosts": ["a"], "resolution": "DNS", "ports": [{"targetPort": 8080}]}),
            &[],
        ),
        (
            K8S,
            &[("istio.io/for-service-account", "pay")],
            json!({"gatewayClassName": "istio-waypoint"}),
            &[("MU706", "for the service account pay")],
        ),
        (K8S, &[], json!({"gatewayClassName": "istio-waypoint"}), &[]),
        (
            "istiooperators.install.istio.io",
            &[],
            json!({}),
            &[("MU708", "nobody acts on it")],
        ),
        (
            "telemetries.telemetry.istio.io",
            &[],
            json!({"metrics": [{"overrides": [{"tagOverrides": {"x": {"value": "wasm.upstream_peer.name"}}}]}]}),
            &[("MU709", "reads wasm.upstream_peer")],
        ),
        (
            "telemetries.telemetry.istio.io",
            &[],
            json!({"accessLogging": [{"filter": {"expression": "node.id == 'x'"}}]}),
            &[("MU709", "reads node")],
        ),
        (
            HR,
            &[],
            json!({"rules": [{"filters": [{"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "b"}}}]}]}),
            &[("MU718", "mirrors to b")],
        ),
        (
            HR,
            &[],
            json!({"rules": [{"filters": [{"type": "RequestRedirect"}]}]}),
            &[],
        ),
        (
            "telemetries.telemetry.istio.io",
            &[],
            json!({"tracing": [{"randomSamplingPercentage": 10}]}),
            &[("MU735", "tracing is set")],
        ),
        ("telemetries.telemetry.istio.io", &[], json!({"tracing": []}), &[]),
        ("sidecars.networking.istio.io", &[], json!({"egress": []}), &[]),
        (
            AP,
            &[],
            json!({"selector": {"matchLabels": {"istio.io/gateway-name": "edge"}}}),
            &[("MU710", "selects istio.io/gateway-name=edge")],
        ),
        (
            "proxyconfigs.networking.istio.io",
            &[],
            json!({"selector": {"matchLabels": {"istio.io/gateway-name": "edge"}}}),
            &[("MU710", "selects istio.io/gateway-name=edge")],
        ),
        (
            "requestauthentications.security.istio.io",
            &[],
            json!({"selector": {"matchLabels": {"istio.io/gateway-name": "edge"}}}),
            &[("MU710", "selects istio.io/gateway-name=edge")],
        ),
        (
            "peerauthentications.security.istio.io",
            &[],
            json!({"selector": {"matchLabels": {"istio.io/gateway-name": "edge"}}}),
            &[("MU710", "selects istio.io/gateway-name=edge")],
        ),
        (
            "wasmplugins.extensions.istio.io",
            &[],
            json!({"selector": {"matchLabels": {"istio.io/gateway-name": "edge"}}}),
            &[("MU710", "selects istio.io/gateway-name=edge")],
        ),
        (
            GW,
            &[],
            json!({"selector": {"istio.io/gateway-name": "edge"}}),
            &[("MU710", "selects istio.io/gateway-name=edge")],
        ),
        (
            "sidecars.networking.istio.io",
            &[],
            json!({"workloadSelector": {"labels": {"istio.io/gateway-name": "edge"}}}),
            &[("MU710", "selects istio.io/gateway-name=edge")],
        ),
        (
            "envoyfilters.networking.istio.io",
            &[],
            json!({"workloadSelector": {"labels": {"istio.io/gateway-name": "edge"}}}),
            &[("MU710", "selects istio.io/gateway-name=edge"), ("MU727", "")],
        ),
        (
            "wasmplugins.extensions.istio.io",
            &[],
            json!({"selector": {"matchLabels": {"app": "edge"}}}),
            &[],
        ),
        (
            AP,
            &[("istio.io/dry-run", "true")],
            json!({}),
            &[("MU721", "istio.io/dry-run is true")],
        ),
        (AP, &[("istio.io/dry-run", "false")], json!({}), &[]),
        (
            GW,
            &[],
            json!({"selector": {"gateway.networking.k8s.io/gateway-name": "edge"}}),
            &[("MU724", "selects gateway.networking.k8s.io/gateway-name=edge")],
        ),
        (
            "workloadentries.networking.istio.io",
            &[("istio.io/autoRegistrationGroup", "vms")],
            json!({}),
            &[("MU726", "registered for the group vms")],
        ),
        (
            "workloadentries.networking.istio.io",
            &[
                ("istio.io/autoRegistrationGroup", "vms"),
                ("networking.istio.io/tunnel", "http"),
            ],
            json!({}),
            &[],
        ),
        (
            "envoyfilters.networking.istio.io",
            &[],
            json!({"configPatches": [{"applyTo": "HTTP_FILTER", "match": {"name": "envoy.filters.http.router"},
                "patch": {"value": {"typed_config": {"@type": "type.googleapis.com/envoy.extensions.Lua"}}}}]}),
            &[("MU727", "HTTP_FILTER, envoy.filters.http.router, envoy.extensions.Lua")],
        ),
    ];
    for (kind, annotations, spec, expected) in cases {
        let found = look(kind, annotations, &spec);
        let found: Vec<(&str, &str)> = found
            .iter()
            .map(|(code, detail)| (code.as_str(), detail.as_str()))
            .collect();
        assert_eq!(found, expected, "{kind} {spec}");
    }
}

#[test]
fn what_istioctl_left_is_told_from_what_an_operator_acts_on() {
    for (name, acted_on) in [
        ("installed-state", false),
        ("installed-state-1-23", false),
        ("installed-states", true),
        ("mesh", true),
    ] {
        let none = BTreeMap::new();
        let mut reader = Reader::default();
        reader.look(&Object {
            definition: "istiooperators.install.istio.io",
            kind: "IstioOperator",
            namespace: "istio-system",
            name,
            labels: &none,
            annotations: &none,
            spec: &json!({}),
        });
        let hits = reader.finish(None);
        let code = codes::IN_CLUSTER_OPERATOR;
        let found = (hits.of(code).is_some(), hits.left_behind(code).is_some());
        assert_eq!(found, (acted_on, !acted_on), "{name}");
    }
    let mut reader = Reader::default();
    reader.operator("istio-operator", "istio-operator");
    let hits = reader.finish(None);
    let hits = hits.of(codes::IN_CLUSTER_OPERATOR).unwrap();
    assert_eq!(hits.examples[0].object, "Deployment istio-operator/istio-operator");
}

#[test]
fn what_is_no_object_of_the_kind_is_passed_over() {
    for kind in READ.into_iter().filter(|kind| !kind.starts_with("istiooperators")) {
        for spec in [
            json!(null),
            json!([]),
            json!("x"),
            json!({"hosts": 1, "selector": [], "tls": {"mode": 3}}),
        ] {
            let found: Vec<_> = look(kind, &[], &spec)
                .into_iter()
                .filter(|(code, _)| !["MU727", "MU719"].contains(&code.as_str()))
                .collect();
            assert!(found.is_empty(), "{kind} {spec}: {found:?}");
        }
    }
}

#[test]
fn an_envoy_filter_is_told_for_the_release_that_changed_what_it_names() {
    let hits = |spec: &Value| -> Vec<(u64, String)> {
        let mut reader = Reader::default();
        let none = BTreeMap::new();
        reader.look(&Object {
            definition: "envoyfilters.networking.istio.io",
            kind: "EnvoyFilter",
            namespace: "shop",
            name: "patch",
            labels: &none,
            annotations: &none,
            spec,
        });
        let hits = reader.finish(None);
        hits.by_minor(codes::ENVOY_FILTER_OUTDATED)
            .map(|(minor, hits)| (minor, hits.examples[0].detail.clone()))
            .collect()
    };
    let patch = |value: Value| json!({"configPatches": [{"applyTo": "NETWORK_FILTER", "patch": {"value": value}}]});
    for (spec, expected) in [
        (patch(json!({"typed_config": {"use_remote_address": true}})), &[25][..]),
        (patch(json!({"typedConfig": {"useRemoteAddress": true}})), &[25]),
        (
            patch(
                json!({"tracing": {"provider": {"name": "envoy.tracers.opencensus", "typed_config":
                {"@type": "type.googleapis.com/envoy.config.trace.v3.OpenCensusConfig"}}}}),
            ),
            &[25],
        ),
        (patch(json!({"tracing": {"spawn_upstream_span": true}})), &[28, 31]),
        (patch(json!({"name": "envoy.filters.http.lua"})), &[]),
        (json!(null), &[]),
    ] {
        let minors: Vec<u64> = hits(&spec).into_iter().map(|(minor, _)| minor).collect();
        assert_eq!(minors, expected, "{spec}");
    }
    let told = hits(&patch(json!({"use_remote_address": true}))).remove(0).1;
    assert!(told.starts_with("use_remote_address: "), "{told}");
}

#[test]
fn every_release_from_1_21_on_has_its_rules() {
    for minor in 21..=31 {
        let way = Way {
            from: Minor::new(1, minor - 1),
            to: Minor::new(1, minor),
        };
        // 1.26 has the ztunnel's name and a variable.
        assert!(way.rules().len() > 1, "1.{minor}: {:?}", way.rules());
    }
    let patch = Way {
        from: Minor::new(1, 31),
        to: Minor::new(1, 31),
    };
    assert!(patch.rules().is_empty());
}

#[test]
fn only_kinds_that_a_rule_of_the_way_looks_at_are_read() {
    let read = |from, to| read_on_the_way(Minor::new(1, from), Minor::new(1, to)).collect::<Vec<_>>();
    assert_eq!(
        read(30, 31),
        [
            "destinationrules.networking.istio.io",
            "envoyfilters.networking.istio.io",
            "gateways.networking.istio.io",
            "workloadentries.networking.istio.io",
        ]
    );
    assert_eq!(read(20, 31), READ);
    assert!(read(31, 31).is_empty());
}

#[test]
fn what_two_readers_saw_is_counted_together_and_named_in_their_order() {
    let look = |name: &str| {
        let mut reader = Reader::default();
        for number in 0..15 {
            reader.note(codes::ENVOY_FILTER, format!("{name}-{number}"), String::new(), 1);
        }
        reader
    };
    let mut both = look("first");
    both.add(look("second"));
    let hits = both.finish(None);
    let of_rule = hits.of(codes::ENVOY_FILTER).unwrap();
    assert_eq!((of_rule.count, of_rule.examples.len()), (30, 20));
    assert_eq!(of_rule.examples[15].object, "second-0");
}
