//! Which nodes count for images: those whose kubelet would run Istio's pods, and goes on to.

use k8s_openapi::api::core::v1::Node;

const OS_LABEL: &str = "kubernetes.io/os";
/// Taints of a node that is taken away: Karpenter's, of today and of its betas, the Cluster Autoscaler's, and that of a
/// machine which its cloud has shut down.
const LEAVING: [&str; 4] = [
    "karpenter.sh/disrupted",
    "karpenter.sh/disruption",
    "ToBeDeletedByClusterAutoscaler",
    "node.cloudprovider.kubernetes.io/shutdown",
];
/// Taints of a node whose kubelet does not answer.
const AWAY: [&str; 2] = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"];

/// Which nodes are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Those that pods can be scheduled to.
    Schedulable,
    /// Cordoned ones as well: pods of a DaemonSet run on them, and are replaced there.
    Cordoned,
}

/// Why a node is not asked to pull, or `None` for one that is.
pub fn not_asked(node: &Node, asked: Asked) -> Option<String> {
    let labels = node.metadata.labels.as_ref();
    let label = |key: &str| labels.and_then(|labels| labels.get(key)).map(String::as_str);
    let status = node.status.as_ref();
    let reported = status.and_then(|status| status.node_info.as_ref());
    let os = label(OS_LABEL).or_else(|| reported.map(|info| info.operating_system.as_str()));
    if let Some(os) = os.filter(|os| !os.is_empty() && *os != "linux") {
        return Some(format!("runs {os}"));
    }
    // Neither has a kubelet that runs Istio's pods.
    if label("type") == Some("virtual-kubelet") || label("eks.amazonaws.com/compute-type") == Some("fargate") {
        return Some("is virtual".to_owned());
    }
    if node.metadata.deletion_timestamp.is_some() {
        return Some("is being deleted".to_owned());
    }
    let taints = node.spec.iter().flat_map(|spec| spec.taints.iter().flatten());
    let mut taints = taints.map(|taint| taint.key.as_str());
    if let Some(taint) = taints.clone().find(|key| LEAVING.contains(key)) {
        return Some(format!("is taken away ({taint})"));
    }
    let is_cordoned = node.spec.as_ref().and_then(|spec| spec.unschedulable).unwrap_or(false);
    if is_cordoned && asked == Asked::Schedulable {
        return Some("is cordoned".to_owned());
    }
    if taints.any(|key| AWAY.contains(&key)) {
        return Some("is not ready".to_owned());
    }
    let ready = status
        .and_then(|status| status.conditions.as_ref())
        .into_iter()
        .flatten()
        .any(|condition| condition.type_ == "Ready" && condition.status == "True");
    (!ready).then(|| "is not ready".to_owned())
}

/// Why a node that was asked does not count any more, or `None` for one that still does.
pub fn gone(node: Option<&Node>, asked: Asked) -> Option<String> {
    node.map_or_else(|| Some("is gone".to_owned()), |node| not_asked(node, asked))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn node(value: Value) -> Node {
        serde_json::from_value(value).unwrap()
    }

    fn ready() -> Value {
        json!({ "conditions": [{ "type": "Ready", "status": "True" }] })
    }

    #[test]
    fn only_ready_schedulable_linux_nodes_are_asked() {
        let linux = json!({ "name": "n", "labels": { "kubernetes.io/os": "linux" } });
        let tainted =
            |key: &str| json!({ "spec": { "taints": [{ "key": key, "effect": "NoSchedule" }] }, "status": ready() });
        let cases = [
            (json!({ "metadata": linux, "status": ready() }), None),
            (json!({ "metadata": { "name": "n" }, "status": ready() }), None),
            (json!({ "metadata": linux }), Some("is not ready")),
            (
                json!({ "metadata": linux, "status": { "conditions": [{ "type": "Ready", "status": "Unknown" }] } }),
                Some("is not ready"),
            ),
            (
                json!({ "metadata": linux, "spec": { "unschedulable": true }, "status": ready() }),
                Some("is cordoned"),
            ),
            (
                json!({ "metadata": linux, "spec": { "taints": [{ "key": "dedicated", "effect": "NoSchedule" }] },
                    "status": ready() }),
                None,
            ),
            (
                json!({ "metadata": { "name": "n", "deletionTimestamp": "2026-11-24T00:00:00Z" }, "status": ready() }),
                Some("is being deleted"),
            ),
            (
                tainted("karpenter.sh/disrupted"),
                Some("is taken away (karpenter.sh/disrupted)"),
            ),
            (
                tainted("ToBeDeletedByClusterAutoscaler"),
                Some("is taken away (ToBeDeletedByClusterAutoscaler)"),
            ),
            (tainted("node.kubernetes.io/not-ready"), Some("is not ready")),
            (tainted("node.kubernetes.io/unreachable"), Some("is not ready")),
            (
                json!({ "metadata": { "labels": { "kubernetes.io/os": "windows" } }, "status": ready() }),
                Some("runs windows"),
            ),
            (
                json!({ "metadata": { "labels": { "type": "virtual-kubelet" } }, "status": ready() }),
                Some("is virtual"),
            ),
        ];
        for (value, expected) in cases {
            let node = node(value.clone());
            assert_eq!(not_asked(&node, Asked::Schedulable).as_deref(), expected, "{value}");
            assert_eq!(gone(Some(&node), Asked::Schedulable).as_deref(), expected, "{value}");
            let on_all = expected.filter(|why| *why != "is cordoned");
            assert_eq!(not_asked(&node, Asked::Cordoned).as_deref(), on_all, "{value}");
        }
        assert_eq!(gone(None, Asked::Cordoned).as_deref(), Some("is gone"));
    }
}
