//! The images that a rendered chart will run: those of its workloads, and the proxy that its injector will inject.

use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeSet;

/// An image that the injector fills in, which no kubelet is ever asked for.
const INJECTED: &str = "auto";

/// What is read of an object; everything else in a manifest is passed over.
#[derive(Deserialize)]
struct Object {
    #[serde(default)]
    spec: Option<Value>,
    #[serde(default)]
    data: Option<Value>,
}

/// Images of a manifest, sorted, each once.
///
/// # Errors
/// When the manifest is no YAML, without quoting it: values stand in it.
pub fn of_manifest(manifest: &str) -> Result<Vec<String>, String> {
    let mut images = BTreeSet::new();
    for document in documents(manifest) {
        let object: Option<Object> =
            serde_saphyr::from_str(&document).map_err(|_| "the rendered chart is no YAML".to_owned())?;
        let Some(object) = object else { continue };
        images.extend(of_pod_template(object.spec.as_ref()));
        images.extend(of_injector(object.data.as_ref()));
    }
    Ok(images.into_iter().collect())
}

/// The documents of a manifest that hold something.
pub(super) fn documents(manifest: &str) -> impl Iterator<Item = String> {
    let split = manifest
        .split("\n---")
        .map(|document| document.trim_start_matches("---").to_owned());
    split.filter(|document| {
        document
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
            images,
            [
                "docker.io/istio/pilot:1.31.0",
                "docker.io/istio/proxyv2:1.31.0-distroless"
            ]
        );
    }

    #[test]
    fn an_unreadable_manifest_is_not_quoted() {
        let error = of_manifest("password: [hunter2").unwrap_err();
        assert!(!error.contains("hunter2"), "{error}");
    }
}
