//! Rules on single objects: one small function each, which says what it found.

use super::Object;
use crate::finding::{Code, codes};
use serde_json::Value;

type Look = fn(&Object<'_>) -> Option<String>;

/// Rules with the definitions whose objects they look at.
const RULES: [(Code, &str, Look); 25] = [
    (
        codes::EXTERNAL_NAME_TLS,
        "destinationrules.networking.istio.io",
        starts_tls,
    ),
    (
        codes::WILDCARD_HOSTS,
        "virtualservices.networking.istio.io",
        wildcard_hosts,
    ),
    (
        codes::SERVICE_ENTRY_TARGET_PORT,
        "serviceentries.networking.istio.io",
        target_port,
    ),
    (
        codes::SERVICE_ACCOUNT_WAYPOINT,
        "gateways.gateway.networking.k8s.io",
        service_account_waypoint,
    ),
    (codes::IN_CLUSTER_OPERATOR, OPERATORS, acted_on),
    (codes::WASM_PEER_EXPRESSION, TELEMETRIES, old_expression),
    (
        codes::WASM_PEER_EXPRESSION,
        "envoyfilters.networking.istio.io",
        wasm_peer,
    ),
    (
        codes::GATEWAY_NAME_LABEL,
        "authorizationpolicies.security.istio.io",
        old_gateway_label,
    ),
    (
        codes::GATEWAY_NAME_LABEL,
        "gateways.networking.istio.io",
        old_gateway_label,
    ),
    (codes::GATEWAY_NAME_LABEL, TELEMETRIES, old_gateway_label),
    (
        codes::GATEWAY_NAME_LABEL,
        "requestauthentications.security.istio.io",
        old_gateway_label,
    ),
    (
        codes::GATEWAY_NAME_LABEL,
        "peerauthentications.security.istio.io",
        old_gateway_label,
    ),
    (
        codes::GATEWAY_NAME_LABEL,
        "wasmplugins.extensions.istio.io",
        old_gateway_label,
    ),
    (codes::GATEWAY_NAME_LABEL, ENVOY_FILTERS, old_gateway_label),
    (codes::GATEWAY_NAME_LABEL, SIDECARS, old_gateway_label),
    (
        codes::GATEWAY_NAME_LABEL,
        "proxyconfigs.networking.istio.io",
        old_gateway_label,
    ),
    (
        codes::DNS_AUTO_ALLOCATE,
        "proxyconfigs.networking.istio.io",
        auto_allocate,
    ),
    (codes::MIRROR_HOST, "virtualservices.networking.istio.io", mirrors),
    (
        codes::MIRROR_HOST,
        "httproutes.gateway.networking.k8s.io",
        mirrors_requests,
    ),
    (
        codes::PASSTHROUGH_NACK,
        "serviceentries.networking.istio.io",
        passthrough,
    ),
    (codes::GATEWAY_SPANS, TELEMETRIES, tracing),
    (
        codes::DRY_RUN_POLICY,
        "authorizationpolicies.security.istio.io",
        dry_run,
    ),
    (codes::REMAINING_METRICS, "destinationrules.networking.istio.io", limits),
    (
        codes::UNHEALTHY_ENDPOINTS,
        "destinationrules.networking.istio.io",
        outliers,
    ),
    (
        codes::AUTO_REGISTERED,
        "workloadentries.networking.istio.io",
        auto_registered,
    ),
];

/// Definitions that are looked at beside [`RULES`].
const OPERATORS: &str = "istiooperators.install.istio.io";
const ENVOY_FILTERS: &str = "envoyfilters.networking.istio.io";
pub(super) const GATEWAYS: &str = "gateways.networking.istio.io";
pub(super) const SERVICE_ENTRIES: &str = "serviceentries.networking.istio.io";
const TELEMETRIES: &str = "telemetries.telemetry.istio.io";
pub(super) const SIDECARS: &str = "sidecars.networking.istio.io";

/// Rules that look at objects of a definition.
pub(in crate::preflight) fn looked_at_by(definition: &str) -> impl Iterator<Item = Code> {
    let beside = [
        (codes::ENVOY_FILTER, ENVOY_FILTERS),
        (codes::ENVOY_FILTER_OUTDATED, ENVOY_FILTERS),
        (codes::HOST_IN_SEVERAL_NAMESPACES, SERVICE_ENTRIES),
        (codes::MANAGED_GATEWAY_SELECTED, GATEWAYS),
        // Who traces by one does so on purpose, and not by the default.
        (codes::ZIPKIN_DEFAULT, TELEMETRIES),
        (codes::SIDECAR_SCOPE, SERVICE_ENTRIES),
        (codes::SIDECAR_SCOPE, SIDECARS),
        (codes::EXTERNAL_NAME_ROUTED, "destinationrules.networking.istio.io"),
        (codes::EXTERNAL_NAME_ROUTED, "virtualservices.networking.istio.io"),
    ];
    let of_rules = RULES.iter().map(|(code, of, _)| (*code, *of));
    of_rules
        .chain(beside)
        .filter(move |(_, of)| *of == definition)
        .map(|(code, _)| code)
}

/// What the rules find in an object.
pub(super) fn look<'a>(object: &'a Object<'a>) -> impl Iterator<Item = (Code, String)> + 'a {
    let filters = (object.definition == ENVOY_FILTERS).then(|| (codes::ENVOY_FILTER, patched(object)));
    RULES
        .iter()
        .filter(|(_, definition, _)| *definition == object.definition)
        .filter_map(|(code, _, look)| Some((*code, look(object)?)))
        .chain(filters)
}

/// The texts of a list; none where it is no list.
pub(super) fn texts(list: Option<&Value>) -> impl Iterator<Item = &str> {
    list.and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
}

/// Whether proxies of other namespaces see what the object declares; `None` where it leaves that to the mesh.
pub(super) fn is_exported(object: &Object<'_>) -> Option<bool> {
    let mut to = texts(object.spec.get("exportTo")).peekable();
    to.peek()?;
    Some(to.any(|namespace| ![".", "~", object.namespace].contains(&namespace)))
}

/// Namespace of the Service that would have this host in a cluster, `NAME.NAMESPACE.svc.cluster.local`.
pub(super) fn namespace_of_service(host: &str) -> Option<&str> {
    let (name, namespace) = host.strip_suffix(".svc.cluster.local")?.split_once('.')?;
    (name != "*" && !namespace.contains('.')).then_some(namespace)
}

/// All values of a key at any depth.
fn all<'a>(value: &'a Value, key: &str, found: &mut Vec<&'a Value>) {
    match value {
        Value::Object(fields) => {
            for (name, inner) in fields {
                if name == key {
                    found.push(inner);
                }
                all(inner, key, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| all(item, key, found)),
        _ => {}
    }
}

pub(super) fn values<'a>(value: &'a Value, key: &str) -> Vec<&'a Value> {
    let mut found = Vec::new();
    all(value, key, &mut found);
    found
}

fn acted_on(object: &Object<'_>) -> Option<String> {
    (!is_record(object)).then(|| "nobody acts on it".to_owned())
}

/// Whether an IstioOperator is what each `istioctl install` before 1.24 left of itself, `installed-state` or
/// `installed-state-REVISION`, which no operator ever acted on.
fn is_record(object: &Object<'_>) -> bool {
    let rest = object.name.strip_prefix("installed-state");
    object.definition == OPERATORS && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

/// What an object is that nobody needs any more.
pub(super) fn left_behind(object: &Object<'_>) -> Option<(Code, String)> {
    is_record(object).then(|| {
        let what = "a record that istioctl keeps of what it installed";
        (codes::IN_CLUSTER_OPERATOR, what.to_owned())
    })
}

fn starts_tls(object: &Object<'_>) -> Option<String> {
    let missing = |tls: &Value| -> Option<String> {
        let text = |key: &str| tls.get(key).and_then(Value::as_str).unwrap_or_default();
        let mode = text("mode");
        if !matches!(mode, "SIMPLE" | "MUTUAL") || tls.get("insecureSkipVerify").and_then(Value::as_bool) == Some(true)
        {
            return None;
        }
        let trusts = !text("caCertificates").is_empty() || !text("credentialName").is_empty();
        let what = match (trusts, !text("sni").is_empty()) {
            (false, false) => "caCertificates and sni",
            (false, true) => "caCertificates",
            (true, false) => "sni",
            (true, true) => return None,
        };
        let host = object.spec.get("host").and_then(Value::as_str).unwrap_or_default();
        Some(format!("TLS {mode} to {host} without {what}"))
    };
    values(object.spec, "tls").into_iter().find_map(missing)
}

fn wildcard_hosts(object: &Object<'_>) -> Option<String> {
    let gateways: Vec<&str> = texts(object.spec.get("gateways")).collect();
    let of_mesh = gateways.is_empty() || gateways.contains(&"mesh");
    let host = texts(object.spec.get("hosts")).find(|host| host.starts_with('*'))?;
    of_mesh.then(|| format!("the host {host}"))
}

/// Whether the ServiceEntry has no resolution; that is the default.
fn is_passthrough(object: &Object<'_>) -> bool {
    let resolution = object.spec.get("resolution").and_then(Value::as_str);
    resolution.is_none_or(|resolution| resolution == "NONE")
}

fn target_port(object: &Object<'_>) -> Option<String> {
    let ports = object.spec.get("ports")?.as_array()?;
    let port = ports.iter().find_map(|port| port.get("targetPort")?.as_u64())?;
    is_passthrough(object).then(|| format!("targetPort {port} with the resolution NONE"))
}

fn passthrough(object: &Object<'_>) -> Option<String> {
    is_passthrough(object).then(|| "the resolution is NONE".to_owned())
}

fn service_account_waypoint(object: &Object<'_>) -> Option<String> {
    let account = object.annotations.get("istio.io/for-service-account")?;
    let class = object.spec.get("gatewayClassName").and_then(Value::as_str);
    (class == Some("istio-waypoint")).then(|| format!("for the service account {account}"))
}

fn wasm_peer(object: &Object<'_>) -> Option<String> {
    let text = object.spec.to_string();
    let found = ["wasm.upstream_peer", "wasm.downstream_peer"]
        .into_iter()
        .find(|name| text.contains(name))?;
    Some(format!("reads {found}"))
}

fn old_expression(object: &Object<'_>) -> Option<String> {
    let found = super::expressions::old_name(object.spec)?;
    Some(format!("reads {found}"))
}

fn old_gateway_label(object: &Object<'_>) -> Option<String> {
    const LABEL: &str = "istio.io/gateway-name";
    let selector = ["selector", "workloadSelector"]
        .into_iter()
        .find_map(|key| object.spec.get(key))?;
    let labels = ["matchLabels", "labels"].into_iter().find_map(|key| selector.get(key));
    let labels = labels.unwrap_or(selector);
    let gateway = labels.get(LABEL)?.as_str()?;
    Some(format!("selects {LABEL}={gateway}"))
}

fn auto_allocate(object: &Object<'_>) -> Option<String> {
    let value = object
        .spec
        .get("environmentVariables")?
        .get("ISTIO_META_DNS_AUTO_ALLOCATE")?;
    Some(format!("ISTIO_META_DNS_AUTO_ALLOCATE is {value}"))
}

fn mirrors(object: &Object<'_>) -> Option<String> {
    let to = values(object.spec, "mirror")
        .into_iter()
        .chain(values(object.spec, "mirrors"))
        .next()?;
    let host = values(to, "host")
        .into_iter()
        .find_map(Value::as_str)
        .unwrap_or_default();
    Some(format!("mirrors to {host}"))
}

fn mirrors_requests(object: &Object<'_>) -> Option<String> {
    let to = values(object.spec, "requestMirror").into_iter().next()?;
    let host = to
        .get("backendRef")
        .and_then(|to| to.get("name"))
        .and_then(Value::as_str);
    let host = host.unwrap_or_default();
    Some(format!("mirrors to {host}"))
}

fn tracing(object: &Object<'_>) -> Option<String> {
    let tracing = object.spec.get("tracing")?.as_array()?;
    (!tracing.is_empty()).then(|| "tracing is set".to_owned())
}

fn dry_run(object: &Object<'_>) -> Option<String> {
    let value = object.annotations.get("istio.io/dry-run")?;
    (value == "true").then(|| "istio.io/dry-run is true".to_owned())
}

fn limits(object: &Object<'_>) -> Option<String> {
    let limits = values(object.spec, "connectionPool");
    (!limits.is_empty()).then(|| "connectionPool is set".to_owned())
}

fn outliers(object: &Object<'_>) -> Option<String> {
    let without = |detection: &&Value| detection.is_object() && detection.get("minHealthPercent").is_none();
    values(object.spec, "outlierDetection")
        .into_iter()
        .find(without)
        .map(|_| "outlierDetection without minHealthPercent".to_owned())
}

fn auto_registered(object: &Object<'_>) -> Option<String> {
    let group = object.annotations.get("istio.io/autoRegistrationGroup")?;
    let tunnel = object.labels.get("networking.istio.io/tunnel").map(String::as_str);
    (tunnel != Some("http")).then(|| format!("registered for the group {group}"))
}

/// Most names that are told of one EnvoyFilter.
const MAX_NAMES: usize = 6;

/// What of Envoy an EnvoyFilter names: where it applies, and filters and types of Envoy's own.
fn patched(object: &Object<'_>) -> String {
    let mut names: Vec<&str> = Vec::new();
    for key in ["applyTo", "name", "@type"] {
        for value in values(object.spec, key).into_iter().filter_map(Value::as_str) {
            let name = value.rsplit('/').next().unwrap_or(value);
            if (key == "applyTo" || name.starts_with("envoy.")) && !names.contains(&name) && names.len() < MAX_NAMES {
                names.push(name);
            }
        }
    }
    names.join(", ")
}
