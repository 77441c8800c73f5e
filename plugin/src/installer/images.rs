//! The images that a rendered chart will run: those of its workloads, and the proxy that its injector will inject.

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use shared::{
    version::IstioVersion,
    yaml::{self, Unreadable},
};
use std::collections::BTreeSet;

/// An image that the injector fills in, which no kubelet is ever asked for.
const INJECTED: &str = "auto";

/// Istio's own images, whoever builds them: others that a chart runs, as containers that values add, have versions of their own.
const OF_ISTIO: [&str; 4] = ["install-cni", "pilot", "proxyv2", "ztunnel"];

/// What is read of an object; everything else in a manifest is passed over.
#[derive(Deserialize)]
struct Object {
    #[serde(default)]
    spec: Option<Value>,
    #[serde(default)]
    data: Option<Value>,
}

/// The images of a manifest.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Images {
    /// All of them.
    pub all: BTreeSet<String>,
    /// Those of them that the injector gives to proxies, whatever they are called.
    injected: BTreeSet<String>,
}

/// Reads the images of a manifest.
///
/// # Errors
/// When the manifest is no YAML; by its place in the manifest, without quoting it: values stand in it.
pub(super) fn of_manifest(manifest: &str) -> Result<Images, Unreadable> {
    let mut images = Images::default();
    for document in documents(manifest) {
        let object: Option<Object> = document.read()?;
        let Some(object) = object else { continue };
        images.all.extend(of_pod_template(object.spec.as_ref()));
        images.injected.extend(of_injector(object.data.as_ref()));
    }
    images.all.extend(images.injected.iter().cloned());
    Ok(images)
}

/// The first image that would run instead of the target's, because the values pin it, so that the upgrade would wait for the
/// target for ever: one of Istio's, or one that is injected, that tells another version or none, or one of any name that tells
/// the old version.
pub(super) fn pinned<'i>(images: &'i Images, from: &str, to: &str) -> Option<&'i String> {
    let [from, to] = [from, to].map(|version| version.parse::<IstioVersion>().ok());
    images.all.iter().find(|image| {
        let last = image.rsplit('/').next().unwrap_or_default();
        let name = last.split([':', '@']).next().unwrap_or_default();
        let told = IstioVersion::from_image(image).ok();
        let has_to_tell = OF_ISTIO.contains(&name) || images.injected.contains(*image);
        told != to && (has_to_tell || (told.is_some() && told == from))
    })
}

/// One document of a manifest.
pub(super) struct Document<'m> {
    text: &'m str,
    /// Lines of the manifest that come before it.
    before: u64,
}

impl Document<'_> {
    /// Reads it as helm and istioctl do.
    ///
    /// # Errors
    /// When it is no YAML; by its place in the manifest.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<T, Unreadable> {
        yaml::as_go_reads(self.text).map_err(|error| error.after(self.before))
    }
}

/// The documents of a manifest that hold something.
pub(super) fn documents(manifest: &str) -> impl Iterator<Item = Document<'_>> {
    let split = manifest.split("\n---").scan(0, |lines, text| {
        let before = *lines;
        let inner = u64::try_from(text.matches('\n').count()).unwrap_or(u64::MAX);
        *lines = inner.saturating_add(1).saturating_add(before);
        let text = text.trim_start_matches("---");
        Some(Document { text, before })
    });
    split.filter(|document| {
        document
            .text
            .lines()
            .any(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'))
    })
}

fn of_pod_template(spec: Option<&Value>) -> Vec<String> {
    let Some(pod) = spec.and_then(|spec| spec.pointer("/template/spec")) else {
        return Vec::new();
    };
    ["initContainers", "containers"]
        .iter()
        .filter_map(|list| pod.get(list)?.as_array())
        .flatten()
        .filter_map(|container| container.get("image")?.as_str())
        .filter(|image| *image != INJECTED)
        .map(str::to_owned)
        .collect()
}

/// The injector's values, as its ConfigMap carries them: JSON under the key `values`.
fn of_injector(data: Option<&Value>) -> Option<String> {
    let text = data?.get("values")?.as_str()?;
    let values: Value = serde_json::from_str(text).ok()?;
    let global = values.get("global")?;
    let image = global.pointer("/proxy/image")?.as_str()?;
    if image.contains('/') {
        return Some(image.to_owned());
    }
    let text = |key: &str| global.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    let variant = text("variant").map(|variant| format!("-{variant}")).unwrap_or_default();
    Some(format!("{}/{image}:{}{variant}", text("hub")?, text("tag")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = r#"---
# Source: istiod/templates/deployment.yaml
apiVersion: apps/v1
kind: Deployment
spec: {template: {spec: {containers: [{name: discovery, image: "docker.io/istio/pilot:1.31.0"}]}}}
---
# Source: istiod/templates/empty.yaml
---
kind: ConfigMap
data:
  config: "not read"
  values: |
    {"global": {"hub": "docker.io/istio", "tag": "1.31.0", "variant": "distroless", "proxy": {"image": "proxyv2"}}}
---
kind: Deployment
spec: {template: {spec: {containers: [{name: istio-proxy, image: auto}]}}}
"#;

    #[test]
    fn finds_workloads_and_the_injected_proxy() {
        let images = of_manifest(MANIFEST).unwrap();
        assert_eq!(
            images.all.iter().collect::<Vec<_>>(),
            [
                "docker.io/istio/pilot:1.31.0",
                "docker.io/istio/proxyv2:1.31.0-distroless"
            ]
        );
    }

    #[test]
    fn a_label_that_the_values_repeat_is_no_obstacle() {
        // As istiod's chart prints it with `podAnnotations` and `podLabels` of these names.
        let manifest = r#"---
# Source: istiod/templates/deployment.yaml
apiVersion: apps/v1
kind: Deployment
spec:
  template:
    metadata:
      labels:
        app.kubernetes.io/part-of: "istio"
        app.kubernetes.io/part-of: platform
      annotations:
        prometheus.io/scrape: "true"
        prometheus.io/scrape: "false"
    spec:
      containers:
      - name: discovery
        image: "docker.io/istio/pilot:1.31.0"
"#;
        assert_eq!(of_manifest(manifest).unwrap(), ["docker.io/istio/pilot:1.31.0"]);
    }

    #[test]
    fn an_unreadable_manifest_is_told_by_its_line() {
        let manifest = format!("{MANIFEST}---\nkind: Secret\npassword: [hunter2");
        let error = of_manifest(&manifest).unwrap_err();
        let line = manifest.lines().count();
        assert_eq!(usize::try_from(error.line), Ok(line), "{error:?}");
    }

    #[test]
    fn an_image_of_istios_that_is_pinned_is_told() {
        for (image, is_another) in [
            ("docker.io/istio/pilot:1.31.0", false),
            ("mirror.example.com:5000/istio/proxyv2:1.31.0-distroless", false),
            ("mirror.example.com/istio/pilot:1.31.0@sha256:0123", false),
            ("mirror.example.com/istio/pilot:1.30.3", true),
            ("mirror.example.com/our-istiod:1.30.3", true),
            ("mirror.example.com/our-istiod:1.31.0", false),
            ("mirror.example.com/istio/pilot:1.31.0-corp", true),
            ("mirror.example.com/istio/ztunnel@sha256:0123", true),
            ("mirror.example.com/istio/install-cni", true),
            ("busybox:1.36.1", false),
            ("mirror.example.com/pilot/busybox", false),
        ] {
            let images = Images {
                all: BTreeSet::from(["docker.io/istio/pilot:1.31.0".to_owned(), image.to_owned()]),
                injected: BTreeSet::new(),
            };
            let expected = is_another.then(|| image.to_owned());
            assert_eq!(pinned(&images, "1.30.3", "1.31.0").cloned(), expected, "{image}");
        }
        let images = Images {
            all: BTreeSet::from(["docker.io/istio/pilot:1.31.0".to_owned()]),
            injected: BTreeSet::new(),
        };
        assert_eq!(pinned(&images, "1.30.3-mspider", "1.31.0-mspider"), images.all.first());
    }

    #[test]
    fn what_is_injected_has_to_tell_the_target_whatever_its_name() {
        for (image, is_another) in [
            ("registry.corp/istio-proxy-hardened:v7", true),
            ("registry.corp/istio-proxy-hardened@sha256:0123", true),
            ("registry.corp/istio-proxy-hardened:1.30.3", true),
            ("registry.corp/istio-proxy-hardened:1.31.0", false),
            (
                "registry.corp/istio-proxy-hardened:1.31.0-distroless@sha256:0123",
                false,
            ),
        ] {
            let manifest = MANIFEST.replace("proxyv2", image);
            let expected = is_another.then_some(image);
            let found = of_manifest(&manifest).unwrap();
            assert_eq!(
                pinned(&found, "1.30.3", "1.31.0").map(String::as_str),
                expected,
                "{image}"
            );
        }
    }
}
