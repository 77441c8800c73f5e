//! The rule pack: what each release from 1.21 on breaks, changes or no longer knows, looked for in live objects.
//!
//! Sources: the upgrade notes of each release (istio.io, "Upgrade Notes"; releasenotes/notes of istio/istio). Objects are
//! looked at one by one while they are listed, so that a page is all that is held; which rules matter for a move is
//! decided afterwards, and which kinds no rule of a move looks at, so that they need not be listed, before.

mod coverage;
mod envoy_filters;
mod expressions;
mod hosts;
mod merged;
mod objects;
mod pods;
mod routed;
mod settings;
mod values;

pub use coverage::reference;
pub use pods::{ANNOTATIONS as POD_ANNOTATIONS, Annotation as PodAnnotation};
pub use settings::removed_variables;
pub use values::removed_values;

pub(super) use objects::looked_at_by;
pub(super) use settings::{SPANS, environment, exports_by_default, mesh_config, switch, traces_by_default};
pub(super) use values::left_behind;

use hosts::Hosts;
use merged::Merged;
use routed::Routed;

use crate::{
    finding::{Code, codes},
    inventory::{Hits, PlacedPod},
    version::Minor,
};
use serde_json::Value;
use std::collections::BTreeMap;

/// Definitions whose objects are read, by name.
pub const READ: [&str; 16] = [
    "authorizationpolicies.security.istio.io",
    "destinationrules.networking.istio.io",
    "envoyfilters.networking.istio.io",
    "gateways.gateway.networking.k8s.io",
    "gateways.networking.istio.io",
    "httproutes.gateway.networking.k8s.io",
    "istiooperators.install.istio.io",
    "peerauthentications.security.istio.io",
    "proxyconfigs.networking.istio.io",
    "requestauthentications.security.istio.io",
    "serviceentries.networking.istio.io",
    "sidecars.networking.istio.io",
    "telemetries.telemetry.istio.io",
    "virtualservices.networking.istio.io",
    "wasmplugins.extensions.istio.io",
    "workloadentries.networking.istio.io",
];

/// Definitions of the Gateway API that some releases read and others do not; their objects are only counted.
pub const COUNTED: [&str; 6] = [
    "backendtlspolicies.gateway.networking.k8s.io",
    "grpcroutes.gateway.networking.k8s.io",
    "listenersets.gateway.networking.k8s.io",
    "tcproutes.gateway.networking.k8s.io",
    "tlsroutes.gateway.networking.k8s.io",
    "xlistenersets.gateway.networking.x-k8s.io",
];

/// The minor of Istio 1 from which on each rule matters.
const SINCE: [(Code, u64); 34] = [
    (codes::EXTERNAL_NAME_TLS, 21),
    (codes::WILDCARD_HOSTS, 21),
    (codes::EXTERNAL_NAME_ROUTED, 21),
    (codes::DISCOVERY_SELECTORS, 22),
    (codes::SERVICE_ENTRY_TARGET_PORT, 22),
    (codes::ZIPKIN_DEFAULT, 22),
    (codes::SERVICE_ACCOUNT_WAYPOINT, 22),
    (codes::EXCLUDED_DNS, 23),
    (codes::IN_CLUSTER_OPERATOR, 24),
    (codes::WASM_PEER_EXPRESSION, 24),
    (codes::GATEWAY_NAME_LABEL, 24),
    (codes::CORE_DUMP_ANNOTATION, 24),
    (codes::SIDECAR_SCOPE, 24),
    (codes::ZTUNNEL_RENAMED, 25),
    (codes::ZTUNNEL_RENAMED, 26),
    (codes::DNS_AUTO_ALLOCATE, 25),
    // Who has switched it on before is told of 1.24, the others of 1.25.
    (codes::AMBIENT_DNS_CAPTURE, 24),
    (codes::AMBIENT_DNS_CAPTURE, 25),
    (codes::REMOVED_TRACER, 25),
    (codes::REMOVED_TRACER, 27),
    (codes::INFERENCE_POOL_VERSION, 28),
    (codes::MIRROR_HOST, 28),
    (codes::PASSTHROUGH_NACK, 28),
    (codes::GATEWAY_SPANS, 28),
    (codes::STATS_COMPRESSION, 29),
    (codes::DRY_RUN_POLICY, 29),
    (codes::REMAINING_METRICS, 29),
    (codes::IPTABLES_RECONCILED, 29),
    (codes::HOST_IN_SEVERAL_NAMESPACES, 30),
    (codes::EXCLUDED_AMBIENT_NAMESPACE, 30),
    // With 1.30.3, so that a way from an earlier patch of 1.30 leads over it, too.
    (codes::AUTO_REGISTERED, 30),
    (codes::AUTO_REGISTERED, 31),
    (codes::MANAGED_GATEWAY_SELECTED, 31),
    (codes::UNHEALTHY_ENDPOINTS, 31),
];

/// A move from one minor to another, the ones that it leads over included.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way {
    pub from: Minor,
    pub to: Minor,
}

impl Way {
    /// Whether the way leads over Istio `1.minor`.
    pub(super) fn leads_over(self, minor: u64) -> bool {
        let minor = Minor::new(1, minor);
        self.from < minor && minor <= self.to
    }

    /// Codes of the rules that matter on this way, each once.
    pub(super) fn rules(self) -> Vec<Code> {
        let mut rules: Vec<Code> = SINCE
            .iter()
            .filter(|(_, since)| self.leads_over(*since))
            .map(|(code, _)| *code)
            .collect();
        // EnvoyFilters are bound to Envoy's own version, which each minor changes.
        if self.from < self.to {
            rules.push(codes::ENVOY_FILTER);
        }
        rules.dedup();
        rules
    }
}

/// Definitions whose objects some rule looks at on the way from one minor to another.
pub fn read_on_the_way(from: Minor, to: Minor) -> impl Iterator<Item = &'static str> {
    let rules = Way { from, to }.rules();
    READ.into_iter()
        .filter(move |definition| objects::looked_at_by(definition).any(|code| rules.contains(&code)))
}

/// Whether a rule looks at objects of some definition.
pub(super) fn looks_at_objects(code: Code) -> bool {
    let looks = |definition: &str| objects::looked_at_by(definition).any(|looks| looks == code);
    READ.into_iter().any(looks)
}

/// An object as the rules see it.
#[derive(Clone, Copy, Debug)]
pub struct Object<'a> {
    /// Name of its definition, one of [`READ`].
    pub definition: &'a str,
    /// Its kind.
    pub kind: &'a str,
    /// Its namespace; empty for none.
    pub namespace: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Its labels.
    pub labels: &'a BTreeMap<String, String>,
    /// Its annotations.
    pub annotations: &'a BTreeMap<String, String>,
    /// Its specification.
    pub spec: &'a Value,
}

/// Looks at objects as they are listed.
#[derive(Debug, Default)]
pub struct Reader {
    hits: Hits,
    hosts: Hosts,
    routed: Routed,
    merged: Merged,
    has_sidecars: bool,
}

impl Reader {
    /// Looks at one object with every rule of its kind.
    pub fn look(&mut self, object: &Object<'_>) {
        let named = if object.namespace.is_empty() {
            format!("{} {}", object.kind, object.name)
        } else {
            format!("{} {}/{}", object.kind, object.namespace, object.name)
        };
        for (code, detail) in objects::look(object) {
            self.hits.add(code, named.clone(), detail);
        }
        if let Some((code, detail)) = objects::left_behind(object) {
            self.hits.add_left_behind(code, named.clone(), detail);
        }
        for (minor, detail) in envoy_filters::outdated(object) {
            self.hits
                .add_since(codes::ENVOY_FILTER_OUTDATED, minor, named.clone(), detail);
        }
        self.routed.look(object, &named);
        self.merged.look(object, &named);
        self.has_sidecars |= object.definition == objects::SIDECARS;
        self.hosts.look(object, &named, &mut self.hits);
    }

    /// Adds what another reader saw of other kinds.
    pub fn add(&mut self, other: Self) {
        self.hits.extend(other.hits);
        self.hosts.add(other.hosts);
        self.routed.add(other.routed);
        self.merged.add(other.merged);
        self.has_sidecars |= other.has_sidecars;
    }

    /// Notes something that is no object of [`READ`].
    pub fn note(&mut self, code: Code, object: String, detail: String, count: u64) {
        self.hits.add_many(code, object, detail, count);
    }

    /// Notes a Deployment of the operator that ran in the cluster up to 1.23.
    pub fn operator(&mut self, namespace: &str, name: &str) {
        let detail = "its release of Istio is the last that it installs".to_owned();
        self.hits.add(
            codes::IN_CLUSTER_OPERATOR,
            format!("Deployment {namespace}/{name}"),
            detail,
        );
    }

    /// Notes a Service of type ExternalName.
    pub fn external_name(&mut self, namespace: &str, name: &str) {
        self.routed.external(namespace, name);
    }

    /// What was hit, with Istio's own pods where they are; `None` where pods were not counted.
    #[must_use]
    pub fn finish(mut self, placed: Option<&[PlacedPod]>) -> Hits {
        for (object, detail) in self.merged.hits(placed) {
            self.hits.add(codes::MANAGED_GATEWAY_SELECTED, object, detail);
        }
        for (code, object, detail) in self.routed.hits() {
            self.hits.add(code, object, detail);
        }
        if self.has_sidecars {
            self.hits.copy(codes::HOST_IN_SEVERAL_NAMESPACES, codes::SIDECAR_SCOPE);
        }
        self.hits
    }
}

#[cfg(test)]
mod hosts_tests;
#[cfg(test)]
mod settings_tests;
#[cfg(test)]
mod tests;
