//! Whether everything that would be upgraded is at rest: rolled out, of one version, of one revision.

use super::{Subject, named};
use crate::{
    api::{WorkloadKind, WorkloadName},
    finding::{Finding, Report, codes},
    inventory::{ControlPlane, Rollout},
    mesh::ObservedMember,
    version::IstioVersion,
};
use std::collections::BTreeSet;

pub(super) fn check(subject: &Subject<'_>, report: &mut Report) {
    for member in &subject.members {
        let going = super::canary::goes(subject, member);
        for part in super::parts_of(member) {
            if Some(part.workload) == going {
                continue;
            }
            rollout(member.name(), part.workload, part.rollout, report);
        }
        for gateway in member.gateways() {
            rollout(member.name(), &gateway.workload, gateway.rollout, report);
        }
        for plane in member.control_planes().filter(|plane| Some(&plane.workload) != going) {
            replicas(member.name(), plane, report);
            running(member.name(), plane, report);
        }
        // A canary has two, and says itself what is wrong with them.
        if !subject.target.canary && !super::canary::by_operator(subject, member, report) {
            revisions(subject, member, report);
        }
    }
}

fn rollout(cluster: &str, workload: &WorkloadName, rollout: Rollout, report: &mut Report) {
    let Rollout {
        desired,
        updated,
        ready,
        observed,
    } = rollout;
    // No node may be fit for a DaemonSet; a Deployment without pods was scaled down.
    let is_scaled_down = desired == 0 && workload.kind == WorkloadKind::Deployment;
    if rollout.is_complete() && !is_scaled_down {
        let summary = format!("{} is rolled out, {ready} of {desired} ready", named(workload));
        return report.pass(codes::ROLLOUT_INCOMPLETE, Some(cluster), summary);
    }
    let cause = if is_scaled_down {
        "it is scaled to no replica".to_owned()
    } else if observed {
        format!("{desired} pods are wanted, {updated} are of the newest specification, {ready} are ready")
    } else {
        "its newest specification was not rolled out yet".to_owned()
    };
    let kind = workload.kind.as_str().to_lowercase();
    report.find(
        Finding::new(
            codes::ROLLOUT_INCOMPLETE,
            cause,
            format!(
                "see kubectl rollout status {kind}/{} -n {}",
                workload.name, workload.namespace
            ),
        )
        .in_cluster(cluster)
        .about(named(workload)),
    );
}

fn replicas(cluster: &str, plane: &ControlPlane, report: &mut Report) {
    if plane.rollout.desired == 1 {
        report.find(
            Finding::new(
                codes::SINGLE_REPLICA,
                "it has one replica: while that is replaced, nothing is injected or validated",
                "set autoscaleMin (or replicaCount, without autoscaling) to 2 in the istiod chart's values",
            )
            .in_cluster(cluster)
            .about(named(&plane.workload)),
        );
    }
}

fn running(cluster: &str, plane: &ControlPlane, report: &mut Report) {
    let reported: BTreeSet<&str> = plane.running.iter().map(String::as_str).collect();
    let core = |version: &IstioVersion| (version.minor(), version.patch);
    let differs = |text: &&str| match (text.parse::<IstioVersion>(), &plane.version.version) {
        (Ok(reported), Some(version)) => core(&reported) != core(version),
        _ => false,
    };
    if reported.len() > 1 || reported.iter().any(differs) {
        let reported: Vec<&str> = reported.into_iter().collect();
        report.find(
            Finding::new(
                codes::RUNNING_VERSIONS_DIFFER,
                format!(
                    "its pods report {}; its image is {}",
                    reported.join(" and "),
                    plane.image
                ),
                format!(
                    "see kubectl get pods -n {} -l app=istiod,istio.io/rev={}, and wait or delete those of the wrong \
                     version",
                    plane.workload.namespace, plane.revision
                ),
            )
            .in_cluster(cluster)
            .about(named(&plane.workload)),
        );
    }
}

fn revisions(subject: &Subject<'_>, member: &ObservedMember<'_>, report: &mut Report) {
    let planes: Vec<&ControlPlane> = member.control_planes().collect();
    let versions: BTreeSet<&str> = planes.iter().map(|plane| plane.version.raw.as_str()).collect();
    let readable: BTreeSet<String> = planes
        .iter()
        .filter_map(|plane| plane.version.version.as_ref().map(ToString::to_string))
        .collect();
    if let [_, _, ..] = planes.as_slice() {
        if readable.len() == 1 && versions.len() == 1 {
            super::canary::beside(subject, member, &planes, report);
        } else {
            let revisions: Vec<String> = planes
                .iter()
                .map(|plane| format!("{} ({})", plane.revision, plane.version.raw))
                .collect();
            let mut told = vec![format!("the revisions {} run beside each other", revisions.join(", "))];
            for plane in &planes {
                let uses = super::canary::uses_of(member, plane);
                told.push(match uses.first() {
                    None => format!(
                        "nothing was seen in this cluster that refers to revision {}",
                        plane.revision
                    ),
                    Some(first) => format!(
                        "uses of revision {} seen in this cluster: {}, as {first}",
                        plane.revision,
                        uses.len()
                    ),
                });
            }
            let fix = format!(
                "go on with apply --strategy canary where it was begun so; else move all namespaces and tags to one \
                 revision, restart what runs, remove the other, then check again; kubectl mesh-upgrade dataplane status {} \
                 shows the revision of each workload in all clusters; namespaces with istio-injection=enabled and without \
                 istio.io/rev are of the revision or tag default",
                subject.mesh.name
            );
            report.find(Finding::new(codes::UNFINISHED_CANARY, told.join("; "), fix).in_cluster(member.name()));
        }
    }
    for plane in planes {
        if plane.revision != "default" {
            report.find(
                Finding::new(
                    codes::NAMED_REVISION,
                    format!(
                        "the revision {} keeps its name while its version changes",
                        plane.revision
                    ),
                    "make sure that the name says no version; istioctl tag can give namespaces a stable one",
                )
                .in_cluster(member.name())
                .about(named(&plane.workload)),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        finding::Severity,
        inventory::{Inventory, NamespaceRevision, Rollout, sample},
        preflight::tests::{check, found, ids},
    };

    #[test]
    fn every_rollout_has_to_be_complete() {
        let whole = sample::rollout(2);
        for (rollout, expected) in [
            (whole, None),
            (
                Rollout { ready: 1, ..whole },
                Some("2 pods are wanted, 2 are of the newest specification, 1 are ready"),
            ),
            (
                Rollout { updated: 1, ..whole },
                Some("2 pods are wanted, 1 are of the newest"),
            ),
            (
                Rollout {
                    observed: false,
                    ..whole
                },
                Some("not rolled out yet"),
            ),
            (sample::rollout(0), Some("scaled to no replica")),
        ] {
            for place in 0..3 {
                let mut inventory = sample::one("1.30.3", "v1.36.3");
                sample::add_ambient(&mut inventory.clusters[0], "1.30.3");
                let observed = inventory.seen(0);
                match place {
                    0 => observed.control_planes[0].rollout = rollout,
                    1 => observed.gateways[0].rollout = rollout,
                    // A DaemonSet without a fitting node is complete.
                    _ if rollout.desired == 0 => continue,
                    _ => observed.node_components[1].rollout = rollout,
                }
                let report = check(&inventory, "1.31.0");
                match expected {
                    None => assert!(ids(&report).is_empty()),
                    Some(part) => {
                        let finding = found(&report, "MU301");
                        assert!(finding.cause.contains(part), "{}", finding.cause);
                        assert!(finding.fix.contains("kubectl rollout status") && finding.object.is_some());
                    }
                }
            }
        }
    }

    #[test]
    fn a_single_replica_is_a_warning() {
        let mut inventory = sample::one("1.30.3", "v1.36.3");
        inventory.seen(0).control_planes[0].rollout = sample::rollout(1);
        let report = check(&inventory, "1.31.0");
        assert_eq!(ids(&report), ["MU302"]);
        assert_eq!(found(&report, "MU302").severity, Severity::Warning);
    }

    #[test]
    fn pods_of_one_istiod_agree() {
        for (running, differs) in [
            (&["1.30.3", "1.30.3"][..], false),
            (&[], false),
            (&["1.30.3", "1.30.2"], true),
            (&["1.30.2", "1.30.2"], true),
            (&["1.30.3-0123abcd-Clean"], false),
            (&["1.30.3-0123abcd-Clean", "1.30.3-fedc9876-Clean"], true),
        ] {
            let mut inventory = sample::one("1.30.3", "v1.36.3");
            inventory.seen(0).control_planes[0].running = running.iter().map(|text| (*text).to_owned()).collect();
            assert_eq!(
                ids(&check(&inventory, "1.31.0")).contains(&"MU303"),
                differs,
                "{running:?}"
            );
        }
    }

    #[test]
    fn several_revisions_warn_and_a_half_finished_canary_blocks() {
        for (version, expected, severity) in [
            ("1.30.3", "MU304", Severity::Warning),
            ("1.31.0", "MU305", Severity::Blocker),
            ("sha256-00", "MU305", Severity::Blocker),
        ] {
            let mut inventory = sample::one("1.30.3", "v1.36.3");
            let mut canary = sample::istiod("istio-system", version);
            canary.revision = "canary".to_owned();
            canary.workload.name = "istiod-canary".to_owned();
            inventory.seen(0).control_planes.push(canary);
            let report = check(&inventory, "1.31.0");
            let told = report.findings.iter().find(|one| one.code.id() == expected);
            assert_eq!(told.unwrap().severity, severity, "{version}");
            assert_eq!(
                found(&report, "MU306").object.as_deref(),
                Some("Deployment istio-system/istiod-canary")
            );
        }
    }

    /// Beside the default one; a namespace names the first.
    fn with_revisions(revisions: [(&str, &str); 2]) -> Inventory {
        let mut inventory = sample::one("1.30.3", "v1.36.3");
        for (revision, version) in revisions {
            let mut plane = sample::istiod("istio-system", version);
            plane.revision = revision.to_owned();
            plane.workload.name = format!("istiod-{revision}");
            inventory.seen(0).control_planes.push(plane);
        }
        // Not by a tag: `istioctl tag list` would show nobody.
        inventory.around(0).namespaces.push(NamespaceRevision {
            namespace: "shop".to_owned(),
            revision: revisions[0].0.to_owned(),
        });
        inventory
    }

    #[test]
    fn what_refers_to_each_side_of_an_unfinished_canary_is_named() {
        let inventory = with_revisions([("canary", "1.31.0"), ("unused", "1.30.3")]);
        let report = check(&inventory, "1.31.0");
        let finding = found(&report, "MU305");
        for part in [
            "the revisions default (1.30.3), canary (1.31.0), unused (1.30.3) run beside each other; uses of revision \
             default seen in this cluster: 1, as 3 proxies",
            "uses of revision canary seen in this cluster: 1, as Namespace shop: its label istio.io/rev names it; nothing",
            "nothing was seen in this cluster that refers to revision unused",
        ] {
            assert!(finding.cause.contains(part), "{}", finding.cause);
        }
        for part in [
            "dataplane status default shows",
            "namespaces with istio-injection=enabled",
        ] {
            assert!(finding.fix.contains(part), "{}", finding.fix);
        }
    }

    #[test]
    fn what_refers_to_each_of_several_revisions_is_named() {
        let inventory = with_revisions([("canary", "1.30.3"), ("unused", "1.30.3")]);
        let report = check(&inventory, "1.31.0");
        let told: Vec<_> = report.findings.iter().filter(|one| one.code.id() == "MU304").collect();
        let expected = [
            (
                "istiod",
                "default (1.30.3) runs beside canary, unused; uses seen in this cluster: 1, as 3 proxies (sidecar)",
            ),
            (
                "istiod-canary",
                "uses seen in this cluster: 1, as Namespace shop: its label istio.io/rev names it",
            ),
            (
                "istiod-unused",
                "runs beside default, canary, and nothing was seen in this cluster that refers to it",
            ),
        ];
        assert_eq!(told.len(), expected.len());
        for (finding, (name, part)) in told.iter().zip(expected) {
            let object = format!("Deployment istio-system/{name}");
            assert_eq!(finding.object.as_deref(), Some(object.as_str()));
            assert!(finding.cause.contains(part), "{}", finding.cause);
            assert!(finding.fix.contains("dataplane status default shows the revision"));
        }
    }
}
