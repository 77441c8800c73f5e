//! A dry run of what istioctl would apply: what the API server would refuse, and what it would take away.
//!
//! Values and components are recovered; `k8s` settings and overlays of the IstioOperator are in neither, and an upgrade
//! without them would silently undo them. Server-side apply by istioctl's own field manager tells what it would undo.

use crate::{
    error::{api_code, api_message},
    installer::{images::documents, redact::Redactor},
};
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, Patch, PatchParams},
    core::GroupVersionKind,
};
use serde_json::Value;
use shared::{
    istioctl::{FIELD_MANAGER, losses},
    yaml::Unreadable,
};

/// Kinds that an IstioOperator's `k8s` settings and overlays change, with their plurals.
const KINDS: [(&str, &str); 5] = [
    ("DaemonSet", "daemonsets"),
    ("Deployment", "deployments"),
    ("HorizontalPodAutoscaler", "horizontalpodautoscalers"),
    ("PodDisruptionBudget", "poddisruptionbudgets"),
    ("Service", "services"),
];

/// Tries all objects of a manifest that exist.
///
/// # Errors
/// With everything that would be refused or lost, by object and path, without the values that were rendered.
pub async fn manifest(client: &Client, manifest: &str, redactor: &Redactor) -> Result<(), String> {
    let (mut refused, mut lost) = (Vec::new(), Vec::new());
    for document in documents(manifest) {
        let object: Value = document.read().map_err(no_yaml)?;
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let kind = text("/kind");
        let Some((_, plural)) = KINDS.iter().find(|(known, _)| *known == kind) else {
            continue;
        };
        let (group, version) = text("/apiVersion").split_once('/').unwrap_or(("", text("/apiVersion")));
        let gvk = GroupVersionKind::gvk(group, version, kind);
        let resource = ApiResource::from_gvk_with_plural(&gvk, plural);
        let (namespace, name) = (text("/metadata/namespace"), text("/metadata/name"));
        let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource);
        let shown = format!("{kind} {namespace}/{name}");
        match tried(&api, name, &object).await {
            Ok(found) => lost.extend(found.into_iter().map(|path| format!("{path} of {shown}"))),
            Err(why) => {
                // The API server quotes what it refuses.
                let why = redactor.last_lines(&why);
                refused.push(format!("{shown} would be refused: {why}"));
            }
        }
    }
    if !refused.is_empty() {
        return Err(refused.join("; "));
    }
    if lost.is_empty() {
        return Ok(());
    }
    Err(format!(
        "istioctl install would undo what was set beside the values, which no record in the cluster tells: {}; set it by \
         values, as pilot.env or pilot.resources, with an istioctl install of the version that runs, or go by \
         kubectl mesh-upgrade guide",
        lost.join(", ")
    ))
}

/// Why a manifest of istioctl's cannot be read.
pub(super) fn no_yaml(at: Unreadable) -> String {
    format!(
        "what istioctl renders is no YAML at line {} column {}",
        at.line, at.column
    )
}

/// What an object would lose; nothing where there is none yet.
async fn tried(api: &Api<DynamicObject>, name: &str, object: &Value) -> Result<Vec<String>, String> {
    let live = match api.get(name).await {
        Ok(live) => live,
        Err(error) if api_code(&error) == 404 => return Ok(Vec::new()),
        Err(error) => return Err(api_message(&error)),
    };
    let params = PatchParams {
        dry_run: true,
        ..PatchParams::apply(FIELD_MANAGER).force()
    };
    let after = api.patch(name, &params, &Patch::Apply(object)).await;
    let after = after.map_err(|error| api_message(&error))?;
    let value = |object: &DynamicObject| serde_json::to_value(object).map_err(|error| error.to_string());
    Ok(losses(&value(&live)?, &value(&after)?))
}
