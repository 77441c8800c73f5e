//! Revisions of control planes that are named by their version, and helm releases that are named by their revision.

use crate::version::IstioVersion;

/// The revision of a control plane without a name.
pub const DEFAULT: &str = "default";

/// Longest name of a helm release.
const MAX_RELEASE: usize = 53;

/// A revision named by its version, as `1-31-0`.
#[must_use]
pub fn named_by(version: &IstioVersion) -> String {
    let name = version.to_string().to_ascii_lowercase();
    name.chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect()
}

/// A name that ends with the old revision, with the new one in its place: of releases, accounts and ConfigMaps alike.
#[must_use]
pub fn renamed(name: &str, old: &str, new: &str) -> String {
    let stem = name.strip_suffix(&format!("-{old}")).unwrap_or(name);
    format!("{stem}-{new}")
}

/// The new release's name: that of the old one with the new revision.
#[must_use]
pub fn release(name: &str, old: &str, new: &str) -> String {
    let named = renamed(name, old, new);
    if named.len() <= MAX_RELEASE {
        named
    } else {
        format!("istiod-{new}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_revision() {
        for (version, expected) in [("1.31.0", "1-31-0"), ("1.31.4-mspider", "1-31-4-mspider")] {
            assert_eq!(named_by(&version.parse().unwrap()), expected);
        }
        let long = "x".repeat(50);
        for (name, expected) in [
            ("istiod-1-30-3", "istiod-1-31-0"),
            ("istiod", "istiod-1-31-0"),
            ("mesh-1-30-3", "mesh-1-31-0"),
            (long.as_str(), "istiod-1-31-0"),
        ] {
            assert_eq!(release(name, "1-30-3", "1-31-0"), expected);
        }
    }
}
