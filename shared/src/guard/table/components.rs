//! What is a part of a mesh under any name: labels that Istio's own Services and selectors need, and kinds that install.

use crate::api::{FreezeScope, WorkloadKind};
use std::collections::BTreeSet;

/// Labels of pod templates that make a workload of this resource a control plane, a CNI agent or a ztunnel. They stand
/// in the selectors of Istio's charts, too, so that none of these works without them.
pub const CONTROL_PLANES: &[(&str, &str, &str)] = &[
    ("deployments", "app", "istiod"),
    ("deployments", "istio", "pilot"),
    ("deployments", "istio", "istiod"),
    ("daemonsets", "k8s-app", "istio-cni-node"),
    ("daemonsets", "app", "ztunnel"),
];

/// Label of the Secrets by which istiod reaches other clusters.
pub const REMOTE_SECRET_LABEL: &str = "istio/multiCluster";
/// Name of the Secret by which an istiod reaches the cluster that has its configuration.
pub const KUBECONFIG: &str = "istio-kubeconfig";

/// The Sail Operator's kinds of what runs on every node, wherever its namespace is.
pub const NODE_WIDE_OPERATOR_KINDS: &[&str] = &["istiocnis", "ztunnels"];
/// Its kind that leads workloads to what another object of it installs.
pub const OPERATOR_TAGS: &str = "istiorevisiontags";

/// Namespaces in which a further control plane, CNI agent or ztunnel would be at work on the mesh: those of its control
/// planes, and those of its agents.
#[must_use]
pub fn component_namespaces(scope: &FreezeScope) -> BTreeSet<&str> {
    let agents = scope.workloads.iter();
    let agents = agents.filter(|workload| workload.kind == WorkloadKind::DaemonSet);
    let planes = scope.istio_namespaces.iter().map(String::as_str);
    planes
        .chain(agents.map(|workload| workload.namespace.as_str()))
        .collect()
}
