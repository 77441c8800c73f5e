//! Whether the configuration in the clusters means to the target what it means now.

use super::{
    Subject,
    rules::{self, Way},
};
use crate::{
    api::Component,
    finding::{Code, Finding, Report, Severity, codes},
    inventory::{ControlPlane, Crd, HitsOfRule, Surroundings},
    mesh::ObservedMember,
    version::Minor,
};

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
            settings(subject, member, way, report);
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
            Some(hits) if takes_effect(subject, member, around, code) => {
                report.find(told(code, &hits).in_cluster(member.name()));
            }
            _ if needs_settings(code) => {}
            _ if around.hits.left_behind(code).is_some() => {}
            _ => report.pass(code, Some(member.name()), format!("nothing that {code} is about")),
        }
    }
}

/// Whether what a rule is about happens here at all.
fn takes_effect(subject: &Subject<'_>, member: &ObservedMember<'_>, around: &Surroundings, code: Code) -> bool {
    const DRY_RUN: &str = "AMBIENT_ENABLE_DRY_RUN_AUTHORIZATION_POLICY";
    const PICK_BEST: &str = "PILOT_SIDECAR_PICK_BEST_SERVICE_NAMESPACE";
    const STRICT: &str = "PILOT_ENABLE_STRICT_GATEWAY_MERGING";
    const SCOPED: &str = "PILOT_SCOPE_GATEWAY_TO_NAMESPACE";
    const NO_SHADOW: &str = "DISABLE_SHADOW_HOST_SUFFIX";
    const UNIFIED: &str = "PILOT_UNIFIED_SIDECAR_SCOPE";
    const UNHEALTHY: &str = "PILOT_AUTO_SEND_UNHEALTHY_ENDPOINTS";
    let mut planes = planes(subject, member);
    if code == codes::ZIPKIN_DEFAULT {
        // The target's chart brings the default of old back for who asks for the behaviour of an older minor.
        let is_old =
            |plane: &ControlPlane| compatibility(subject, plane).is_some_and(|minor| minor < Minor::new(1, 22));
        around.hits.of(codes::GATEWAY_SPANS).is_none()
            && planes.any(|plane| rules::traces_by_default(&plane.settings) && !is_old(plane))
    } else if code == codes::MIRROR_HOST {
        planes.any(|plane| switch_since(subject, plane, NO_SHADOW, 28) != Some(false))
    } else if code == codes::GATEWAY_SPANS {
        planes.any(|plane| makes_spans(subject, plane))
    } else if code == codes::PASSTHROUGH_NACK {
        has_ztunnel(member)
    } else if code == codes::DRY_RUN_POLICY {
        // istiod keeps them to itself unless it is told otherwise.
        has_ztunnel(member) && planes.any(|plane| rules::switch(&plane.settings, DRY_RUN) == Some(true))
    } else if code == codes::SIDECAR_SCOPE {
        // It comes with 1.24, and may be set before.
        planes.any(|plane| switch_since(subject, plane, UNIFIED, 24) != Some(false))
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

/// Whether gateways will make spans of their own; 1.31 no longer asks for the switch.
fn makes_spans(subject: &Subject<'_>, plane: &ControlPlane) -> bool {
    subject.target.version.minor() > Minor::new(1, 30) || switch_since(subject, plane, rules::SPANS, 28) != Some(false)
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
            if code == codes::GATEWAY_SPANS && !makes_spans(subject, plane) {
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
