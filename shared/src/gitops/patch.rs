//! The change to be merged, as text: the fields down to the version, the old one taken away and the new one put in.

use super::{Followed, Source};
use std::fmt::Write as _;

/// What has to change in the repository for an object to bring a version; empty where nothing has.
#[must_use]
pub fn patch(followed: &Followed, to: &str) -> String {
    let due = followed.sources.iter().filter(|source| {
        let version = source.version.as_deref();
        version.is_none_or(|version| !super::is_version(version, to))
    });
    due.map(|source| of_source(source, to)).collect()
}

fn of_source(source: &Source, to: &str) -> String {
    let mut text = format!("--- {}\n+++ {}\n", source.object, source.object);
    let Some((last, parents)) = source.path.split_last() else {
        return text;
    };
    let mut indent = String::new();
    let line = |text: &mut String, mark: char, indent: &str, what: &str| {
        // Writing into a String cannot fail.
        let _ = writeln!(text, "{mark}{indent}{what}");
    };
    for field in parents {
        match field.split_once('[') {
            Some((list, index)) => {
                line(&mut text, ' ', &indent, &format!("{list}:"));
                line(
                    &mut text,
                    ' ',
                    &indent,
                    &format!("- # the source of index {}", index.trim_end_matches(']')),
                );
            }
            None => line(&mut text, ' ', &indent, &format!("{field}:")),
        }
        indent.push_str("  ");
    }
    for (field, value) in &source.beside {
        line(&mut text, ' ', &indent, &format!("{field}: {value}"));
    }
    if let Some(version) = &source.version {
        line(&mut text, '-', &indent, &format!("{last}: {version}"));
    }
    line(&mut text, '+', &indent, &format!("{last}: {to}"));
    text
}
