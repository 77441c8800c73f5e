//! The table applied to a request of the webhook: the same rows and writers as in the policy's CEL.

use super::{
    message::Told,
    review::{Object, Request, Str},
    table::{
        self, CRD_SUFFIXES, FREE_METADATA, HELM_OWNER, HELM_RELEASE_NAME, HELM_RELEASE_NAMESPACE, HELM_STORAGE_PREFIX,
        ISTIOD_PROBE_NAME, May, Operation, Picks, Row, Strictness, Who, Writer,
    },
};
use crate::{
    api::{FreezeScope, MeshFreezeSpec, WorkloadKind},
    names,
};
use serde_json::{Value, value::RawValue};
use std::collections::BTreeMap;

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
///
/// Both objects come from one encoder in one review, so that equal values are equal bytes. Were they ever not, the
/// update would count as a change and be refused.
#[must_use]
pub fn is_unchanged(request: &Request<'_>) -> bool {
    changes_only(request, "")
}

/// Whether an update changes nothing but that and one field beside the metadata.
pub(super) fn changes_only(request: &Request<'_>, field: &str) -> bool {
    let (Operation::Update, Some(object), Some(old)) = (request.operation, &request.object, &request.old_object) else {
        return false;
    };
    // What most updates change has been found already; only the others cost another look at the review.
    if field != "spec" && object.spec.map(RawValue::get) != old.spec.map(RawValue::get) {
        return false;
    }
    let whole = request.whole_objects();
    whole.is_some_and(|(old, new)| differs_only_freely(old, new, field).unwrap_or(false))
}

/// The members of a JSON object, unread.
type Members<'a> = BTreeMap<Str<'a>, &'a RawValue>;

fn members(object: &RawValue) -> Option<Members<'_>> {
    serde_json::from_str(object.get()).ok()
}

/// `None` for what is no object.
fn differs_only_freely(old: &RawValue, new: &RawValue, field: &str) -> Option<bool> {
    let (mut old, mut new) = (members(old)?, members(new)?);
    for object in [&mut old, &mut new] {
        object.remove(field);
    }
    let (mut old_metadata, mut new_metadata) = (members(old.remove("metadata")?)?, members(new.remove("metadata")?)?);
    let old_finalizers = take_free_metadata(&mut old_metadata)?;
    let new_finalizers = take_free_metadata(&mut new_metadata)?;
    let only_removed = new_finalizers
        .iter()
        .all(|finalizer| old_finalizers.contains(finalizer));
    Some(only_removed && are_same(&old, &new) && are_same(&old_metadata, &new_metadata))
}

fn are_same(old: &Members<'_>, new: &Members<'_>) -> bool {
    old.len() == new.len()
        && old
            .iter()
            .zip(new)
            .all(|((old_key, old), (key, new))| old_key == key && old.get() == new.get())
}

/// Takes out what may change, and gives back the finalizers.
fn take_free_metadata<'a>(metadata: &mut Members<'a>) -> Option<Vec<Str<'a>>> {
    for field in FREE_METADATA {
        metadata.remove(*field);
    }
    match metadata.remove("finalizers") {
        None => Some(Vec::new()),
        Some(finalizers) => serde_json::from_str::<Option<_>>(finalizers.get())
            .ok()
            .map(Option::unwrap_or_default),
    }
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
        Picks::MeshCrds => CRD_SUFFIXES.iter().any(|suffix| name.ends_with(suffix)),
        Picks::ScopeNamespaces => table::protected_namespaces(scope).contains(name),
        Picks::HelmStorage => scope.helm_releases.iter().any(|release| {
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
            release.namespace == namespace && (named || request.objects().any(labelled))
        }),
        Picks::HelmOwned => request.objects().any(|object| is_helm_owned(object, scope)),
        Picks::StatusMetadata => {
            let guarded = is_workload(request, scope) || request.objects().any(|object| is_helm_owned(object, scope));
            guarded && changes_owners(request)
        }
    }
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

/// Whether an update changes the owners or one of helm's annotations. What cannot be read counts as changed.
fn changes_owners(request: &Request<'_>) -> bool {
    let read = |raw: &RawValue| serde_json::from_str::<Value>(raw.get()).ok();
    let Some((Some(old), Some(new))) = request.whole_objects().map(|(old, new)| (read(old), read(new))) else {
        return true;
    };
    let owners = |object: &Value| {
        let owners = object.pointer("/metadata/ownerReferences").and_then(Value::as_array);
        owners.cloned().unwrap_or_default()
    };
    let annotation = |object: &Value, key: &str| {
        let annotations = object.pointer("/metadata/annotations")?;
        annotations.get(key).and_then(Value::as_str).map(str::to_owned)
    };
    owners(&old) != owners(&new)
        || [HELM_RELEASE_NAME, HELM_RELEASE_NAMESPACE]
            .into_iter()
            .any(|key| annotation(&old, key).unwrap_or_default() != annotation(&new, key).unwrap_or_default())
}

fn is_helm_owned(object: &Object<'_>, scope: &FreezeScope) -> bool {
    let Some(annotations) = &object.metadata.annotations else {
        return false;
    };
    let (Some(name), Some(namespace)) = (&annotations.release_name, &annotations.release_namespace) else {
        return false;
    };
    scope
        .helm_releases
        .iter()
        .any(|release| release.name == **name && release.namespace == **namespace)
}

fn may(request: &Request<'_>, writer: &Writer, scope: &FreezeScope) -> bool {
    let named = |users: &[String]| !request.username.is_empty() && users.iter().any(|user| **user == *request.username);
    let who = match writer.who {
        Who::Anybody => true,
        Who::Istiod => named(&scope.istiod_users),
        Who::ExtraWriters => named(&scope.configuration.extra_writers),
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
        May::WriteEndpointSlices => is("discovery.k8s.io", "endpointslices"),
        May::WriteConfiguration => {
            let mut groups = table::CONFIGURATION_GROUPS.iter().chain(table::GATEWAY_API_GROUPS);
            groups.any(|group| **group == *request.group)
        }
    }
}
