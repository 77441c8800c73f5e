//! MU5xx: what the caller and the driver's ServiceAccount may do.

use super::{Code, Rule, Severity};

/// The caller lacks permissions.
pub const CALLER_LACKS_PERMISSIONS: Code = Code(&Rule {
    id: "MU501",
    title: "You lack permissions that an upgrade needs",
    severity: Severity::Blocker,
    waivable: false,
    cause: "An upgrade that is refused half way leaves the mesh frozen; so all permissions are asked for before it begins. A check, which changes nothing, warns.",
    evidence: "A SelfSubjectRulesReview, and a SelfSubjectAccessReview for each thing that apply does as you and its rules do not grant.",
    fix: "Let a cluster administrator grant the rules that the finding lists.",
});
/// The driver's ServiceAccount lacks permissions.
pub const DRIVER_LACKS_PERMISSIONS: Code = Code(&Rule {
    id: "MU502",
    title: "The driver lacks permissions that an upgrade needs",
    severity: Severity::Blocker,
    waivable: false,
    cause: "The driver's ServiceAccount writes everything in an upgrade; its role is older than this plugin, or was changed. A check, which changes nothing, warns.",
    evidence: "One access review for each thing that apply does as the driver.",
    fix: "Install the guard again, which brings the role up to date: kubectl mesh-upgrade guard install.",
});

pub(super) const ALL: &[Code] = &[CALLER_LACKS_PERMISSIONS, DRIVER_LACKS_PERMISSIONS];
