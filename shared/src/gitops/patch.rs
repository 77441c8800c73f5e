//! The change to be merged, as text: the fields down to the version, the old one taken away and the new one put in.

use super::{Followed, pins};
use crate::{api::PlanStep, helm::ReleaseSettings};
use std::fmt::Write as _;

/// What has to change in the repository for an object to bring a step's version: that of the chart, and tags that its values
/// pin. Empty where nothing has to. `settings` are those of its helm release, where it has one.
#[must_use]
pub fn patch(followed: &Followed, settings: Option<&ReleaseSettings>, step: &PlanStep) -> String {
    let (from, to) = (step.from.as_str(), step.to.as_str());
    let due = followed.sources.iter().filter(|source| {
        let version = source.version.as_deref();
        version.is_none_or(|version| !super::is_version(version, to))
    });
    let mut text: String = due
        .map(|source| {
            hunk(
                &source.object,
                &source.path,
                &source.beside,
                source.version.as_deref(),
                to,
            )
        })
        .collect();
    let told = followed.told();
    let moving = pins::moving(followed, from, to);
    text.extend(moving.map(|pin| hunk(&told, pin.path, pin.beside, Some(pin.old), &pin.new)));
    let elsewhere = followed.values_elsewhere.as_ref();
    let elsewhere = elsewhere.filter(|_| pins::runs_images(followed.component()) && !text.is_empty());
    if let Some(field) = elsewhere {
        let moving = settings.map(|settings| pins::moving_elsewhere(followed, settings, from, to));
        match moving.map(|pins| pins.join(" ")) {
            Some(pins) if pins.is_empty() => {}
            // Writing into a String cannot fail.
            Some(pins) => {
                let _ = writeln!(text, "# of values that stand elsewhere ({field}): {pins}");
            }
            None => {
                let _ = writeln!(
                    text,
                    "# values that stand elsewhere ({field}) may pin {from} too, as by global.tag: move it with this"
                );
            }
        }
    }
    text
}

/// One change: fields down to what stands there, and what has to.
fn hunk(object: &str, path: &[String], beside: &[(String, String)], old: Option<&str>, new: &str) -> String {
    let mut text = format!("--- {object}\n+++ {object}\n");
    let Some((last, parents)) = path.split_last() else {
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
                let what = if list == "sources" { "source" } else { "one" };
                line(
                    &mut text,
                    ' ',
                    &indent,
                    &format!("- # the {what} of index {}", index.trim_end_matches(']')),
                );
            }
            // A text of YAML.
            None if field.ends_with('|') => line(&mut text, ' ', &indent, field),
            None => line(&mut text, ' ', &indent, &format!("{field}:")),
        }
        indent.push_str("  ");
    }
    for (field, value) in beside {
        line(&mut text, ' ', &indent, &format!("{field}: {value}"));
    }
    if let Some(old) = old {
        line(&mut text, '-', &indent, &format!("{last}: {old}"));
    }
    line(&mut text, '+', &indent, &format!("{last}: {new}"));
    text
}
