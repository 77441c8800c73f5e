//! Why a catalog cannot be used: which file, which line, what is wrong.

use serde_saphyr::Location;
use std::fmt;

/// A catalog that cannot be read, or that contradicts itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogError {
    /// Where the text comes from: a file's name, or `the embedded catalog`.
    pub origin: String,
    /// Line, counted from 1.
    pub line: Option<u64>,
    /// Column, counted from 1.
    pub column: Option<u64>,
    /// What is wrong and what was expected.
    pub reason: String,
}

impl CatalogError {
    pub(super) fn at(origin: &str, location: Option<Location>, reason: impl Into<String>) -> Self {
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

impl fmt::Display for CatalogError {
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

impl std::error::Error for CatalogError {}
