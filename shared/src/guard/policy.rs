//! The freeze policy: one ValidatingAdmissionPolicy and binding per mesh and epoch, without parameters, every name a
//! literal. In-process in the API server, it needs no pod and fails closed.

use super::{
    cel,
    message::{self, Told},
    table::{self, Row, Strictness},
};
use crate::{api::MeshFreezeSpec, names};
use k8s_openapi::{
    api::admissionregistration::v1::{
        AuditAnnotation, MatchCondition, MatchResources, NamedRuleWithOperations, ValidatingAdmissionPolicy,
        ValidatingAdmissionPolicyBinding, ValidatingAdmissionPolicyBindingSpec, ValidatingAdmissionPolicySpec,
        Validation, Variable,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use std::collections::BTreeMap;

/// What a binding does with a refusal.
const REFUSE: &[&str] = &["Deny"];
/// What it does with a warning.
const WARN: &[&str] = &["Warn", "Audit"];
/// Audit annotation of what a system account did to a frozen mesh; the API server puts the policy's name before it.
const LET_THROUGH: &str = "let-through";

/// The policies, each with its binding, that freeze a mesh for everybody but the holder of this epoch: the one that
/// refuses, and behind it, where the mesh's configuration is only warned about, the one that warns.
#[must_use]
pub fn freeze_policies(freeze: &MeshFreezeSpec) -> Vec<(ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding)> {
    [Strictness::Refuse, Strictness::Warn]
        .into_iter()
        .filter_map(|strictness| of(freeze, strictness))
        .collect()
}

/// The policy of all rows of one strictness; `None` where there is no such row.
fn of(
    freeze: &MeshFreezeSpec,
    strictness: Strictness,
) -> Option<(ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding)> {
    let scope = &freeze.scope;
    let rows: Vec<&Row> = table::FROZEN
        .iter()
        .filter(|row| row.strictness(scope) == Some(strictness))
        .collect();
    if rows.is_empty() {
        return None;
    }
    let (name, says, actions) = match strictness {
        Strictness::Refuse => (
            names::freeze_policy(&freeze.mesh, freeze.epoch),
            message::frozen(freeze, None),
            REFUSE,
        ),
        Strictness::Warn => (
            names::warning_policy(&freeze.mesh, freeze.epoch),
            message::told(freeze, None, Told::AgainstAdvice),
            WARN,
        ),
    };
    let labels = BTreeMap::from([
        (names::LABEL_PART_OF.to_owned(), names::PART_OF.to_owned()),
        (names::LABEL_MESH.to_owned(), freeze.mesh.clone()),
    ]);
    let policy = ValidatingAdmissionPolicy {
        metadata: ObjectMeta {
            name: Some(name.clone()),
            labels: Some(labels.clone()),
            ..ObjectMeta::default()
        },
        spec: Some(ValidatingAdmissionPolicySpec {
            failure_policy: Some("Fail".to_owned()),
            match_constraints: Some(match_resources(&rows)),
            match_conditions: Some(vec![everybody_but_the_holder(freeze)]),
            variables: Some(variables(freeze, &rows)),
            validations: Some(vec![Validation {
                expression: "!variables.frozen || variables.webhookProbe || variables.letThrough || \
                             variables.toldOf || variables.unchanged"
                    .to_owned(),
                message: Some(says),
                reason: Some("Forbidden".to_owned()),
                ..Validation::default()
            }]),
            audit_annotations: Some(vec![AuditAnnotation {
                key: LET_THROUGH.to_owned(),
                // An empty text is left out.
                value_expression: format!(
                    "variables.frozen && variables.toldOf && !variables.letThrough ? {} : ''",
                    cel::literal(&message::told(freeze, None, Told::BySystem))
                ),
            }]),
            ..ValidatingAdmissionPolicySpec::default()
        }),
        ..ValidatingAdmissionPolicy::default()
    };
    Some((policy, bound(&name, labels, actions)))
}

/// The holder is let through before anything of the policy is evaluated: for each list of expressions, an empty one, too, an
/// API server (1.36, `plugin/cel/activation.go`) takes both states of the object apart, which takes long for the
/// CustomResourceDefinitions that an upgrade writes. A canary is never the holder, so that the holder can prove with it that
/// the webhook refuses.
fn everybody_but_the_holder(freeze: &MeshFreezeSpec) -> MatchCondition {
    MatchCondition {
        name: "everybody-but-the-holder".to_owned(),
        expression: format!(
            "!({} && ({}) == {} && ({}).size() == 0)",
            cel::is_user(&[names::driver_user()]),
            cel::epochs(),
            cel::list([freeze.epoch.to_string()]),
            cel::probes()
        ),
    }
}

fn variables(freeze: &MeshFreezeSpec, rows: &[&Row]) -> Vec<Variable> {
    let scope = &freeze.scope;
    let writers = |reported: bool| {
        let writers = table::WRITERS.iter().filter(|writer| writer.reported == reported);
        cel::any(writers.map(|writer| cel::writer(writer, scope)))
    };
    let mut variables = vec![
        variable("resource", cel::RESOURCE),
        variable("name", cel::NAME),
        variable("inNamespace", cel::NAMESPACE),
        variable("epochs", &cel::epochs()),
        variable("probes", &cel::probes()),
        variable(
            "webhookProbe",
            &format!(
                "has(request.dryRun) && request.dryRun && variables.probes == {}",
                cel::list([names::PROBE_WEBHOOK])
            ),
        ),
    ];
    let lists = cel::lists(scope).into_iter();
    variables.extend(lists.map(|(name, expression)| variable(name, &expression)));
    variables.extend([
        variable("frozen", &cel::any(rows.iter().map(|row| cel::row(row, scope)))),
        variable("letThrough", &writers(false)),
        variable("toldOf", &writers(true)),
        // Of a driver from before nothing is accepted, not even what changes nothing.
        variable(
            "unchanged",
            &format!(
                "!({} && variables.epochs.size() > 0) && {}",
                cel::is_user(&[names::driver_user()]),
                cel::unchanged(&[])
            ),
        ),
    ]);
    variables
}

/// A binding of the same name as its policy, for the whole cluster, that refuses.
#[must_use]
pub fn binding(name: &str, labels: BTreeMap<String, String>) -> ValidatingAdmissionPolicyBinding {
    bound(name, labels, REFUSE)
}

fn bound(name: &str, labels: BTreeMap<String, String>, actions: &[&str]) -> ValidatingAdmissionPolicyBinding {
    ValidatingAdmissionPolicyBinding {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            labels: Some(labels),
            ..ObjectMeta::default()
        },
        spec: Some(ValidatingAdmissionPolicyBindingSpec {
            policy_name: Some(name.to_owned()),
            validation_actions: Some(strings(actions)),
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
fn match_resources(rows: &[&Row]) -> MatchResources {
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
                    scope: Some(row.scope().to_owned()),
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
