//! Istio's own validation: it must refuse what is known to be bad, and let pass what is good.

use super::{Place, create_dry};
use crate::error::api_message;
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, ListParams},
    core::GroupVersionKind,
};
use serde_json::{Value, json};
use shared::names;

/// Whether a control plane has a validation webhook; it can be switched off by the value `global.configValidation`.
/// What Istio's webhook is called, whichever revision's it is (`webhooks[].name` of the charts base and istiod): a refusal by
/// another would prove nothing.
const ISTIOS: &str = "validation.istio.io\"";

pub async fn is_installed(writer: &Client, place: &Place) -> Result<bool, String> {
    let api: Api<ValidatingWebhookConfiguration> = Api::all(writer.clone());
    let selector = ListParams::default().labels(&format!("app=istiod,istio.io/rev={}", place.revision));
    let found = api.list_metadata(&selector).await;
    found
        .map(|found| !found.items.is_empty())
        .map_err(|error| format!("the list of validation webhooks ({})", api_message(&error)))
}

/// Tries a bad VirtualService and a good one, both meant for this control plane's own webhook.
pub async fn works(writer: &Client, place: &Place) -> Result<(), String> {
    let gvk = GroupVersionKind::gvk("networking.istio.io", "v1", "VirtualService");
    let resource = ApiResource::from_gvk_with_plural(&gvk, "virtualservices");
    let namespace = &place.namespace;
    let api: Api<DynamicObject> = Api::namespaced_with(writer.clone(), namespace, &resource);
    // A negative weight: every Istio refuses that in validation, and no schema does.
    match create_dry(&api, &virtual_service(place, -1)).await? {
        Err((_, message)) if message.contains("denied the request") && message.contains(ISTIOS) => {}
        Err((code, message)) => {
            return Err(format!(
                "Istio's validation to refuse a bad VirtualService (the answer was {code}: {message})"
            ));
        }
        Ok(_) => return Err("Istio's validation to refuse a bad VirtualService (it was accepted)".to_owned()),
    }
    match create_dry(&api, &virtual_service(place, 100)).await? {
        Ok(_) => Ok(()),
        Err((code, message)) => Err(format!(
            "Istio's validation to accept a good VirtualService (the answer was {code}: {message})"
        )),
    }
}

/// With the revision's label the webhook of that revision is asked, the unnamed one under the name `default`.
fn virtual_service(place: &Place, weight: i32) -> Value {
    json!({
        "apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
        "metadata": {
            "name": names::CANARY, "namespace": place.namespace,
            "labels": { "istio.io/rev": place.revision },
        },
        "spec": {
            "hosts": ["mesh-upgrade-canary.invalid"],
            "http": [{ "route": [{ "destination": { "host": "mesh-upgrade-canary.invalid" }, "weight": weight }] }],
        },
    })
}
