//! Whether the configuration in the clusters means to the target what it means now.

use super::{
    Subject, effect, overlooked,
    rules::{self, Way},
};
use crate::{
    api::Component,
    finding::{Code, Finding, Report, Severity, codes},
    inventory::{ControlPlane, Crd, HitsOfRule, Surroundings},
    mesh::ObservedMember,
    version::{IstioVersion, Minor},
};

pub(super) fn check(subject: &Subject<'_>, report: &mut Report) {
    for member in &subject.members {
        let Some(around) = &member.observed.surroundings else {
            continue;
        };
        overlooked::check(subject, member, around, report);
        let way = way(subject, member);
        if let Some(way) = way {
            settings(subject, member, way, report);
            ztunnel(member, way, report);
        }
        if member.only_hosts() {
            // Whatever configuration is here, no control plane of the mesh reads it.
            continue;
        }
        if is_remote(subject, member) {
            if let Some(way) = way {
                hits(
                    subject,
                    member,
                    around,
                    way.rules().into_iter().filter(is_of_workloads),
                    report,
                );
            }
            continue;
        }
        if let Some(way) = way {
            hits(subject, member, around, way.rules(), report);
            envoy_filters(member, around, way, report);
            definitions(member, around, way, report);
        }
        super::gateway_api::check(subject, member, around, report);
    }
}

/// Control planes that run in the member, or read its configuration.
pub(super) fn planes<'a>(subject: &Subject<'a>, member: &ObservedMember<'a>) -> impl Iterator<Item = &'a ControlPlane> {
    member.control_planes().chain(member.configures(&subject.members))
}

/// Whether control planes of other members inject and serve its workloads, and none reads its configuration: a remote cluster
/// of Istio's primary-remote. Where the mesh's control planes are not seen at all, that is not known.
pub(super) fn is_remote(subject: &Subject<'_>, member: &ObservedMember<'_>) -> bool {
    planes(subject, member).next().is_none() && of_mesh(subject).next().is_some()
}

/// Control planes of the mesh, wherever they run.
fn of_mesh<'s, 'a>(subject: &'s Subject<'a>) -> impl Iterator<Item = &'a ControlPlane> + use<'s, 'a> {
    subject.members.iter().flat_map(ObservedMember::control_planes)
}

/// Control planes whose proxies the member's workloads get.
pub(super) fn serving<'a>(subject: &Subject<'a>, member: &ObservedMember<'a>) -> Vec<&'a ControlPlane> {
    let own: Vec<&ControlPlane> = planes(subject, member).collect();
    if own.is_empty() {
        of_mesh(subject).collect()
    } else {
        own
    }
}

/// From the oldest control plane that serves the member to the target.
pub(super) fn way(subject: &Subject<'_>, member: &ObservedMember<'_>) -> Option<Way> {
    let planes = serving(subject, member).into_iter();
    let minors = planes
        .filter_map(|plane| plane.version.version.as_ref())
        .map(IstioVersion::minor);
    Some(Way {
        from: minors.min()?,
        to: subject.target.version.minor(),
    })
}

/// Whether a rule looks at workloads or at what installs them, which matter in a remote cluster as well, and at no
/// configuration: nobody reads that of a remote cluster.
fn is_of_workloads(code: &Code) -> bool {
    *code == codes::IN_CLUSTER_OPERATOR || rules::POD_ANNOTATIONS.iter().any(|known| known.code == *code)
}

/// What rules say of what was hit.
fn hits(
    subject: &Subject<'_>,
    member: &ObservedMember<'_>,
    around: &Surroundings,
    codes: impl IntoIterator<Item = Code>,
    report: &mut Report,
) {
    for code in codes {
        if let Some(hits) = around.hits.left_behind(code) {
            let finding = naming(code, "left over", hits, "delete it once the upgrade is done");
            report.find(finding.in_cluster(member.name()).weighing(Severity::Info));
        }
        let exports = |plane: &ControlPlane| rules::exports_by_default(&plane.settings);
        let hits = if planes(subject, member).any(exports) {
            around.hits.of_exported(code)
        } else {
            around.hits.of(code).cloned()
        };
        match hits {
            Some(hits) if effect::takes(subject, member, around, code) => {
                report.find(told(code, &hits).in_cluster(member.name()));
            }
            _ if needs_settings(code) => {}
            _ if around.hits.left_behind(code).is_some() || overlooked::hides(around, code) => {}
            _ => report.pass(code, Some(member.name()), format!("nothing that {code} is about")),
        }
    }
}

/// What EnvoyFilters name, release by release.
fn envoy_filters(member: &ObservedMember<'_>, around: &Surroundings, way: Way, report: &mut Report) {
    let code = codes::ENVOY_FILTER_OUTDATED;
    for (minor, hits) in around.hits.by_minor(code).filter(|(minor, _)| way.leads_over(*minor)) {
        let mut finding = told(code, hits).in_cluster(member.name());
        finding.cause = format!("since 1.{minor}, {}", finding.cause);
        report.find(finding);
    }
}

/// Rules whose evidence is not in objects, and which have a look of their own.
fn needs_settings(code: Code) -> bool {
    [
        codes::DISCOVERY_SELECTORS,
        codes::REMOVED_TRACER,
        codes::ZTUNNEL_RENAMED,
        codes::AMBIENT_DNS_CAPTURE,
        codes::INFERENCE_POOL_VERSION,
        codes::DNS_AUTO_ALLOCATE,
        codes::EXCLUDED_AMBIENT_NAMESPACE,
        codes::GATEWAY_SPANS,
        codes::IPTABLES_RECONCILED,
    ]
    .contains(&code)
}

pub(super) fn has_ztunnel(member: &ObservedMember<'_>) -> bool {
    let mut nodes = member.node_components();
    nodes.any(|node| node.component == Component::Ztunnel)
}

/// A finding that names what was hit.
fn told(code: Code, hits: &HitsOfRule) -> Finding {
    naming(code, code.title(), hits, code.fix())
}

/// A finding that says something of what was hit, by name.
fn naming(code: Code, what: &str, hits: &HitsOfRule, fix: &str) -> Finding {
    Finding::new(code, format!("{what}: "), fix).hitting(hits)
}

fn settings(subject: &Subject<'_>, member: &ObservedMember<'_>, way: Way, report: &mut Report) {
    for plane in member.control_planes() {
        let object = super::named(&plane.workload);
        for detail in rules::environment(&plane.settings, way) {
            report.find(
                Finding::new(
                    codes::REMOVED_ENVIRONMENT,
                    format!("it sets {detail}"),
                    codes::REMOVED_ENVIRONMENT.fix(),
                )
                .in_cluster(member.name())
                .about(object.clone()),
            );
        }
        for (code, detail) in rules::mesh_config(&plane.settings, way) {
            if !effect::of_mesh_config(subject, plane, code) {
                continue;
            }
            report.find(
                Finding::new(code, format!("{}: {detail}", code.title()), code.fix())
                    .in_cluster(member.name())
                    .about(object.clone()),
            );
        }
    }
}

fn ztunnel(member: &ObservedMember<'_>, way: Way, report: &mut Report) {
    if (way.leads_over(25) || way.leads_over(26))
        && let Some(release) = member
            .releases()
            .into_iter()
            .find(|release| release.component == Component::Ztunnel && release.name != "ztunnel")
    {
        report.find(
            Finding::new(
                codes::ZTUNNEL_RENAMED,
                format!("the release of ztunnel is called {}", release.name),
                codes::ZTUNNEL_RENAMED.fix(),
            )
            .in_cluster(member.name())
            .about(format!("helm release {}/{}", release.namespace, release.name)),
        );
    }
    if !has_ztunnel(member) {
        return;
    }
    let around = member.observed.surroundings.as_ref();
    let is_captured = around.is_some_and(|around| around.ambient.captures_dns);
    // Where it is captured already 1.25 changes nothing, but the agent of 1.24 was the first whose rules in pods go with a
    // ztunnel of 1.24, and it mends none of those that run.
    let (cause, fix, severity) = match (is_captured, way.leads_over(24), way.leads_over(25)) {
        (true, true, _) => (
            "the CNI captures the DNS of ambient pods already: behind a ztunnel of 1.24, pods that started before the CNI of \
             1.24 resolve no names",
            "switch ambient.dnsCapture off in the CNI's values before the upgrade and restart the ambient workloads; switch \
             it on again after it. By hand: upgrade the CNI, restart the workloads, then upgrade ztunnel",
            Severity::Warning,
        ),
        (false, _, true) => (
            "ztunnel runs: pods that start after the upgrade have their DNS captured, the others do not",
            codes::AMBIENT_DNS_CAPTURE.fix(),
            Severity::Info,
        ),
        _ => {
            if way.leads_over(24) || way.leads_over(25) {
                let summary = "the way changes nothing of how DNS of ambient pods is captured";
                report.pass(codes::AMBIENT_DNS_CAPTURE, Some(member.name()), summary.to_owned());
            }
            return;
        }
    };
    let finding = Finding::new(codes::AMBIENT_DNS_CAPTURE, cause, fix).weighing(severity);
    report.find(finding.in_cluster(member.name()));
}

fn definitions(member: &ObservedMember<'_>, around: &Surroundings, way: Way, report: &mut Report) {
    if !way.leads_over(28) {
        return;
    }
    for crd in &around.crds {
        let cause = match crd.name.as_str() {
            "inferencepools.inference.networking.x-k8s.io" => format!(
                "it serves {}; istiod reads inference.networking.k8s.io/v1",
                crd.served.join(", ")
            ),
            "inferencepools.inference.networking.k8s.io" if is_before_v1(crd) => {
                let bundle = crd.bundle.as_deref().unwrap_or_default();
                format!("it is of the bundle {bundle}; istiod reads that of v1.0.0, whose fields are others")
            }
            _ => continue,
        };
        report.find(
            Finding::new(
                codes::INFERENCE_POOL_VERSION,
                cause,
                codes::INFERENCE_POOL_VERSION.fix(),
            )
            .in_cluster(member.name())
            .about(format!("CustomResourceDefinition {}", crd.name)),
        );
    }
}

/// Whether a definition came with a bundle before 1.0.0, a candidate of it among them; where it does not say so, that is not
/// known.
fn is_before_v1(crd: &Crd) -> bool {
    let bundle = crd.bundle.as_deref().map(|bundle| bundle.trim_start_matches('v'));
    let version = bundle.and_then(|bundle| bundle.parse::<semver::Version>().ok());
    version.is_some_and(|version| version < semver::Version::new(1, 0, 0))
}

/// Whether a way leads from below a minor of Istio 1 to it or above.
pub(super) fn crosses(from: Minor, to: Minor, minor: u64) -> bool {
    Way { from, to }.leads_over(minor)
}

#[cfg(test)]
#[path = "configuration_tests.rs"]
mod tests;
