//! Whether what a rule is about happens here at all: what switches of istiod keep as it was, and what a release asks for.

use super::{
    Subject,
    configuration::{has_ztunnel, planes},
    rules,
};
use crate::{
    finding::{Code, codes},
    inventory::{ControlPlane, Surroundings},
    mesh::ObservedMember,
    version::{IstioVersion, Minor},
};

/// A rule, a switch, what it says to keep what was, the minor of Istio 1 that brought the change, and the one by which the switch
/// was gone.
type KeptBy = (Code, &'static str, bool, u64, Option<u64>);

/// Switches of istiod by which it goes on as before a release; where a rule has several, all of them have to say so.
/// `ENABLE_RESOLUTION_NONE_TARGET_PORT` and `ENABLE_ENHANCED_RESOURCE_SCOPING` were gone by 1.30; with which minor is not known.
/// Which of them the charts turn off for `compatibilityVersion` stands in `manifests/helm-profiles` of each release.
const KEPT_BY: [KeptBy; 10] = [
    (
        codes::EXTERNAL_NAME_TLS,
        "VERIFY_CERTIFICATE_AT_CLIENT",
        false,
        21,
        Some(24),
    ),
    (codes::EXTERNAL_NAME_TLS, "ENABLE_AUTO_SNI", false, 21, Some(26)),
    (
        codes::EXTERNAL_NAME_ROUTED,
        "ENABLE_EXTERNAL_NAME_ALIAS",
        false,
        21,
        Some(24),
    ),
    (
        codes::WILDCARD_HOSTS,
        "PERSIST_OLDEST_FIRST_HEURISTIC_FOR_VIRTUAL_SERVICE_HOST_MATCHING",
        true,
        21,
        Some(24),
    ),
    (
        codes::SERVICE_ENTRY_TARGET_PORT,
        "ENABLE_RESOLUTION_NONE_TARGET_PORT",
        false,
        22,
        Some(30),
    ),
    (
        codes::DISCOVERY_SELECTORS,
        "ENABLE_ENHANCED_RESOURCE_SCOPING",
        false,
        22,
        Some(30),
    ),
    (codes::MIRROR_HOST, "DISABLE_SHADOW_HOST_SUFFIX", false, 28, None),
    // It comes with 1.24, and may be set before.
    (codes::SIDECAR_SCOPE, "PILOT_UNIFIED_SIDECAR_SCOPE", false, 24, None),
    (
        codes::HOST_IN_SEVERAL_NAMESPACES,
        "PILOT_SIDECAR_PICK_BEST_SERVICE_NAMESPACE",
        false,
        30,
        None,
    ),
    (
        codes::UNHEALTHY_ENDPOINTS,
        "PILOT_AUTO_SEND_UNHEALTHY_ENDPOINTS",
        false,
        31,
        None,
    ),
];

/// The switches that can keep what a rule is about as it was.
fn switches(code: Code) -> impl Iterator<Item = &'static KeptBy> {
    KEPT_BY.iter().filter(move |(of, ..)| *of == code)
}

/// Whether a control plane goes on as before a rule's release, because its switches say so and the target still knows them.
fn keeps(subject: &Subject<'_>, plane: &ControlPlane, code: Code) -> bool {
    let to = subject.target.version.minor();
    switches(code).all(|(_, name, keeping, since, gone)| {
        let is_known = gone.is_none_or(|gone| to < Minor::new(1, gone));
        let old = || (compatibility(subject, plane)? < Minor::new(1, *since)).then_some(*keeping);
        let said = rules::switch(&plane.settings, name).or_else(old);
        is_known && said == Some(*keeping)
    })
}

/// Whether what a rule is about happens here at all.
pub(super) fn takes(subject: &Subject<'_>, member: &ObservedMember<'_>, around: &Surroundings, code: Code) -> bool {
    const DRY_RUN: &str = "AMBIENT_ENABLE_DRY_RUN_AUTHORIZATION_POLICY";
    const STRICT: &str = "PILOT_ENABLE_STRICT_GATEWAY_MERGING";
    const SCOPED: &str = "PILOT_SCOPE_GATEWAY_TO_NAMESPACE";
    let mut planes = planes(subject, member);
    if switches(code).next().is_some() {
        planes.any(|plane| !keeps(subject, plane, code))
    } else if code == codes::ZIPKIN_DEFAULT {
        // The target's chart brings the default of old back for who asks for the behaviour of an older minor.
        let is_old =
            |plane: &ControlPlane| compatibility(subject, plane).is_some_and(|minor| minor < Minor::new(1, 22));
        around.hits.of(codes::GATEWAY_SPANS).is_none()
            && planes.any(|plane| rules::traces_by_default(&plane.settings) && !is_old(plane))
    } else if code == codes::GATEWAY_SPANS {
        planes.any(|plane| makes_spans(subject, plane))
    } else if code == codes::PASSTHROUGH_NACK {
        has_ztunnel(member)
    } else if code == codes::DRY_RUN_POLICY {
        // istiod keeps them to itself unless it is told otherwise.
        has_ztunnel(member) && planes.any(|plane| rules::switch(&plane.settings, DRY_RUN) == Some(true))
    } else if code == codes::MANAGED_GATEWAY_SELECTED {
        // 1.31 brings the one switch, which may be set before; with the other nothing was ever merged across namespaces.
        planes.any(|plane| {
            switch_since(subject, plane, STRICT, 31) != Some(false)
                && rules::switch(&plane.settings, SCOPED) != Some(true)
        })
    } else if code == codes::AUTO_REGISTERED {
        planes.any(|plane| labels_tunnels_from_now(subject, plane, member))
    } else {
        true
    }
}

/// The same for what a rule finds in the mesh configuration of a control plane.
pub(super) fn of_mesh_config(subject: &Subject<'_>, plane: &ControlPlane, code: Code) -> bool {
    if code == codes::DISCOVERY_SELECTORS {
        // Who had switched it on before has had it since.
        let switch = rules::switch(&plane.settings, "ENABLE_ENHANCED_RESOURCE_SCOPING");
        switch != Some(true) && !keeps(subject, plane, code)
    } else {
        code != codes::GATEWAY_SPANS || makes_spans(subject, plane)
    }
}

/// Whether workloads outside of Kubernetes that take HBONE are labelled from the target on, and were not before: 1.30.3 began
/// with it (`releasenotes/notes/60788.yaml`). Where there is no ambient mesh nobody reaches them through HBONE anyway.
fn labels_tunnels_from_now(subject: &Subject<'_>, plane: &ControlPlane, member: &ObservedMember<'_>) -> bool {
    let labels = |version: &IstioVersion| (version.minor(), version.patch) >= (Minor::new(1, 30), 3);
    let is_ambient = has_ztunnel(member) || rules::switch(&plane.settings, "PILOT_ENABLE_AMBIENT") == Some(true);
    let labelled = plane.version.version.as_ref().is_some_and(labels);
    is_ambient && labels(&subject.target.version) && !labelled
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
pub(super) fn compatibility(subject: &Subject<'_>, plane: &ControlPlane) -> Option<Minor> {
    let (namespace, name) = plane.helm_release.as_ref()?;
    let home = home(subject, plane)?;
    home.observed.helm_release(namespace, name)?.settings.compatibility
}

/// The member in which a control plane runs.
pub(super) fn home<'s, 'a>(subject: &'s Subject<'a>, plane: &ControlPlane) -> Option<&'s ObservedMember<'a>> {
    let is_here = |member: &&ObservedMember<'_>| {
        let mut own = member.observed.control_planes.iter();
        own.any(|own| std::ptr::eq(own, plane))
    };
    subject.members.iter().find(is_here)
}

#[cfg(test)]
#[path = "effect_tests.rs"]
mod tests;
