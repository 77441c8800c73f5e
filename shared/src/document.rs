//! YAML documents that people write: read with limits, refused with file, line and reason.

use serde::de::DeserializeOwned;
use serde_saphyr::Location;
use std::fmt;

/// More than any document of ours needs; keeps a wrong file from being read for long.
const MAX_SIZE: usize = 1024 * 1024;

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

/// Reads a document.
pub(crate) fn read<T: DeserializeOwned>(text: &str, origin: &str) -> Result<T, DocumentError> {
    if text.len() > MAX_SIZE {
        return Err(DocumentError::at(origin, None, "the file has more than 1 MiB"));
    }
    serde_saphyr::from_str(text).map_err(|error| DocumentError::at(origin, error.location(), reason(&error)))
}

/// The reader's message without the excerpt of the file: the location is given apart.
fn reason(error: &serde_saphyr::Error) -> String {
    let message = error.without_snippet().to_string();
    let first = message.lines().next().unwrap_or_default();
    first.split(" at line ").next().unwrap_or(first).to_owned()
}
