//! The freeze policy: one ValidatingAdmissionPolicy and binding per mesh and epoch, without parameters, every name a
//! literal. In-process in the API server, it needs no pod and fails closed.

use super::{
    cel, message,
    table::{self, Row},
};
use crate::{api::MeshFreezeSpec, names};
use k8s_openapi::{
    api::admissionregistration::v1::{
        MatchResources, NamedRuleWithOperations, ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
        ValidatingAdmissionPolicyBindingSpec, ValidatingAdmissionPolicySpec, Validation, Variable,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use std::collections::BTreeMap;

/// The policy and the binding that freeze a mesh for everybody but the holder of this epoch.
#[must_use]
pub fn freeze_policy(freeze: &MeshFreezeSpec) -> (ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding) {
    let epoch = u64::try_from(freeze.epoch).unwrap_or_default();
    let name = names::freeze_policy(&freeze.mesh, epoch);
    let labels = BTreeMap::from([
        (names::LABEL_PART_OF.to_owned(), names::PART_OF.to_owned()),
        (names::LABEL_MESH.to_owned(), freeze.mesh.clone()),
    ]);
    let scope = &freeze.scope;
    let variables = vec![
        variable("resource", cel::RESOURCE),
        variable("name", cel::NAME),
        variable("inNamespace", cel::NAMESPACE),
        variable("epochs", &cel::epochs()),
        variable("probes", &cel::probes()),
        // A canary is never the holder, so that the holder can prove with it that the webhook refuses.
        variable(
            "holder",
            &format!(
                "{} && variables.epochs == {} && variables.probes.size() == 0",
                cel::is_user(&[names::driver_user()]),
                cel::list([freeze.epoch.to_string()])
            ),
        ),
        variable(
            "webhookProbe",
            &format!(
                "has(request.dryRun) && request.dryRun && variables.probes == {}",
                cel::list([names::PROBE_WEBHOOK])
            ),
        ),
        variable(
            "frozen",
            &cel::any(table::FROZEN.iter().map(|row| cel::row(row, scope))),
        ),
        variable(
            "letThrough",
            &cel::any(table::WRITERS.iter().map(|writer| cel::writer(writer, scope))),
        ),
        variable("unchanged", &cel::unchanged(&[])),
    ];
    let policy = ValidatingAdmissionPolicy {
        metadata: ObjectMeta {
            name: Some(name.clone()),
            labels: Some(labels.clone()),
            ..ObjectMeta::default()
        },
        spec: Some(ValidatingAdmissionPolicySpec {
            failure_policy: Some("Fail".to_owned()),
            match_constraints: Some(match_resources(table::FROZEN)),
            variables: Some(variables),
            validations: Some(vec![Validation {
                expression: "!variables.frozen || variables.holder || variables.webhookProbe || \
                             variables.letThrough || variables.unchanged"
                    .to_owned(),
                message: Some(message::frozen(freeze, None)),
                reason: Some("Forbidden".to_owned()),
                ..Validation::default()
            }]),
            ..ValidatingAdmissionPolicySpec::default()
        }),
        ..ValidatingAdmissionPolicy::default()
    };
    (policy, binding(&name, labels))
}

/// A binding of the same name as its policy, for the whole cluster.
#[must_use]
pub fn binding(name: &str, labels: BTreeMap<String, String>) -> ValidatingAdmissionPolicyBinding {
    ValidatingAdmissionPolicyBinding {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            labels: Some(labels),
            ..ObjectMeta::default()
        },
        spec: Some(ValidatingAdmissionPolicyBindingSpec {
            policy_name: Some(name.to_owned()),
            validation_actions: Some(vec!["Deny".to_owned()]),
            ..ValidatingAdmissionPolicyBindingSpec::default()
        }),
    }
}

/// A variable of a policy.
#[must_use]
pub fn variable(name: &str, expression: &str) -> Variable {
    Variable {
        name: name.to_owned(),
        expression: expression.to_owned(),
    }
}

/// What the API server asks the policy about: the resources of the rows, in any version that it serves.
fn match_resources(rows: &[Row]) -> MatchResources {
    MatchResources {
        match_policy: Some("Equivalent".to_owned()),
        resource_rules: Some(
            rows.iter()
                .map(|row| NamedRuleWithOperations {
                    api_groups: Some(strings(row.groups)),
                    api_versions: Some(vec!["*".to_owned()]),
                    resources: Some(strings(row.resources)),
                    operations: Some(
                        row.operations
                            .iter()
                            .map(|operation| operation.as_str().to_owned())
                            .collect(),
                    ),
                    scope: Some("*".to_owned()),
                    ..NamedRuleWithOperations::default()
                })
                .collect(),
        ),
        ..MatchResources::default()
    }
}

/// Owned strings.
pub(super) fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}
