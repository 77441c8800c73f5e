//! What a switch keeps as it was is not told, as long as the target knows the switch.

use crate::{
    finding::codes,
    inventory::{Inventory, sample},
    preflight::tests::{check, ids},
};
use serde_json::json;

fn set(inventory: &mut Inventory, name: &str, value: &str) {
    let settings = &mut inventory.seen(0).control_planes[0].settings;
    settings.environment.insert(name.to_owned(), value.to_owned());
}

#[test]
fn a_switch_that_the_target_knows_keeps_what_was() {
    const ALIAS: &str = "ENABLE_EXTERNAL_NAME_ALIAS";
    const TARGET_PORT: &str = "ENABLE_RESOLUTION_NONE_TARGET_PORT";
    for (code, switch, value, from, to, expected) in [
        (codes::EXTERNAL_NAME_ROUTED, ALIAS, "false", "1.20.8", "1.21.6", false),
        (codes::EXTERNAL_NAME_ROUTED, ALIAS, "true", "1.20.8", "1.21.6", true),
        // The target no longer knows it.
        (codes::EXTERNAL_NAME_ROUTED, ALIAS, "false", "1.20.8", "1.24.6", true),
        (
            codes::SERVICE_ENTRY_TARGET_PORT,
            TARGET_PORT,
            "false",
            "1.21.6",
            "1.22.8",
            false,
        ),
        (
            codes::EXTERNAL_NAME_TLS,
            "ENABLE_AUTO_SNI",
            "false",
            "1.20.8",
            "1.21.6",
            true,
        ),
        (
            codes::UNHEALTHY_ENDPOINTS,
            "PILOT_AUTO_SEND_UNHEALTHY_ENDPOINTS",
            "false",
            "1.30.3",
            "1.31.0",
            false,
        ),
        (
            codes::UNHEALTHY_ENDPOINTS,
            "PILOT_AUTO_SEND_UNHEALTHY_ENDPOINTS",
            "true",
            "1.30.3",
            "1.31.0",
            true,
        ),
    ] {
        let mut inventory = sample::one(from, "v1.28.1");
        let hits = &mut inventory.around(0).hits;
        hits.add(code, "Kind a/b".to_owned(), "detail".to_owned());
        set(&mut inventory, switch, value);
        let found = ids(&check(&inventory, to)).contains(&code.id());
        assert_eq!(found, expected, "{code} with {switch}={value} from {from} to {to}");
    }
    let mut inventory = sample::one("1.20.8", "v1.28.1");
    let hits = &mut inventory.around(0).hits;
    hits.add(codes::EXTERNAL_NAME_TLS, "Kind a/b".to_owned(), "detail".to_owned());
    for switch in ["ENABLE_AUTO_SNI", "VERIFY_CERTIFICATE_AT_CLIENT"] {
        set(&mut inventory, switch, "false");
    }
    assert!(!ids(&check(&inventory, "1.21.6")).contains(&"MU701"));
}

#[test]
fn selectors_that_chose_configuration_before_change_nothing() {
    for (switch, expected) in [(None, true), (Some("true"), false), (Some("false"), false)] {
        let mut inventory = sample::one("1.21.6", "v1.28.1");
        let settings = &mut inventory.seen(0).control_planes[0].settings;
        settings.mesh = json!({"discoverySelectors": [{"matchLabels": {"mesh": "yes"}}]});
        if let Some(value) = switch {
            set(&mut inventory, "ENABLE_ENHANCED_RESOURCE_SCOPING", value);
        }
        let found = ids(&check(&inventory, "1.22.8")).contains(&"MU703");
        assert_eq!(found, expected, "{switch:?}");
    }
}

#[test]
fn workloads_outside_are_told_of_only_where_hbone_leads_to_them() {
    for (ambient, from, to, expected) in [
        (true, "1.30.2", "1.31.0", true),
        (true, "1.29.9", "1.30.7", true),
        (false, "1.30.2", "1.31.0", false),
        // Those of today are labelled already, or would not be by the target either.
        (true, "1.30.3", "1.31.0", false),
        (true, "1.29.9", "1.30.2", false),
    ] {
        let mut inventory = sample::one(from, "v1.34.1");
        if ambient {
            sample::add_ambient(&mut inventory.clusters[0], from);
        }
        let hits = &mut inventory.around(0).hits;
        hits.add(
            codes::AUTO_REGISTERED,
            "WorkloadEntry vms/one".to_owned(),
            "x".to_owned(),
        );
        let found = ids(&check(&inventory, to)).contains(&"MU726");
        assert_eq!(found, expected, "{ambient} from {from} to {to}");
    }
}

#[test]
fn who_keeps_the_old_choice_of_a_namespace_is_left_alone() {
    for (switch, expected) in [("", true), ("true", true), ("false", false), ("0", false)] {
        let mut inventory = sample::one("1.29.9", "v1.34.1");
        set(&mut inventory, "PILOT_SIDECAR_PICK_BEST_SERVICE_NAMESPACE", switch);
        let entry = "ServiceEntry b/three".to_owned();
        let hits = &mut inventory.around(0).hits;
        hits.add(codes::HOST_IN_SEVERAL_NAMESPACES, entry, "x".to_owned());
        assert_eq!(
            ids(&check(&inventory, "1.30.7")).contains(&"MU723"),
            expected,
            "{switch}"
        );
    }
}

#[test]
fn who_keeps_the_old_scope_of_sidecars_is_left_alone() {
    const UNIFIED: &str = "PILOT_UNIFIED_SIDECAR_SCOPE";
    for (name, value, expected) in [
        (UNIFIED, "true", true),
        (UNIFIED, "", true),
        (UNIFIED, "false", false),
        ("ENABLE_INBOUND_RETRY_POLICY", "false", true),
    ] {
        let mut inventory = sample::one("1.23.6", "v1.29.1");
        set(&mut inventory, name, value);
        let hits = &mut inventory.around(0).hits;
        hits.add(codes::SIDECAR_SCOPE, "ServiceEntry b/three".to_owned(), "x".to_owned());
        let report = check(&inventory, "1.24.6");
        assert_eq!(ids(&report).contains(&"MU734"), expected, "{name}={value}");
        // Both come with this release: who sets one before the upgrade has prepared for it.
        assert!(!ids(&report).contains(&"MU712"), "{name}={value}");
    }
}

#[test]
fn who_merges_gateways_as_before_is_left_alone() {
    const STRICT: &str = "PILOT_ENABLE_STRICT_GATEWAY_MERGING";
    for (name, value, expected) in [
        (STRICT, "", true),
        (STRICT, "true", true),
        (STRICT, "false", false),
        ("PILOT_SCOPE_GATEWAY_TO_NAMESPACE", "true", false),
        ("PILOT_SCOPE_GATEWAY_TO_NAMESPACE", "false", true),
    ] {
        let mut inventory = sample::one("1.30.3", "v1.34.1");
        set(&mut inventory, name, value);
        let gateway = "Gateway shop/public".to_owned();
        let hits = &mut inventory.around(0).hits;
        hits.add(codes::MANAGED_GATEWAY_SELECTED, gateway, "x".to_owned());
        let found = ids(&check(&inventory, "1.31.0")).contains(&"MU724");
        assert_eq!(found, expected, "{name}={value}");
    }
}

#[test]
fn who_asks_for_an_older_minors_behaviour_is_left_alone() {
    const UNHEALTHY: &str = "PILOT_AUTO_SEND_UNHEALTHY_ENDPOINTS";
    for (from, to, code, compatibility, variable, expected) in [
        ("1.30.3", "1.31.0", codes::UNHEALTHY_ENDPOINTS, "", None, true),
        (
            "1.30.3",
            "1.31.0",
            codes::UNHEALTHY_ENDPOINTS,
            "",
            Some((UNHEALTHY, "false")),
            false,
        ),
        ("1.30.3", "1.31.0", codes::UNHEALTHY_ENDPOINTS, "1.29", None, false),
        (
            "1.30.3",
            "1.31.0",
            codes::UNHEALTHY_ENDPOINTS,
            "1.29",
            Some((UNHEALTHY, "true")),
            true,
        ),
        ("1.30.3", "1.31.0", codes::UNHEALTHY_ENDPOINTS, "1.31", None, true),
        ("1.30.3", "1.31.0", codes::MANAGED_GATEWAY_SELECTED, "1.30", None, false),
        (
            "1.29.9",
            "1.30.7",
            codes::HOST_IN_SEVERAL_NAMESPACES,
            "1.29",
            None,
            false,
        ),
        (
            "1.29.9",
            "1.30.7",
            codes::HOST_IN_SEVERAL_NAMESPACES,
            "1.30",
            None,
            true,
        ),
    ] {
        let mut inventory = sample::one(from, "v1.34.1");
        if let Some((name, value)) = variable {
            set(&mut inventory, name, value);
        }
        for release in &mut inventory.seen(0).helm_releases {
            let values = serde_json::json!({"compatibilityVersion": compatibility});
            release.settings = crate::helm::ReleaseSettings::read(&values, false);
        }
        let hits = &mut inventory.around(0).hits;
        hits.add(code, "Kind a/b".to_owned(), "x".to_owned());
        let found = ids(&check(&inventory, to)).contains(&code.id());
        assert_eq!(found, expected, "{code} with {compatibility:?} and {variable:?}");
    }
}

#[test]
fn what_needs_ztunnel_waits_for_one() {
    for (ambient, switch, expected) in [
        (false, "true", false),
        (true, "true", true),
        (true, "false", false),
        (true, "", false),
    ] {
        let mut inventory = sample::one("1.28.3", "v1.34.1");
        set(&mut inventory, "AMBIENT_ENABLE_DRY_RUN_AUTHORIZATION_POLICY", switch);
        if ambient {
            sample::add_ambient(&mut inventory.clusters[0], "1.28.3");
        }
        let policy = "AuthorizationPolicy a/b".to_owned();
        inventory
            .around(0)
            .hits
            .add(codes::DRY_RUN_POLICY, policy, "x".to_owned());
        assert_eq!(ids(&check(&inventory, "1.29.10")).contains(&"MU721"), expected);
    }
}

#[test]
fn traces_that_went_nowhere_by_default_are_not_missed() {
    for (mesh, telemetry, compatibility, expected) in [
        (json!({}), false, "", true),
        (json!({"defaultProviders": {"tracing": ["otel"]}}), false, "", false),
        (json!({}), true, "", false),
        (json!({}), false, "1.21", false),
        (json!({}), false, "1.22", true),
    ] {
        let mut inventory = sample::one("1.21.6", "v1.28.1");
        inventory.seen(0).control_planes[0].settings.mesh = mesh.clone();
        for release in &mut inventory.seen(0).helm_releases {
            let values = json!({"compatibilityVersion": compatibility});
            release.settings = crate::helm::ReleaseSettings::read(&values, false);
        }
        let hits = &mut inventory.around(0).hits;
        let service = "Service istio-system/zipkin".to_owned();
        hits.add(codes::ZIPKIN_DEFAULT, service, "it is there".to_owned());
        if telemetry {
            hits.add(codes::GATEWAY_SPANS, "Telemetry a/b".to_owned(), "x".to_owned());
        }
        let found = ids(&check(&inventory, "1.22.8")).contains(&"MU705");
        assert_eq!(found, expected, "{mesh} {telemetry} {compatibility}");
    }
}

#[test]
fn who_keeps_an_older_behaviour_by_a_switch_is_left_alone() {
    const SHADOW: &str = "DISABLE_SHADOW_HOST_SUFFIX";
    const SPANS: &str = "PILOT_SPAWN_UPSTREAM_SPAN_FOR_GATEWAY";
    for (code, to, name, expected) in [
        (codes::MIRROR_HOST, "1.28.10", SHADOW, false),
        (codes::MIRROR_HOST, "1.28.10", SPANS, true),
        (codes::GATEWAY_SPANS, "1.28.10", SPANS, false),
        (codes::GATEWAY_SPANS, "1.28.10", SHADOW, true),
        // 1.31 asks no more.
        (codes::GATEWAY_SPANS, "1.31.0", SPANS, true),
    ] {
        let mut inventory = sample::one("1.27.9", "v1.32.1");
        set(&mut inventory, name, "false");
        let hits = &mut inventory.around(0).hits;
        hits.add(code, "Kind a/b".to_owned(), "x".to_owned());
        assert_eq!(
            ids(&check(&inventory, to)).contains(&code.id()),
            expected,
            "{code} {name}"
        );
    }
}

#[test]
fn traces_by_the_mesh_configuration_heed_the_older_minor_too() {
    for (compatibility, to, expected) in [
        ("", "1.28.10", true),
        ("1.28", "1.28.10", true),
        ("1.27", "1.28.10", false),
        // 1.31 asks no more.
        ("1.27", "1.31.0", true),
    ] {
        let mut inventory = sample::one("1.27.9", "v1.32.1");
        inventory.seen(0).control_planes[0].settings.mesh = json!({"defaultProviders": {"tracing": ["otel"]}});
        for release in &mut inventory.seen(0).helm_releases {
            let values = json!({"compatibilityVersion": compatibility});
            release.settings = crate::helm::ReleaseSettings::read(&values, false);
        }
        let found = ids(&check(&inventory, to)).contains(&"MU735");
        assert_eq!(found, expected, "{compatibility} {to}");
    }
}
