//! YAML as Go's programs read it. What helm, istiod and Argo CD take has to be readable here, too: Istio's own charts print a
//! label twice where the values repeat it.

use serde::de::DeserializeOwned;
use serde_saphyr::options::DuplicateKeyPolicy;

/// Where a text ends to be YAML of the expected shape, both counted from 1. Nothing of the text itself: values stand there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Line of the text.
    pub line: u64,
    /// Column of the line.
    pub column: u64,
}

impl Unreadable {
    /// The same in a longer text, in which so many lines come before this one.
    #[must_use]
    pub fn after(self, lines: u64) -> Self {
        Self {
            line: self.line.saturating_add(lines),
            ..self
        }
    }
}

/// Reads one document. Of a key that stands there twice the last one counts, as in `sigs.k8s.io/yaml` when it is not strict;
/// documents that people write for this tool are read more strictly, see [`crate::document`].
///
/// # Errors
/// When it is no YAML, or of another shape than was asked for.
pub fn as_go_reads<T: DeserializeOwned>(text: &str) -> Result<T, Unreadable> {
    let options = serde_saphyr::options! {
        duplicate_keys: DuplicateKeyPolicy::LastWins,
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        // A location of zero means that the reader lost it.
        let at = error.location().filter(|at| at.line() > 0);
        Unreadable {
            line: at.map_or(1, |at| at.line()),
            column: at.map_or(1, |at| at.column().max(1)),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use serde_json::{Value, json};

    #[test]
    fn of_a_key_that_stands_twice_the_last_one_counts() {
        let text = "metadata:\n  annotations:\n    prometheus.io/scrape: \"true\"\n    other: x\n    \
                    prometheus.io/scrape: \"false\"\nspec: 1\nspec: {a: 2}\n";
        let expected = json!({
            "metadata": {"annotations": {"prometheus.io/scrape": "false", "other": "x"}}, "spec": {"a": 2},
        });
        assert_eq!(as_go_reads::<Value>(text), Ok(expected));
        #[derive(Debug, PartialEq, Eq, Deserialize)]
        struct Object {
            spec: Value,
        }
        assert_eq!(as_go_reads::<Object>(text), Ok(Object { spec: json!({"a": 2}) }));
        // Nothing of a value that was replaced is left.
        assert_eq!(as_go_reads::<Value>("a: {b: 1}\na: {c: 2}"), Ok(json!({"a": {"c": 2}})));
    }

    #[test]
    fn where_it_ends_is_told_and_nothing_else() {
        let error = as_go_reads::<Value>("a: 1\npassword: [hunter2").unwrap_err();
        assert_eq!(error.line, 2, "{error:?}");
        assert_eq!(error.after(40).line, 42);
        assert!(as_go_reads::<Vec<u8>>("a: 1").is_err());
    }
}
