//! MU3xx: health and shape of the control plane and of what is upgraded with it.

use super::{Code, Rule, Severity};

/// A rollout is not complete.
pub const ROLLOUT_INCOMPLETE: Code = Code(&Rule {
    id: "MU301",
    title: "A rollout is not complete",
    severity: Severity::Blocker,
    waivable: true,
    cause: "Something is being changed already, or pods do not become ready; an upgrade on top of it could not be told apart from it.",
    evidence: "Wanted, updated and ready pods of each istiod, node component and gateway, and whether its controller has seen the newest specification.",
    fix: "Wait until the rollout is complete or repair it; kubectl rollout status shows where it stands.",
});
/// istiod has a single replica.
pub const SINGLE_REPLICA: Code = Code(&Rule {
    id: "MU302",
    title: "istiod has fewer than two replicas",
    severity: Severity::Warning,
    waivable: true,
    cause: "While its only pod is replaced, sidecars cannot be injected, configuration cannot be validated, and new proxies get no configuration.",
    evidence: "Wanted pods of each istiod Deployment.",
    fix: "Run at least two replicas: set autoscaleMin or replicaCount to 2 in the istiod chart's values.",
});
/// Ready istiods report different versions.
pub const RUNNING_VERSIONS_DIFFER: Code = Code(&Rule {
    id: "MU303",
    title: "Pods of one istiod report different versions",
    severity: Severity::Blocker,
    waivable: true,
    cause: "Old and new pods serve side by side: a rollout is under way, or a pod was changed by hand.",
    evidence: "What each ready pod says at :15014/version, against the image's tag.",
    fix: "Wait until the rollout is complete, or delete the pods that run the wrong version.",
});
/// Several revisions of one version run in a cluster.
pub const SEVERAL_REVISIONS: Code = Code(&Rule {
    id: "MU304",
    title: "Several revisions of istiod run",
    severity: Severity::Warning,
    waivable: true,
    cause: "A canary was not finished, or the revisions are kept on purpose; each one is upgraded in place.",
    evidence: "The label istio.io/rev of all istiod Deployments of the mesh in a cluster.",
    fix: "Remove revisions that no namespace uses any more: istioctl tag list shows which are in use.",
});
/// Several revisions of different versions run in a cluster.
pub const UNFINISHED_CANARY: Code = Code(&Rule {
    id: "MU305",
    title: "A revision canary is not finished",
    severity: Severity::Blocker,
    waivable: true,
    cause: "Revisions of different versions run in one cluster: some workloads are on the old one, some on the new one.",
    evidence: "Revision and version of all istiod Deployments of the mesh in a cluster.",
    fix: "Finish the canary or go back: move all namespaces and tags to one revision, remove the other, then check again.",
});
/// A named revision is upgraded in place.
pub const NAMED_REVISION: Code = Code(&Rule {
    id: "MU306",
    title: "A named revision would be upgraded in place",
    severity: Severity::Warning,
    waivable: true,
    cause: "Istio documents in-place upgrades for installations without a revision; here the revision keeps its name while its version changes.",
    evidence: "The label istio.io/rev of the istiod Deployment.",
    fix: "Make sure that the revision's name says no version, or people will take it for what runs.",
});

pub(super) const ALL: &[Code] = &[
    ROLLOUT_INCOMPLETE,
    SINGLE_REPLICA,
    RUNNING_VERSIONS_DIFFER,
    SEVERAL_REVISIONS,
    UNFINISHED_CANARY,
    NAMED_REVISION,
];
