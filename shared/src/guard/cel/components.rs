//! What is a part of the mesh under any name, as CEL.

use super::{any, list, literal};
use crate::{
    api::FreezeScope,
    guard::table::{
        CONTROL_PLANES, KUBECONFIG, NODE_WIDE_OPERATOR_KINDS, OPERATOR_TAGS, REMOTE_SECRET_LABEL, component_namespaces,
    },
};

/// True for a workload whose pods bear labels of a control plane or an agent, in namespaces where the scope has its own.
pub(super) fn further_workload(scope: &FreezeScope) -> String {
    let labels: Vec<String> = CONTROL_PLANES
        .iter()
        .map(|(resource, label, value)| list([resource, label, value]))
        .collect();
    let labelled = "object.spec.template.metadata.labels";
    format!(
        "variables.inNamespace in {} && has(object.spec) && has(object.spec.template) && \
         has(object.spec.template.metadata) && has({labelled}) && [{}].exists(c, c[0] == variables.resource && \
         c[1] in {labelled} && {labelled}[c[1]] == c[2])",
        list(component_namespaces(scope)),
        labels.join(", "),
    )
}

/// True for an object of the Sail Operator's that would install something beside what the scope has, or lead workloads
/// to it.
pub(super) fn further_operator_object(scope: &FreezeScope) -> String {
    let tags = literal(OPERATOR_TAGS);
    let node_wide = list(NODE_WIDE_OPERATOR_KINDS);
    let target = "object.spec.targetRef";
    any([
        format!("variables.resource in {node_wide}"),
        format!(
            "variables.resource == {tags} && (!has(object.spec) || !has({target}) || !has({target}.kind) || \
             !has({target}.name) || (({target}.kind == 'Istio' ? 'istios/' : 'istiorevisions/') + {target}.name) in \
             variables.operatorObjects)"
        ),
        format!(
            "variables.resource != {tags} && !(variables.resource in {node_wide}) && (!has(object.spec) || \
             !has(object.spec.namespace) || object.spec.namespace in {})",
            list(&scope.istio_namespaces)
        ),
    ])
}

/// True for a Secret by which istiod reaches another cluster, before or after the change.
pub(super) fn remote_secret(scope: &FreezeScope) -> String {
    format!(
        "variables.inNamespace in {} && (variables.name == {} || {})",
        list(&scope.istio_namespaces),
        literal(KUBECONFIG),
        labelled_remote_secret()
    )
}

/// True where a Secret, before or after the change, bears the label of those by which istiod reaches other clusters.
#[must_use]
pub fn labelled_remote_secret() -> String {
    format!(
        "[object, oldObject].exists(o, o != null && has(o.metadata.labels) && {} in o.metadata.labels)",
        literal(REMOTE_SECRET_LABEL)
    )
}
