//! Whether the API server can freeze the mesh in every cluster that would be written to.

use super::{Purpose, Subject};
use crate::{
    api::FreezeMode,
    finding::{Finding, Report, Severity, codes},
    guard::release::{Fit, fit},
    inventory::GuardPresence,
    names,
};

pub(super) fn check(subject: &Subject<'_>, report: &mut Report) {
    if subject.mesh.freeze.mode == FreezeMode::Warn {
        report.find(Finding::new(
            codes::CONFIGURATION_NOT_FROZEN,
            format!(
                "mesh {} wants foreign changes of its configuration warned about, not refused",
                subject.mesh.name
            ),
            "set spec.freeze.mode of the Mesh to Enforce, and name exceptions in spec.freeze.extraWriters",
        ));
    }
    // To apply without a guard needs the operator's own word for it; to check, a warning is enough.
    let severity = match subject.target.purpose {
        Purpose::Apply => Severity::Blocker,
        Purpose::Check | Purpose::ApplyUnguarded => Severity::Warning,
    };
    for member in &subject.members {
        let guard = &member.observed.guard;
        let missing: Vec<&str> = [
            (guard.crds, "the CRDs"),
            (guard.policies, "the policy for our own objects"),
            (guard.driver, "the driver's ServiceAccount"),
        ]
        .into_iter()
        .filter_map(|(present, name)| (!present).then_some(name))
        .collect();
        if let Some(finding) = guard.can_freeze().then(|| of_another_release(guard)).flatten() {
            report.find(finding.in_cluster(member.name()));
        }
        let finding = if !guard.policy_api {
            Finding::new(
                codes::NO_ADMISSION_POLICY,
                format!(
                    "Kubernetes {} serves no ValidatingAdmissionPolicy: it comes with 1.30",
                    member.observed.kubernetes
                ),
                "upgrade Kubernetes to at least 1.30; until then apply needs --unguarded with --reason",
            )
            .weighing(severity)
        } else if missing.len() == 3 {
            Finding::new(
                codes::GUARD_NOT_INSTALLED,
                "the guard is not installed: nothing can freeze the mesh",
                "kubectl mesh-upgrade guard install; without it apply needs --unguarded with --reason",
            )
            .weighing(severity)
        } else if !missing.is_empty() {
            Finding::new(
                codes::GUARD_NOT_INSTALLED,
                format!("the guard lacks {}", missing.join(" and ")),
                "kubectl mesh-upgrade guard install brings it up to date",
            )
            .weighing(severity)
        } else if !guard.webhook {
            Finding::new(
                codes::POLICY_ONLY,
                "the policy is there without the webhook: skipped minors and mixed flavors are not refused between \
                 upgrades",
                "kubectl mesh-upgrade guard install with --image, when that is wanted",
            )
        } else {
            report.pass(
                codes::GUARD_NOT_INSTALLED,
                Some(member.name()),
                "the guard is installed",
            );
            continue;
        };
        report.find(finding.in_cluster(member.name()));
    }
}

/// A guard that was installed by a plugin of a release which does not go with this one. One that does not tell its release
/// may have been rendered by somebody's own tool.
fn of_another_release(guard: &GuardPresence) -> Option<Finding> {
    let release = guard.release.as_deref()?;
    match fit(names::VERSION, release) {
        Fit::GuardIsOlder => Some(Finding::new(
            codes::GUARD_OF_ANOTHER_RELEASE,
            format!(
                "the guard is of release {release}, and too old for this plugin ({})",
                names::VERSION
            ),
            "update the guard by what installed it: kubectl mesh-upgrade guard install, its chart, or GitOps",
        )),
        Fit::PluginIsOlder => Some(Finding::new(
            codes::GUARD_OF_ANOTHER_RELEASE,
            format!(
                "the guard is of release {release}, and this plugin ({}) too old for it",
                names::VERSION
            ),
            "update this plugin: kubectl krew upgrade mesh-upgrade",
        )),
        Fit::Fits | Fit::Unknown => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        api::FreezeMode,
        finding::Severity,
        inventory::{GuardPresence, sample},
        names,
        preflight::{
            Purpose,
            tests::{check_for, found, ids},
        },
    };

    #[test]
    fn a_mesh_that_only_warns_is_told_so() {
        let mut inventory = sample::one("1.30.3", "v1.36.3");
        let mut record = sample::record("default");
        record.freeze.mode = FreezeMode::Warn;
        inventory.seen(0).meshes = vec![record];
        let report = check_for(&inventory, "1.31.0", Purpose::Apply);
        assert_eq!(found(&report, "MU604").severity, Severity::Warning);
    }

    #[test]
    fn each_state_of_the_guard_has_its_verdict() {
        let whole = GuardPresence {
            crds: true,
            policies: true,
            driver: true,
            webhook: true,
            policy_api: true,
            release: Some(names::VERSION.to_owned()),
        };
        let none = GuardPresence {
            policy_api: true,
            ..GuardPresence::default()
        };
        for (guard, expected, part) in [
            (none, "MU601", "not installed"),
            (
                GuardPresence {
                    driver: false,
                    ..whole.clone()
                },
                "MU601",
                "lacks the driver's ServiceAccount",
            ),
            (
                GuardPresence {
                    policies: false,
                    ..whole.clone()
                },
                "MU601",
                "lacks the policy",
            ),
            (
                GuardPresence::default(),
                "MU602",
                "Kubernetes 1.36.3 serves no ValidatingAdmissionPolicy",
            ),
            (
                GuardPresence {
                    webhook: false,
                    ..whole.clone()
                },
                "MU603",
                "without the webhook",
            ),
        ] {
            for (purpose, severity) in [
                (Purpose::Check, Severity::Warning),
                (Purpose::Apply, Severity::Blocker),
                (Purpose::ApplyUnguarded, Severity::Warning),
            ] {
                let mut inventory = sample::one("1.30.3", "v1.36.3");
                inventory.seen(0).guard = guard.clone();
                let report = check_for(&inventory, "1.31.0", purpose);
                assert_eq!(ids(&report), [expected]);
                let finding = found(&report, expected);
                let severity = if expected == "MU603" { Severity::Info } else { severity };
                assert_eq!(finding.severity, severity, "{expected} {purpose:?}");
                assert!(finding.cause.contains(part), "{}", finding.cause);
            }
        }
    }

    #[test]
    fn a_guard_of_a_release_that_does_not_fit_is_told() {
        for (release, part) in [
            (Some(names::VERSION), None),
            (None, None),
            (Some("latest"), None),
            (Some("0.0.1"), Some("too old for this plugin")),
            (Some("99.0.0"), Some("too old for it")),
        ] {
            for purpose in [Purpose::Check, Purpose::Apply] {
                let mut inventory = sample::one("1.30.3", "v1.36.3");
                inventory.seen(0).guard.release = release.map(str::to_owned);
                let report = check_for(&inventory, "1.31.0", purpose);
                let Some(part) = part else {
                    assert!(ids(&report).is_empty(), "{release:?}");
                    continue;
                };
                assert_eq!(ids(&report), ["MU605"], "{release:?}");
                let finding = found(&report, "MU605");
                assert_eq!(finding.severity, Severity::Warning, "{release:?}");
                assert!(finding.code.is_waivable());
                assert!(finding.cause.contains(part), "{}", finding.cause);
                let by_what_installed_it = finding.fix.starts_with("update the guard by what installed it");
                assert_eq!(by_what_installed_it, release == Some("0.0.1"), "{}", finding.fix);
            }
        }
    }
}
