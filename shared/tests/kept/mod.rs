//! Generated files in the repository, for the tests `reference` of all packages: kept as the code says, or written anew.

use std::path::Path;

/// Whether a file of the repository is what the code of this package says; `UPDATE_REFERENCE=1` writes it anew.
pub fn is_up_to_date(file: &str, generated: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file);
    if std::env::var_os("UPDATE_REFERENCE").is_some() {
        std::fs::write(&path, generated).ok();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == generated,
        "{file} is not what the code says; write it anew with\n  UPDATE_REFERENCE=1 cargo test -p {} --test reference",
        env!("CARGO_PKG_NAME")
    );
}
