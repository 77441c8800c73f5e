//! What belongs to whom, as CEL: helm's releases, installations by istioctl, Argo CD's Applications; and what a controller may
//! bring of its own.

use super::{PATH, any, helm_labelled, list, literal, scope::paths};
use crate::{
    api::{Controller, FreezeScope, ObjectName},
    gitops::{SailKind, TRACKING_ANNOTATION, TRACKING_LABEL, VERSION_LABEL},
    guard::table::{
        DELETABLE, HELM_DEPLOYED, HELM_NAME_LABEL, HELM_RELEASE_NAME, HELM_RELEASE_NAMESPACE, HELM_STATUS_LABEL,
        HELM_STORAGE_PREFIX, Operation,
    },
    istioctl::{OWNER_NAMESPACE_LABEL, REVISION_LABEL},
};

/// Beginnings of NAMESPACE/NAME of the storage of these releases, up to the revision.
pub(super) fn storage_prefixes(releases: &[ObjectName]) -> String {
    let releases = releases.iter();
    list(releases.map(|release| format!("{}/{HELM_STORAGE_PREFIX}{}.v", release.namespace, release.name)))
}

/// True for helm's storage by its name, one of these prefixes, or by the labels by which helm finds it, of one of these
/// releases.
pub(super) fn helm_storage(prefixes: &str, releases: &str) -> String {
    let name = literal(HELM_NAME_LABEL);
    any([
        format!("{prefixes}.exists(p, {PATH}.startsWith(p))"),
        format!(
            "[object, oldObject].exists(o, {} && {name} in o.metadata.labels && \
             (variables.inNamespace + '/' + o.metadata.labels[{name}]) in {releases})",
            helm_labelled()
        ),
    ])
}

/// True for what a part of the scope owns, before or after the change. Expects the variables of [`super::lists`].
pub(super) fn owned(scope: &FreezeScope) -> String {
    let mut owned = vec![format!(
        "[object, oldObject].exists(o, o != null && {})",
        helm_owns("variables.releases")
    )];
    if !scope.istioctl.is_empty() {
        owned.push(istioctl_owns("variables.installations"));
    }
    if !scope.applications.is_empty() {
        owned.push(format!(
            "[object, oldObject].exists(o, o != null && {})",
            application_owns("variables.applications")
        ));
    }
    any(owned)
}

/// True where an object, before or after the change, bears the mark of one of these Applications.
#[must_use]
pub fn application_owned<'a>(applications: impl IntoIterator<Item = &'a String>) -> String {
    format!(
        "[object, oldObject].exists(o, o != null && {})",
        application_owns(&list(applications))
    )
}

/// True for an object `o` that bears the mark of one in this list of Applications: by its label where it has no annotation.
fn application_owns(applications: &str) -> String {
    let (annotation, label) = (literal(TRACKING_ANNOTATION), literal(TRACKING_LABEL));
    format!(
        "{applications}.exists(a, has(o.metadata.annotations) && {annotation} in o.metadata.annotations ? \
         (o.metadata.annotations[{annotation}] == a || o.metadata.annotations[{annotation}].startsWith(a + \":\")) : \
         (has(o.metadata.labels) && {label} in o.metadata.labels && o.metadata.labels[{label}] == a))"
    )
}

/// True where a controller brings something of its own component, of its target's version.
pub(super) fn brings(controller: &Controller) -> String {
    if controller.version.is_empty() {
        return takes_away(controller);
    }
    let mut owners = Vec::new();
    if !controller.helm_releases.is_empty() {
        owners.push(helm_owns(&paths(&controller.helm_releases)));
    }
    if !controller.applications.is_empty() {
        owners.push(application_owns(&list(&controller.applications)));
    }
    let owns = format!("[object, oldObject].all(o, o == null || {})", any(owners));
    let version = literal(VERSION_LABEL);
    let writes = format!(
        "object != null && has(object.metadata.labels) && {version} in object.metadata.labels && \
         object.metadata.labels[{version}] == {} && ({owns})",
        literal(&controller.version)
    );
    let deletable = list(DELETABLE.iter().map(|(group, resource)| format!("{group}/{resource}")));
    let deletes = format!(
        "request.operation == {} && (request.resource.group + '/' + variables.resource) in {deletable} && ({owns})",
        literal(Operation::Delete.as_str())
    );
    let status = literal(HELM_STATUS_LABEL);
    let stores = format!(
        "request.resource.group == \"\" && variables.resource in {} && ({}) && (request.operation != {} || \
         (oldObject != null && has(oldObject.metadata.labels) && {status} in oldObject.metadata.labels && \
         oldObject.metadata.labels[{status}] != {}))",
        list(["secrets", "configmaps"]),
        storage_of(controller),
        literal(Operation::Delete.as_str()),
        literal(HELM_DEPLOYED),
    );
    let asks = format!(
        "request.resource.group == {} && (variables.resource + '/' + variables.name) in {} && object != null && \
         has(object.spec) && has(object.spec.version) && object.spec.version == {}",
        literal(SailKind::GROUP),
        list(&controller.operator_objects),
        literal(&format!("v{}", controller.version)),
    );
    any([writes, deletes, stores, asks])
}

fn storage_of(controller: &Controller) -> String {
    let releases = &controller.helm_releases;
    helm_storage(&storage_prefixes(releases), &paths(releases))
}

/// True where a controller takes away something of its own: an operator's object, what a release of it owns, and what helm
/// keeps of that release.
fn takes_away(controller: &Controller) -> String {
    let deletes = format!(
        "request.operation == {} && oldObject != null && \
         (request.resource.group == {} && (variables.resource + '/' + variables.name) in {} || \
         [oldObject].all(o, {}))",
        literal(Operation::Delete.as_str()),
        literal(SailKind::GROUP),
        list(&controller.operator_objects),
        helm_owns(&paths(&controller.helm_releases)),
    );
    let stores = format!(
        "request.resource.group == \"\" && variables.resource in {} && request.operation != {} && ({})",
        list(["secrets", "configmaps"]),
        literal(Operation::Create.as_str()),
        storage_of(controller),
    );
    any([deletes, stores])
}

/// True where an object, before or after the change, carries the labels of one of these installations by istioctl.
#[must_use]
pub fn istioctl_owned<'a>(installations: impl IntoIterator<Item = &'a ObjectName>) -> String {
    istioctl_owns(&paths(installations))
}

fn istioctl_owns(installations: &str) -> String {
    let (namespace, revision) = (literal(OWNER_NAMESPACE_LABEL), literal(REVISION_LABEL));
    format!(
        "[object, oldObject].exists(o, o != null && has(o.metadata.labels) && \
         {namespace} in o.metadata.labels && {revision} in o.metadata.labels && \
         (o.metadata.labels[{namespace}] + '/' + o.metadata.labels[{revision}]) in {installations})"
    )
}

/// True for an object `o` that names one in this list of releases as its owner.
fn helm_owns(releases: &str) -> String {
    let (name, namespace) = (literal(HELM_RELEASE_NAME), literal(HELM_RELEASE_NAMESPACE));
    format!(
        "(has(o.metadata.annotations) && \
         {name} in o.metadata.annotations && {namespace} in o.metadata.annotations && \
         (o.metadata.annotations[{namespace}] + '/' + o.metadata.annotations[{name}]) in {releases})"
    )
}
