//! What a release changes for the ambient mesh as a whole.

use super::{
    Subject,
    configuration::{has_ztunnel, way},
};
use crate::{
    api::Component,
    finding::{Finding, Report, codes},
    mesh::ObservedMember,
    version::IstioVersion,
    ztunnel,
};

/// Workloads from which on a ztunnel's first message may be more than istiod takes (Istio's `wds-reconnect-version-skip.yaml`).
const LARGE: u64 = 40_000;
/// The variable that lets istiod take more; it is spelt like this.
const MAX_MESSAGE: &str = "ISTIO_GPRC_MAXRECVMSGSIZE";

pub(super) fn check(subject: &Subject<'_>, report: &mut Report) {
    // All clusters count in which a ztunnel runs: each ztunnel knows the workloads of all.
    let pods: u64 = subject
        .members
        .iter()
        .filter(|member| has_ztunnel(member))
        .filter_map(|member| Some(member.observed.surroundings.as_ref()?.ambient.pods))
        .sum();
    for member in &subject.members {
        let Some(way) = way(subject, member) else {
            continue;
        };
        pace(member, report);
        if way.leads_over(29) && has_ztunnel(member) {
            report.find(
                Finding::new(
                    codes::IPTABLES_RECONCILED,
                    "the CNI looks at the iptables rules of each ambient pod when it starts, and mends them",
                    codes::IPTABLES_RECONCILED.fix(),
                )
                .in_cluster(member.name()),
            );
        }
        if way.leads_over(30) {
            excluded(member, report);
        }
        if pods > LARGE {
            large(subject, member, pods, report);
        }
    }
}

/// What replacing ztunnel does to the connections that go through it, said before it is done.
fn pace(member: &ObservedMember<'_>, report: &mut Report) {
    let nodes = member.observed.node_components.iter();
    for node in nodes.filter(|node| node.component == Component::Ztunnel) {
        let cause = ztunnel::cut(node.pace);
        let fix = match node.pace.nodes_at_once {
            Some(..=1) => {
                report.pass(codes::ZTUNNEL_PACE, Some(member.name()), cause);
                continue;
            }
            Some(_) => "set updateStrategy.rollingUpdate to maxSurge 1 and maxUnavailable 0 in ztunnel's values",
            None => {
                "set updateStrategy.type to RollingUpdate in ztunnel's values, or delete the pods node by node while the upgrade \
                 waits"
            }
        };
        report.find(
            Finding::new(codes::ZTUNNEL_PACE, cause, fix)
                .in_cluster(member.name())
                .about(format!("DaemonSet {}/{}", node.workload.namespace, node.workload.name)),
        );
    }
}

fn excluded(member: &ObservedMember<'_>, report: &mut Report) {
    let Some(around) = &member.observed.surroundings else {
        return;
    };
    for namespace in around.ambient.namespaces.intersection(&around.ambient.excluded) {
        report.find(
            Finding::new(
                codes::EXCLUDED_AMBIENT_NAMESPACE,
                "it is labelled istio.io/dataplane-mode=ambient and stands in excludeNamespaces of the CNI: its pods \
                 leave the mesh with the upgrade",
                "take it out of excludeNamespaces in the values of the chart cni, or take the label off it",
            )
            .in_cluster(member.name())
            .about(format!("Namespace {namespace}")),
        );
    }
}

/// Whether ztunnels of a version tell what they hold with its version, when they connect again: 1.29.7 and 1.30.4 began with it.
fn tells_versions(version: &IstioVersion) -> bool {
    let minor = version.minor();
    match (minor.major, minor.minor) {
        (1, 29) => version.patch >= 7,
        (1, 30) => version.patch >= 4,
        (major, minor) => (major, minor) > (1, 30),
    }
}

fn large(subject: &Subject<'_>, member: &ObservedMember<'_>, pods: u64, report: &mut Report) {
    if !tells_versions(&subject.target.version) {
        return;
    }
    for plane in member.control_planes() {
        let running = plane.version.version.as_ref();
        if running.is_none_or(tells_versions) {
            continue;
        }
        if plane.settings.environment.contains_key(MAX_MESSAGE) {
            let summary = format!("{MAX_MESSAGE} is set for {pods} pods");
            report.pass(codes::LARGE_AMBIENT, Some(member.name()), summary);
            continue;
        }
        report.find(
            Finding::new(
                codes::LARGE_AMBIENT,
                format!("each ztunnel knows {pods} pods, those outside of the mesh as well, and {MAX_MESSAGE} is not set"),
                format!(
                    "set pilot.env.{MAX_MESSAGE} in istiod's values to 33554432, or 1 MiB for each 10,000 workloads and services"
                ),
            )
            .in_cluster(member.name())
            .about(super::named(&plane.workload)),
        );
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        inventory::{Inventory, sample},
        preflight::tests::{check, found, ids},
    };

    fn ambient(from: &str) -> Inventory {
        let mut inventory = sample::one(from, "v1.34.1");
        sample::add_ambient(&mut inventory.clusters[0], from);
        inventory
    }

    #[test]
    fn more_than_one_node_at_a_time_is_told() {
        for (nodes_at_once, told) in [
            (Some(1), None),
            (Some(3), Some("up to 3 nodes")),
            (None, Some("OnDelete")),
        ] {
            let mut inventory = ambient("1.30.3");
            for node in &mut inventory.seen(0).node_components {
                node.pace.nodes_at_once = nodes_at_once;
            }
            let report = check(&inventory, "1.31.0");
            match told {
                Some(told) => assert!(found(&report, "MU807").cause.contains(told), "{nodes_at_once:?}"),
                None => assert!(!ids(&report).contains(&"MU807")),
            }
        }
    }

    #[test]
    fn an_excluded_namespace_of_the_mesh_blocks_on_the_way_over_1_30() {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        for (from, to, labelled, excluded, expected) in [
            (
                "1.29.9",
                "1.30.7",
                &["shop", "pay"][..],
                &["pay", "kube-system"][..],
                true,
            ),
            ("1.29.9", "1.30.7", &["shop"], &["kube-system"], false),
            ("1.30.3", "1.31.0", &["pay"], &["pay"], false),
        ] {
            let mut inventory = ambient(from);
            let ambient = &mut inventory.around(0).ambient;
            (ambient.namespaces, ambient.excluded) = (set(labelled), set(excluded));
            let report = check(&inventory, to);
            assert_eq!(ids(&report).contains(&"MU730"), expected, "{labelled:?} {excluded:?}");
            if expected {
                assert_eq!(found(&report, "MU730").object.as_deref(), Some("Namespace pay"));
            }
        }
    }

    #[test]
    fn a_large_ambient_mesh_needs_larger_messages() {
        for (from, to, pods, set, expected) in [
            ("1.30.3", "1.31.0", 40_001, false, true),
            ("1.30.3", "1.31.0", 40_001, true, false),
            ("1.30.3", "1.31.0", 40_000, false, false),
            // It came with patches.
            ("1.30.3", "1.30.7", 40_001, false, true),
            ("1.29.6", "1.29.10", 40_001, false, true),
            ("1.28.3", "1.29.6", 90_000, false, false),
            ("1.30.4", "1.31.0", 90_000, false, false),
            ("1.29.9", "1.30.7", 90_000, false, false),
        ] {
            let mut inventory = ambient(from);
            inventory.around(0).ambient.pods = pods;
            if set {
                let settings = &mut inventory.seen(0).control_planes[0].settings;
                settings
                    .environment
                    .insert(super::MAX_MESSAGE.to_owned(), "33554432".to_owned());
            }
            assert_eq!(
                ids(&check(&inventory, to)).contains(&"MU732"),
                expected,
                "{pods} {set} from {from} to {to}"
            );
        }
        // Without a ztunnel nobody asks for them.
        let mut inventory = sample::one("1.30.3", "v1.34.1");
        inventory.around(0).ambient.pods = 90_000;
        assert!(!ids(&check(&inventory, "1.31.0")).contains(&"MU732"));
    }

    #[test]
    fn rules_in_pods_are_mended_from_1_29_on() {
        for (from, to, expected) in [("1.28.10", "1.29.10", true), ("1.30.3", "1.31.0", false)] {
            assert_eq!(ids(&check(&ambient(from), to)).contains(&"MU736"), expected, "{from}");
        }
    }
}
