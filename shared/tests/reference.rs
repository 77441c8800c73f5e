//! The references in the repository are the ones that the code generates.

mod kept;

use kept::is_up_to_date;

#[test]
fn the_reference_of_findings_is_up_to_date() {
    is_up_to_date("shared/reference/findings.md", &shared::finding::reference());
}

#[test]
fn the_reference_of_the_guard_is_up_to_date() {
    is_up_to_date("shared/reference/guard.md", &shared::guard::coverage::reference());
}

#[test]
fn the_reference_of_releases_is_up_to_date() {
    is_up_to_date("shared/reference/releases.md", &shared::preflight::rules::reference());
}

#[test]
fn the_reference_of_resources_is_up_to_date() {
    is_up_to_date("shared/reference/resources.md", &shared::api::reference());
}
