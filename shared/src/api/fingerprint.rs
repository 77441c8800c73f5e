//! Fingerprints of objects that the API server asks no guard about; they stand in the journal and in the MeshFreeze.

use super::ObjectName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Condition: something that no guard is asked about is not as it was when the mesh was frozen.
pub const CONDITION_DRIFTED: &str = "Drifted";

/// The kinds of `admissionregistration.k8s.io`. The API server calls neither webhooks nor policies for them (its
/// `predicates/rules/rules.go`), so that breaking the glass always works, and that nobody can freeze them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ExemptKind {
    /// Istio's validators, and the guard's webhook.
    ValidatingWebhookConfiguration,
    /// Istio's injectors and revision tags.
    MutatingWebhookConfiguration,
    /// Freeze policies, the policy for our own objects, and Istio's `stable-channel-*`.
    ValidatingAdmissionPolicy,
    /// What makes those policies work.
    ValidatingAdmissionPolicyBinding,
    /// None of Istio's today.
    MutatingAdmissionPolicy,
    /// None of Istio's today.
    MutatingAdmissionPolicyBinding,
}

impl ExemptKind {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::ValidatingWebhookConfiguration,
        Self::MutatingWebhookConfiguration,
        Self::ValidatingAdmissionPolicy,
        Self::ValidatingAdmissionPolicyBinding,
        Self::MutatingAdmissionPolicy,
        Self::MutatingAdmissionPolicyBinding,
    ];

    /// API group of all of them.
    pub const GROUP: &'static str = "admissionregistration.k8s.io";

    /// The kind's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ValidatingWebhookConfiguration => "ValidatingWebhookConfiguration",
            Self::MutatingWebhookConfiguration => "MutatingWebhookConfiguration",
            Self::ValidatingAdmissionPolicy => "ValidatingAdmissionPolicy",
            Self::ValidatingAdmissionPolicyBinding => "ValidatingAdmissionPolicyBinding",
            Self::MutatingAdmissionPolicy => "MutatingAdmissionPolicy",
            Self::MutatingAdmissionPolicyBinding => "MutatingAdmissionPolicyBinding",
        }
    }

    /// The resource's name in the API.
    #[must_use]
    pub fn resource(self) -> &'static str {
        match self {
            Self::ValidatingWebhookConfiguration => "validatingwebhookconfigurations",
            Self::MutatingWebhookConfiguration => "mutatingwebhookconfigurations",
            Self::ValidatingAdmissionPolicy => "validatingadmissionpolicies",
            Self::ValidatingAdmissionPolicyBinding => "validatingadmissionpolicybindings",
            Self::MutatingAdmissionPolicy => "mutatingadmissionpolicies",
            Self::MutatingAdmissionPolicyBinding => "mutatingadmissionpolicybindings",
        }
    }
}

impl std::fmt::Display for ExemptKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is remembered of one such object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Fingerprint {
    /// Its kind.
    pub kind: ExemptKind,
    /// Its name.
    pub name: String,
    /// SHA-256, in hexadecimal, of what it does; book-keeping and what istiod writes into it do not count.
    pub sha256: String,
    /// The helm release that owns it; `istioctl/REVISION` for what istioctl installed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<ObjectName>,
    /// Field managers of what counts, each with the time of its last write, as `helm 2026-01-01T00:00:00Z`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub writers: Vec<String>,
}

/// The fingerprints of one cluster, in the journal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClusterFingerprints {
    /// Name of the cluster in the plan.
    pub cluster: String,
    /// What belongs to the mesh or the guard there.
    pub objects: Vec<Fingerprint>,
}
