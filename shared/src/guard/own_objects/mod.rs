//! Our own objects: what may happen to the lock, the journal and the Mesh, said by a static policy and again by the
//! webhook.
//!
//! The policy sees each object by itself and asks the API server's authorizer for the verb `unlock`; the webhook sees
//! the other objects and the time, and so refuses a second upgrade of a mesh, a flavor that nobody knows and a downgrade
//! that is allowed for too long. Of everything else both say the same, but that the webhook takes the verbs `unlock` and
//! `downgrade` for granted: they are refused by the policy, or by RBAC.

mod judge;
mod meshes;
mod policy;

pub(super) use judge::judge;
pub use policy::own_objects_policy;

use super::{message::one_line, table::Operation};
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

/// Condition of a MeshUpgrade: somebody has lifted its freeze by hand. Its message is `USER: REASON`.
pub const CONDITION_UNLOCKED: &str = "Unlocked";

/// Reason of [`CONDITION_UNLOCKED`] where a driver found a freeze open that the journal called closed, and nobody had said why:
/// its message tells what was open, and where.
pub const FOUND_OPEN: &str = "FoundOpen";

/// Reason of [`CONDITION_UNLOCKED`] where a driver has taken the word of whoever lifted the freeze into the history, and has not
/// closed it yet: until then the mesh stands open, and whoever comes next has to know why.
pub const FREEZING_AGAIN: &str = "FreezingAgain";

/// Whether a reason of [`CONDITION_UNLOCKED`] is a driver's, who was at work then, and nobody's who lifted the freeze.
#[must_use]
pub fn is_drivers_reason(reason: &str) -> bool {
    [FOUND_OPEN, FREEZING_AGAIN].contains(&reason)
}

/// Longest message of [`CONDITION_UNLOCKED`], in characters.
pub const LONGEST_NOTE: usize = 2048;

/// Longest reason for lifting a freeze, in characters: it goes into Events, which take 1,024 bytes.
pub const LONGEST_REASON: usize = 200;

/// The conditions of a journal after somebody has lifted its freeze by hand: what the policy lets them write, and
/// nothing else changed. They are taken as they stand, so that no part unknown to this plugin is lost.
#[must_use]
pub fn with_unlocked(conditions: &[Value], user: &str, reason: &str, now: Timestamp) -> Vec<Value> {
    let is_other = |condition: &&Value| condition.get("type").and_then(Value::as_str) != Some(CONDITION_UNLOCKED);
    let message: String = format!("{user}: {reason}").chars().take(LONGEST_NOTE).collect();
    let unlocked = json!({
        "type": CONDITION_UNLOCKED, "status": "True", "reason": "ByHand", "message": message,
        "lastTransitionTime": now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
    });
    conditions.iter().filter(is_other).cloned().chain([unlocked]).collect()
}

/// Who may lift a freeze by hand, for people who may not.
#[must_use]
pub fn who_may_unlock(holders: &[String]) -> String {
    let role = super::UNLOCKER_ROLE;
    let verb = "whoever has the RBAC verb unlock on meshfreezes.meshupgrade.io, as the ClusterRole";
    let holders: Vec<String> = holders.iter().map(|holder| one_line(holder)).collect();
    if holders.is_empty() {
        format!("{verb} {role} grants it")
    } else {
        format!("{verb} {role} grants it to: {}", holders.join(", "))
    }
}

/// What both barriers say to somebody who may not allow a way back.
const ALLOWS_A_DOWNGRADE: &str = "spec.downgrade is written by somebody with the verb downgrade on meshes, in their own name and \
     with a reason, of a mesh whose management is External; while it stands, so is the rest of the specification. See: \
     kubectl mesh-upgrade guide";

/// Fields of a MeshFreeze's specification that say which upgrade it belongs to.
const FREEZE_IDENTITY: [&str; 4] = ["mesh", "upgrade", "from", "to"];

/// Parts of a MeshFreeze's status that are its holder's; the conditions are written by the webhook.
const HOLDERS_STATUS: [&str; 2] = ["fingerprints", "changing"];

/// Resources that the policy is asked about, for every operation.
pub(super) const BY_POLICY: &[&str] = &[
    "meshfreezes",
    "meshfreezes/status",
    "meshupgrades",
    "meshupgrades/status",
];

/// Resources that the policy is asked about when they are created or updated. A Mesh may always be deleted: it is what an
/// operator says, and nothing is lost with it that was not said.
pub(super) const WRITES_BY_POLICY: &[&str] = &["meshes"];

/// Resources that the webhook is asked about, with the operations.
pub(super) const BY_WEBHOOK: &[(&[&str], &[Operation])] = &[
    (BY_POLICY, super::table::CHANGES),
    (WRITES_BY_POLICY, &[Operation::Create, Operation::Update]),
];
