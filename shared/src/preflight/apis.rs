//! What Kubernetes itself holds against the upgrade: kubelets out of range, APIs that are gone, versions in storage.

use super::Subject;
use crate::{
    finding::{Finding, Report, codes},
    mesh::ObservedMember,
    version::Minor,
};

/// How far kubelets may be behind their API server (https://kubernetes.io/releases/version-skew-policy/).
const MAX_SKEW: i64 = 3;

/// APIs that Kubernetes removed, with the minor that no longer serves them
/// (https://kubernetes.io/docs/reference/using-api/deprecation-guide/), as far as Istio's charts ever used them.
const REMOVED: [(&str, u64); 12] = [
    ("extensions/v1beta1 Deployment", 16),
    ("extensions/v1beta1 DaemonSet", 16),
    ("admissionregistration.k8s.io/v1beta1 MutatingWebhookConfiguration", 22),
    (
        "admissionregistration.k8s.io/v1beta1 ValidatingWebhookConfiguration",
        22,
    ),
    ("apiextensions.k8s.io/v1beta1 CustomResourceDefinition", 22),
    ("rbac.authorization.k8s.io/v1beta1 ClusterRole", 22),
    ("rbac.authorization.k8s.io/v1beta1 ClusterRoleBinding", 22),
    ("networking.k8s.io/v1beta1 Ingress", 22),
    ("policy/v1beta1 PodDisruptionBudget", 25),
    ("policy/v1beta1 PodSecurityPolicy", 25),
    ("autoscaling/v2beta1 HorizontalPodAutoscaler", 25),
    ("autoscaling/v2beta2 HorizontalPodAutoscaler", 26),
];

pub(super) fn check(subject: &Subject<'_>, report: &mut Report) {
    for member in &subject.members {
        removed(member, report);
        nodes(member, report);
        stored(member, report);
    }
}

fn removed(member: &ObservedMember<'_>, report: &mut Report) {
    let server = member.observed.kubernetes.minor;
    for release in member.releases() {
        let object = format!("helm release {}/{}", release.namespace, release.name);
        let gone: Vec<&str> = REMOVED
            .iter()
            .filter(|(api, since)| server >= Minor::new(1, *since) && release.kinds.iter().any(|kind| kind == api))
            .map(|(api, _)| *api)
            .collect();
        if gone.is_empty() {
            let summary = format!("{object} holds no API that is gone");
            report.pass(codes::REMOVED_API, Some(member.name()), summary);
            continue;
        }
        report.find(
            Finding::new(
                codes::REMOVED_API,
                format!(
                    "its manifest holds {}, which Kubernetes {server} no longer serves: helm upgrade fails",
                    gone.join(", ")
                ),
                format!(
                    "helm mapkubeapis {} -n {}, then check again",
                    release.name, release.namespace
                ),
            )
            .in_cluster(member.name())
            .about(object),
        );
    }
}

fn nodes(member: &ObservedMember<'_>, report: &mut Report) {
    let Some(around) = &member.observed.surroundings else {
        return;
    };
    let server = member.observed.kubernetes.minor;
    for nodes in around.nodes.iter().filter(|nodes| !nodes.are_virtual()) {
        let behind = nodes.minor().distance(server);
        let cause = match behind {
            Some(behind) if behind > MAX_SKEW => format!("{behind} minors behind the API server"),
            Some(behind) if behind < 0 => "ahead of the API server".to_owned(),
            _ => {
                let summary = format!("{} nodes run kubelet {}", nodes.count, nodes.kubelet);
                report.pass(codes::NODE_SKEW, Some(member.name()), summary);
                continue;
            }
        };
        report.find(
            Finding::new(
                codes::NODE_SKEW,
                format!(
                    "{} nodes, as {}, run kubelet {}, {cause}, which runs {}",
                    nodes.count, nodes.example, nodes.kubelet, member.observed.kubernetes
                ),
                format!(
                    "upgrade these nodes to at least 1.{}",
                    server.minor.saturating_sub(MAX_SKEW.unsigned_abs())
                ),
            )
            .in_cluster(member.name())
            .about(format!("Nodes of kubelet {}", nodes.minor())),
        );
    }
}

fn stored(member: &ObservedMember<'_>, report: &mut Report) {
    let Some(around) = &member.observed.surroundings else {
        return;
    };
    for crd in &around.crds {
        let old: Vec<&str> = crd
            .stored
            .iter()
            .filter(|version| **version != crd.storage)
            .map(String::as_str)
            .collect();
        if old.is_empty() || crd.storage.is_empty() {
            continue;
        }
        report.find(
            Finding::new(
                codes::OLD_STORED_VERSIONS,
                format!(
                    "objects may still be stored as {}; new ones are as {}",
                    old.join(", "),
                    crd.storage
                ),
                codes::OLD_STORED_VERSIONS.fix(),
            )
            .in_cluster(member.name())
            .about(format!("CustomResourceDefinition {}", crd.name)),
        );
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        finding::Severity,
        inventory::{Crd, Nodes, sample},
        preflight::tests::{check, found, ids},
    };

    #[test]
    fn a_release_with_an_api_that_is_gone_blocks() {
        for (kind, kubernetes, expected) in [
            ("policy/v1beta1 PodDisruptionBudget", "v1.36.3", true),
            ("policy/v1 PodDisruptionBudget", "v1.36.3", false),
            ("autoscaling/v2beta2 HorizontalPodAutoscaler", "v1.25.1", false),
            ("autoscaling/v2beta2 HorizontalPodAutoscaler", "v1.26.0", true),
        ] {
            let mut inventory = sample::one("1.30.3", kubernetes);
            inventory.seen(0).helm_releases[1].kinds = vec![kind.to_owned()];
            let report = check(&inventory, "1.31.0");
            assert_eq!(ids(&report).contains(&"MU206"), expected, "{kind} on {kubernetes}");
            if expected {
                let finding = found(&report, "MU206");
                assert_eq!(finding.object.as_deref(), Some("helm release istio-system/istiod"));
                assert_eq!(finding.severity, Severity::Blocker);
            }
        }
    }

    #[test]
    fn kubelets_may_be_three_behind_and_none_ahead() {
        for (kubelet, expected) in [
            ("v1.36.0", false),
            ("v1.33.9", false),
            ("v1.32.1", true),
            ("v1.37.0", true),
            ("v1.19.10-vk-azure-aci-1.4.8", false),
        ] {
            let mut inventory = sample::one("1.30.3", "v1.36.3");
            inventory.around(0).nodes.push(Nodes {
                kubelet: kubelet.parse().unwrap(),
                count: 2,
                example: "old-1".to_owned(),
            });
            let report = check(&inventory, "1.31.0");
            assert_eq!(ids(&report).contains(&"MU205"), expected, "{kubelet}");
            if expected {
                assert!(found(&report, "MU205").cause.starts_with("2 nodes, as old-1"));
            }
        }
    }

    #[test]
    fn what_is_left_in_storage_is_told() {
        for (stored, expected) in [(&["v1"][..], false), (&["v1alpha3", "v1"], true), (&[], false)] {
            let mut inventory = sample::one("1.30.3", "v1.36.3");
            inventory.around(0).crds = vec![Crd {
                name: "gateways.networking.istio.io".to_owned(),
                storage: "v1".to_owned(),
                stored: stored.iter().map(|one| (*one).to_owned()).collect(),
                helm_release: Some(("istio-system".to_owned(), "istio-base".to_owned())),
                ..Crd::default()
            }];
            assert_eq!(
                ids(&check(&inventory, "1.31.0")).contains(&"MU207"),
                expected,
                "{stored:?}"
            );
        }
    }
}
