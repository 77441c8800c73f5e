//! Journals as they are found: those of newer plugins, too, those out of backups, and those of meshes by another name.

mod freezes;
mod identity;
mod outline;
mod under_way;

pub use freezes::{Begun, FrozenBy, may_be_of, meant};
pub use identity::{frozen_mesh_of, mesh_of, under_another_name};
pub use outline::{Listed, Outline};
pub use under_way::{UnderWay, under_way};

use crate::api::MeshUpgrade;

/// Whether no driver has ever written to a journal. It was created a moment ago, or restored from a backup, which leaves out
/// what each object's status says: then it looks like an upgrade that has just begun, whatever became of that long ago.
#[must_use]
pub fn is_untouched(journal: &MeshUpgrade) -> bool {
    journal.status.is_none()
}
