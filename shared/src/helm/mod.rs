//! Helm's releases as they are stored in a cluster.

mod kinds;
mod release;
mod settings;
mod versions;

pub use release::{Release, ReleaseError, Values, decode, storage_name};
pub use settings::{ReleaseSettings, move_pins, version_pins};
pub(crate) use settings::{TAG_KEYS, moved_tag};
pub use versions::{Installs, VersionSource, decode_versions};

/// A chart's version without its build metadata, which tells no other chart: Flux writes the digest of an OCI artifact there,
/// as `1.31.0+0123456789ab`.
#[must_use]
pub fn without_build(chart_version: &str) -> &str {
    chart_version.split('+').next().unwrap_or_default()
}
