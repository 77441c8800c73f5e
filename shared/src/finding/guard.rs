//! MU6xx: the guard, without which nothing keeps others off the mesh during an upgrade.

use super::{Code, Rule, Severity};

/// The guard is missing, or parts of it.
pub const GUARD_NOT_INSTALLED: Code = Code(&Rule {
    id: "MU601",
    title: "The guard is not installed",
    severity: Severity::Warning,
    waivable: false,
    cause: "Without it the API server cannot freeze the mesh, and anybody may change it in the middle of the upgrade.",
    evidence: "Our CRDs, the static policy, and the driver's ServiceAccount in the cluster.",
    fix: "Run kubectl mesh-upgrade guard install; without it, apply needs --unguarded and a reason.",
});
/// The API server has no ValidatingAdmissionPolicy.
pub const NO_ADMISSION_POLICY: Code = Code(&Rule {
    id: "MU602",
    title: "The API server serves no ValidatingAdmissionPolicy",
    severity: Severity::Warning,
    waivable: false,
    cause: "Kubernetes serves it from 1.30 on; without it there is no freeze that survives the loss of every pod.",
    evidence: "The API server's list of served resources.",
    fix: "Upgrade Kubernetes to at least 1.30; until then, apply needs --unguarded and a reason.",
});
/// The webhook is missing.
pub const POLICY_ONLY: Code = Code(&Rule {
    id: "MU603",
    title: "The guard's webhook is not installed",
    severity: Severity::Info,
    waivable: false,
    cause: "The policy alone freezes the mesh; it cannot refuse skipped minors and mixed flavors between upgrades.",
    evidence: "The guard's ValidatingWebhookConfiguration in the cluster.",
    fix: "Run kubectl mesh-upgrade guard install without --policy-only, with the webhook's image.",
});
/// The Mesh object asks for warnings instead of a freeze of configuration.
pub const CONFIGURATION_NOT_FROZEN: Code = Code(&Rule {
    id: "MU604",
    title: "The mesh's configuration is not frozen, only watched",
    severity: Severity::Warning,
    waivable: false,
    cause: "spec.freeze.mode of the Mesh is Warn: while it is upgraded anybody may change its configuration, is warned, \
            and the audit log tells of it. Components, CRDs and helm releases are frozen all the same.",
    evidence: "The Mesh object.",
    fix: "Set spec.freeze.mode to Enforce and name who has to write meanwhile in spec.freeze.extraWriters; or keep it, \
          and look at the warnings in the audit log afterwards.",
});

/// Guard and plugin do not go together.
pub const GUARD_OF_ANOTHER_RELEASE: Code = Code(&Rule {
    id: "MU605",
    title: "The guard is of another release",
    severity: Severity::Warning,
    waivable: true,
    cause: "It freezes the mesh, but a release that does not go with the plugin's may lack what the plugin counts on, or ask \
            for what the plugin does not know.",
    evidence: "The release that the static policy tells in its label app.kubernetes.io/version.",
    fix: "Update the older of the two: the guard by what installed it, be it kubectl mesh-upgrade guard install, its chart, or \
          GitOps; the plugin by krew.",
});

pub(super) const ALL: &[Code] = &[
    GUARD_NOT_INSTALLED,
    NO_ADMISSION_POLICY,
    POLICY_ONLY,
    CONFIGURATION_NOT_FROZEN,
    GUARD_OF_ANOTHER_RELEASE,
];
