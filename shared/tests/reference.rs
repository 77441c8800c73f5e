//! The references in the repository are the ones that the code generates.

use std::path::Path;

fn is_up_to_date(name: &str, generated: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("reference").join(name);
    if std::env::var_os("UPDATE_REFERENCE").is_some() {
        std::fs::write(&path, generated).ok();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == generated,
        "shared/reference/{name} is not what the code says; write it anew with\n  UPDATE_REFERENCE=1 cargo test -p \
         mesh-upgrade-shared --test reference"
    );
}

#[test]
fn the_reference_of_findings_is_up_to_date() {
    is_up_to_date("findings.md", &shared::finding::reference());
}

#[test]
fn the_reference_of_the_guard_is_up_to_date() {
    is_up_to_date("guard.md", &shared::guard::coverage::reference());
}

#[test]
fn the_reference_of_releases_is_up_to_date() {
    is_up_to_date("releases.md", &shared::preflight::rules::reference());
}

#[test]
fn the_reference_of_resources_is_up_to_date() {
    is_up_to_date("resources.md", &shared::api::reference());
}
