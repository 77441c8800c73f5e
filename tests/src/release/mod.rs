//! What is released, made by one command on any machine: archives with checksums, the krew manifest, the guard's image.
//! The same input gives the same bytes.

mod archive;
mod image;
pub mod krew;
mod platform;

pub use archive::{Archive, archive};
pub use image::{Image, image};
pub use platform::{PLATFORMS, Platform};

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};

/// What a release is called: the version with a `v`, as krew and Git tags have it.
#[must_use]
pub fn tag() -> String {
    format!("v{}", shared::names::VERSION)
}

/// The workspace's folder.
pub(crate) fn workspace() -> Result<PathBuf> {
    let parent = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    Ok(parent.context("the workspace's folder")?.to_owned())
}

/// SHA-256 in hexadecimal digits.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
