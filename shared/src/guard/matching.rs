//! The table applied to a request of the webhook: the same rows and writers as in the policy's CEL.

mod components;

use super::{
    message::Told,
    review::{Members, Metadata, Object, Request, Str},
    table::{
        self, DELETABLE, FREE_METADATA, HELM_DEPLOYED, HELM_OWNER, HELM_STATUS_LABEL, HELM_STORAGE_PREFIX,
        ISTIOD_PROBE_NAME, May, Operation, Picks, Row, Strictness, Who, Writer,
    },
};
use crate::{
    api::{Controller, FreezeScope, MeshFreezeSpec, ObjectName, WorkloadKind},
    gitops::SailKind,
    names,
};
use serde::Deserialize;
use serde_json::Value;
use std::collections::HashSet;

const FINALIZERS: &str = "finalizers";

/// What one freeze makes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stance {
    /// It has nothing to do with the freeze.
    Free,
    /// It passes and is told of.
    Tell(Told),
    /// It is refused.
    Refuse,
}

/// What this freeze makes of a request: what it falls under first, then who makes it, and last, because it costs most,
/// whether it changes anything.
#[must_use]
pub fn stance(request: &Request<'_>, freeze: &MeshFreezeSpec) -> Stance {
    let scope = &freeze.scope;
    let Some(strictness) = strictness(request, scope) else {
        return if deletes_configuration_with_its_namespace(request, scope) && !is_holder(request, freeze) {
            Stance::Tell(Told::DeletesNamespace)
        } else {
            Stance::Free
        };
    };
    if is_holder(request, freeze) {
        return Stance::Free;
    }
    match let_through(request, scope) {
        Some(writer) if writer.reported => Stance::Tell(Told::BySystem),
        Some(_) => Stance::Free,
        None if is_unchanged(request) && !is_another_driver(request) => Stance::Free,
        None => match strictness {
            Strictness::Refuse => Stance::Refuse,
            Strictness::Warn => Stance::Tell(Told::AgainstAdvice),
        },
    }
}

/// What a freeze of this scope does about a foreigner's request, by the strictest row of the table that it falls under.
fn strictness(request: &Request<'_>, scope: &FreezeScope) -> Option<Strictness> {
    table::FROZEN
        .iter()
        .filter(|row| is_in_row(request, row))
        .filter_map(|row| Some((row, row.strictness(scope)?)))
        .filter(|(row, _)| is_picked(request, row.picks, scope))
        .map(|(_, strictness)| strictness)
        .max()
}

/// Namespaces of components are frozen by a row of their own; any other may hold configuration.
fn deletes_configuration_with_its_namespace(request: &Request<'_>, scope: &FreezeScope) -> bool {
    request.operation == Operation::Delete
        && request.group.is_empty()
        && *request.resource == *"namespaces"
        && request.subresource.is_empty()
        && is_in_configuration_namespaces(request.object_name(), scope)
}

/// Whether the request comes from the holder of this freeze. A canary never does.
fn is_holder(request: &Request<'_>, freeze: &MeshFreezeSpec) -> bool {
    *request.username == names::driver_user()
        && request.probes.is_empty()
        && matches!(request.epochs.as_slice(), [epoch] if **epoch == freeze.epoch.to_string())
}

/// Whether a driver writes that does not hold this freeze: nothing of it is accepted, not even what changes nothing.
fn is_another_driver(request: &Request<'_>) -> bool {
    *request.username == names::driver_user() && !request.epochs.is_empty()
}

/// The writer of the table that makes the request and may; of several the one that is not reported.
fn let_through(request: &Request<'_>, scope: &FreezeScope) -> Option<&'static Writer> {
    let writers = table::WRITERS.iter().filter(|writer| may(request, writer, scope));
    writers.min_by_key(|writer| writer.reported)
}

/// Whether an update changes nothing but book-keeping and the removal of finalizers.
#[must_use]
pub fn is_unchanged(request: &Request<'_>) -> bool {
    changes_only(request, "")
}

/// Whether an update changes nothing but that and one field beside the metadata.
pub(super) fn changes_only(request: &Request<'_>, field: &str) -> bool {
    let (Operation::Update, Some(object), Some(old)) = (request.operation, &request.object, &request.old_object) else {
        return false;
    };
    (field == "spec" || old.spec == object.spec)
        && (field == "data" || old.data == object.data)
        && are_same(&old.rest, &object.rest, |key| key != field)
        && differs_only_freely(&old.metadata, &object.metadata)
}

fn differs_only_freely(old: &Metadata<'_>, new: &Metadata<'_>) -> bool {
    let compared = |key: &str| key != FINALIZERS && !FREE_METADATA.contains(&key);
    old.name == new.name
        && old.annotations == new.annotations
        && old.labels == new.labels
        && are_same(&old.rest, &new.rest, compared)
        && only_removes_finalizers(&old.rest, &new.rest)
}

/// Whether the members that are compared are the same, in the same order.
fn are_same(old: &Members<'_>, new: &Members<'_>, is_compared: impl Fn(&str) -> bool) -> bool {
    let mut old = old.iter().filter(|(key, _)| is_compared(key));
    let mut new = new.iter().filter(|(key, _)| is_compared(key));
    loop {
        match (old.next(), new.next()) {
            (None, None) => return true,
            (Some(old), Some(new)) if old == new => {}
            _ => return false,
        }
    }
}

/// Whether no finalizer is new. What cannot be read counts as one.
fn only_removes_finalizers(old: &Members<'_>, new: &Members<'_>) -> bool {
    let finalizers = |metadata| list::<Str<'_>>(metadata, FINALIZERS);
    let (Some(old), Some(new)) = (finalizers(old), finalizers(new)) else {
        return false;
    };
    // A set, as whoever reaches the webhook may send half a million of them.
    let old: HashSet<&str> = old.iter().map(|finalizer| &**finalizer).collect();
    new.iter().all(|finalizer| old.contains(&**finalizer))
}

/// A list among members; none is as good as an empty one, and what is no list is `None`.
fn list<'a, T: Deserialize<'a>>(members: &Members<'a>, name: &str) -> Option<Vec<T>> {
    let Some((_, value)) = members.iter().find(|(key, _)| **key == *name) else {
        return Some(Vec::new());
    };
    let list: Option<Vec<T>> = serde_json::from_str(value.get()).ok()?;
    Some(list.unwrap_or_default())
}

/// Whether a row's rules match: what the API server itself decides for the policy.
fn is_in_row(request: &Request<'_>, row: &Row) -> bool {
    row.groups.contains(&&*request.group)
        && row.operations.contains(&request.operation)
        && row.resources.iter().any(|resource| match resource.split_once('/') {
            Some((resource, subresource)) => *resource == *request.resource && *subresource == *request.subresource,
            None => request.subresource.is_empty() && (*resource == "*" || **resource == *request.resource),
        })
}

fn is_picked(request: &Request<'_>, picks: Picks, scope: &FreezeScope) -> bool {
    let name = request.object_name();
    let namespace = &*request.namespace;
    match picks {
        Picks::Configuration => namespace.is_empty() || is_in_configuration_namespaces(namespace, scope),
        Picks::GatewayApi => !namespace.is_empty() && is_in_configuration_namespaces(namespace, scope),
        Picks::ScopeConfigMaps => table::guarded_config_maps(scope).any(|guarded| guarded == (namespace, name)),
        Picks::ScopeWorkloads => is_workload(request, scope),
        Picks::FurtherWorkloads => components::is_further_workload(request, scope),
        Picks::ScopeOperators => is_operator_object(request, &scope.operator_objects),
        Picks::FurtherOperators => components::is_further_operator_object(request, scope),
        Picks::MeshCrds => table::crd_suffixes_of(scope).any(|suffix| name.ends_with(suffix)),
        Picks::ScopeNamespaces => table::protected_namespaces(scope).contains(name),
        Picks::HelmStorage => is_helm_storage(request, &scope.helm_releases),
        Picks::RemoteSecrets => components::is_remote_secret(request, scope),
        Picks::Owned => request.objects().any(|object| is_owned(object, scope)),
        Picks::StatusMetadata => {
            let guarded = is_workload(request, scope) || request.objects().any(|object| is_owned(object, scope));
            guarded && changes_owners(request, scope)
        }
    }
}

/// Whether the request is about the storage of one of these releases, by name, or by the labels by which helm finds it.
fn is_helm_storage(request: &Request<'_>, releases: &[ObjectName]) -> bool {
    let name = request.object_name();
    releases.iter().any(|release| {
        let named = name
            .strip_prefix(HELM_STORAGE_PREFIX)
            .and_then(|rest| rest.strip_prefix(release.name.as_str()))
            .is_some_and(|rest| rest.starts_with(".v"));
        let labelled = |object: &Object<'_>| {
            let labels = object.metadata.labels.as_ref();
            labels.is_some_and(|labels| {
                labels.owner.as_deref() == Some(HELM_OWNER) && labels.name.as_deref() == Some(release.name.as_str())
            })
        };
        release.namespace == *request.namespace && (named || request.objects().any(labelled))
    })
}

fn is_in_configuration_namespaces(namespace: &str, scope: &FreezeScope) -> bool {
    let named = &scope.configuration.namespaces;
    named.is_empty() || named.iter().chain(&scope.istio_namespaces).any(|one| one == namespace)
}

fn is_workload(request: &Request<'_>, scope: &FreezeScope) -> bool {
    scope.workloads.iter().any(|workload| {
        let kind: WorkloadKind = workload.kind;
        kind.resource() == &*request.resource
            && workload.namespace == *request.namespace
            && workload.name == request.object_name()
    })
}

/// Whether an update changes the owners, one of helm's annotations, or, where istioctl installed something, one of its
/// labels. What cannot be read counts as changed.
fn changes_owners(request: &Request<'_>, scope: &FreezeScope) -> bool {
    let (Some(old), Some(new)) = (&request.old_object, &request.object) else {
        return true;
    };
    let owners = |metadata: &Metadata<'_>| list::<Value>(&metadata.rest, "ownerReferences");
    let (Some(old_owners), Some(new_owners)) = (owners(&old.metadata), owners(&new.metadata)) else {
        return true;
    };
    old_owners != new_owners
        || helm_release(&old.metadata) != helm_release(&new.metadata)
        || (!scope.istioctl.is_empty() && installation(&old.metadata) != installation(&new.metadata))
        || (!scope.applications.is_empty() && marks(&old.metadata) != marks(&new.metadata))
}

/// Argo CD's marks, by annotation and by label; a missing one is as good as an empty one.
fn marks<'m>(metadata: &'m Metadata<'_>) -> (&'m str, &'m str) {
    let annotations = metadata.annotations.as_ref();
    let labels = metadata.labels.as_ref();
    let annotation = annotations.and_then(|annotations| annotations.tracking.as_deref());
    let label = labels.and_then(|labels| labels.tracking.as_deref());
    (annotation.unwrap_or_default(), label.unwrap_or_default())
}

/// Namespace and revision of the installation by istioctl as its labels have them; a missing one is as good as an empty
/// one.
fn installation<'m>(metadata: &'m Metadata<'_>) -> (&'m str, &'m str) {
    let text = |text: &'m Option<Str<'_>>| text.as_deref().unwrap_or_default();
    metadata.labels.as_ref().map_or_else(Default::default, |labels| {
        (text(&labels.installed_in), text(&labels.revision))
    })
}

fn is_owned(object: &Object<'_>, scope: &FreezeScope) -> bool {
    is_helm_owned(object, &scope.helm_releases)
        || is_istioctl_owned(object, scope)
        || is_application_owned(object, &scope.applications)
}

/// Whether an object bears the mark of one of these Applications: by its label where it has no annotation.
fn is_application_owned(object: &Object<'_>, applications: &[String]) -> bool {
    let annotations = object.metadata.annotations.as_ref();
    let labels = object.metadata.labels.as_ref();
    let tracked = annotations.and_then(|annotations| annotations.tracking.as_deref());
    let mark = match tracked {
        Some(id) => id.split(':').next(),
        None => labels.and_then(|labels| labels.tracking.as_deref()),
    };
    mark.is_some_and(|mark| applications.iter().any(|one| one == mark))
}

/// Whether a controller brings something of its own component, of its target's version.
fn brings(request: &Request<'_>, controller: &Controller) -> bool {
    if controller.version.is_empty() {
        return takes_away(request, controller);
    }
    let owns = || {
        request.objects().all(|object| {
            is_helm_owned(object, &controller.helm_releases) || is_application_owned(object, &controller.applications)
        })
    };
    let is_of_target = request.object.as_ref().is_some_and(|object| {
        let labels = object.metadata.labels.as_ref();
        labels.is_some_and(|labels| labels.version.as_deref() == Some(controller.version.as_str()))
    });
    if is_of_target && owns() {
        return true;
    }
    if *request.group == *SailKind::GROUP
        && request.subresource.is_empty()
        && is_operator_object(request, &controller.operator_objects)
        && request
            .object
            .as_ref()
            .is_some_and(|object| asks_for(object, &controller.version))
    {
        return true;
    }
    let deletes = request.operation == Operation::Delete;
    let resource = (&*request.group, &*request.resource);
    if deletes && request.subresource.is_empty() && DELETABLE.contains(&resource) && owns() {
        return true;
    }
    request.group.is_empty()
        && request.subresource.is_empty()
        && matches!(&*request.resource, "secrets" | "configmaps")
        && is_helm_storage(request, &controller.helm_releases)
        && (!deletes || request.old_object.as_ref().is_some_and(is_superseded))
}

/// Whether a controller takes away something of its own: an operator's object, what a release of it owns, and what helm
/// keeps of that release.
fn takes_away(request: &Request<'_>, controller: &Controller) -> bool {
    if !request.subresource.is_empty() {
        return false;
    }
    let deletes = request.operation == Operation::Delete && request.old_object.is_some();
    let is_its = || {
        *request.group == *SailKind::GROUP && is_operator_object(request, &controller.operator_objects)
            || request
                .objects()
                .all(|object| is_helm_owned(object, &controller.helm_releases))
    };
    deletes && is_its()
        || request.group.is_empty()
            && request.operation != Operation::Create
            && matches!(&*request.resource, "secrets" | "configmaps")
            && is_helm_storage(request, &controller.helm_releases)
}

/// Whether the request is about one of these objects, as resource and name.
fn is_operator_object(request: &Request<'_>, objects: &[String]) -> bool {
    let mut objects = objects.iter().filter_map(|object| object.split_once('/'));
    objects.any(|(resource, name)| resource == &*request.resource && name == request.object_name())
}

/// Whether an object asks the Sail Operator for this version.
fn asks_for(object: &Object<'_>, version: &str) -> bool {
    #[derive(Deserialize)]
    struct Spec {
        version: String,
    }
    let spec = object
        .spec
        .and_then(|spec| serde_json::from_str::<Spec>(spec.get()).ok());
    spec.is_some_and(|spec| spec.version.strip_prefix('v') == Some(version))
}

/// Whether helm's storage holds a release that is not the deployed one.
fn is_superseded(storage: &Object<'_>) -> bool {
    let labels = storage.metadata.labels.as_ref();
    let status = labels.and_then(|labels| labels.rest.iter().find(|(key, _)| **key == *HELM_STATUS_LABEL));
    let status = status.and_then(|(_, value)| serde_json::from_str::<String>(value.get()).ok());
    status.is_some_and(|status| status != HELM_DEPLOYED)
}

fn is_istioctl_owned(object: &Object<'_>, scope: &FreezeScope) -> bool {
    let Some(labels) = &object.metadata.labels else {
        return false;
    };
    let (Some(namespace), Some(revision)) = (&labels.installed_in, &labels.revision) else {
        return false;
    };
    let mut installations = scope.istioctl.iter();
    installations.any(|one| one.namespace == **namespace && one.name == **revision)
}

/// Name and namespace of the release as its annotations have them; a missing one is as good as an empty one.
fn helm_release<'m>(metadata: &'m Metadata<'_>) -> (&'m str, &'m str) {
    let text = |text: &'m Option<Str<'_>>| text.as_deref().unwrap_or_default();
    metadata
        .annotations
        .as_ref()
        .map_or_else(Default::default, |annotations| {
            (text(&annotations.release_name), text(&annotations.release_namespace))
        })
}

fn is_helm_owned(object: &Object<'_>, releases: &[ObjectName]) -> bool {
    let Some(annotations) = &object.metadata.annotations else {
        return false;
    };
    let (Some(name), Some(namespace)) = (&annotations.release_name, &annotations.release_namespace) else {
        return false;
    };
    let mut releases = releases.iter();
    releases.any(|release| release.name == **name && release.namespace == **namespace)
}

fn may(request: &Request<'_>, writer: &Writer, scope: &FreezeScope) -> bool {
    let named = |users: &[String]| !request.username.is_empty() && users.iter().any(|user| **user == *request.username);
    let who = match writer.who {
        Who::Anybody => true,
        Who::Istiod => named(&scope.istiod_users),
        Who::ExtraWriters => named(&scope.configuration.extra_writers),
        // Each for what is its own.
        Who::Controllers => true,
        Who::Users(users) => users.contains(&&*request.username),
    };
    let is = |group: &str, resource: &str| *request.group == *group && *request.resource == *resource;
    who && match writer.may {
        May::WriteWorkloadEntries => is("networking.istio.io", "workloadentries"),
        May::WriteManagedGateways => {
            table::MANAGED_GATEWAY_GROUPS.contains(&&*request.group)
                && request.objects().all(|object| {
                    let labels = object.metadata.labels.as_ref();
                    labels.is_some_and(|labels| labels.managed_gateway.is_some())
                })
        }
        May::ProbeIstiod => {
            is("networking.istio.io", "gateways")
                && request.operation == Operation::Create
                && request.dry_run
                && request.object_name() == ISTIOD_PROBE_NAME
                && request.objects().all(|object| {
                    let annotations = object.metadata.annotations.as_ref();
                    let always_reject = annotations.and_then(|annotations| annotations.always_reject.as_deref());
                    always_reject == Some("true")
                })
        }
        May::DeleteNamespaced => {
            request.operation == Operation::Delete && !request.namespace.is_empty() && !is("", "namespaces")
        }
        May::Scale => &*request.subresource == "scale",
        May::WriteEndpoints => is("discovery.k8s.io", "endpointslices") || is("", "endpoints"),
        May::BringComponent => scope.controllers.iter().any(|controller| {
            !request.username.is_empty() && *controller.user == *request.username && brings(request, controller)
        }),
        May::WriteConfiguration => {
            let mut groups = table::CONFIGURATION_GROUPS.iter().chain(table::GATEWAY_API_GROUPS);
            groups.any(|group| **group == *request.group)
        }
    }
}
