//! What a scope names, each list as a variable of the policy of its own.
//!
//! An expression may have no more than 100,000 characters, and a mesh of some hundred gateways would bring it beyond that
//! if each row wrote the lists out that it needs.

use super::{
    PATH, any, list,
    owners::{helm_storage, owned, storage_prefixes},
};
use crate::{
    api::{FreezeScope, ObjectName, WorkloadKind},
    guard::table,
};

/// Variables in the order in which each may use those before it. Expects `name` and `inNamespace`.
#[must_use]
pub fn lists(scope: &FreezeScope) -> Vec<(&'static str, String)> {
    let mut lists = vec![
        ("releases", paths(&scope.helm_releases)),
        ("storagePrefixes", storage_prefixes(&scope.helm_releases)),
        ("installations", paths(&scope.istioctl)),
        ("applications", list(&scope.applications)),
        ("deployments", workloads(scope, WorkloadKind::Deployment)),
        ("daemonSets", workloads(scope, WorkloadKind::DaemonSet)),
        ("operatorObjects", list(&scope.operator_objects)),
        (
            "configMaps",
            list(table::guarded_config_maps(scope).map(|(namespace, name)| format!("{namespace}/{name}"))),
        ),
        ("componentNamespaces", list(table::protected_namespaces(scope))),
    ];
    if let Some(namespaces) = table::configuration_namespaces(scope) {
        lists.push(("configurationNamespaces", list(namespaces)));
    }
    lists.extend([
        (
            "workload",
            any([
                format!("request.resource.resource == 'deployments' && {PATH} in variables.deployments"),
                format!("request.resource.resource == 'daemonsets' && {PATH} in variables.daemonSets"),
            ]),
        ),
        (
            "helmStorage",
            helm_storage("variables.storagePrefixes", "variables.releases"),
        ),
        ("owned", owned(scope)),
    ]);
    lists
}

/// Objects as NAMESPACE/NAME.
pub(super) fn paths<'a>(objects: impl IntoIterator<Item = &'a ObjectName>) -> String {
    let objects = objects.into_iter();
    list(objects.map(|object| format!("{}/{}", object.namespace, object.name)))
}

fn workloads(scope: &FreezeScope, kind: WorkloadKind) -> String {
    let named = scope.workloads.iter().filter(|workload| workload.kind == kind);
    list(named.map(|workload| format!("{}/{}", workload.namespace, workload.name)))
}
