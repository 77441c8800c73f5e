//! Whether the plugin and the guard that stands in a cluster are of releases that fit together.

use semver::Version;
use std::cmp::Ordering;

/// How the guard's release relates to the plugin's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// They work together.
    Fits,
    /// The guard is too old for this plugin.
    GuardIsOlder,
    /// The plugin is too old for this guard.
    PluginIsOlder,
    /// One of the releases cannot be read.
    Unknown,
}

impl Fit {
    /// What is to be done, in a sentence.
    #[must_use]
    pub fn advice(self) -> &'static str {
        match self {
            Self::Fits => "they fit together",
            Self::GuardIsOlder => "the guard is too old for this plugin: kubectl mesh-upgrade guard install",
            Self::PluginIsOlder => "this plugin is too old for the guard: install the guard's release of it",
            Self::Unknown => "the guard does not tell its release: kubectl mesh-upgrade guard install",
        }
    }
}

/// Compares two releases by the promise of semantic versioning: the same major fits, and before 1.0.0 the same minor.
#[must_use]
pub fn fit(plugin: &str, guard: &str) -> Fit {
    let (Some(plugin), Some(guard)) = (read(plugin), read(guard)) else {
        return Fit::Unknown;
    };
    // What may break users stands in the first number that is not zero, but in a patch nothing does.
    let promise = |version: &Version| (version.major, if version.major == 0 { version.minor } else { 0 });
    match promise(&guard).cmp(&promise(&plugin)) {
        Ordering::Equal => Fit::Fits,
        Ordering::Less => Fit::GuardIsOlder,
        Ordering::Greater => Fit::PluginIsOlder,
    }
}

/// Whether the guard is of a later release than the plugin, if only by a patch: what the plugin installs would take it back. A
/// release that cannot be read is not later.
#[must_use]
pub fn is_later(plugin: &str, guard: &str) -> bool {
    matches!((read(plugin), read(guard)), (Some(plugin), Some(guard)) if guard.cmp_precedence(&plugin).is_gt())
}

fn read(text: &str) -> Option<Version> {
    Version::parse(text.trim_start_matches('v')).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_fit_by_the_promise_of_semantic_versioning() {
        for (plugin, guard, expected) in [
            ("0.1.0", "0.1.0", Fit::Fits),
            ("0.1.0", "v0.1.7", Fit::Fits),
            ("0.2.0", "0.1.9", Fit::GuardIsOlder),
            ("0.1.9", "0.2.0", Fit::PluginIsOlder),
            ("1.4.0", "1.0.0", Fit::Fits),
            ("1.0.0", "0.9.0", Fit::GuardIsOlder),
            ("1.0.0", "2.0.0", Fit::PluginIsOlder),
            ("0.1.0", "latest", Fit::Unknown),
            ("0.1.0", "", Fit::Unknown),
        ] {
            assert_eq!(fit(plugin, guard), expected, "{plugin} and {guard}");
        }
    }

    #[test]
    fn a_later_release_of_the_guard_is_told_to_the_patch() {
        for (plugin, guard, expected) in [
            ("0.1.0", "0.1.0", false),
            ("0.1.0", "0.1.1", true),
            ("0.1.0", "v0.2.0", true),
            ("0.1.0", "0.2.0-rc.1", true),
            ("0.2.0", "0.2.0-rc.1", false),
            ("0.2.0", "0.1.9", false),
            ("0.1.0", "0.1.0+build", false),
            ("0.1.0", "latest", false),
            ("0.1.0", "", false),
        ] {
            assert_eq!(is_later(plugin, guard), expected, "{plugin} and {guard}");
        }
    }
}
