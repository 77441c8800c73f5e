//! Whether another mesh lives in the same cluster, and can follow what exists there once.

use super::{Purpose, Subject, named};
use crate::{
    api::Component,
    finding::{Finding, Report, Severity, codes},
    inventory::ControlPlane,
    mesh::ObservedMember,
    version::{IstioVersion, Minor},
};

pub(super) fn check(subject: &Subject<'_>, report: &mut Report) {
    for member in &subject.members {
        sharing(subject, member, report);
    }
}

fn sharing(subject: &Subject<'_>, member: &ObservedMember<'_>, report: &mut Report) {
    let planes = member.foreign_control_planes();
    let planes: Vec<&ControlPlane> = planes.filter(|plane| !is_configured_elsewhere(member, plane)).collect();
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
    let finding = if !left_behind.is_empty() && !moves_what_is_shared(member, target) {
        Finding::new(
            codes::SHARED_CLUSTER,
            cause,
            format!(
                "what they share stays at its minor with this upgrade; take {} to {target} before the next minor",
                left_behind.join(", ")
            ),
        )
    } else if left_behind.is_empty() {
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

/// Whether a control plane reads its definitions in another cluster, and finds CNI and ztunnel there.
fn is_configured_elsewhere(member: &ObservedMember<'_>, plane: &ControlPlane) -> bool {
    let mut hosted = member.observed.hosted.iter();
    hosted.any(|hosted| hosted.namespace == plane.workload.namespace && hosted.cluster != member.name())
}

/// Whether the target takes something that exists once in the cluster to another minor. Where nothing tells of what
/// minor the definitions are, they are as old as the mesh's control planes.
fn moves_what_is_shared(member: &ObservedMember<'_>, target: Minor) -> bool {
    let is_below = |version: Option<&IstioVersion>| version.is_none_or(|version| version.minor() < target);
    let is_shared = |component| matches!(component, Component::Base | Component::Cni | Component::Ztunnel);
    let read = |text: &str| text.parse::<IstioVersion>().ok();
    let of_helm = member.releases().into_iter();
    let of_helm = of_helm.map(|release| (release.component, read(&release.chart_version)));
    let of_gitops = member.brought().into_iter().map(|brought| {
        let version = brought.followed.progress.version.as_deref();
        (brought.component, version.and_then(read))
    });
    let installed: Vec<(Component, Option<IstioVersion>)> = of_helm.chain(of_gitops).collect();
    let mut installed_shared = installed.iter().filter(|(component, _)| is_shared(*component));
    let has_base = installed.iter().any(|(component, _)| *component == Component::Base);
    let mut own = member
        .control_planes()
        .filter(|plane| !has_base && !is_configured_elsewhere(member, plane));
    installed_shared.any(|(_, version)| is_below(version.as_ref()))
        || member
            .node_components()
            .any(|node| is_below(node.version.version.as_ref()))
        || own.any(|plane| is_below(plane.version.version.as_ref()))
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
        finding::{Report, Severity},
        inventory::{Inventory, sample},
        mesh::meshes,
        preflight::{
            Purpose, Target,
            tests::{CATALOG, TODAY, check, check_for, found, ids},
        },
    };

    /// Of the mesh whose control plane is in a namespace.
    fn check_of(namespace: &str, inventory: &Inventory, to: &str) -> Report {
        let meshes = meshes(inventory);
        let mesh = meshes.iter().find(|mesh| mesh.is_in(namespace)).unwrap();
        let target = Target::new(to.parse().unwrap()).for_purpose(Purpose::Apply);
        crate::preflight::check(mesh, inventory, &target, &CATALOG, TODAY)
    }

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
    fn who_is_left_behind_hinders_only_what_moves_a_minor() {
        for (from, to, shared, moves) in [
            ("1.31.1", "1.31.3", "1.31.1", false),
            ("1.31.1", "1.31.3", "1.30.3", true),
            ("1.31.1", "1.31.3", "unread", true),
            ("1.30.3", "1.31.3", "1.31.3", false),
            ("1.30.3", "1.31.3", "1.30.3", true),
        ] {
            for place in ["base", "node", "none"] {
                let mut inventory = sample::one(from, "v1.36.3");
                if place == "node" {
                    sample::add_ambient(&mut inventory.clusters[0], to);
                }
                let observed = inventory.seen(0);
                observed.control_planes.push(sample::istiod("other", "1.29.8"));
                // istioctl's definitions do not tell their version.
                let moves = if place == "none" { from < "1.31" } else { moves };
                for release in observed
                    .helm_releases
                    .iter_mut()
                    .filter(|release| release.name == "istio-base")
                {
                    release.chart_version = if place == "base" { shared } else { to }.to_owned();
                }
                observed
                    .helm_releases
                    .retain(|release| place != "none" || release.name != "istio-base");
                if let Some(node) = observed.node_components.first_mut() {
                    node.version.version = shared.parse().ok();
                }
                let report = check_for(&inventory, to, Purpose::Apply);
                let finding = found(&report, "MU407");
                let expected = if moves { Severity::Blocker } else { Severity::Warning };
                assert_eq!(finding.severity, expected, "{from} to {to}: {shared} {place}");
                let fix = "take Deployment other/istiod (1.29.8) to 1.31 before the next minor";
                assert_eq!(finding.fix.contains(fix), !moves, "{}", finding.fix);
            }
        }
    }

    #[test]
    fn a_control_plane_that_is_configured_elsewhere_shares_nothing() {
        for (configured_in, is_told) in [("config", false), ("host", true)] {
            let mut inventory = sample::hosted("1.28.3");
            let observed = inventory.seen(0);
            observed.hosted[0].cluster = configured_in.to_owned();
            observed.control_planes.push(sample::istiod("istio-system", "1.30.3"));
            for (name, chart) in [("istio-base", "base"), ("istiod", "istiod")] {
                let release = sample::release("istio-system", name, chart, "1.30.3");
                observed.helm_releases.push(release);
            }
            let report = check_of("istio-system", &inventory, "1.31.0");
            let told = report.findings.iter().find(|one| one.code.id() == "MU407");
            let told = told.map(|finding| finding.severity);
            assert_eq!(told, is_told.then_some(Severity::Blocker), "{configured_in}");
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
