//! Whether every member cluster answered, stands for itself, and may be written to.

use super::{Purpose, Subject};
use crate::{
    api::Management,
    finding::{Finding, Report, Severity, codes},
    inventory::{Found, Inventory},
};
use std::collections::BTreeMap;

pub(super) fn check(subject: &Subject<'_>, inventory: &Inventory, report: &mut Report) {
    for (cluster, reason) in subject.mesh.unknown(inventory) {
        report.find(
            Finding::new(
                codes::CLUSTER_UNKNOWN,
                format!("the cluster could not be observed: {reason}"),
                remedy(cluster, inventory),
            )
            .in_cluster(cluster),
        );
    }
    for member in &subject.members {
        report.pass(codes::CLUSTER_UNKNOWN, Some(member.name()), "the cluster answered");
    }
    partly_observed(subject, report);
    same_cluster_twice(subject, report);
    external(subject, report);
    external_control_plane(subject, inventory, report);
}

/// What to do about a cluster that did not answer, by what led to it.
fn remedy(cluster: &str, inventory: &Inventory) -> String {
    let found = inventory.cluster(cluster);
    match found.map(|known| &known.found) {
        Some(Found::RemoteSecret {
            cluster: holder,
            namespace,
            name,
        }) => format!(
            "name a context of yours that reaches it, with --contexts or in the Mesh object's clusters: the Secret \
             {namespace}/{name} of {holder} gives Istio's rights alone; or delete that Secret if the cluster is gone"
        ),
        Some(Found::Listed { mesh }) => format!(
            "make sure that kubectl version answers with its context, or take {cluster} out of the clusters of the Mesh \
             {mesh}, then check again"
        ),
        Some(Found::Named) | None => format!(
            "make sure that kubectl --context {cluster} version answers, or take the cluster out of the mesh, then \
             check again"
        ),
    }
}

fn partly_observed(subject: &Subject<'_>, report: &mut Report) {
    for member in &subject.members {
        for what in &member.observed.unreadable {
            report.find(
                Finding::new(
                    codes::PARTLY_OBSERVED,
                    format!("not everything could be read: {what}"),
                    "get the permission to read it, or repair what is broken, then check again",
                )
                .in_cluster(member.name()),
            );
        }
    }
}

fn same_cluster_twice(subject: &Subject<'_>, report: &mut Report) {
    let mut by_uid: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for member in &subject.members {
        by_uid
            .entry(member.observed.uid.as_str())
            .or_default()
            .push(member.name());
    }
    for (uid, names) in by_uid {
        if names.len() > 1 {
            report.find(Finding::new(
                codes::SAME_CLUSTER_TWICE,
                format!(
                    "{} are one cluster: their kube-system has the UID {uid}",
                    names.join(" and ")
                ),
                "name the cluster once, in the kubeconfig's contexts or in the Mesh object's clusters",
            ));
        }
    }
}

fn external_control_plane(subject: &Subject<'_>, inventory: &Inventory, report: &mut Report) {
    let severity = match subject.target.purpose {
        Purpose::Check => Severity::Warning,
        Purpose::Apply | Purpose::ApplyUnguarded => Severity::Blocker,
    };
    for (host, hosted) in subject.mesh.hosted(inventory) {
        let mut members = subject.members.iter();
        let configured = members.find(|member| member.name() == hosted.cluster);
        if configured.is_some_and(|member| !member.releases().is_empty() || !member.brought().is_empty()) {
            let summary = format!(
                "{} is an external control plane, upgraded together with the cluster {}",
                hosted.namespace, hosted.cluster
            );
            report.pass(codes::EXTERNAL_CONTROL_PLANE, Some(host), summary);
            continue;
        }
        report.find(
            Finding::new(
                codes::EXTERNAL_CONTROL_PLANE,
                format!(
                    "the control plane in {} reads its configuration in the cluster {}, where no helm release of Istio's \
                     charts was found: its CRDs and webhooks would stay as they are",
                    hosted.namespace, hosted.cluster
                ),
                format!(
                    "take over what is there: helm upgrade --install with --take-ownership; or upgrade by the runbook: \
                     kubectl mesh-upgrade guide {} --to {}",
                    subject.mesh.name, subject.target.version
                ),
            )
            .in_cluster(host)
            .weighing(severity),
        );
    }
}

fn external(subject: &Subject<'_>, report: &mut Report) {
    if subject.mesh.management != Management::External {
        return;
    }
    let severity = match subject.target.purpose {
        Purpose::Check => Severity::Warning,
        Purpose::Apply | Purpose::ApplyUnguarded => Severity::Blocker,
    };
    report.find(
        Finding::new(
            codes::EXTERNAL_MESH,
            format!(
                "the mesh {} is operated by its owner: only guidance is possible",
                subject.mesh.name
            ),
            format!(
                "hand the owner the runbook: kubectl mesh-upgrade guide {} --to {}",
                subject.mesh.name, subject.target.version
            ),
        )
        .weighing(severity),
    );
}

#[cfg(test)]
mod tests {
    use crate::{
        api::Management,
        finding::Severity,
        inventory::{Found, Inventory, sample},
        preflight::{
            Purpose,
            tests::{check, check_for, found, ids},
        },
    };

    #[test]
    fn a_cluster_that_did_not_answer_blocks() {
        let mut inventory = sample::one("1.30.3", "v1.36.3");
        inventory.clusters.push(sample::unknown("west"));
        let report = check(&inventory, "1.31.0");
        let finding = found(&report, "MU901");
        assert_eq!(
            (finding.severity, finding.cluster.as_deref()),
            (Severity::Blocker, Some("west"))
        );
        assert!(finding.cause.contains("connection refused") && !finding.code.is_waivable());
    }

    #[test]
    fn what_to_do_follows_from_what_led_there() {
        let mut inventory = sample::one("1.30.3", "v1.36.3");
        inventory.clusters.push(sample::unknown("west"));
        inventory.clusters[1].found = Found::RemoteSecret {
            cluster: "east".to_owned(),
            namespace: "istio-system".to_owned(),
            name: "istio-remote-secret-west".to_owned(),
        };
        let fix = |inventory: &Inventory| found(&check(inventory, "1.31.0"), "MU901").fix.clone();
        let text = fix(&inventory);
        assert!(
            text.contains("--contexts") && text.contains("istio-system/istio-remote-secret-west of east"),
            "{text}"
        );
        inventory.clusters[1].found = Found::Listed {
            mesh: "shop".to_owned(),
        };
        assert!(fix(&inventory).contains("the Mesh shop"), "{}", fix(&inventory));
    }

    #[test]
    fn what_could_not_be_read_blocks() {
        let mut inventory = sample::one("1.30.3", "v1.36.3");
        inventory.seen(0).unreadable = vec!["daemonsets: forbidden".to_owned(), "secrets: forbidden".to_owned()];
        let report = check(&inventory, "1.31.0");
        assert_eq!(ids(&report), ["MU905", "MU905"]);
        assert!(report.findings[0].cause.ends_with("daemonsets: forbidden") && !report.is_free());
    }

    #[test]
    fn one_cluster_under_two_names_blocks() {
        let mut inventory = sample::one("1.30.3", "v1.36.3");
        inventory
            .clusters
            .push(sample::cluster("east-again", "1.30.3", "v1.36.3"));
        for index in 0..2 {
            inventory.seen(index).control_planes[0].mesh_id = Some("shop".to_owned());
        }
        assert!(ids(&check(&inventory, "1.31.0")).is_empty());
        inventory.seen(1).uid = "uid-of-east".to_owned();
        let report = check(&inventory, "1.31.0");
        assert!(found(&report, "MU903").cause.contains("east and east-again"));
    }

    #[test]
    fn an_external_control_plane_is_upgraded_where_helm_installed_both_sides() {
        let mut inventory = sample::hosted("1.30.3");
        let report = check_for(&inventory, "1.31.0", Purpose::Apply);
        assert_eq!(ids(&report), Vec::<&str>::new());
        inventory.seen(1).helm_releases.clear();
        for (purpose, severity) in [(Purpose::Check, Severity::Warning), (Purpose::Apply, Severity::Blocker)] {
            let report = check_for(&inventory, "1.31.0", purpose);
            let finding = found(&report, "MU907");
            assert_eq!((finding.severity, finding.cluster.as_deref()), (severity, Some("host")));
        }
        inventory.clusters[1] = sample::unknown("config");
        let report = check(&inventory, "1.31.0");
        assert_eq!(ids(&report), ["MU901", "MU907"], "not seen is not fine");
    }

    #[test]
    fn an_external_mesh_gets_guidance_only() {
        let mut inventory = sample::one("1.30.3", "v1.36.3");
        let mut record = sample::record("theirs");
        record.management = Management::External;
        inventory.seen(0).meshes = vec![record];
        inventory.seen(0).guard.policies = false;
        for (purpose, severity) in [
            (Purpose::Check, Severity::Warning),
            (Purpose::Apply, Severity::Blocker),
            (Purpose::ApplyUnguarded, Severity::Blocker),
        ] {
            let report = check_for(&inventory, "1.31.0", purpose);
            assert_eq!(found(&report, "MU902").severity, severity, "{purpose:?}");
            assert_eq!(
                ids(&report),
                ["MU902"],
                "no guard is asked for where nothing is written"
            );
        }
    }
}
