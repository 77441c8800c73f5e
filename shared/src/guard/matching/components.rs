//! What is a part of the mesh under any name: the same as in the policy's CEL.

use super::super::{
    review::{Object, Request, Str},
    table::{
        CONTROL_PLANES, KUBECONFIG, NODE_WIDE_OPERATOR_KINDS, OPERATOR_TAGS, REMOTE_SECRET_LABEL, component_namespaces,
    },
};
use crate::api::FreezeScope;
use serde::Deserialize;
use std::collections::HashMap;

#[derive(Deserialize)]
struct Workload<'a> {
    #[serde(borrow, default)]
    template: Option<Template<'a>>,
}

#[derive(Deserialize)]
struct Template<'a> {
    #[serde(borrow, default)]
    metadata: Option<TemplateMetadata<'a>>,
}

#[derive(Deserialize)]
struct TemplateMetadata<'a> {
    #[serde(borrow, default)]
    labels: Option<HashMap<Str<'a>, Str<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OperatorObject<'a> {
    #[serde(borrow, default)]
    namespace: Option<Str<'a>>,
    #[serde(borrow, default)]
    target_ref: Option<Target<'a>>,
}

#[derive(Deserialize)]
struct Target<'a> {
    #[serde(borrow, default)]
    kind: Option<Str<'a>>,
    #[serde(borrow, default)]
    name: Option<Str<'a>>,
}

/// Whether the request brings a workload whose pods bear labels of a control plane or an agent, where the scope has its
/// own. What cannot be read is taken for one.
pub(super) fn is_further_workload(request: &Request<'_>, scope: &FreezeScope) -> bool {
    if !component_namespaces(scope).contains(&*request.namespace) {
        return false;
    }
    let Some(spec) = request.object.as_ref().and_then(|object| object.spec) else {
        return false;
    };
    let Ok(workload) = serde_json::from_str::<Workload<'_>>(spec.get()) else {
        return true;
    };
    let metadata = workload.template.and_then(|template| template.metadata);
    let Some(labels) = metadata.and_then(|metadata| metadata.labels) else {
        return false;
    };
    CONTROL_PLANES.iter().any(|(resource, label, value)| {
        *resource == &*request.resource && labels.get(*label).is_some_and(|has| **has == **value)
    })
}

/// Whether the request brings an object of the Sail Operator's that would install something beside what the scope has,
/// or lead workloads to it. What does not say where is taken for one.
pub(super) fn is_further_operator_object(request: &Request<'_>, scope: &FreezeScope) -> bool {
    let resource = &*request.resource;
    if NODE_WIDE_OPERATOR_KINDS.contains(&resource) {
        return true;
    }
    let spec = request.object.as_ref().and_then(|object| object.spec);
    let Some(Ok(spec)) = spec.map(|spec| serde_json::from_str::<OperatorObject<'_>>(spec.get())) else {
        return true;
    };
    if resource == OPERATOR_TAGS {
        let Some((kind, name)) = spec.target_ref.and_then(|target| target.kind.zip(target.name)) else {
            return true;
        };
        let target = if &*kind == "Istio" { "istios" } else { "istiorevisions" };
        let mut objects = scope.operator_objects.iter();
        return objects.any(|object| object.split_once('/') == Some((target, &*name)));
    }
    let namespace = spec.namespace;
    namespace.is_none_or(|namespace| scope.istio_namespaces.iter().any(|one| **one == *namespace))
}

/// Whether the request is about a Secret by which istiod reaches another cluster, before or after the change.
pub(super) fn is_remote_secret(request: &Request<'_>, scope: &FreezeScope) -> bool {
    let labelled = |object: &Object<'_>| {
        let labels = object.metadata.labels.as_ref();
        labels.is_some_and(|labels| labels.rest.iter().any(|(key, _)| **key == *REMOTE_SECRET_LABEL))
    };
    scope.istio_namespaces.iter().any(|one| **one == *request.namespace)
        && (request.object_name() == KUBECONFIG || request.objects().any(labelled))
}
