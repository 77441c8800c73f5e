//! Expressions (CEL) of Telemetries, and the names in them that 1.24 took away.
//!
//! Sources: releasenotes/notes/telemetry-cel.yaml of istio/istio; Envoy's attributes.

use super::objects::values;
use serde_json::Value;

/// Roots that proxies knew up to 1.23, with the name that came for each: an expression that reads that as well is made for
/// both.
const OLD: [(&str, &str); 3] = [
    ("upstream_peer", "filter_state.upstream_peer"),
    ("downstream_peer", "filter_state.downstream_peer"),
    ("node", "xds.node"),
];
/// Attributes of the peer as the older proxies kept them, quoted or not.
const OF_WASM: [(&str, &str); 2] = [
    ("wasm.upstream_peer", "filter_state.upstream_peer"),
    ("wasm.downstream_peer", "filter_state.downstream_peer"),
];
/// Begins the attributes of Istio's own extensions, which are read as `filter_state["wasm.istio_…"]` now.
const OF_EXTENSIONS: &str = "istio_";

/// The first name that is gone in the expressions of a Telemetry.
pub(super) fn old_name(spec: &Value) -> Option<&str> {
    let filters = values(spec, "expression").into_iter();
    let overrides = values(spec, "tagOverrides").into_iter().filter_map(Value::as_object);
    let tags = overrides.flat_map(|tags| tags.values().filter_map(|tag| tag.get("value")));
    filters.chain(tags).filter_map(Value::as_str).find_map(old_name_in)
}

fn old_name_in(expression: &str) -> Option<&str> {
    let is_for_both = |new: &str| expression.contains(new);
    let of_wasm = OF_WASM
        .into_iter()
        .find(|(old, new)| expression.contains(old) && !is_for_both(new));
    if let Some((old, _)) = of_wasm {
        return Some(old);
    }
    roots(expression).find(|root| {
        let known = OLD.into_iter().find(|(old, _)| old == root);
        known.is_some_and(|(_, new)| !is_for_both(new)) || root.starts_with(OF_EXTENSIONS)
    })
}

/// Names that an expression begins a path with, outside of texts.
fn roots(expression: &str) -> impl Iterator<Item = &str> {
    let mut rest = expression;
    let mut after_dot = false;
    std::iter::from_fn(move || {
        loop {
            let first = rest.chars().next()?;
            if first == '"' || first == '\'' {
                rest = after_text(rest, first);
                after_dot = false;
            } else if first.is_ascii_alphabetic() || first == '_' {
                let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
                let end = rest.find(|letter: char| !is_part(letter)).unwrap_or(rest.len());
                let (name, behind) = rest.split_at_checked(end)?;
                rest = behind;
                if !std::mem::take(&mut after_dot) {
                    return Some(name);
                }
            } else {
                after_dot = first == '.' || after_dot && first.is_whitespace();
                rest = rest.get(first.len_utf8()..)?;
            }
        }
    })
}

/// What follows a text that begins with its mark.
fn after_text(text: &str, mark: char) -> &str {
    let mut escaped = false;
    for (at, letter) in text.char_indices().skip(1) {
        if std::mem::take(&mut escaped) {
            continue;
        }
        match letter {
            '\\' => escaped = true,
            _ if letter == mark => return text.get(at + 1..).unwrap_or_default(),
            _ => {}
        }
    }
    ""
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_that_are_gone_are_told_from_the_same_words_elsewhere() {
        for (expression, expected) in [
            ("wasm.upstream_peer.name == 'x'", Some("wasm.upstream_peer")),
            (
                "filter_state['wasm.downstream_peer'].name",
                Some("wasm.downstream_peer"),
            ),
            ("upstream_peer.app", Some("upstream_peer")),
            ("filter_state.upstream_peer.app", None),
            ("filter_state . upstream_peer . app", None),
            ("node.metadata['CLUSTER_ID']", Some("node")),
            ("xds.node.metadata['CLUSTER_ID']", None),
            ("request.headers['node'] == \"a \\\" node\"", None),
            (
                "response.code >= 400 && istio_responseClass == '5xx'",
                Some("istio_responseClass"),
            ),
            ("filter_state[\"wasm.istio_responseClass\"]", None),
            (
                "has(filter_state.downstream_peer) ? filter_state.downstream_peer.namespace : \
                 filter_state[\"wasm.downstream_peer\"].namespace",
                None,
            ),
            ("has(xds.node) ? xds.node.id : node.id", None),
            ("nodes.size()", None),
            ("'unclosed node", None),
            ("", None),
        ] {
            assert_eq!(old_name_in(expression), expected, "{expression}");
        }
    }

    #[test]
    fn filters_and_tags_are_read() {
        for (spec, expected) in [
            (
                json!({"accessLogging": [{"filter": {"expression": "node.id == 'x'"}}]}),
                Some("node"),
            ),
            (
                json!({"metrics": [{"overrides": [{"tagOverrides": {"a": {"value": "upstream_peer.app"}}}]}]}),
                Some("upstream_peer"),
            ),
            (
                json!({"metrics": [{"overrides": [{"tagOverrides": {"node": {"operation": "REMOVE"}}}]}]}),
                None,
            ),
            (
                json!({"tracing": [{"customTags": {"node": {"literal": {"value": "node"}}}}]}),
                None,
            ),
            (json!(null), None),
        ] {
            assert_eq!(old_name(&spec), expected, "{spec}");
        }
    }
}
