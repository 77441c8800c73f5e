//! Flux's HelmChart: whether the version that it names decides about the chart that a HelmRelease takes out of it.

use super::{Followed, Metadata, helm_release::OF_FOLDERS};
use serde::Deserialize;

/// A HelmChart, as far as it is read.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct HelmChart {
    metadata: Metadata,
    spec: Spec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    version: String,
    source_ref: SourceRef,
    suspend: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SourceRef {
    kind: String,
}

impl HelmChart {
    /// Its kind.
    pub const KIND: &'static str = "HelmChart";

    /// Tells an object whose chart comes out of this which version stands here, and what makes it none that decides.
    pub fn tell(&self, followed: &mut Followed) {
        let Metadata { namespace, name } = &self.metadata;
        let object = format!("{} {namespace}/{name}", Self::KIND);
        let Some(source) = followed.sources.iter_mut().find(|source| source.object == object) else {
            return;
        };
        let version = Some(self.spec.version.clone());
        source.version = version.filter(|version| !version.is_empty());
        let kind = self.spec.source_ref.kind.as_str();
        let of_folder = OF_FOLDERS.contains(&kind).then(|| {
            format!("{object} is a folder of a {kind}, which decides what comes, and not the version that it names")
        });
        followed.hindered_by(&object, self.spec.suspend, of_folder);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gitops::sample;
    use serde_json::json;

    #[test]
    fn a_version_counts_only_where_it_decides() {
        for (spec, version, obstacle) in [
            (
                json!({"version": "1.30.3", "sourceRef": {"kind": "HelmRepository"}}),
                Some("1.30.3"),
                "",
            ),
            (json!({"sourceRef": {"kind": "HelmRepository"}}), None, ""),
            (
                json!({"version": "*", "sourceRef": {"kind": "GitRepository"}}),
                Some("*"),
                "is a folder of a GitRepository",
            ),
            (
                json!({"version": "1.30.3", "sourceRef": {"kind": "Bucket"}}),
                Some("1.30.3"),
                "is a folder of a Bucket",
            ),
            (
                json!({"version": "1.30.3", "suspend": true, "sourceRef": {"kind": "HelmRepository"}}),
                Some("1.30.3"),
                "is suspended",
            ),
        ] {
            let mut followed = sample::helm_release_of("istiod", "istiod", "1.30.3", |it| {
                it["spec"] = json!({"chartRef": {"kind": "HelmChart", "name": "istiod"}});
            });
            let read = |name: &str| -> HelmChart {
                let object = json!({"metadata": {"namespace": "istio-system", "name": name}, "spec": spec});
                serde_json::from_value(object).unwrap()
            };
            let before = followed.clone();
            read("others").tell(&mut followed);
            assert_eq!(followed, before, "another one says nothing");
            read("istiod").tell(&mut followed);
            assert_eq!(followed.sources[0].path.join("."), "spec.version");
            assert_eq!(followed.sources[0].version.as_deref(), version, "{spec}");
            let found = followed.obstacle.unwrap_or_default();
            assert!(
                found.contains(obstacle) && found.is_empty() == obstacle.is_empty(),
                "{spec}: {found}"
            );
        }
    }
}
