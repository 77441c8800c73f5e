//! Downgrade: the way back of a mesh that its owner upgrades, allowed in writing, to one version and for a while.

use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::Time,
    jiff::{SignedDuration, Timestamp},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// For how long a way back may be open: long enough for a bad day, too short to be forgotten.
pub const LONGEST_DOWNGRADE: SignedDuration = SignedDuration::from_hours(24);

/// The audited exception to "no downgrade", for a mesh whose `management` is `External`.
///
/// While it is open the guard lets whoever wrote it, and those it names, take components of the mesh back to this one
/// version, by a minor at most and within the flavor. It opens nothing else: no skip, no other flavor, no freeze. Whoever
/// writes it needs the RBAC verb `downgrade` on meshes; taking it out needs none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Downgrade {
    /// The version to go back to, as `1.30.3`.
    #[schemars(length(min = 1, max = 80))]
    pub to: String,
    /// User who allows it, checked against the request by the guard.
    #[schemars(length(min = 1, max = 320))]
    pub by: String,
    /// Why the mesh goes back.
    #[schemars(length(min = 1, max = 200))]
    pub reason: String,
    /// When the guard refuses again, at most 24 hours ahead.
    pub expires: Time,
    /// Users who may go back beside `by`, in full: the service account of an operator or of a GitOps controller that makes
    /// the change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20), inner(length(min = 1, max = 320)))]
    pub writers: Vec<String>,
}

impl Downgrade {
    /// Whether it counts now. One that reaches further than it may was written past the guard, and does not.
    #[must_use]
    pub fn is_open(&self, now: Timestamp) -> bool {
        let expires = self.expires.0;
        now < expires && expires.duration_since(now) <= LONGEST_DOWNGRADE
    }

    /// Whether this user may go back by it.
    #[must_use]
    pub fn is_for(&self, user: &str) -> bool {
        !user.is_empty() && (self.by == user || self.writers.iter().any(|writer| writer == user))
    }
}
