//! Our own objects: what may happen to the lock, the journal and the Mesh, said by a static policy and again by the
//! webhook.
//!
//! The policy sees each object by itself and asks the API server's authorizer for the verb `unlock`; the webhook sees
//! the other objects, and so refuses a second upgrade of a mesh and a flavor that nobody knows. Of everything else
//! both say the same, but that the webhook takes the verb for granted: it is refused by the policy, or by RBAC.

mod judge;
mod policy;

pub(super) use judge::judge;
pub use policy::own_objects_policy;

use super::table::Operation;

/// Condition of a MeshUpgrade: somebody has lifted its freeze by hand. Its message is `USER: REASON`.
pub const CONDITION_UNLOCKED: &str = "Unlocked";

/// Longest message of [`CONDITION_UNLOCKED`], in characters.
pub const LONGEST_NOTE: usize = 2048;

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

/// Resources that the webhook is asked about, with the operations.
pub(super) const BY_WEBHOOK: &[(&[&str], &[Operation])] = &[
    (BY_POLICY, super::table::CHANGES),
    // A Mesh may always be deleted: it is what an operator says, and nothing is lost with it that was not said.
    (&["meshes"], &[Operation::Create, Operation::Update]),
];
