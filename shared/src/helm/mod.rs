//! Helm's releases as they are stored in a cluster.

mod kinds;
mod release;
mod settings;
mod versions;

pub use release::{Release, ReleaseError, Values, decode, storage_name};
pub use settings::{ReleaseSettings, move_pins, version_pins};
pub use versions::{Installs, VersionSource, decode_versions};
