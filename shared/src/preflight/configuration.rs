//! Whether the configuration in the clusters means to the target what it means now.

use super::{
    Subject,
    rules::{self, Way},
};
use crate::{
    api::Component,
    finding::{Code, Finding, Report, codes},
    inventory::{ControlPlane, HitsOfRule, Surroundings},
    mesh::ObservedMember,
    version::Minor,
};

/// Objects that a finding names; the rest is counted.
const NAMED: usize = 10;

pub(super) fn check(subject: &Subject<'_>, report: &mut Report) {
    for member in &subject.members {
        let Some(around) = &member.observed.surroundings else {
            continue;
        };
        for what in &around.overlooked {
            report.find(
                Finding::new(
                    codes::OVERLOOKED,
                    format!("not looked at: {what}"),
                    "get the permission to read it, then check again",
                )
                .in_cluster(member.name()),
            );
        }
        let way = way(subject, member);
        if let Some(way) = way {
            settings(member, way, report);
            ztunnel(member, way, report);
        }
        if member.only_hosts() {
            // Whatever configuration is here, no control plane of the mesh reads it.
            continue;
        }
        if let Some(way) = way {
            objects(subject, member, around, way, report);
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

/// From the oldest control plane that runs in the member, or reads its configuration, to the target.
pub(super) fn way(subject: &Subject<'_>, member: &ObservedMember<'_>) -> Option<Way> {
    let minors = planes(subject, member)
        .filter_map(|plane| plane.version.version.as_ref())
        .map(crate::version::IstioVersion::minor);
    Some(Way {
        from: minors.min()?,
        to: subject.target.version.minor(),
    })
}

fn objects(subject: &Subject<'_>, member: &ObservedMember<'_>, around: &Surroundings, way: Way, report: &mut Report) {
    for code in way.rules() {
        let exports = |plane: &ControlPlane| rules::exports_by_default(&plane.settings);
        let hits = if planes(subject, member).any(exports) {
            around.hits.of_exported(code)
        } else {
            around.hits.of(code).cloned()
        };
        match hits {
            Some(hits) if takes_effect(subject, member, code) => {
                report.find(told(code, &hits).in_cluster(member.name()));
            }
            _ if needs_settings(code) => {}
            _ => report.pass(code, Some(member.name()), format!("nothing that {code} is about")),
        }
    }
}

/// Whether what a rule is about happens here at all.
fn takes_effect(subject: &Subject<'_>, member: &ObservedMember<'_>, code: Code) -> bool {
    const DRY_RUN: &str = "AMBIENT_ENABLE_DRY_RUN_AUTHORIZATION_POLICY";
    const PICK_BEST: &str = "PILOT_SIDECAR_PICK_BEST_SERVICE_NAMESPACE";
    const STRICT: &str = "PILOT_ENABLE_STRICT_GATEWAY_MERGING";
    const SCOPED: &str = "PILOT_SCOPE_GATEWAY_TO_NAMESPACE";
    const UNHEALTHY: &str = "PILOT_AUTO_SEND_UNHEALTHY_ENDPOINTS";
    let mut planes = planes(subject, member);
    if code == codes::PASSTHROUGH_NACK {
        has_ztunnel(member)
    } else if code == codes::DRY_RUN_POLICY {
        // istiod keeps them to itself unless it is told otherwise.
        has_ztunnel(member) && planes.any(|plane| rules::switch(&plane.settings, DRY_RUN) == Some(true))
    } else if code == codes::HOST_IN_SEVERAL_NAMESPACES {
        planes.any(|plane| switch_since(subject, plane, PICK_BEST, 30) != Some(false))
    } else if code == codes::MANAGED_GATEWAY_SELECTED {
        // 1.31 brings the one switch, which may be set before; with the other nothing was ever merged across namespaces.
        planes.any(|plane| {
            switch_since(subject, plane, STRICT, 31) != Some(false)
                && rules::switch(&plane.settings, SCOPED) != Some(true)
        })
    } else if code == codes::UNHEALTHY_ENDPOINTS {
        planes.any(|plane| switch_since(subject, plane, UNHEALTHY, 31) != Some(false))
    } else {
        true
    }
}

/// What a switch will say that came with a minor of Istio 1: where nothing sets it, the target's chart turns it off for who
/// asks by `compatibilityVersion` for the behaviour of an older minor (`helm-profiles/compatibility-version-*.yaml`).
fn switch_since(subject: &Subject<'_>, plane: &ControlPlane, name: &str, since: u64) -> Option<bool> {
    let said = rules::switch(&plane.settings, name);
    said.or_else(|| (compatibility(subject, plane)? < Minor::new(1, since)).then_some(false))
}

/// The minor that a control plane shall behave as, by the values of its release; of what helm does not keep, that is not known.
fn compatibility(subject: &Subject<'_>, plane: &ControlPlane) -> Option<Minor> {
    let (namespace, name) = plane.helm_release.as_ref()?;
    let mut members = subject.members.iter();
    let home = members.find(|member| {
        member
            .observed
            .control_planes
            .iter()
            .any(|own| std::ptr::eq(own, plane))
    })?;
    home.observed.helm_release(namespace, name)?.settings.compatibility
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
    let mut named: Vec<String> = hits
        .examples
        .iter()
        .take(NAMED)
        .map(|hit| format!("{} ({})", hit.object, hit.detail))
        .collect();
    let more = hits.count.saturating_sub(named.len() as u64);
    if more > 0 {
        named.push(format!("and {more} more"));
    }
    let finding = Finding::new(code, format!("{}: {}", code.title(), named.join(", ")), code.fix());
    match hits.examples.as_slice() {
        [only] if hits.count == 1 => finding.about(only.object.clone()),
        _ => finding,
    }
}

fn settings(member: &ObservedMember<'_>, way: Way, report: &mut Report) {
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
    if way.leads_over(25) && has_ztunnel(member) {
        report.find(
            Finding::new(
                codes::AMBIENT_DNS_CAPTURE,
                "ztunnel runs: pods that start after the upgrade have their DNS captured, the others do not",
                codes::AMBIENT_DNS_CAPTURE.fix(),
            )
            .in_cluster(member.name()),
        );
    }
}

fn definitions(member: &ObservedMember<'_>, around: &Surroundings, way: Way, report: &mut Report) {
    let pool = around
        .crds
        .iter()
        .find(|crd| crd.name == "inferencepools.inference.networking.x-k8s.io");
    if let Some(pool) = pool.filter(|_| way.leads_over(28)) {
        report.find(
            Finding::new(
                codes::INFERENCE_POOL_VERSION,
                format!(
                    "it serves {}; istiod reads inference.networking.k8s.io/v1",
                    pool.served.join(", ")
                ),
                codes::INFERENCE_POOL_VERSION.fix(),
            )
            .in_cluster(member.name())
            .about(format!("CustomResourceDefinition {}", pool.name)),
        );
    }
}

/// Whether a way leads from below a minor of Istio 1 to it or above.
pub(super) fn crosses(from: Minor, to: Minor, minor: u64) -> bool {
    Way { from, to }.leads_over(minor)
}

#[cfg(test)]
#[path = "configuration_tests.rs"]
mod tests;
