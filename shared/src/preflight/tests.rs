//! What the tests of all families share, and the mesh that nothing is wrong with.

use super::{Purpose, Target, check as check_mesh};
use crate::{
    catalog::{Catalog, Date},
    finding::{Finding, Report},
    inventory::{Inventory, sample},
    mesh::meshes,
};
use std::sync::LazyLock;

/// The embedded catalog, read once.
pub static CATALOG: LazyLock<Catalog> = LazyLock::new(|| Catalog::embedded().unwrap());

/// A day after the end of 1.29 and before that of 1.30.
pub const TODAY: Date = Date::constant(2026, 11, 24);

pub fn check_for(inventory: &Inventory, to: &str, purpose: Purpose) -> Report {
    let meshes = meshes(inventory);
    let target = Target::new(to.parse().unwrap()).for_purpose(purpose);
    check_mesh(&meshes[0], inventory, &target, &CATALOG, TODAY)
}

pub fn check_target(inventory: &Inventory, target: &Target) -> Report {
    check_mesh(&meshes(inventory)[0], inventory, target, &CATALOG, TODAY)
}

pub fn check(inventory: &Inventory, to: &str) -> Report {
    check_for(inventory, to, Purpose::Check)
}

/// Codes of all findings, in the report's order.
pub fn ids(report: &Report) -> Vec<&'static str> {
    report.findings.iter().map(|finding| finding.code.id()).collect()
}

/// The only finding with a code.
pub fn found<'a>(report: &'a Report, id: &str) -> &'a Finding {
    let mut all = report.findings.iter().filter(|finding| finding.code.id() == id);
    let first = all
        .next()
        .unwrap_or_else(|| panic!("no {id} among {:#?}", report.findings));
    assert!(all.next().is_none(), "more than one {id}");
    first
}

#[test]
fn nothing_is_found_in_a_fresh_healthy_mesh() {
    let mut inventory = sample::one("1.30.3", "v1.36.3");
    sample::add_ambient(&mut inventory.clusters[0], "1.30.3");
    for purpose in [Purpose::Check, Purpose::Apply] {
        let report = check_for(&inventory, "1.31.0", purpose);
        assert_eq!(report.findings, [], "{purpose:?}");
        assert!(
            report.is_free() && report.passed.len() > 10,
            "{} passed",
            report.passed.len()
        );
    }
}

#[test]
fn two_runs_print_the_same() {
    let mut inventory = sample::one("1.28.1", "v1.37.0");
    inventory.seen(0).control_planes[0].rollout.ready = 0;
    inventory.seen(0).helm_releases.clear();
    let (first, second) = (check(&inventory, "1.31.0"), check(&inventory, "1.31.0"));
    assert_eq!(first, second);
    assert!(
        first
            .findings
            .windows(2)
            .all(|pair| pair[0].severity <= pair[1].severity)
    );
}
