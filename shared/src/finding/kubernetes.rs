//! MU2xx: the Kubernetes versions of the member clusters.

use super::{Code, Rule, Severity};

/// The cluster is older than the target's range.
pub const KUBERNETES_TOO_LOW: Code = Code(&Rule {
    id: "MU201",
    title: "Kubernetes is too low for the target",
    severity: Severity::Blocker,
    waivable: true,
    cause: "The cluster's Kubernetes is older than any that the target Istio supports.",
    evidence: "The API server's version against the catalog's range of the target.",
    fix: "Upgrade that cluster's Kubernetes to at least the version that the finding names, then check again.",
});
/// The cluster is newer than the target's range, and a higher Istio supports it.
pub const KUBERNETES_TOO_HIGH: Code = Code(&Rule {
    id: "MU202",
    title: "Kubernetes is too high for the target",
    severity: Severity::Blocker,
    waivable: true,
    cause: "The cluster's Kubernetes is newer than any that the target Istio supports.",
    evidence: "The API server's version against the catalog's range of the target and of all other releases of the flavor.",
    fix: "Choose the higher Istio that the finding names; if it is more than one minor away, waive this finding for the hop before it, with an owner and an expiry.",
});
/// The cluster is newer than any release's range.
pub const NO_ISTIO_FOR_KUBERNETES: Code = Code(&Rule {
    id: "MU203",
    title: "No Istio release supports this Kubernetes yet",
    severity: Severity::Blocker,
    waivable: true,
    cause: "The cluster's Kubernetes is newer than the range of every release of the flavor in the catalog.",
    evidence: "The API server's version against the catalog's ranges of all releases of the flavor.",
    fix: "Wait for a release that supports it, or waive this finding with an owner and an expiry; a vendor's wider range can be passed with --catalog FILE.",
});
/// The cluster is below the minimum that the target names itself.
pub const BELOW_MINIMUM: Code = Code(&Rule {
    id: "MU204",
    title: "Kubernetes is below the target's own minimum",
    severity: Severity::Blocker,
    waivable: true,
    cause: "Nobody has tried the target on a Kubernetes this old: istioctl installs there only with the warning that there may be problems, its precheck reports an error, and helm does not look.",
    evidence: "The API server's version against the minimum that is compiled into istioctl of the target's minor; up to 1.19 the lowest that is supported or was tested.",
    fix: "Upgrade that cluster's Kubernetes to at least the version that the finding names, then check again; or waive this with an owner and an expiry, when you have tried the target there yourself.",
});

/// Kubelets are out of range.
pub const NODE_SKEW: Code = Code(&Rule {
    id: "MU205",
    title: "Nodes are too far from their API server",
    severity: Severity::Warning,
    waivable: true,
    cause: "Kubernetes supports kubelets up to three minors behind the API server and none ahead; native sidecars and the CNI agent depend on the kubelet.",
    evidence: "The kubelet versions of all nodes but virtual ones, whose version (-vk-) is that of their provider.",
    fix: "Upgrade these nodes first.",
});
/// Helm cannot read its own release.
pub const REMOVED_API: Code = Code(&Rule {
    id: "MU206",
    title: "A helm release holds objects of an API that is gone",
    severity: Severity::Blocker,
    waivable: true,
    cause: "Helm compares with what it installed last. Where that names an API that this Kubernetes no longer serves, helm upgrade fails before it changes anything.",
    evidence: "The kinds in the manifest of each release of Istio's charts, against the APIs that Kubernetes removed.",
    fix: "Mend the stored release with helm's mapkubeapis plugin, then check again.",
});
/// Storage has to be migrated some day.
pub const OLD_STORED_VERSIONS: Code = Code(&Rule {
    id: "MU207",
    title: "Objects may be stored in an older version",
    severity: Severity::Info,
    waivable: false,
    cause: "A definition whose storedVersions name more than its storage version cannot drop the older one: an update that does is refused by the API server.",
    evidence: "spec.versions and status.storedVersions of Istio's and the Gateway API's definitions.",
    fix: "Rewrite the objects, as with kubectl get KIND -A -o json | kubectl replace -f -, then take the old version out of status.storedVersions.",
});

pub(super) const ALL: &[Code] = &[
    KUBERNETES_TOO_LOW,
    KUBERNETES_TOO_HIGH,
    NO_ISTIO_FOR_KUBERNETES,
    BELOW_MINIMUM,
    NODE_SKEW,
    REMOVED_API,
    OLD_STORED_VERSIONS,
];
