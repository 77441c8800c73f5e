//! What each release from 1.21 on breaks or changes, and which finding tells of it, or why none can.

use super::envoy_filters;
use crate::finding::{Code, codes};
use std::fmt::Write as _;

/// How a change is looked for.
enum Seen {
    /// A finding tells of it.
    By(Code),
    /// Nothing in the clusters shows it; the reason.
    Not(&'static str),
}
use Seen::{By, Not};

/// Changes that need somebody's attention, with the minor of Istio 1 that brought them
/// (https://istio.io/latest/news/releases/, "Upgrade Notes" and "Change Notes" of each release).
const CHANGES: [(u64, &str, Seen); 72] = [
    (
        21,
        "DestinationRules that start TLS verify the certificate, and set SNI",
        By(codes::EXTERNAL_NAME_TLS),
    ),
    (
        21,
        "Services of type ExternalName are aliases",
        By(codes::EXTERNAL_NAME_ROUTED),
    ),
    (
        21,
        "the most specific of overlapping wildcard hosts wins",
        By(codes::WILDCARD_HOSTS),
    ),
    (
        21,
        "the label istio.io/gateway-name gets a successor",
        Not("both are there up to 1.23: it is told on the way over 1.24 (MU710)"),
    ),
    (
        22,
        "discoverySelectors select configuration, too",
        By(codes::DISCOVERY_SELECTORS),
    ),
    (
        22,
        "targetPort is respected where resolution is NONE",
        By(codes::SERVICE_ENTRY_TARGET_PORT),
    ),
    (
        22,
        "no traces go to zipkin.istio-system by default",
        By(codes::ZIPKIN_DEFAULT),
    ),
    (
        22,
        "waypoints are attached by a label",
        By(codes::SERVICE_ACCOUNT_WAYPOINT),
    ),
    (
        22,
        "values of the legacy telemetry, first-party-jwt, cni.privileged and the profile external are gone",
        By(codes::REMOVED_VALUES),
    ),
    (
        22,
        "configuration is sent to proxies as differences",
        Not("an inner matter; ISTIO_DELTA_XDS=false in proxies brings back the old way"),
    ),
    (
        22,
        "a GRPCRoute is read without PILOT_ENABLE_ALPHA_GATEWAY_API",
        By(codes::GATEWAY_API_READ),
    ),
    (23, "exclusions of outbound traffic cover DNS", By(codes::EXCLUDED_DNS)),
    (
        23,
        "the operator in the cluster is deprecated",
        Not("it installs 1.23 still: it is told on the way over 1.24 (MU708)"),
    ),
    (24, "the chart base owns the definitions", By(codes::CRDS_NOT_OWNED)),
    (24, "the chart istiod-remote is gone", By(codes::DISCONTINUED_CHART)),
    (
        24,
        "the operator in the cluster is gone",
        By(codes::IN_CLUSTER_OPERATOR),
    ),
    (
        24,
        "the operator's own Deployment installs no newer release: one of a helm release",
        By(codes::DISCONTINUED_CHART),
    ),
    (
        24,
        "the operator's own Deployment installs no newer release: one of istioctl operator init",
        By(codes::IN_CLUSTER_OPERATOR),
    ),
    (
        24,
        "expressions read Envoy's own attributes: filter_state and xds.node",
        By(codes::WASM_PEER_EXPRESSION),
    ),
    (
        24,
        "the label istio.io/gateway-name is gone",
        By(codes::GATEWAY_NAME_LABEL),
    ),
    (
        24,
        "the annotation sidecar.istio.io/enableCoreDump is gone",
        By(codes::CORE_DUMP_ANNOTATION),
    ),
    (
        24,
        "values of the charts and the openshift profiles are gone",
        By(codes::REMOVED_VALUES),
    ),
    (
        24,
        "hosts that are declared twice are resolved in one way with and without a Sidecar",
        By(codes::SIDECAR_SCOPE),
    ),
    (
        24,
        "ENABLE_EXTERNAL_NAME_ALIAS, PERSIST_OLDEST_FIRST_HEURISTIC_FOR_VIRTUAL_SERVICE_HOST_MATCHING and VERIFY_CERTIFICATE_AT_CLIENT are gone",
        By(codes::REMOVED_ENVIRONMENT),
    ),
    (
        24,
        "inbound requests that a service has not seen are sent again",
        Not(
            "it is so for every service; ENABLE_INBOUND_RETRY_POLICY=false, which a later release no longer knows, keeps it from that",
        ),
    ),
    (
        24,
        "a ztunnel does not answer pods whose DNS an older CNI captures",
        By(codes::AMBIENT_DNS_CAPTURE),
    ),
    (25, "Envoy 1.33 has no OpenCensus", By(codes::REMOVED_TRACER)),
    (
        25,
        "ztunnel's objects are named by its release",
        By(codes::ZTUNNEL_RENAMED),
    ),
    (25, "DNS of ambient pods is captured", By(codes::AMBIENT_DNS_CAPTURE)),
    (
        25,
        "addresses of ServiceEntries are given by istiod's controller",
        By(codes::DNS_AUTO_ALLOCATE),
    ),
    (
        25,
        "private addresses are internal no more, for EnvoyFilters that set useRemoteAddress",
        By(codes::ENVOY_FILTER_OUTDATED),
    ),
    (
        25,
        "private addresses are internal no more, for headers x-envoy-* at gateways",
        Not("whether anything reads these headers is known to the applications only"),
    ),
    (26, "ENABLE_AUTO_SNI is gone", By(codes::REMOVED_ENVIRONMENT)),
    (
        26,
        "ztunnel's objects have a fixed name again",
        By(codes::ZTUNNEL_RENAMED),
    ),
    (27, "sidecars are native ones", By(codes::BECOME_NATIVE)),
    (27, "Lightstep and OpenCensus are gone", By(codes::REMOVED_TRACER)),
    (
        27,
        "debug endpoints ask who reads, from 1.27.8, 1.28.5 and 1.29.1 on: Kiali",
        By(codes::DEBUG_ACCESS),
    ),
    (
        27,
        "debug endpoints ask who reads: other tools",
        Not("what else connects to istiod is in no object"),
    ),
    (28, "InferencePool v1 only", By(codes::INFERENCE_POOL_VERSION)),
    (28, "BackendTLSPolicy v1 only", By(codes::GATEWAY_API_BUNDLE)),
    (
        28,
        "a BackendTLSPolicy is read without PILOT_ENABLE_ALPHA_GATEWAY_API",
        By(codes::GATEWAY_API_READ),
    ),
    (
        28,
        "METRIC_ROTATION_INTERVAL and METRIC_GRACEFUL_DELETION_INTERVAL are gone",
        By(codes::REMOVED_ENVIRONMENT),
    ),
    (
        28,
        "the host of mirrored requests has no suffix",
        By(codes::MIRROR_HOST),
    ),
    (
        28,
        "gateways make a span for each upstream request",
        By(codes::GATEWAY_SPANS),
    ),
    (
        28,
        "older ztunnels refuse ServiceEntries with resolution NONE",
        By(codes::PASSTHROUGH_NACK),
    ),
    (
        29,
        "the annotation sidecar.istio.io/statsCompression is gone",
        By(codes::STATS_COMPRESSION),
    ),
    (29, "older ztunnels enforce dry-run policies", By(codes::DRY_RUN_POLICY)),
    (
        29,
        "circuit breakers do not track what remains",
        By(codes::REMAINING_METRICS),
    ),
    (
        29,
        "the CNI mends iptables rules when it starts",
        By(codes::IPTABLES_RECONCILED),
    ),
    (
        29,
        "a ztunnel that connects again sends more than istiod takes, from 1.29.7 and 1.30.4 on",
        By(codes::LARGE_AMBIENT),
    ),
    (
        29,
        "istiod's API generator asks for a control plane's identity, from 1.29.7 and 1.30.4 on",
        Not(
            "who reads configuration from istiod by MCP is in no object; ENABLE_XDS_API_GENERATOR_AUTH=false lets others in",
        ),
    ),
    (
        29,
        "sidecars send nothing where a BackendTLSPolicy's CA certificates are not found, in place of plain text, from 1.29.7, 1.30.4 and 1.31.1 on",
        Not("the policy's own status tells it, by the condition ResolvedRefs"),
    ),
    (30, "Kubernetes 1.32 is the minimum", By(codes::BELOW_MINIMUM)),
    (30, "a TLSRoute needs the bundle 1.5", By(codes::GATEWAY_API_BUNDLE)),
    (
        30,
        "a TLSRoute is read without PILOT_ENABLE_ALPHA_GATEWAY_API, and so is a ListenerSet",
        By(codes::GATEWAY_API_READ),
    ),
    (30, "an XListenerSet is read no more", By(codes::GATEWAY_API_READ)),
    (
        30,
        "the CNI agent heeds excludeNamespaces",
        By(codes::EXCLUDED_AMBIENT_NAMESPACE),
    ),
    (
        30,
        "of a host in several namespaces the Kubernetes Service wins",
        By(codes::HOST_IN_SEVERAL_NAMESPACES),
    ),
    (
        30,
        "the file of the CNI is readable by root only",
        Not(
            "who reads files of a node is in no object; CNI_CONF_GROUP_READ=true in env of the chart cni lets their group read it",
        ),
    ),
    (
        30,
        "charts take images from registry.istio.io by default",
        By(codes::RETIRED_DEFAULT_HUB),
    ),
    (
        30,
        "WorkloadEntries that are registered already have no tunnel, from 1.30.3 on",
        By(codes::AUTO_REGISTERED),
    ),
    (31, "a TCPRoute needs the bundle 1.6", By(codes::GATEWAY_API_BUNDLE)),
    (
        31,
        "a TCPRoute is read without PILOT_ENABLE_ALPHA_GATEWAY_API",
        By(codes::GATEWAY_API_READ),
    ),
    (
        31,
        "Gateways are merged with managed ones only within a namespace",
        By(codes::MANAGED_GATEWAY_SELECTED),
    ),
    (
        31,
        "endpoints that are not ready are sent, too",
        By(codes::UNHEALTHY_ENDPOINTS),
    ),
    (
        31,
        "PILOT_SPAWN_UPSTREAM_SPAN_FOR_GATEWAY is gone",
        By(codes::REMOVED_ENVIRONMENT),
    ),
    (
        31,
        "an EnvoyFilter on those spans is overruled",
        By(codes::ENVOY_FILTER_OUTDATED),
    ),
    (
        31,
        "init containers take their image from global.proxy_init.image and global.variant, no longer the sidecar's",
        Not(
            "apply renders the charts and pulls that image, too, and stops before the first change where it is not to be had",
        ),
    ),
    (
        31,
        "WorkloadEntries that are registered already have no tunnel, on the way from 1.30.2 or below",
        By(codes::AUTO_REGISTERED),
    ),
    (
        31,
        "gcr.io/istio-release and registry.istio.io are shut down in December 2026",
        By(codes::RETIRED_REGISTRY),
    ),
    (
        31,
        "the chart repository at Google's storage is shut down in December 2026",
        By(codes::RETIRED_CHART_REPOSITORY),
    ),
    (
        31,
        "images and charts are signed with another key from 1.31.1 on",
        Not("who checks signatures, and by which key, is in objects of other projects"),
    ),
];

/// The page that stands in the repository as `shared/reference/releases.md`.
#[must_use]
pub fn reference() -> String {
    let mut page = String::from(
        "# What each release changes\n\nWhat needs attention on the way over each minor of Istio, and the finding of \
         `kubectl mesh-upgrade check` that tells of it in live objects. Where none can, the reason is given, and it is \
         for you to look. EnvoyFilters are told on each way to another minor (MU727). This page is generated from the \
         code.\n",
    );
    let mut last = None;
    let of_envoy = |page: &mut String, minor: Option<u64>| {
        if minor.is_some_and(envoy_filters::is_nothing_known) {
            page.push_str("- what Envoy or istiod changed under EnvoyFilters: no single change is known (MU727)\n");
        }
    };
    for (minor, what, seen) in &CHANGES {
        if last != Some(*minor) {
            of_envoy(&mut page, last);
            let _ = write!(page, "\n## 1.{minor}\n\n");
            last = Some(*minor);
        }
        let _ = match seen {
            By(code) => {
                let anchor = code.anchor();
                let anchor = anchor.rsplit('/').next().unwrap_or_default();
                writeln!(page, "- {what}: [{code}]({anchor})")
            }
            Not(why) => writeln!(page, "- {what}: not to be seen, {why}"),
        };
    }
    of_envoy(&mut page, last);
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_rule_with_a_release_stands_in_the_table() {
        let told: BTreeSet<(u64, Code)> = CHANGES
            .iter()
            .filter_map(|(minor, _, seen)| match seen {
                By(code) => Some((*minor, *code)),
                Not(_) => None,
            })
            .collect();
        let since = super::super::SINCE;
        for (code, minor) in since {
            assert!(told.contains(&(minor, code)), "{code} of 1.{minor}");
        }
        for (minor, code) in told {
            let mut of_release = since.iter().filter(|(of, _)| *of == code).peekable();
            let is_told = of_release.peek().is_none() || of_release.any(|(_, of)| *of == minor);
            assert!(is_told, "{code} is never told of 1.{minor}");
        }
        let minors: Vec<u64> = CHANGES.iter().map(|(minor, ..)| *minor).collect();
        assert!(minors.is_sorted());
        assert_eq!(minors.iter().copied().collect::<BTreeSet<_>>(), (21..=31).collect());
    }
}
