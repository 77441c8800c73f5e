//! What `istioctl install` leaves in a cluster, and what the next one has to be told so that nothing is lost.
//!
//! istioctl keeps no record of the IstioOperator that it was given. The values that came out of it stand in istiod's
//! ConfigMap `values`, and which components it has is seen by what runs. What an IstioOperator may say beyond that, its
//! `k8s` settings and overlays, stands nowhere: [`losses`] finds it, by what the API server says an upgrade without it
//! would take away.

mod losses;

pub use losses::losses;

use crate::{
    api::ObjectName,
    helm::move_pins,
    inventory::{ControlPlane, Gateway, NodeComponent},
    version::IstioVersion,
};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Label on all that `istioctl install` writes; its value is `Reconcile`.
pub const MANAGED_LABEL: &str = "operator.istio.io/managed";
/// Value of [`MANAGED_LABEL`].
pub const MANAGED: &str = "Reconcile";
/// Label with the component, as `Pilot`.
pub const COMPONENT_LABEL: &str = "operator.istio.io/component";
/// Label with the name of the IstioOperator, if it has one.
pub const OWNER_LABEL: &str = "install.operator.istio.io/owning-resource";
/// Label with the namespace of the control plane; only istioctl sets it, Istio's charts do not.
pub const OWNER_NAMESPACE_LABEL: &str = "install.operator.istio.io/owning-resource-namespace";
/// Label with the revision.
pub const REVISION_LABEL: &str = "istio.io/rev";
/// Field manager of every istioctl.
pub const FIELD_MANAGER: &str = "istio-operator";
/// Key of the ConfigMap [`values_config_map`] with the values that were given.
pub const VALUES_KEY: &str = "original-values";

/// What Istio's charts write into [`OWNER_LABEL`] when nothing was named.
const NO_OWNER: &str = "unknown";

/// What one `istioctl install` installed in a cluster, as far as it runs: a control plane, and what came with it.
#[derive(Clone, Debug, Default)]
pub struct Installation<'a> {
    /// Namespace of the control plane.
    pub namespace: &'a str,
    /// Its revision; `default` when it has no name.
    pub revision: &'a str,
    /// Its control planes.
    pub planes: Vec<&'a ControlPlane>,
    /// CNI node agents and ztunnels.
    pub nodes: Vec<&'a NodeComponent>,
    /// Gateways.
    pub gateways: Vec<&'a Gateway>,
}

impl Installation<'_> {
    /// What the guard knows it by.
    #[must_use]
    pub fn object(&self) -> ObjectName {
        ObjectName {
            namespace: self.namespace.to_owned(),
            name: self.revision.to_owned(),
        }
    }
}

/// An installation where otherwise a helm release is named: the slash keeps it apart from any release.
#[must_use]
pub fn as_release(installation: &ObjectName) -> ObjectName {
    ObjectName {
        namespace: installation.namespace.clone(),
        name: format!("istioctl/{}", installation.name),
    }
}

/// Whether what stands where a release is named is an installation by istioctl.
#[must_use]
pub fn is_installation(release: &ObjectName) -> bool {
    release.name.starts_with("istioctl/")
}

/// The installation that an object's labels name.
#[must_use]
pub fn installation_of(labels: &BTreeMap<String, String>) -> Option<ObjectName> {
    Some(ObjectName {
        namespace: labels.get(OWNER_NAMESPACE_LABEL)?.clone(),
        name: labels.get(REVISION_LABEL)?.clone(),
    })
}

/// Name of the ConfigMap in which istiod's chart leaves the values that it was rendered with.
#[must_use]
pub fn values_config_map(revision: &str) -> String {
    match revision {
        "default" | "" => "values".to_owned(),
        revision => format!("values-{revision}"),
    }
}

/// A workload that carries the labels of an installation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Installed {
    /// Value of [`COMPONENT_LABEL`].
    pub component: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// What its selector wants, which nobody can change.
    pub selector: BTreeMap<String, String>,
    /// Value of [`OWNER_LABEL`].
    pub owner: Option<String>,
}

/// The IstioOperator to give to the target's istioctl, out of the values that were installed and of what runs: the same
/// components in the same places, the same values, and tags that named the old version naming the new one.
#[must_use]
pub fn recovered(installation: &ObjectName, mut values: Value, installed: &[Installed], from: &str, to: &str) -> Value {
    move_pins(&mut values, from, to);
    let of = |component: &'static str| installed.iter().filter(move |one| one.component == component);
    // The profile `empty` has no component, so that exactly those that run are named.
    let mut components = Map::new();
    for name in ["base", "pilot"] {
        components.insert(name.to_owned(), json!({ "enabled": true }));
    }
    for (key, component) in [("cni", "Cni"), ("ztunnel", "Ztunnel")] {
        if let Some(found) = of(component).next() {
            components.insert(key.to_owned(), json!({ "enabled": true, "namespace": found.namespace }));
        }
    }
    for (key, component) in [
        ("ingressGateways", "IngressGateways"),
        ("egressGateways", "EgressGateways"),
    ] {
        let gateways: Vec<Value> = of(component)
            .map(|gateway| {
                json!({
                    "name": gateway.name, "namespace": gateway.namespace, "enabled": true, "label": gateway.selector,
                })
            })
            .collect();
        if !gateways.is_empty() {
            components.insert(key.to_owned(), Value::Array(gateways));
        }
    }
    let mut metadata = Map::new();
    metadata.insert("namespace".to_owned(), json!(installation.namespace));
    let owner = of("Pilot").find_map(|pilot| pilot.owner.as_deref());
    if let Some(owner) = owner.filter(|owner| *owner != NO_OWNER) {
        metadata.insert("name".to_owned(), json!(owner));
    }
    json!({
        "apiVersion": "install.istio.io/v1alpha1",
        "kind": "IstioOperator",
        "metadata": metadata,
        "spec": { "profile": "empty", "components": components, "values": values },
    })
}

/// Whether istioctl, by its answer to `version --remote=false -o json`, is of this version. The answer is `Err` with what
/// it says instead.
///
/// # Errors
/// With the version that it names, or that it names none.
pub fn is_of_version(answer: &str, version: &str) -> Result<(), String> {
    let answer: Value = serde_json::from_str(answer).unwrap_or_default();
    let client = answer.get("clientVersion");
    let says = |key: &str| client.and_then(|client| client.get(key)).and_then(Value::as_str);
    let (named, tag) = (says("version"), says("tag"));
    let wanted: Option<IstioVersion> = version.parse().ok();
    let is_it = |text: &str| wanted.is_some() && text.parse().ok() == wanted;
    if named.into_iter().chain(tag).any(is_it) {
        return Ok(());
    }
    match named.or(tag).filter(|text| text.chars().count() < 64) {
        Some(named) => Err(format!("it is version {named:?}")),
        None => Err("it tells no version".to_owned()),
    }
}

#[cfg(test)]
mod tests;
