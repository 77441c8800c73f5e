//! Istio's own injection: a pod that asks for it must come back with a proxy; it is never created.

use super::{Place, create_dry};
use crate::{cluster::list_metadata, error::api_message, executor::restricted};
use k8s_openapi::api::{
    admissionregistration::v1::MutatingWebhookConfiguration,
    core::v1::{Namespace, Pod},
};
use kube::{
    Api, Client, ResourceExt as _,
    api::{ApiResource, DynamicObject, ListParams},
};
use serde_json::{Value, json};
use shared::{
    injection::{self, Candidate},
    names,
    version::IstioVersion,
};

/// Label of a webhook configuration that belongs to a revision tag.
const TAG: &str = "istio.io/tag";

/// Whether a control plane has an injector.
pub async fn is_installed(writer: &Client, place: &Place) -> Result<bool, String> {
    Ok(!injectors(writer, place).await?.is_empty())
}

/// The tag of each of a control plane's injectors; empty text for the one of the revision itself.
async fn injectors(writer: &Client, place: &Place) -> Result<Vec<String>, String> {
    let api: Api<MutatingWebhookConfiguration> = Api::all(writer.clone());
    let selector = ListParams::default().labels(&format!("app=sidecar-injector,istio.io/rev={}", place.revision));
    let found = api.list_metadata(&selector).await;
    let found = found.map_err(|error| format!("the list of injectors ({})", api_message(&error)))?;
    let tag = |labels: &std::collections::BTreeMap<String, String>| labels.get(TAG).cloned().unwrap_or_default();
    Ok(found.items.iter().map(|injector| tag(injector.labels())).collect())
}

/// The proxy's image that a pod is given which asks for injection by this control plane, and its version. An image that tells
/// none is refused before the upgrade, because after it nobody could say whether it is the target's.
pub async fn proxy(writer: &Client, place: &Place) -> Result<(String, IstioVersion), String> {
    let image = image(writer, place).await?;
    let version = told(&image)?;
    Ok((image, version))
}

fn told(image: &str) -> Result<IstioVersion, String> {
    IstioVersion::from_image(image).map_err(|_| {
        format!(
            "injection to yield a proxy whose image tells its version (it yields {image}: give it a tag that is a version, by \
             global.proxy.image in istiod's values, and keep the tag where an admission webhook adds a digest)"
        )
    })
}

/// The proxy's image that such a pod is given, in the first namespace whose answer is a proxy: others may refuse pods for
/// reasons of their own.
async fn image(writer: &Client, place: &Place) -> Result<String, String> {
    let tags = injectors(writer, place).await?;
    let tags = tags.iter().map(String::as_str).filter(|tag| !tag.is_empty());
    let namespaces = namespaces(writer).await?;
    let names = injection::names(&place.revision, tags);
    let candidates = injection::candidates(&namespaces, &names, &place.namespace);
    let mut answers = Vec::new();
    for candidate in &candidates {
        match try_in(writer, candidate, &place.image).await? {
            Ok(image) => return Ok(image),
            Err(answer) => answers.push(format!("{}: {answer}", candidate.namespace)),
        }
    }
    Err(match answers.as_slice() {
        [] => format!(
            "a namespace that takes pods of revision {}: all are kept from its injection",
            place.revision
        ),
        answers => format!(
            "injection to add a proxy to a pod that asks for it ({})",
            answers.join("; ")
        ),
    })
}

async fn namespaces(writer: &Client) -> Result<Vec<injection::Namespace>, String> {
    let api: Api<Namespace> = Api::all(writer.clone());
    let found = list_metadata(&api, &ListParams::default()).await;
    let found = found.map_err(|error| format!("the list of namespaces ({})", api_message(&error)))?;
    let namespaces = found.items.into_iter().map(|namespace| injection::Namespace {
        name: namespace.name_any(),
        terminating: namespace.metadata.deletion_timestamp.is_some(),
        labels: namespace.metadata.labels.unwrap_or_default(),
    });
    Ok(namespaces.collect())
}

async fn try_in(writer: &Client, candidate: &Candidate, image: &str) -> Result<Result<String, String>, String> {
    let pods: Api<DynamicObject> =
        Api::namespaced_with(writer.clone(), &candidate.namespace, &ApiResource::erase::<Pod>(&()));
    Ok(match create_dry(&pods, &manifest(candidate, image)).await? {
        Ok(injected) => proxy_image(&injected).ok_or_else(|| "no proxy was added".to_owned()),
        Err((code, message)) => Err(format!("the answer was {code}: {message}")),
    })
}

/// A pod that policies of a hardened cluster take, too: nobody asks it to run, only to be admitted.
fn manifest(candidate: &Candidate, image: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": names::CANARY, "namespace": candidate.namespace, "labels": candidate.pod_labels,
        },
        "spec": {
            "automountServiceAccountToken": false,
            "securityContext": restricted::of_pod(),
            "containers": [{
                "name": "app", "image": image, "securityContext": restricted::of_container(),
                "resources": {
                    "requests": { "cpu": "10m", "memory": "16Mi" }, "limits": { "cpu": "100m", "memory": "64Mi" },
                },
            }],
        },
    })
}

fn proxy_image(pod: &DynamicObject) -> Option<String> {
    ["initContainers", "containers"]
        .iter()
        .filter_map(|list| pod.data.get("spec")?.get(list)?.as_array())
        .flatten()
        .find(|container| container.get("name").and_then(Value::as_str) == Some("istio-proxy"))
        .and_then(|container| container.get("image")?.as_str())
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pod_that_is_tried_is_taken_by_hardened_clusters() {
        let candidate = Candidate {
            namespace: "shop".to_owned(),
            pod_labels: [("sidecar.istio.io/inject".to_owned(), "true".to_owned())].into(),
        };
        let pod = manifest(&candidate, "registry.corp/istio/pilot:1.30.3");
        let container = &pod["spec"]["containers"][0];
        assert_eq!(pod["metadata"]["labels"]["sidecar.istio.io/inject"], "true");
        assert_eq!(container["image"], "registry.corp/istio/pilot:1.30.3");
        assert_eq!(pod["spec"]["securityContext"]["runAsNonRoot"], true);
        assert_eq!(container["securityContext"]["capabilities"]["drop"], json!(["ALL"]));
        for part in ["requests", "limits"] {
            for of in ["cpu", "memory"] {
                assert!(container["resources"][part][of].is_string(), "{part} {of}");
            }
        }
    }

    #[test]
    fn a_proxy_has_to_tell_its_version() {
        for (image, version) in [
            ("docker.io/istio/proxyv2:1.30.3-distroless", Some("1.30.3")),
            ("registry.corp/istio-proxy-hardened:1.30.3@sha256:0123", Some("1.30.3")),
            ("registry.corp/istio-proxy-hardened:v7", None),
            ("docker.io/istio/proxyv2@sha256:0123", None),
            ("docker.io/istio/proxyv2", None),
        ] {
            match (told(image), version) {
                (Ok(found), Some(version)) => assert_eq!(found.to_string(), version, "{image}"),
                (Err(why), None) => assert!(why.contains(image) && why.contains("global.proxy.image"), "{why}"),
                (found, _) => panic!("{image}: {found:?}"),
            }
        }
    }
}
