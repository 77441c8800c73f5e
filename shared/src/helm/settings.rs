//! What decides how a release is upgraded, out of its values: tags that are versions, names of revisions, and the minor that it
//! shall behave as. Nothing else of the values is kept, because anything else may be secret.

use crate::{
    api::is_mesh_name,
    version::{IstioVersion, Minor},
};
use serde_json::Value;
use std::collections::BTreeMap;

/// Keys of Istio's charts that pin an image tag.
pub(crate) const TAG_KEYS: [&[&str]; 8] = [
    &["global", "tag"],
    &["tag"],
    &["pilot", "tag"],
    &["pilot", "cni", "tag"],
    &["cni", "tag"],
    &["ztunnel", "tag"],
    &["global", "proxy", "tag"],
    &["global", "proxy_init", "tag"],
];

/// Keys of the istiod chart that name where its images come from.
const HUB_KEYS: [&[&str]; 3] = [&["global", "hub"], &["hub"], &["pilot", "hub"]];

/// What decides how a release is upgraded by hand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReleaseSettings {
    /// Whether helm 4 applied its objects on the server.
    pub server_side: bool,
    /// The value `revision`, where it can be a revision's name.
    pub revision: Option<String>,
    /// Whether the values name the registry that images come from.
    pub names_hub: bool,
    /// The value `compatibilityVersion`: the minor whose behaviour the chart brings back, by switches of istiod.
    pub compatibility: Option<Minor>,
    /// Keys that pin an image's tag to a version, with that tag.
    tags: BTreeMap<String, String>,
}

impl ReleaseSettings {
    /// Reads them out of a release's values.
    #[must_use]
    pub fn read(values: &Value, server_side: bool) -> Self {
        let text = |key: &str| values.get(key).and_then(Value::as_str);
        let revision = text("revision");
        let tags = pinned(values).filter(|(_, tag)| tag.parse::<IstioVersion>().is_ok());
        Self {
            server_side,
            revision: revision.filter(|name| is_mesh_name(name)).map(str::to_owned),
            names_hub: HUB_KEYS.iter().any(|path| {
                let hub = path.iter().try_fold(values, |value, key| value.get(key));
                hub.and_then(Value::as_str).is_some_and(|hub| !hub.is_empty())
            }),
            compatibility: text("compatibilityVersion").and_then(|minor| minor.parse().ok()),
            tags: tags.map(|(key, tag)| (key, tag.to_owned())).collect(),
        }
    }

    /// `key=value` settings that move the tags which are pinned to one version to another.
    #[must_use]
    pub fn pins(&self, from: &str, to: &str) -> Vec<String> {
        let tags = self.tags.iter();
        tags.filter_map(|(key, tag)| moved(key, tag, from, to)).collect()
    }
}

/// `key=value` settings that move tags which the user's values pin to the old version; variants stay.
#[must_use]
pub fn version_pins(values: &Value, from: &str, to: &str) -> Vec<String> {
    pinned(values)
        .filter_map(|(key, tag)| moved(&key, tag, from, to))
        .collect()
}

/// Moves the tags that values pin to one version to another, in place; variants stay.
pub fn move_pins(values: &mut Value, from: &str, to: &str) {
    for path in TAG_KEYS {
        let pinned = path.iter().try_fold(&mut *values, |value, key| value.get_mut(key));
        if let Some(Value::String(tag)) = pinned
            && let Some(moved) = moved_tag(tag, from, to)
        {
            *tag = moved;
        }
    }
}

/// Keys that pin a tag, with the tag.
fn pinned(values: &Value) -> impl Iterator<Item = (String, &str)> {
    TAG_KEYS.iter().filter_map(move |path| {
        let tag = path.iter().try_fold(values, |value, key| value.get(key))?.as_str()?;
        Some((path.join("."), tag))
    })
}

fn moved(key: &str, tag: &str, from: &str, to: &str) -> Option<String> {
    moved_tag(tag, from, to).map(|tag| format!("{key}={tag}"))
}

/// A tag that names one version, or a variant of it, with the other version in its place.
pub(crate) fn moved_tag(tag: &str, from: &str, to: &str) -> Option<String> {
    let rest = tag.strip_prefix(from)?;
    (rest.is_empty() || rest == "-distroless" || rest == "-debug").then(|| format!("{to}{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn pinned_tags_move_to_the_target_and_keep_their_variant() {
        let values = json!({
            "global": { "tag": "1.30.3-distroless" }, "pilot": { "tag": "1.30.3" }, "cni": { "tag": "somebody-elses" },
        });
        let expected = ["global.tag=1.31.0-distroless", "pilot.tag=1.31.0"];
        assert_eq!(version_pins(&values, "1.30.3", "1.31.0"), expected);
        assert_eq!(ReleaseSettings::read(&values, false).pins("1.30.3", "1.31.0"), expected);
        assert_eq!(version_pins(&json!({}), "1.30.3", "1.31.0"), Vec::<String>::new());
        let mut moved = values.clone();
        move_pins(&mut moved, "1.30.3", "1.31.0");
        let expected = json!({
            "global": { "tag": "1.31.0-distroless" }, "pilot": { "tag": "1.31.0" }, "cni": { "tag": "somebody-elses" },
        });
        assert_eq!(moved, expected);
    }

    #[test]
    fn nothing_that_may_be_secret_is_kept() {
        let values = json!({
            "global": { "tag": "hunter2", "imagePullSecrets": ["hunter2"] }, "revision": "Hunter 2",
            "pilot": { "tag": "1.30.3", "env": { "PASSWORD": "hunter2" } },
        });
        let settings = ReleaseSettings::read(&values, true);
        assert!(
            !format!("{settings:?}").to_lowercase().contains("hunter"),
            "{settings:?}"
        );
        let named = ReleaseSettings::read(&json!({ "revision": "1-30-3" }), false);
        assert_eq!(named.revision.as_deref(), Some("1-30-3"));
        for (value, expected) in [
            (json!("1.29"), Some(Minor::new(1, 29))),
            (json!("hunter2"), None),
            // The chart refuses a number.
            (json!(1.29), None),
        ] {
            let settings = ReleaseSettings::read(&json!({ "compatibilityVersion": value }), false);
            assert_eq!(settings.compatibility, expected, "{value}");
        }
    }
}
