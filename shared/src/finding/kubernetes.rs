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
/// The cluster is below what the target accepts at all.
pub const BELOW_HARD_MINIMUM: Code = Code(&Rule {
    id: "MU204",
    title: "Kubernetes is below the target's hard minimum",
    severity: Severity::Blocker,
    waivable: false,
    cause: "Istio's own installer refuses this Kubernetes: the target needs API versions that it does not serve.",
    evidence: "The API server's version against the minimum that is compiled into istioctl of the target's minor.",
    fix: "Upgrade that cluster's Kubernetes to at least the version that the finding names, then check again.",
});

pub(super) const ALL: &[Code] = &[
    KUBERNETES_TOO_LOW,
    KUBERNETES_TOO_HIGH,
    NO_ISTIO_FOR_KUBERNETES,
    BELOW_HARD_MINIMUM,
];
