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
