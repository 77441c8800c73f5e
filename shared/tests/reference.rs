//! The reference of findings in the repository is the one that the code generates.

use std::path::Path;

#[test]
fn the_reference_of_findings_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("reference/findings.md");
    let generated = shared::finding::reference();
    if std::env::var_os("UPDATE_REFERENCE").is_some() {
        std::fs::write(&path, &generated).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == generated,
        "shared/reference/findings.md is not what the code says; write it anew with\n  UPDATE_REFERENCE=1 cargo test -p \
         mesh-upgrade-shared --test reference"
    );
}
