//! The images that a rendered chart will run: those of its workloads, and those that its injector will inject.

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use shared::{
    version::IstioVersion,
    yaml::{self, Unreadable},
};
use std::collections::BTreeSet;

/// An image that the injector fills in, which no kubelet is ever asked for.
const INJECTED: &str = "auto";

/// What templates call the image of init containers, from 1.31 on; before, they have the sidecar's.
const OF_INIT: &str = "ProxyInitImage";

/// Variants of an image that Istio publishes, as the end of its tag, and the name of the one without.
const VARIANTS: [&str; 2] = ["-distroless", "-debug"];
const NO_VARIANT: &str = "default";

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
    let (mut mesh, mut injectors) = (Value::Null, Vec::new());
    for document in documents(manifest) {
        let object: Option<Object> = document.read()?;
        let Some(object) = object else { continue };
        images.all.extend(of_pod_template(object.spec.as_ref()));
        let Some(data) = object.data else { continue };
        let text = |key: &str| data.get(key).and_then(Value::as_str);
        if let Some(found) = text("mesh").and_then(|text| serde_saphyr::from_str(text).ok()) {
            mesh = found;
        }
        if let Some(values) = text("values").and_then(|text| serde_json::from_str::<Value>(text).ok()) {
            let knows_init = text("config").is_some_and(|config| config.contains(OF_INIT));
            injectors.push((values, knows_init));
        }
    }
    for (values, knows_init) in &injectors {
        let Some(global) = values.get("global") else { continue };
        images.injected.extend(of_sidecar(global, &mesh));
        images.all.extend(of_init(global, *knows_init));
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

/// The sidecar's image, of the injector's `global` values and the mesh configuration (Istio's `pkg/kube/inject/inject.go`,
/// `ProxyImage`).
fn of_sidecar(global: &Value, mesh: &Value) -> Option<String> {
    let image = global.pointer("/proxy/image")?.as_str()?;
    let variant = mesh.pointer("/defaultConfig/image/imageType").and_then(Value::as_str);
    reference(global, image, variant)
}

/// The image of `istio-init` and `istio-validation`, where it is not the sidecar's (`ProxyInitImage`).
fn of_init(global: &Value, knows_init: bool) -> Option<String> {
    let image = global.pointer("/proxy_init/image").and_then(Value::as_str);
    let image = image.filter(|image| !image.is_empty()).unwrap_or("proxyv2");
    (knows_init || image.contains('/'))
        .then(|| reference(global, image, None))
        .flatten()
}

/// An image by its name among the values; one with a slash stands for all of the reference.
fn reference(global: &Value, image: &str, variant: Option<&str>) -> Option<String> {
    if image.contains('/') {
        return Some(image.to_owned());
    }
    let text = |key: &str| global.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    let (hub, tag) = (text("hub")?, text("tag")?);
    let variant = variant
        .filter(|variant| !variant.is_empty())
        .or_else(|| text("variant"));
    let Some(variant) = variant else {
        return Some(format!("{hub}/{image}:{tag}"));
    };
    // The variant takes the place of one that the tag has.
    let bare = VARIANTS.iter().find_map(|known| tag.strip_suffix(known)).unwrap_or(tag);
    Some(if variant == NO_VARIANT {
        format!("{hub}/{image}:{bare}")
    } else {
        format!("{hub}/{image}:{bare}-{variant}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

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
        let images = of_manifest(manifest).unwrap().all;
        assert_eq!(images.into_iter().collect::<Vec<_>>(), ["docker.io/istio/pilot:1.31.0"]);
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
    fn init_containers_have_an_image_of_their_own_where_the_templates_know_it() {
        let (mirror, of_corp) = ("m/proxyv2:1.31.0", "r/init:1.30.3");
        for (global, mesh, config, expected) in [
            (
                r#""proxy": {"image": "proxyv2"}"#,
                "{}",
                "{{ .ProxyInitImage }}",
                &[mirror][..],
            ),
            (
                r#""proxy": {"image": "istio-proxy"}"#,
                "{}",
                "{{ .ProxyInitImage }}",
                &["m/istio-proxy:1.31.0", mirror],
            ),
            (
                r#""proxy": {"image": "istio-proxy"}, "proxy_init": {"image": "istio-proxy"}"#,
                "{}",
                "{{ .ProxyInitImage }}",
                &["m/istio-proxy:1.31.0"],
            ),
            (
                r#""proxy": {"image": "istio-proxy"}"#,
                "{}",
                "{{ .ProxyImage }}",
                &["m/istio-proxy:1.31.0"],
            ),
            (
                r#""proxy": {"image": "proxyv2"}, "proxy_init": {"image": "r/init:1.30.3"}"#,
                "{}",
                "{{ .ProxyImage }}",
                &[mirror, of_corp],
            ),
            (
                r#""proxy": {"image": "proxyv2"}"#,
                "defaultConfig: {image: {imageType: distroless}}",
                "{{ .ProxyInitImage }}",
                &[mirror, "m/proxyv2:1.31.0-distroless"],
            ),
            (
                r#""variant": "distroless", "proxy": {"image": "proxyv2"}"#,
                "defaultConfig: {image: {imageType: default}}",
                "{{ .ProxyInitImage }}",
                &[mirror, "m/proxyv2:1.31.0-distroless"],
            ),
        ] {
            let config_map = |data: Value| json!({ "kind": "ConfigMap", "data": data }).to_string();
            let values = format!(r#"{{"global": {{"hub": "m", "tag": "1.31.0", {global}}}}}"#);
            // The mesh configuration counts wherever it stands.
            let injector = config_map(json!({ "config": config, "values": values }));
            let manifest = format!("{injector}\n---\n{}", config_map(json!({ "mesh": mesh })));
            let found = of_manifest(&manifest).unwrap();
            assert_eq!(
                found.all.iter().collect::<Vec<_>>(),
                expected,
                "{global} {mesh} {config}"
            );
            let stays_old = expected.contains(&of_corp).then_some(of_corp);
            assert_eq!(pinned(&found, "1.30.3", "1.31.0").map(String::as_str), stays_old);
        }
        let global = json!({ "hub": "m", "tag": "1.31.0-distroless", "variant": "debug" });
        assert_eq!(
            reference(&global, "proxyv2", None).as_deref(),
            Some("m/proxyv2:1.31.0-debug")
        );
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
