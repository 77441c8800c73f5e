//! The table applied to a request of the webhook: the same rows and writers as in the policy's CEL.

use super::{
    review::{Object, Request},
    table::{
        self, CRD_SUFFIXES, FREE_METADATA, HELM_OWNER, HELM_RELEASE_NAME, HELM_RELEASE_NAMESPACE, HELM_STORAGE_PREFIX,
        ISTIOD_PROBE_NAME, May, Operation, Picks, Row, Who, Writer,
    },
};
use crate::{
    api::{FreezeScope, MeshFreezeSpec, WorkloadKind},
    names,
};
use serde_json::{Map, Value};

/// Whether a request is refused to foreigners while this scope is frozen, by any row of the table.
#[must_use]
pub fn is_frozen(request: &Request<'_>, scope: &FreezeScope) -> bool {
    table::FROZEN
        .iter()
        .any(|row| is_in_row(request, row) && is_picked(request, row.picks, scope))
}

/// Whether the request comes from the holder of this freeze. A canary never does.
#[must_use]
pub fn is_holder(request: &Request<'_>, freeze: &MeshFreezeSpec) -> bool {
    *request.username == names::driver_user()
        && request.probes.is_empty()
        && matches!(request.epochs.as_slice(), [epoch] if **epoch == freeze.epoch.to_string())
}

/// Whether one of the table's writers makes the request and may.
#[must_use]
pub fn is_let_through(request: &Request<'_>, scope: &FreezeScope) -> bool {
    table::WRITERS.iter().any(|writer| may(request, writer, scope))
}

/// Whether an update changes nothing but book-keeping and the removal of finalizers.
#[must_use]
pub fn is_unchanged(request: &Request<'_>) -> bool {
    if request.operation != Operation::Update {
        return false;
    }
    let Some((old, new)) = request.whole_objects() else {
        return false;
    };
    // What cannot be read (nested too deeply) counts as changed.
    let read = |raw: &serde_json::value::RawValue| serde_json::from_str::<Map<String, Value>>(raw.get()).ok();
    match (read(old), read(new)) {
        (Some(old), Some(new)) => differs_only_freely(old, new).unwrap_or(false),
        _ => false,
    }
}

/// Whether two objects differ only in book-keeping and in finalizers that are gone; `None` for what is no object.
pub(super) fn differs_only_freely(mut old: Map<String, Value>, mut new: Map<String, Value>) -> Option<bool> {
    let old_finalizers = take_free_metadata(&mut old)?;
    let new_finalizers = take_free_metadata(&mut new)?;
    let only_removed = new_finalizers
        .iter()
        .all(|finalizer| old_finalizers.contains(finalizer));
    Some(only_removed && old == new)
}

/// Takes out what may change, and gives back the finalizers.
fn take_free_metadata(object: &mut Map<String, Value>) -> Option<Vec<Value>> {
    let metadata = object.get_mut("metadata")?.as_object_mut()?;
    for field in FREE_METADATA {
        metadata.remove(*field);
    }
    match metadata.remove("finalizers") {
        None | Some(Value::Null) => Some(Vec::new()),
        Some(Value::Array(finalizers)) => Some(finalizers),
        Some(_) => None,
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
        Picks::All => true,
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
    let read = |raw: &serde_json::value::RawValue| serde_json::from_str::<Value>(raw.get()).ok();
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
    let who = match writer.who {
        Who::Anybody => true,
        Who::Istiod => scope.istiod_users.iter().any(|user| **user == *request.username),
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
    }
}
