//! Settings of istiod and of the mesh matter only on the way that changes what they mean.

use super::*;
use crate::inventory::Settings;
use serde_json::json;

#[test]
fn settings_matter_only_on_the_way_that_changes_them() {
    let settings = Settings {
        environment: [
            "VERIFY_CERTIFICATE_AT_CLIENT",
            "ENABLE_AUTO_SNI",
            "PILOT_SPAWN_UPSTREAM_SPAN_FOR_GATEWAY",
            "OTHER",
        ]
        .map(|name| (name.to_owned(), String::new()))
        .into(),
        mesh: json!({
            "discoverySelectors": [{"matchLabels": {"a": "b"}}],
            "extensionProviders": [{"name": "old", "opencensus": {"service": "x"}}, {"name": "new", "opentelemetry": {}}],
            "defaultConfig": {
                "proxyMetadata": {"ISTIO_META_DNS_AUTO_ALLOCATE": "true"},
                "tracing": {"lightstep": {"accessToken": "secret"}},
            },
        }),
    };
    for (from, to, variables, keys) in [
        (20, 21, 0, &[][..]),
        (21, 22, 0, &["MU703"]),
        (23, 24, 1, &[]),
        (24, 25, 0, &["MU715", "MU713"]),
        (25, 26, 1, &[]),
        (26, 27, 0, &["MU713", "MU713"]),
        (30, 31, 1, &[]),
        (20, 31, 3, &["MU703", "MU715", "MU713", "MU713"]),
        (31, 31, 0, &[]),
    ] {
        let way = Way {
            from: Minor::new(1, from),
            to: Minor::new(1, to),
        };
        let found = mesh_config(&settings, way);
        let codes: Vec<&str> = found.iter().map(|(code, _)| code.id()).collect();
        assert_eq!(
            (environment(&settings, way).len(), codes.as_slice()),
            (variables, keys),
            "{from} to {to}"
        );
        assert!(found.iter().all(|(_, detail)| !detail.contains("secret")));
    }
    let of_defaults = Settings {
        mesh: json!({"defaultProviders": {"tracing": ["otel"]}}),
        ..Settings::default()
    };
    for (from, to, expected) in [(27, 28, true), (28, 29, false)] {
        let way = Way {
            from: Minor::new(1, from),
            to: Minor::new(1, to),
        };
        let expected = expected.then(|| (codes::GATEWAY_SPANS, "defaultProviders.tracing names otel".to_owned()));
        assert_eq!(mesh_config(&of_defaults, way), Vec::from_iter(expected));
    }
    let nothing = Settings::default();
    let all = Way {
        from: Minor::new(1, 10),
        to: Minor::new(1, 31),
    };
    assert!(mesh_config(&nothing, all).is_empty() && environment(&nothing, all).is_empty());
}

#[test]
fn who_says_where_traces_go_has_no_default() {
    for (mesh, expected) in [
        (json!(null), true),
        (json!({"enableTracing": true}), true),
        (json!({"enableTracing": false}), false),
        (
            json!({"extensionProviders": [{"name": "otel", "opentelemetry": {}}]}),
            true,
        ),
        (json!({"defaultProviders": {"tracing": ["otel"]}}), false),
        (json!({"defaultProviders": {"tracing": []}}), true),
        (
            json!({"defaultConfig": {"tracing": {"sampling": 10, "customTags": {"a": {}}}}}),
            true,
        ),
        // As the charts up to 1.21 wrote it.
        (
            json!({"defaultConfig": {"tracing": {"zipkin": {"address": "zipkin.istio-system:9411"}}}}),
            true,
        ),
        (
            json!({"defaultConfig": {"tracing": {"zipkin": {"address": "collector.tracing:9411"}}}}),
            false,
        ),
        (
            json!({"defaultConfig": {"tracing": {"datadog": {"address": "a"}}}}),
            false,
        ),
    ] {
        let settings = Settings {
            mesh: mesh.clone(),
            ..Settings::default()
        };
        assert_eq!(traces_by_default(&settings), expected, "{mesh}");
    }
}
