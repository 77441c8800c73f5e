//! How a DaemonSet replaces its pods.

use k8s_openapi::{api::apps::v1::DaemonSetSpec, apimachinery::pkg::util::intstr::IntOrString};
use shared::inventory::Pace;

/// Kubernetes' own default.
const GRACE_SECONDS: i64 = 30;

/// The pace of a DaemonSet that wants pods on so many nodes.
pub(super) fn of(spec: &DaemonSetSpec, nodes: i32) -> Pace {
    let strategy = spec.update_strategy.as_ref();
    let rolling = strategy.and_then(|strategy| strategy.rolling_update.as_ref());
    let on_delete = strategy.and_then(|strategy| strategy.type_.as_deref()) == Some("OnDelete");
    let missing = rolling.and_then(|update| update.max_unavailable.as_ref());
    let missing = missing.map_or(1, |missing| count(missing, nodes));
    let added = rolling.and_then(|update| update.max_surge.as_ref());
    let added = added.map_or(0, |added| count(added, nodes));
    let pod = spec.template.spec.as_ref();
    Pace {
        nodes_at_once: (!on_delete).then(|| missing.saturating_add(added)),
        grace_seconds: pod
            .and_then(|pod| pod.termination_grace_period_seconds)
            .unwrap_or(GRACE_SECONDS),
    }
}

/// A number of nodes; percentages are rounded up, as the controller does.
fn count(value: &IntOrString, nodes: i32) -> i32 {
    match value {
        IntOrString::Int(count) => *count,
        IntOrString::String(text) => {
            let percent: i64 = text.trim_end_matches('%').parse().unwrap_or(0);
            let nodes = i64::from(nodes).saturating_mul(percent).saturating_add(99) / 100;
            i32::try_from(nodes).unwrap_or(i32::MAX)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn pace(strategy: &Value, nodes: i32) -> Option<i32> {
        let spec = json!({"selector": {}, "template": {"spec": {"containers": []}}, "updateStrategy": strategy});
        of(&serde_json::from_value(spec).unwrap(), nodes).nodes_at_once
    }

    #[test]
    fn as_many_nodes_at_once_as_the_controller_takes() {
        let rolling = |missing: Value, added: Value| json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": missing, "maxSurge": added}});
        for (strategy, nodes, expected) in [
            (json!({}), 10, Some(1)),
            // Of Istio's chart.
            (rolling(json!(0), json!(1)), 10, Some(1)),
            (rolling(json!(3), json!(0)), 10, Some(3)),
            (rolling(json!("25%"), json!(0)), 10, Some(3)),
            (rolling(json!("100%"), json!("0%")), 2_000_000_000, Some(2_000_000_000)),
            (json!({"type": "OnDelete"}), 10, None),
        ] {
            assert_eq!(pace(&strategy, nodes), expected, "{strategy}");
        }
    }
}
