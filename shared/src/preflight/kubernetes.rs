//! Whether each member's Kubernetes lies in the target's range: it fits, is too low, or too high.

use super::Subject;
use crate::{
    catalog::{Range, Release},
    finding::{Finding, Report, codes},
    version::Minor,
};

pub(super) fn check(subject: &Subject<'_>, report: &mut Report) {
    // Without a range there is nothing to compare with; that the target is unknown is a finding of its own.
    let Some(release) = subject.catalog.release_of(&subject.target.version) else {
        return;
    };
    let Some(range) = release.range() else {
        return;
    };
    for member in &subject.members {
        let kubernetes = &member.observed.kubernetes;
        let found = if kubernetes.minor < range.min {
            too_low(subject, release, range, kubernetes.minor)
        } else if kubernetes.minor > range.max {
            too_high(subject, range, kubernetes.minor, member.name())
        } else {
            let summary = format!("Kubernetes {kubernetes} lies in {range}");
            report.pass(codes::KUBERNETES_TOO_LOW, Some(member.name()), summary);
            continue;
        };
        report.find(found.in_cluster(member.name()));
    }
}

fn too_low(subject: &Subject<'_>, release: &Release, range: Range, kubernetes: Minor) -> Finding {
    let target = &subject.target.version;
    let tested = if release.tested.contains(&kubernetes) {
        "; it was tested but is not supported"
    } else {
        ""
    };
    let code = match release.minimum_kubernetes {
        Some(minimum) if kubernetes < minimum => codes::BELOW_MINIMUM,
        _ => codes::KUBERNETES_TOO_LOW,
    };
    Finding::new(
        code,
        format!("Istio {target} supports Kubernetes {range}; this cluster runs {kubernetes}{tested}"),
        format!(
            "upgrade this cluster's Kubernetes to at least {}, then check again: {}",
            range.min,
            subject.check_command(&target.to_string())
        ),
    )
}

fn too_high(subject: &Subject<'_>, range: Range, kubernetes: Minor, cluster: &str) -> Finding {
    let target = &subject.target.version;
    let cause = format!("Istio {target} supports Kubernetes {range}; this cluster runs {kubernetes}");
    let Some(higher) = subject.catalog.first_above(target, kubernetes) else {
        let newest = subject.catalog.releases(&target.flavor).last();
        let newest = newest.map_or_else(String::new, |release| {
            let range = release.range().map(|range| format!(" ({range})")).unwrap_or_default();
            format!(", the newest is {}{range}", release.minor)
        });
        return Finding::new(
            codes::NO_ISTIO_FOR_KUBERNETES,
            format!(
                "{cause}, and no release of the flavor {} supports it yet{newest}",
                target.flavor
            ),
            format!(
                "wait for a release that supports Kubernetes {kubernetes}, or waive MU203 for {cluster}, with an owner \
                 and an expiry; a vendor's wider range can be passed with --catalog FILE"
            ),
        );
    };
    let version = higher.newest_patch.to_string();
    let hops = hops_outside(subject, higher.minor, kubernetes);
    let fix = if hops.is_empty() {
        format!(
            "choose Istio {version}, which supports Kubernetes {kubernetes}: {}",
            subject.check_command(&version)
        )
    } else {
        format!(
            "Istio {version} is the first to support Kubernetes {kubernetes}, but it is more than one minor away: waive \
             MU202 for {cluster}, with an owner and an expiry, for the hop to {}, then go on to {version}",
            hops.join(" and ")
        )
    };
    Finding::new(codes::KUBERNETES_TOO_HIGH, cause, fix)
}

/// Hops between what runs and a minor that do not support a Kubernetes version, by their newest patch.
fn hops_outside(subject: &Subject<'_>, to: Minor, kubernetes: Minor) -> Vec<String> {
    let Some(running) = &subject.mesh.version else {
        return Vec::new();
    };
    subject
        .catalog
        .releases(&subject.target.version.flavor)
        .iter()
        .filter(|release| running.minor() < release.minor && release.minor < to && !release.supports(kubernetes))
        .map(|release| release.newest_patch.to_string())
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::{
        inventory::sample,
        preflight::tests::{check, found, ids},
    };

    #[test]
    fn each_kubernetes_has_its_outcome() {
        for (from, to, kubernetes, expected) in [
            ("1.30.3", "1.31.0", "v1.32.0", None),
            ("1.30.3", "1.31.0", "v1.36.3-eks-1", None),
            ("1.30.3", "1.31.0", "v1.31.9", Some("MU204")),
            ("1.28.3", "1.29.10", "v1.30.1", Some("MU201")),
            ("1.28.3", "1.29.10", "v1.29.1", Some("MU204")),
            ("1.29.9", "1.29.10", "v1.36.0", Some("MU202")),
            ("1.28.3", "1.29.10", "v1.36.0", Some("MU202")),
            ("1.30.3", "1.31.0", "v1.37.2", Some("MU203")),
            // Of releases this old the lowest version that was tested stands for the minimum.
            ("1.16.7", "1.17.8", "v1.22.0", Some("MU201")),
            ("1.9.0", "1.10.6", "v1.17.0", Some("MU201")),
            ("1.9.0", "1.10.6", "v1.15.0", Some("MU204")),
        ] {
            let report = check(&sample::one(from, kubernetes), to);
            let outcome = ids(&report).into_iter().find(|id| id.starts_with("MU2"));
            assert_eq!(outcome, expected, "{from} -> {to} on {kubernetes}");
        }
    }

    #[test]
    fn too_low_says_how_far_to_upgrade() {
        let report = check(&sample::one("1.30.3", "v1.31.9"), "1.31.0");
        let finding = found(&report, "MU204");
        assert!(
            finding
                .fix
                .starts_with("upgrade this cluster's Kubernetes to at least 1.32"),
            "{}",
            finding.fix
        );
        assert_eq!(finding.cluster.as_deref(), Some("east"));
        // Istio's installers warn there, or do not look at all.
        assert!(finding.code.is_waivable());
        let report = check(&sample::one("1.28.3", "v1.30.1"), "1.29.10");
        assert!(found(&report, "MU201").cause.ends_with("tested but is not supported"));
    }

    #[test]
    fn too_high_names_the_istio_that_fits() {
        let report = check(&sample::one("1.29.9", "v1.36.0"), "1.29.10");
        assert_eq!(
            found(&report, "MU202").fix,
            "choose Istio 1.30.7, which supports Kubernetes 1.36: kubectl mesh-upgrade check default --to 1.30.7"
        );
    }

    #[test]
    fn too_high_and_too_far_names_the_hop_to_waive() {
        let report = check(&sample::one("1.27.3", "v1.36.0"), "1.28.10");
        let fix = &found(&report, "MU202").fix;
        assert!(
            fix.contains("for the hop to 1.28.10 and 1.29.10, then go on to 1.30.7"),
            "{fix}"
        );
    }

    #[test]
    fn too_high_for_all_says_exactly_that() {
        let report = check(&sample::one("1.30.3", "v1.37.2"), "1.31.0");
        let finding = found(&report, "MU203");
        assert_eq!(
            finding.cause,
            "Istio 1.31.0 supports Kubernetes 1.32 to 1.36; this cluster runs 1.37, and no release of the flavor \
             community supports it yet, the newest is 1.31 (1.32 to 1.36)"
        );
        assert!(finding.code.is_waivable());
    }

    #[test]
    fn each_cluster_is_judged_by_itself() {
        let mut inventory = sample::one("1.30.3", "v1.36.3");
        inventory.clusters.push(sample::cluster("west", "1.30.3", "v1.37.0"));
        inventory.clusters.push(sample::cluster("north", "1.30.3", "v1.30.0"));
        for index in 0..3 {
            inventory.seen(index).control_planes[0].mesh_id = Some("shop".to_owned());
        }
        let report = check(&inventory, "1.31.0");
        assert_eq!(found(&report, "MU203").cluster.as_deref(), Some("west"));
        assert_eq!(found(&report, "MU204").cluster.as_deref(), Some("north"));
        assert_eq!(report.blockers().count(), 2);
    }
}
