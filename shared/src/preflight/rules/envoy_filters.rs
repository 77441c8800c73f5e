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

/// Minors of Istio 1 of which no such change is known: their notes name none, and Envoy's own were not gone through for them.
const NOTHING_KNOWN: [u64; 7] = [21, 22, 23, 24, 26, 29, 30];

/// Whether the table has nothing for a minor of Istio 1.
pub(super) fn is_nothing_known(minor: u64) -> bool {
    NOTHING_KNOWN.contains(&minor)
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_minor_has_an_entry_or_the_word_that_nothing_is_known() {
        for minor in 21..=31 {
            let has_entry = CHANGED.iter().any(|(_, since, _)| *since == minor);
            assert_ne!(has_entry, is_nothing_known(minor), "1.{minor}");
        }
    }
}
