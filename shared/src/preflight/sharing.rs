//! Whether another mesh lives in the same cluster, and can follow what exists there once.

use super::{Purpose, Subject, named};
use crate::{
    finding::{Finding, Report, Severity, codes},
    inventory::ControlPlane,
    mesh::ObservedMember,
    version::Minor,
};

pub(super) fn check(subject: &Subject<'_>, report: &mut Report) {
    for member in &subject.members {
        sharing(subject, member, report);
    }
}

fn sharing(subject: &Subject<'_>, member: &ObservedMember<'_>, report: &mut Report) {
    let planes: Vec<&ControlPlane> = member.foreign_control_planes().collect();
    if planes.is_empty() {
        return;
    }
    let show = |plane: &&ControlPlane| format!("{} ({})", named(&plane.workload), plane.version.raw);
    let others: Vec<String> = planes.iter().map(show).collect();
    let target = subject.target.version.minor();
    // A guest in another mesh's cluster changes nothing of what is shared.
    let left_behind: Vec<String> = planes
        .iter()
        .filter(|plane| !member.is_guest() && is_left_behind(plane, target))
        .map(show)
        .collect();
    let cause = format!(
        "{} belong to another mesh; CRDs, CNI and ztunnel exist once",
        others.join(", ")
    );
    let finding = if left_behind.is_empty() {
        Finding::new(
            codes::SHARED_CLUSTER,
            cause,
            "make sure that the other control plane is at most one minor behind the target, and upgrade it next",
        )
    } else {
        let before = Minor::new(target.major, target.minor.saturating_sub(1));
        Finding::new(
            codes::SHARED_CLUSTER,
            cause,
            format!(
                "take {} to {before} first, with an image whose tag tells the version: what they share would be more than one \
                 minor ahead of it, and it could not follow",
                left_behind.join(", ")
            ),
        )
        .weighing(match subject.target.purpose {
            Purpose::Apply | Purpose::ApplyUnguarded => Severity::Blocker,
            Purpose::Check => Severity::Warning,
        })
    };
    report.find(finding.in_cluster(member.name()));
}

/// Whether what exists once in a cluster would be too far ahead of a control plane. Its charts would then be newer than the
/// next minor of that one, so that it could be upgraded no more.
fn is_left_behind(plane: &ControlPlane, target: Minor) -> bool {
    let version = plane.version.version.as_ref();
    let behind = version.and_then(|version| version.minor().distance(target));
    behind.is_none_or(|minors| minors > 1)
}

#[cfg(test)]
mod tests {
    use crate::{
        finding::Severity,
        inventory::sample,
        preflight::{
            Purpose,
            tests::{check, check_for, found, ids},
        },
    };

    #[test]
    fn another_mesh_in_the_cluster_is_told() {
        let mut inventory = sample::one("1.30.3", "v1.36.3");
        inventory.seen(0).control_planes.push(sample::istiod("other", "1.29.1"));
        let mut gateway = sample::gateway("elsewhere", "ingress");
        gateway.rollout.ready = 0;
        gateway.helm_release = Some(("elsewhere".to_owned(), "ingress".to_owned()));
        let release = sample::release("elsewhere", "ingress", "gateway", "1.29.1");
        inventory.seen(0).helm_releases.push(release);
        inventory.seen(0).gateways.push(gateway);
        let report = check(&inventory, "1.31.0");
        assert_eq!(ids(&report), ["MU407"]);
        assert!(
            found(&report, "MU407")
                .cause
                .contains("Deployment other/istiod (1.29.1)")
        );
    }

    #[test]
    fn another_mesh_is_not_left_behind_what_it_shares() {
        for (other, is_left) in [
            (Some("1.31.0"), false),
            (Some("1.30.9"), false),
            (Some("1.32.1"), false),
            (Some("1.29.8"), true),
            (Some("1.28.0"), true),
            (Some("2.0.0"), true),
            (None, true),
        ] {
            for (purpose, applies) in [
                (Purpose::Check, false),
                (Purpose::Apply, true),
                (Purpose::ApplyUnguarded, true),
            ] {
                let mut inventory = sample::one("1.30.3", "v1.36.3");
                let mut plane = sample::istiod("other", other.unwrap_or("1.31.0"));
                if other.is_none() {
                    plane.version.version = None;
                }
                inventory.seen(0).control_planes.push(plane);
                let report = check_for(&inventory, "1.31.0", purpose);
                let finding = found(&report, "MU407");
                let severity = if is_left && applies {
                    Severity::Blocker
                } else {
                    Severity::Warning
                };
                assert_eq!(finding.severity, severity, "{other:?} {purpose:?}");
                let fix = "take Deployment other/istiod";
                assert_eq!(finding.fix.starts_with(fix), is_left, "{other:?}: {}", finding.fix);
                assert!(!is_left || finding.fix.contains("to 1.30 first"), "{}", finding.fix);
                assert!(finding.code.is_waivable());
            }
        }
    }

    #[test]
    fn a_guest_leaves_what_is_shared_as_it_is() {
        let mut inventory = sample::hosted("1.30.3");
        inventory.seen(0).control_planes.push(sample::istiod("other", "1.28.0"));
        let report = check_for(&inventory, "1.31.0", Purpose::Apply);
        assert_eq!(found(&report, "MU407").severity, Severity::Warning);
    }
}
