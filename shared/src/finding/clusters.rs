//! MU9xx: clusters, who operates them, and waivers.

use super::{Code, Rule, Severity};

/// A member cluster could not be observed.
pub const CLUSTER_UNKNOWN: Code = Code(&Rule {
    id: "MU901",
    title: "A cluster could not be observed",
    severity: Severity::Blocker,
    waivable: false,
    cause: "What cannot be seen is not fine: its Kubernetes, its Istio and its configuration are unknown.",
    evidence: "The error with which the cluster's API server, or the way to it, answered.",
    fix: "Make the cluster reachable with this kubeconfig, or take it out of the mesh, then check again.",
});
/// The mesh is operated by somebody else.
pub const EXTERNAL_MESH: Code = Code(&Rule {
    id: "MU902",
    title: "The mesh is operated by its owner",
    severity: Severity::Warning,
    waivable: false,
    cause: "Its Mesh object says management: External; this tool checks and advises, and never writes to it.",
    evidence: "The field spec.management of the Mesh object.",
    fix: "Hand the owner the findings and the runbook that kubectl mesh-upgrade guide writes.",
});
/// Two names lead to the same cluster.
pub const SAME_CLUSTER_TWICE: Code = Code(&Rule {
    id: "MU903",
    title: "Two names lead to the same cluster",
    severity: Severity::Blocker,
    waivable: false,
    cause: "The plan would change one cluster twice and count it as two.",
    evidence: "The UID of the namespace kube-system in each cluster.",
    fix: "Name each cluster once: correct the contexts of the kubeconfig or the clusters of the Mesh object.",
});
/// A waiver does not hold.
pub const WAIVER_WITHOUT_EFFECT: Code = Code(&Rule {
    id: "MU904",
    title: "A waiver has no effect",
    severity: Severity::Warning,
    waivable: false,
    cause: "It has expired, or it names a finding that cannot be waived, or none that was made.",
    evidence: "The waivers given, against the findings and today's date.",
    fix: "Renew the waiver with a new expiry, or remove it.",
});

/// A part of a cluster could not be read.
pub const PARTLY_OBSERVED: Code = Code(&Rule {
    id: "MU905",
    title: "A part of a cluster could not be read",
    severity: Severity::Blocker,
    waivable: true,
    cause: "The cluster answered, but not to everything: what was not seen may be what stands in the way.",
    evidence: "The errors with which single requests were answered, such as a list that is forbidden.",
    fix: "Get the permission to read that the finding names, or repair what is broken, then check again.",
});

/// Some checks were not made.
pub const OVERLOOKED: Code = Code(&Rule {
    id: "MU906",
    title: "A part of the configuration could not be looked at",
    severity: Severity::Warning,
    waivable: true,
    cause: "The checks that need it were not made: what they would have found is not in this report.",
    evidence: "What the API server answered.",
    fix: "Get the permission to read it, then check again.",
});

/// Istio's external control plane, configured in a cluster that this tool cannot upgrade.
pub const EXTERNAL_CONTROL_PLANE: Code = Code(&Rule {
    id: "MU907",
    title: "Where an external control plane is configured, nothing is helm's",
    severity: Severity::Warning,
    waivable: false,
    cause: "Istio's external control plane: istiod runs in one cluster, and its configuration, CRDs and webhooks are in \
            another. apply upgrades both together, and in the other one it found no helm release of Istio's charts.",
    evidence: "The Secret istio-kubeconfig beside istiod, key config, from which istiod takes its kubeconfig; and the helm \
               releases of the cluster that it leads to.",
    fix: "Take over with helm what is there, or upgrade by the runbook of kubectl mesh-upgrade guide, which names the \
          cluster of each step.",
});

pub(super) const ALL: &[Code] = &[
    CLUSTER_UNKNOWN,
    EXTERNAL_MESH,
    SAME_CLUSTER_TWICE,
    WAIVER_WITHOUT_EFFECT,
    PARTLY_OBSERVED,
    OVERLOOKED,
    EXTERNAL_CONTROL_PLANE,
];
