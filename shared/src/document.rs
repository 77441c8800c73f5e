//! YAML documents that people write: read with limits, refused with file, line and reason.

use serde::de::DeserializeOwned;
use serde_saphyr::{Location, Options};
use std::fmt;

/// More than any document needs that people write; keeps a wrong file from being read for long.
const LONGEST: usize = MIB;
/// The same of what this tool writes itself: a report or a plan of a hundred clusters has several MiB.
const LONGEST_OWN: usize = 16 * MIB;
const MIB: usize = 1024 * 1024;
/// Values in as long a document: a report has one in some 20 bytes.
const VALUES_OWN: usize = 2_000_000;

/// A document that cannot be read, or that contradicts itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentError {
    /// Where the text comes from: a file's name, or what is built in.
    pub origin: String,
    /// Line, counted from 1.
    pub line: Option<u64>,
    /// Column, counted from 1.
    pub column: Option<u64>,
    /// What is wrong and what was expected.
    pub reason: String,
}

impl DocumentError {
    pub(crate) fn at(origin: &str, location: Option<Location>, reason: impl Into<String>) -> Self {
        // A location of zero means that the reader lost it.
        let location = location.filter(|location| location.line() > 0);
        Self {
            origin: origin.to_owned(),
            line: location.map(|location| location.line()),
            column: location.map(|location| location.column()),
            reason: reason.into(),
        }
    }
}

impl fmt::Display for DocumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.origin)?;
        if let Some(line) = self.line {
            write!(f, ", line {line}")?;
        }
        if let Some(column) = self.column {
            write!(f, ", column {column}")?;
        }
        write!(f, ": {}", self.reason)
    }
}

impl std::error::Error for DocumentError {}

/// Reads a document that people write.
pub(crate) fn read<T: DeserializeOwned>(text: &str, origin: &str) -> Result<T, DocumentError> {
    within(LONGEST, text, origin, serde_saphyr::options! {})
}

/// Reads a document that this tool has written.
pub(crate) fn read_own<T: DeserializeOwned>(text: &str, origin: &str) -> Result<T, DocumentError> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_nodes: VALUES_OWN,
            max_events: 2 * VALUES_OWN,
        },
    };
    within(LONGEST_OWN, text, origin, options)
}

fn within<T: DeserializeOwned>(longest: usize, text: &str, origin: &str, options: Options) -> Result<T, DocumentError> {
    if text.len() > longest {
        let reason = format!("the file has more than {} MiB", longest / MIB);
        return Err(DocumentError::at(origin, None, reason));
    }
    serde_saphyr::from_str_with_options(text, options)
        .map_err(|error| DocumentError::at(origin, error.location(), reason(&error)))
}

/// The reader's message without the excerpt of the file: the location is given apart.
fn reason(error: &serde_saphyr::Error) -> String {
    let message = error.without_snippet().to_string();
    let first = message.lines().next().unwrap_or_default();
    first.split(" at line ").next().unwrap_or(first).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn what_this_tool_writes_may_be_longer() {
        let long = format!("a: {}", "x".repeat(LONGEST));
        let error = read::<Value>(&long, "f.yaml").unwrap_err();
        assert_eq!(error.to_string(), "f.yaml: the file has more than 1 MiB");
        assert!(read_own::<Value>(&long, "f.yaml").is_ok());
        let error = read_own::<Value>(&" ".repeat(LONGEST_OWN + 1), "f.yaml").unwrap_err();
        assert_eq!(error.to_string(), "f.yaml: the file has more than 16 MiB");
    }
}
