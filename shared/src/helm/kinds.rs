//! Kinds of the objects in a release's manifest.

use serde::Deserialize;
use serde_json::value::RawValue;
use std::{borrow::Cow, collections::BTreeSet};

/// Kinds in a manifest, read where it stands in the JSON: unescaping a megabyte of CRDs takes longer than skipping them.
#[derive(Default)]
pub(super) struct Kinds {
    /// Each once, as `policy/v1 PodDisruptionBudget`.
    pub names: Vec<String>,
}

impl<'de> Deserialize<'de> for Kinds {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?;
        match raw.get().strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
            Some(manifest) => Ok(Self {
                names: kinds(manifest).into_iter().collect(),
            }),
            // Null, or no manifest at all.
            None => Option::<String>::deserialize(raw)
                .map(|_| Self::default())
                .map_err(serde::de::Error::custom),
        }
    }
}

/// `apiVersion` and `kind` of each document, which stand at the beginning of a line in what helm renders; `manifest` is the
/// inside of a JSON string.
fn kinds(manifest: &str) -> BTreeSet<String> {
    let mut kinds = BTreeSet::new();
    for document in split(manifest, r"\n---") {
        let field = |name: &str| {
            let value = split(document, r"\n").find_map(|line| line.strip_prefix(name))?;
            let value = unescaped(value)?;
            let value = value.split(" #").next().unwrap_or(&value);
            Some(value.trim().trim_matches(['"', '\'']).to_owned())
        };
        if let (Some(version), Some(kind)) = (field("apiVersion:"), field("kind:")) {
            kinds.insert(format!("{version} {kind}"));
        }
    }
    kinds
}

/// The parts of a JSON string between marks that begin with an escape.
fn split<'a>(text: &'a str, mark: &'static str) -> impl Iterator<Item = &'a str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        // Behind an odd number of backslashes the first of the mark is itself escaped.
        let is_mark = |place: &usize| {
            let before = text.as_bytes().get(..*place).unwrap_or_default();
            before.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 0
        };
        let mut marks = text.match_indices(mark).map(|(place, _)| place);
        let part = marks.find(is_mark).and_then(|place| text.split_at_checked(place));
        rest = part.and_then(|(_, rest)| rest.strip_prefix(mark));
        Some(part.map_or(text, |(part, _)| part))
    })
}

/// The text that stands within a JSON string.
fn unescaped(text: &str) -> Option<Cow<'_, str>> {
    if text.contains('\\') {
        serde_json::from_str(&format!("\"{text}\"")).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    /// The same kinds, out of the manifest as text.
    fn kinds_of_text(manifest: &str) -> BTreeSet<String> {
        let of_document = |document: &str| {
            let field = |name: &str| {
                let value = document.lines().find_map(|line| line.strip_prefix(name))?;
                let value = value.split(" #").next()?;
                Some(value.trim().trim_matches(['"', '\'']).to_owned())
            };
            Some(format!("{} {}", field("apiVersion:")?, field("kind:")?))
        };
        manifest.split("\n---").filter_map(of_document).collect()
    }

    #[test]
    fn kinds_are_read_out_of_the_escaped_manifest() {
        let manifest = "---\n# Source: a\napiVersion: apps/v1\nkind: \"Deployment\" # why\nspec:\n  kind: Nested\n---\r\n\
                        kind: 'Job'\r\napiVersion: batch/v1\r\n--- # c\napiVersion: v1\ndata: \"\\n---\\nkind: Pod\"\n";
        let read = |manifest: serde_json::Value| serde_json::from_str::<Kinds>(&manifest.to_string());
        let expected = ["apps/v1 Deployment", "batch/v1 Job"];
        assert_eq!(read(json!(manifest)).unwrap().names, expected);
        assert!(read(json!(null)).unwrap().names.is_empty());
        assert!(read(json!(["---"])).is_err());
    }

    proptest! {
        #[test]
        fn kinds_are_those_of_the_text(parts in proptest::collection::vec(prop::sample::select(vec![
            "\n", "\n---", "---", "\n---\n", "apiVersion: v1", "kind: Pod", "kind:", "\\", "\\n", "\\\\n", "\"", " # ", "'", "\r", "\t",
            "é", "\u{1}", "\napiVersion: a/b", "\nkind: C",
        ]), 0..40)) {
            let manifest = parts.concat();
            let escaped = json!(manifest).to_string();
            let read: Kinds = serde_json::from_str(&escaped).unwrap();
            prop_assert_eq!(read.names, kinds_of_text(&manifest).into_iter().collect::<Vec<_>>());
        }
    }
}
