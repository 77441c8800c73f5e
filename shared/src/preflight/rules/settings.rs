//! Rules on how a control plane is set up: its environment, and the mesh configuration.

use super::Way;
use crate::{
    finding::{Code, codes},
    inventory::Settings,
};
use serde_json::Value;

/// Switches that a release removed from istiod, and what they held back. What 1.31 no longer knows of 1.30 is all here: a test
/// compares their sources.
const REMOVED_ENVIRONMENT: [(&str, u64, &str); 8] = [
    (
        "ENABLE_EXTERNAL_NAME_ALIAS",
        24,
        "Services of type ExternalName are always aliases",
    ),
    (
        "PERSIST_OLDEST_FIRST_HEURISTIC_FOR_VIRTUAL_SERVICE_HOST_MATCHING",
        24,
        "the most specific of overlapping wildcard hosts always wins",
    ),
    (
        "VERIFY_CERTIFICATE_AT_CLIENT",
        24,
        "where a DestinationRule starts TLS the certificate is always verified",
    ),
    ("ENABLE_AUTO_SNI", 26, "SNI is always set from the host"),
    (
        "METRIC_ROTATION_INTERVAL",
        28,
        "metrics are rotated by the proxy's configuration only",
    ),
    (
        "METRIC_GRACEFUL_DELETION_INTERVAL",
        28,
        "metrics are rotated by the proxy's configuration only",
    ),
    (
        SPANS,
        31,
        "gateways always make a span of their own for each upstream request",
    ),
    (
        "UNSAFE_PILOT_ENABLE_DELTA_TEST",
        31,
        "differences are no longer compared with the whole",
    ),
];

/// Switches that were gone by a release, and came with an earlier one: with which minor they went is not known.
const GONE_BY: [(&str, u64, &str); 4] = [
    (
        "ENABLE_INBOUND_RETRY_POLICY",
        30,
        "requests that a service has not seen are always sent again",
    ),
    (
        "EXCLUDE_UNSAFE_503_FROM_DEFAULT_RETRY",
        30,
        "a 503 is not sent again unless a route says so",
    ),
    (
        "ENABLE_ENHANCED_RESOURCE_SCOPING",
        30,
        "discoverySelectors always select configuration, too",
    ),
    (
        "ENABLE_RESOLUTION_NONE_TARGET_PORT",
        30,
        "targetPort is always respected where resolution is NONE",
    ),
];

/// Variables of istiod that a release removed, with the minor of Istio 1 that did.
pub fn removed_variables() -> impl Iterator<Item = (&'static str, u64)> {
    REMOVED_ENVIRONMENT.iter().map(|(name, since, _)| (*name, *since))
}

/// The switch by which gateways of 1.28 to 1.30 make no spans of their own.
pub(in crate::preflight) const SPANS: &str = "PILOT_SPAWN_UPSTREAM_SPAN_FOR_GATEWAY";

/// What a switch of istiod says, read as Go reads it; `None` where it says nothing, or comes from elsewhere.
pub(in crate::preflight) fn switch(settings: &Settings, name: &str) -> Option<bool> {
    match settings.environment.get(name)?.as_str() {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// Whether Services and ServiceEntries that say nothing are seen by other namespaces.
pub(in crate::preflight) fn exports_by_default(settings: &Settings) -> bool {
    let to = settings.mesh.get("defaultServiceExportTo").and_then(Value::as_array);
    let mut to = to.into_iter().flatten().filter_map(Value::as_str).peekable();
    to.peek().is_none() || to.any(|namespace| ![".", "~"].contains(&namespace))
}

/// Variables of istiod that the way leaves behind, with what changes.
pub(in crate::preflight) fn environment(settings: &Settings, way: Way) -> Vec<String> {
    let is_left = |name: &str, since: u64| way.leads_over(since) && settings.environment.contains_key(name);
    let removed = REMOVED_ENVIRONMENT
        .iter()
        .filter(|(name, since, _)| is_left(name, *since))
        .map(|(name, since, effect)| format!("{name}, gone in 1.{since}: {effect}"));
    let gone = GONE_BY
        .iter()
        .filter(|(name, by, _)| is_left(name, *by))
        .map(|(name, by, effect)| format!("{name}, gone by 1.{by}: {effect}"));
    removed.chain(gone).collect()
}

/// Keys of the mesh configuration that the way gives another meaning, or none.
pub(in crate::preflight) fn mesh_config(settings: &Settings, way: Way) -> Vec<(Code, String)> {
    let mesh = &settings.mesh;
    let mut found = Vec::new();
    let selectors = mesh.get("discoverySelectors").and_then(Value::as_array);
    if way.leads_over(22) && selectors.is_some_and(|selectors| !selectors.is_empty()) {
        found.push((codes::DISCOVERY_SELECTORS, "discoverySelectors is set".to_owned()));
    }
    let defaults = mesh.get("defaultConfig");
    let allocates = defaults
        .and_then(|defaults| defaults.get("proxyMetadata"))
        .and_then(|metadata| metadata.get("ISTIO_META_DNS_AUTO_ALLOCATE"));
    if way.leads_over(25)
        && let Some(value) = allocates
    {
        let detail = format!("defaultConfig.proxyMetadata.ISTIO_META_DNS_AUTO_ALLOCATE is {value}");
        found.push((codes::DNS_AUTO_ALLOCATE, detail));
    }
    if way.leads_over(28)
        && let Some(provider) = default_tracers(settings).next()
    {
        found.push((
            codes::GATEWAY_SPANS,
            format!("defaultProviders.tracing names {provider}"),
        ));
    }
    found.extend(tracers(mesh, way).map(|detail| (codes::REMOVED_TRACER, detail)));
    found
}

/// Providers that trace where no Telemetry says another.
fn default_tracers(settings: &Settings) -> impl Iterator<Item = &str> {
    let defaults = settings.mesh.get("defaultProviders");
    super::objects::texts(defaults.and_then(|defaults| defaults.get("tracing")))
}

/// Whether proxies traced by the default of old: it is on unless somebody said otherwise, and said where to.
pub(in crate::preflight) fn traces_by_default(settings: &Settings) -> bool {
    const BESIDE: [&str; 2] = ["customTags", "tlsSettings"];
    let tracing = settings
        .mesh
        .get("defaultConfig")
        .and_then(|defaults| defaults.get("tracing"));
    // The charts of before wrote the default itself down.
    let is_default = |key: &str, tracer: &Value| {
        let address = tracer.get("address").and_then(Value::as_str);
        key == "zipkin" && address.is_none_or(|address| address.starts_with("zipkin."))
    };
    let names_tracer = |tracing: &Value| {
        let mut keys = tracing.as_object().into_iter().flatten();
        // Beside the tracer stand only how much is traced, and with which tags.
        keys.any(|(key, value)| value.is_object() && !BESIDE.contains(&key.as_str()) && !is_default(key, value))
    };
    let is_off = settings.mesh.get("enableTracing") == Some(&Value::Bool(false));
    !is_off && !tracing.is_some_and(names_tracer) && default_tracers(settings).next().is_none()
}

/// Tracers that were removed, where they are configured. Only names are told: beside them may stand a token.
fn tracers(mesh: &Value, way: Way) -> impl Iterator<Item = String> {
    // Envoy itself removed OpenCensus in 1.33, which 1.25 brought; Istio's own part went with Lightstep.
    const GONE: [(&str, &[u64]); 3] = [
        ("lightstep", &[27]),
        ("opencensus", &[25, 27]),
        ("openCensusAgent", &[25, 27]),
    ];
    let gone: Vec<&str> = GONE
        .into_iter()
        .filter(|(_, since)| since.iter().any(|minor| way.leads_over(*minor)))
        .map(|(name, _)| name)
        .collect();
    let providers = mesh.get("extensionProviders").and_then(Value::as_array);
    let names = gone.clone();
    let of_providers = providers.into_iter().flatten().filter_map(move |provider| {
        let gone = names.iter().find(|name| provider.get(name).is_some())?;
        let name = provider.get("name").and_then(Value::as_str).unwrap_or("without a name");
        Some(format!("the provider {name} is of {gone}"))
    });
    let of_proxies = mesh.get("defaultConfig").and_then(|defaults| defaults.get("tracing"));
    let of_proxies = gone.into_iter().filter_map(move |name| {
        of_proxies?.get(name)?;
        Some(format!("defaultConfig.tracing.{name} is set"))
    });
    of_providers.chain(of_proxies)
}
