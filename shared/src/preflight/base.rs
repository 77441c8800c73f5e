//! Whether Istio's definitions are brought by something that takes them to the target, or serve what it reads.

use super::{Subject, configuration};
use crate::{
    api::Component,
    finding::{Finding, Report, Severity, codes},
    gitops::FollowedKind,
    inventory::Crd,
    mesh::ObservedMember,
    version::Minor,
};

/// Definitions of which Istio reads the version v1 from 1.24 on (`pkg/config/schema/gvr` of releases 1.30 and 1.31).
const READ_AS_V1: [&str; 11] = [
    "authorizationpolicies.security.istio.io",
    "destinationrules.networking.istio.io",
    "gateways.networking.istio.io",
    "peerauthentications.security.istio.io",
    "requestauthentications.security.istio.io",
    "serviceentries.networking.istio.io",
    "sidecars.networking.istio.io",
    "telemetries.telemetry.istio.io",
    "virtualservices.networking.istio.io",
    "workloadentries.networking.istio.io",
    "workloadgroups.networking.istio.io",
];
const READ_AS_V1_SINCE: Minor = Minor::new(1, 24);

/// Definitions that do not serve what the target reads: istiod waits for them and never becomes ready.
fn too_old<'a>(subject: &Subject<'_>, member: &ObservedMember<'a>) -> Vec<&'a str> {
    if subject.target.version.minor() < READ_AS_V1_SINCE || configuration::is_remote(subject, member) {
        return Vec::new();
    }
    let crds = member.observed.surroundings.iter().flat_map(|around| &around.crds);
    let lacks_v1 = |crd: &&Crd| {
        READ_AS_V1.contains(&crd.name.as_str()) && !crd.served.is_empty() && !crd.served.iter().any(|one| one == "v1")
    };
    crds.filter(lacks_v1).map(|crd| crd.name.as_str()).collect()
}

pub(super) fn check(subject: &Subject<'_>, member: &ObservedMember<'_>, report: &mut Report) {
    let has_base = member
        .releases()
        .iter()
        .any(|release| release.component == Component::Base);
    let brought = member.brought();
    let is_brought = brought.iter().any(|one| one.component == Component::Base)
        // The Sail Operator's own installation brings the definitions of all versions that it knows.
        || member.observed.followed.iter().any(|one| matches!(one.kind, FollowedKind::Sail(_)));
    // Of a control plane that is configured elsewhere the CRDs are there.
    let elsewhere = member.only_hosts();
    if !has_base && !is_brought && member.installations().is_empty() && !elsewhere {
        let old = too_old(subject, member);
        let cause = "no release of the chart base was found: this upgrade does not update Istio's CRDs";
        let cause = if old.is_empty() {
            cause.to_owned()
        } else {
            let old = old.join(", ");
            format!("{cause}, and these serve no v1, which Istio {READ_AS_V1_SINCE} and newer read: {old}")
        };
        let finding = Finding::new(
            codes::NO_BASE_RELEASE,
            cause,
            "apply the target's CRDs before the upgrade, or take them over: helm upgrade --install istio-base with \
             --take-ownership",
        );
        let severity = if old.is_empty() {
            Severity::Warning
        } else {
            Severity::Blocker
        };
        report.find(finding.in_cluster(member.name()).weighing(severity));
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        api::Component,
        finding::Severity,
        inventory::{Crd, sample},
        preflight::tests::{check, found},
    };

    #[test]
    fn definitions_that_nobody_brings_block_where_they_serve_no_v1() {
        for (to, name, served, expected) in [
            (
                "1.31.0",
                "virtualservices.networking.istio.io",
                &["v1alpha3", "v1beta1"][..],
                Severity::Blocker,
            ),
            (
                "1.31.0",
                "virtualservices.networking.istio.io",
                &["v1alpha3", "v1"],
                Severity::Warning,
            ),
            // Of these no v1 is read.
            (
                "1.31.0",
                "envoyfilters.networking.istio.io",
                &["v1alpha3"],
                Severity::Warning,
            ),
            (
                "1.23.6",
                "virtualservices.networking.istio.io",
                &["v1beta1"],
                Severity::Warning,
            ),
        ] {
            let from = if to == "1.31.0" { "1.30.3" } else { "1.22.8" };
            let mut inventory = sample::one(from, "v1.30.1");
            inventory
                .seen(0)
                .helm_releases
                .retain(|release| release.component != Component::Base);
            inventory.around(0).crds = vec![Crd {
                name: name.to_owned(),
                served: served.iter().map(|one| (*one).to_owned()).collect(),
                ..Crd::default()
            }];
            let report = check(&inventory, to);
            let finding = found(&report, "MU403");
            assert_eq!(finding.severity, expected, "{name} as {served:?} to {to}");
            assert_eq!(finding.cause.contains(name), expected == Severity::Blocker);
        }
    }
}
