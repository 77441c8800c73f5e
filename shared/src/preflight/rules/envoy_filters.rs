//! What of Envoy, or of what istiod generates, each release changed under the feet of EnvoyFilters.

use super::{Object, objects::values};
use serde_json::Value;

/// How an EnvoyFilter names something.
enum Named {
    /// A key of a patch, in the manner of protobuf or of JSON.
    Field(&'static str, &'static str),
    /// The last part of a name or of a type's address.
    Text(&'static str),
}
use Named::{Field, Text};

/// What was changed, with the minor of Istio 1 that did it, and what it means.
const CHANGED: [(Named, u64, &str); 8] = [
    (
        Field("use_remote_address", "useRemoteAddress"),
        25,
        "private addresses are internal no more (Envoy 1.33)",
    ),
    (
        Field("internal_address_config", "internalAddressConfig"),
        25,
        "its default is an empty set (Envoy 1.33)",
    ),
    (Text("envoy.tracers.opencensus"), 25, "Envoy 1.33 removed it"),
    (
        Text("envoy.config.trace.v3.OpenCensusConfig"),
        25,
        "Envoy 1.33 removed it",
    ),
    (Text("envoy.tracers.lightstep"), 27, "Istio removed Lightstep"),
    (
        Text("envoy.config.trace.v3.LightstepConfig"),
        27,
        "Istio removed Lightstep",
    ),
    (
        Field("spawn_upstream_span", "spawnUpstreamSpan"),
        28,
        "istiod sets it for gateways",
    ),
    (
        Field("spawn_upstream_span", "spawnUpstreamSpan"),
        31,
        "istiod always sets it for gateways",
    ),
];

/// What the filter names, by the minor that changed it.
pub(super) fn outdated(object: &Object<'_>) -> Vec<(u64, String)> {
    if object.definition != "envoyfilters.networking.istio.io" {
        return Vec::new();
    }
    let mut texts: Vec<&str> = Vec::new();
    for key in ["name", "@type"] {
        let found = values(object.spec, key).into_iter().filter_map(Value::as_str);
        texts.extend(found.map(|text| text.rsplit('/').next().unwrap_or(text)));
    }
    let is_named = |named: &Named| match named {
        Field(snake, camel) => !values(object.spec, snake).is_empty() || !values(object.spec, camel).is_empty(),
        Text(text) => texts.contains(text),
    };
    let hits = CHANGED.iter().filter(|(named, ..)| is_named(named));
    hits.map(|(named, since, what)| {
        let (Field(name, _) | Text(name)) = named;
        (*since, format!("{name}: {what}"))
    })
    .collect()
}
