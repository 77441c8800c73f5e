//! Flux's OCIRepository: which of its fields decides about the chart that a HelmRelease takes out of it.

use super::{Followed, Metadata};
use serde::Deserialize;

/// An OCIRepository, as far as it is read.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct OciRepository {
    metadata: Metadata,
    spec: Spec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Spec {
    #[serde(rename = "ref")]
    reference: Option<Reference>,
    suspend: bool,
}

/// What is taken of it: a digest comes before a range, and that before a tag.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Reference {
    digest: String,
    semver: String,
    tag: String,
}

impl OciRepository {
    /// Its kind.
    pub const KIND: &'static str = "OCIRepository";

    /// Tells an object whose chart comes out of this where its version stands.
    pub fn tell(&self, followed: &mut Followed) {
        let Metadata { namespace, name } = &self.metadata;
        let object = format!("{} {namespace}/{name}", Self::KIND);
        let Some(source) = followed.sources.iter_mut().find(|source| source.object == object) else {
            return;
        };
        let (digest, semver, tag) = self.spec.reference.as_ref().map_or_else(Default::default, |given| {
            (given.digest.as_str(), given.semver.as_str(), given.tag.as_str())
        });
        let (field, version) = if semver.is_empty() {
            ("tag", tag)
        } else {
            ("semver", semver)
        };
        source.path = ["spec", "ref", field].map(str::to_owned).to_vec();
        source.version = Some(version).filter(|version| !version.is_empty()).map(str::to_owned);
        let by_digest =
            (!digest.is_empty()).then(|| format!("{object} names a digest, which decides what comes, and no version"));
        followed.hindered_by(&object, self.spec.suspend, by_digest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gitops::sample;
    use serde_json::json;

    #[test]
    fn the_field_that_decides_is_the_one_to_be_merged() {
        for (spec, path, version, obstacle) in [
            (json!({"ref": {"tag": "1.30.3"}}), "spec.ref.tag", Some("1.30.3"), ""),
            (
                json!({"ref": {"semver": "1.30.x", "tag": "1.30.3"}}),
                "spec.ref.semver",
                Some("1.30.x"),
                "",
            ),
            (
                json!({"ref": {"digest": "sha256:00", "tag": "1.30.3"}}),
                "spec.ref.tag",
                Some("1.30.3"),
                "names a digest",
            ),
            (
                json!({"suspend": true, "ref": {"tag": "1.30.3"}}),
                "spec.ref.tag",
                Some("1.30.3"),
                "is suspended",
            ),
            (json!({}), "spec.ref.tag", None, ""),
        ] {
            let mut followed = sample::helm_release_of("istiod", "istiod", "1.30.3", |it| {
                it["spec"] = json!({"chartRef": {"kind": "OCIRepository", "name": "charts"}});
            });
            let read = |name: &str| -> OciRepository {
                let object = json!({"metadata": {"namespace": "istio-system", "name": name}, "spec": spec});
                serde_json::from_value(object).unwrap()
            };
            let before = followed.clone();
            read("others").tell(&mut followed);
            assert_eq!(followed, before, "another one says nothing");
            read("charts").tell(&mut followed);
            let source = &followed.sources[0];
            assert_eq!(
                (source.path.join(".").as_str(), source.version.as_deref()),
                (path, version)
            );
            let found = followed.obstacle.unwrap_or_default();
            assert!(
                found.contains(obstacle) && found.is_empty() == obstacle.is_empty(),
                "{spec}: {found}"
            );
        }
    }
}
