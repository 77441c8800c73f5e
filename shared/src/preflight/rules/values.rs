//! Values of Istio's charts that a release removed, looked for in the values of helm releases.
//!
//! Sources: the change notes of each release on istio.io; the templates `NOTES.txt` and `zzz_profile.yaml` of the charts,
//! which refuse to be rendered with some.

use super::Way;
use crate::api::Component;
use serde_json::Value;

/// A value that a release removed.
pub(in crate::preflight) struct Removed {
    /// The charts that had it; empty for all.
    charts: &'static [Component],
    /// Its path, with dots; with the one text that was removed behind `=`, if the value itself is still there.
    pub path: &'static str,
    /// The minor of Istio 1 that has it no more, or at the latest has it no more.
    pub since: u64,
    /// Whether the target's chart refuses to be rendered with it.
    pub refused: bool,
    /// What is to be set instead.
    pub instead: &'static str,
}

const ISTIOD: &[Component] = &[Component::Istiod];
const CNI: &[Component] = &[Component::Cni];

const fn ignored(charts: &'static [Component], path: &'static str, since: u64, instead: &'static str) -> Removed {
    Removed {
        charts,
        path,
        since,
        refused: false,
        instead,
    }
}

const fn refused(charts: &'static [Component], path: &'static str, since: u64, instead: &'static str) -> Removed {
    Removed {
        refused: true,
        ..ignored(charts, path, since, instead)
    }
}

const NOTHING: &str = "nothing: it had no effect any more";
const TELEMETRY: &str = "a Telemetry object";
const PROFILE: &str = "profile without openshift, and global.platform=openshift";
const COMPATIBILITY: &str = "a newer compatibilityVersion, or none";

const REMOVED: [Removed; 31] = [
    refused(ISTIOD, "telemetry.v2.prometheus.configOverride", 22, TELEMETRY),
    refused(ISTIOD, "telemetry.v2.stackdriver.configOverride", 22, TELEMETRY),
    refused(ISTIOD, "telemetry.v2.stackdriver.disableOutbound", 22, TELEMETRY),
    refused(ISTIOD, "telemetry.v2.stackdriver.outboundAccessLogging", 22, TELEMETRY),
    ignored(
        &[],
        "global.jwtPolicy=first-party-jwt",
        22,
        "third-party-jwt, the default",
    ),
    ignored(CNI, "privileged", 22, "nothing: the agent asks for single capabilities"),
    ignored(
        CNI,
        "cni.privileged",
        22,
        "nothing: the agent asks for single capabilities",
    ),
    refused(&[], "profile=external", 22, "profile=remote"),
    refused(&[], "profile=openshift", 24, PROFILE),
    refused(&[], "profile=openshift-ambient", 24, PROFILE),
    refused(&[], "profile=ambient-openshift", 24, PROFILE),
    ignored(ISTIOD, "istio_cni", 24, "pilot.cni"),
    ignored(ISTIOD, "pilot.configNamespace", 24, NOTHING),
    ignored(ISTIOD, "pilot.configSource", 24, NOTHING),
    ignored(ISTIOD, "pilot.enableProtocolSniffingForOutbound", 24, NOTHING),
    ignored(ISTIOD, "pilot.enableProtocolSniffingForInbound", 24, NOTHING),
    ignored(ISTIOD, "pilot.useMCP", 24, NOTHING),
    ignored(&[], "global.autoscalingV2API", 24, NOTHING),
    ignored(&[], "global.configRootNamespace", 24, NOTHING),
    ignored(&[], "global.defaultConfigVisibilitySettings", 24, NOTHING),
    ignored(&[], "global.useMCP", 24, NOTHING),
    ignored(ISTIOD, "sidecarInjectorWebhook.objectSelector", 24, NOTHING),
    ignored(ISTIOD, "sidecarInjectorWebhook.useLegacySelectors", 24, NOTHING),
    refused(&[], "compatibilityVersion=1.20", 24, COMPATIBILITY),
    refused(&[], "compatibilityVersion=1.21", 30, COMPATIBILITY),
    refused(&[], "compatibilityVersion=1.22", 30, COMPATIBILITY),
    refused(&[], "compatibilityVersion=1.23", 30, COMPATIBILITY),
    refused(&[], "compatibilityVersion=1.24", 30, COMPATIBILITY),
    ignored(ISTIOD, "pilot.env.ENABLE_AUTO_SNI", 26, "sni in the DestinationRules"),
    ignored(
        ISTIOD,
        "pilot.env.PILOT_SPAWN_UPSTREAM_SPAN_FOR_GATEWAY",
        31,
        "nothing: the spans are always made",
    ),
    ignored(
        ISTIOD,
        "pilot.env.METRIC_ROTATION_INTERVAL",
        28,
        "statsEvictionInterval",
    ),
];

/// Keys of a release's values that one of the releases removed, whichever; of the values nothing else is told.
#[must_use]
pub fn removed_values(component: Component, values: &Value) -> Vec<&'static str> {
    let of_chart = REMOVED
        .iter()
        .filter(|removed| removed.charts.is_empty() || removed.charts.contains(&component));
    of_chart
        .filter(|removed| is_set(values, removed.path))
        .map(|removed| removed.path)
        .collect()
}

/// Whether a value is set; null unsets what a chart's defaults say, an empty one is none.
fn is_set(values: &Value, path: &str) -> bool {
    let (path, only) = match path.split_once('=') {
        Some((path, only)) => (path, Some(only)),
        None => (path, None),
    };
    let found = path.split('.').try_fold(values, |value, key| value.get(key));
    match (found, only) {
        (None | Some(Value::Null), _) => false,
        // What helm was told with --set may have become a number.
        (Some(Value::Number(number)), Some(only)) => number.to_string() == only,
        (Some(value), Some(only)) => value.as_str() == Some(only),
        (Some(value), None) => !(value.as_object().is_some_and(serde_json::Map::is_empty) || value == ""),
    }
}

/// Those of a release's keys that the way leaves behind.
pub(in crate::preflight) fn left_behind(keys: &[&'static str], way: Way) -> impl Iterator<Item = &'static Removed> {
    REMOVED
        .iter()
        .filter(move |removed| way.leads_over(removed.since) && keys.contains(&removed.path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::version::Minor;
    use serde_json::json;

    #[test]
    fn only_what_is_set_and_was_removed_is_told() {
        use Component::{Cni, Gateway, Istiod};
        for (component, values, expected) in [
            (Istiod, json!({}), &[][..]),
            (Istiod, json!(null), &[]),
            (Istiod, json!({"pilot": "text"}), &[]),
            (
                Istiod,
                json!({"pilot": {"replicaCount": 2, "cni": {"enabled": true}}}),
                &[],
            ),
            (Istiod, json!({"istio_cni": {"enabled": true}}), &["istio_cni"]),
            (Istiod, json!({"istio_cni": {}}), &[]),
            (Istiod, json!({"pilot": {"useMCP": null, "configSource": ""}}), &[]),
            (Istiod, json!({"pilot": {"useMCP": false}}), &["pilot.useMCP"]),
            (Gateway, json!({"pilot": {"useMCP": false}}), &[]),
            (
                Istiod,
                json!({"global": {"jwtPolicy": "first-party-jwt"}}),
                &["global.jwtPolicy=first-party-jwt"],
            ),
            (Istiod, json!({"global": {"jwtPolicy": "third-party-jwt"}}), &[]),
            (
                Cni,
                json!({"profile": "openshift", "privileged": true}),
                &["privileged", "profile=openshift"],
            ),
            (Cni, json!({"profile": "ambient"}), &[]),
            (
                Istiod,
                json!({"compatibilityVersion": 1.21}),
                &["compatibilityVersion=1.21"],
            ),
            (Istiod, json!({"compatibilityVersion": "1.29"}), &[]),
        ] {
            assert_eq!(removed_values(component, &values), expected, "{component} {values}");
        }
    }

    #[test]
    fn only_the_way_that_leaves_a_value_behind_matters() {
        let keys = ["istio_cni", "profile=external", "pilot.env.ENABLE_AUTO_SNI"];
        for (from, to, expected) in [
            (21, 22, &["profile=external"][..]),
            (23, 24, &["istio_cni"]),
            (20, 26, &["profile=external", "istio_cni", "pilot.env.ENABLE_AUTO_SNI"]),
            (30, 31, &[]),
        ] {
            let way = Way {
                from: Minor::new(1, from),
                to: Minor::new(1, to),
            };
            let found: Vec<&str> = left_behind(&keys, way).map(|removed| removed.path).collect();
            assert_eq!(found, expected, "{from} to {to}");
        }
    }
}
