//! The static policy for our own objects: the lock and the journal are written by the driver only, with the epoch that
//! holds them, and a freeze is lifted by hand only by somebody with the RBAC verb `unlock`, who says why first.
//!
//! An installation without the guard has no such policy: nothing else may rely on it.

use super::{
    cel,
    codes::Code,
    policy::{binding, variable},
};
use crate::{names, phase::Phase};
use k8s_openapi::{
    api::admissionregistration::v1::{
        MatchResources, NamedRuleWithOperations, ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
        ValidatingAdmissionPolicySpec, Validation,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use std::collections::BTreeMap;

/// The policy and its binding.
#[must_use]
pub fn own_objects_policy() -> (ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding) {
    let labels = BTreeMap::from([(names::LABEL_PART_OF.to_owned(), names::PART_OF.to_owned())]);
    let policy = ValidatingAdmissionPolicy {
        metadata: ObjectMeta {
            name: Some(names::OWN_OBJECTS_POLICY.to_owned()),
            labels: Some(labels.clone()),
            ..ObjectMeta::default()
        },
        spec: Some(ValidatingAdmissionPolicySpec {
            failure_policy: Some("Fail".to_owned()),
            match_constraints: Some(MatchResources {
                match_policy: Some("Equivalent".to_owned()),
                resource_rules: Some(vec![NamedRuleWithOperations {
                    api_groups: Some(vec![names::GROUP.to_owned()]),
                    api_versions: Some(vec!["*".to_owned()]),
                    resources: Some(super::policy::strings(&[
                        "meshfreezes",
                        "meshfreezes/status",
                        "meshupgrades",
                        "meshupgrades/status",
                    ])),
                    operations: Some(super::policy::strings(&["CREATE", "UPDATE", "DELETE"])),
                    scope: Some("*".to_owned()),
                    ..NamedRuleWithOperations::default()
                }]),
                ..MatchResources::default()
            }),
            variables: Some(variables()),
            validations: Some(validations()),
            ..ValidatingAdmissionPolicySpec::default()
        }),
        ..ValidatingAdmissionPolicy::default()
    };
    (policy, binding(names::OWN_OBJECTS_POLICY, labels))
}

fn variables() -> Vec<k8s_openapi::api::admissionregistration::v1::Variable> {
    let final_phases = Phase::ALL
        .into_iter()
        .filter(|phase| phase.is_final())
        .chain([Phase::Pending]);
    vec![
        variable("name", cel::NAME),
        variable("epochs", &cel::epochs()),
        variable("driver", &cel::is_user(&[names::driver_user()])),
        variable("unchanged", &cel::unchanged(&[])),
        // What the webhook saw change goes into the conditions; what it compares with is the holder's to write.
        variable(
            "observes",
            &format!(
                "has(request.subResource) && request.subResource == 'status' && {} && \
                 ['fingerprints', 'changing'].all(k, [object, oldObject].all(o, !has(o.status) || !(k in o.status)) || \
                 (has(object.status) && has(oldObject.status) && k in object.status && k in oldObject.status && \
                 object.status[k] == oldObject.status[k]))",
                cel::is_user(&[names::webhook_user()])
            ),
        ),
        variable("specOnly", &cel::unchanged(&["spec"])),
        // Book-keeping is compared as in `unchanged`; of the specification only the unlocking may be new.
        variable(
            "unlocks",
            "variables.specOnly && has(object.spec.unlock) && !has(oldObject.spec.unlock) && \
             object.spec.all(k, k == 'unlock' || (k in oldObject.spec && object.spec[k] == oldObject.spec[k])) && \
             oldObject.spec.all(k, k in object.spec)",
        ),
        variable(
            "mayUnlock",
            &format!(
                "authorizer.group({}).resource('meshfreezes').name(variables.name).check('unlock').allowed()",
                cel::literal(names::GROUP)
            ),
        ),
        variable(
            "over",
            &format!(
                "!has(oldObject.status) || !has(oldObject.status.phase) || oldObject.status.phase in {}",
                cel::list(final_phases.map(Phase::as_str))
            ),
        ),
        variable(
            "journalEpoch",
            "oldObject != null && has(oldObject.status) && has(oldObject.status.epoch) ? oldObject.status.epoch : 0",
        ),
    ]
}

fn validations() -> Vec<Validation> {
    let freeze = |operation: &str, expression: &str| {
        format!("request.resource.resource != 'meshfreezes' || request.operation != '{operation}' || ({expression})")
    };
    let upgrade = |operations: &str, expression: &str| {
        format!(
            "request.resource.resource != 'meshupgrades' || !(request.operation in [{operations}]) || ({expression})"
        )
    };
    vec![
        refuse(
            freeze(
                "CREATE",
                "variables.driver && variables.epochs == [string(object.spec.epoch)] && !has(object.spec.unlock)",
            ),
            "only the driver of an upgrade creates a MeshFreeze, with its own epoch. See: kubectl mesh-upgrade apply",
        ),
        refuse(
            freeze(
                "UPDATE",
                "variables.unchanged || variables.observes || (variables.driver && variables.epochs == [string(object.spec.epoch)] && \
                 has(object.spec.unlock) == has(oldObject.spec.unlock) && \
                 (!has(object.spec.unlock) || object.spec.unlock == oldObject.spec.unlock)) || \
                 (variables.unlocks && has(request.userInfo.username) && \
                 object.spec.unlock.by == request.userInfo.username && object.spec.unlock.reason.matches('[^ \\\\t\\\\r\\\\n]') && \
                 variables.mayUnlock)",
            ),
            "a MeshFreeze is changed only by the driver with the current epoch, or unlocked by somebody with the verb \
             unlock on meshfreezes, in their own name and with a reason. See: kubectl explain meshfreeze.spec.unlock",
        ),
        refuse(
            freeze(
                "DELETE",
                "(variables.driver && variables.epochs == [string(oldObject.spec.epoch)]) || \
                 (has(oldObject.spec.unlock) && variables.mayUnlock)",
            ),
            "a MeshFreeze is deleted only by the driver with the current epoch, or after it was unlocked with a \
             reason. See: kubectl explain meshfreeze.spec.unlock",
        ),
        refuse(
            upgrade("'CREATE', 'UPDATE'", "variables.driver || variables.unchanged"),
            "the journal of an upgrade is written only by its driver. See: kubectl mesh-upgrade status",
        ),
        refuse(
            upgrade(
                "'UPDATE'",
                "!variables.driver || variables.epochs.size() == 0 || \
                 (variables.epochs[0].matches('^[0-9]{1,18}$') && int(variables.epochs[0]) >= variables.journalEpoch)",
            ),
            "somebody else has taken this upgrade over, with a later epoch. See: kubectl mesh-upgrade status",
        ),
        refuse(
            upgrade("'DELETE'", "variables.over"),
            "the journal of an upgrade that is under way is not deleted: without it the upgrade could not be \
             resumed. See: kubectl mesh-upgrade status",
        ),
    ]
}

fn refuse(expression: String, says: &str) -> Validation {
    Validation {
        expression,
        message: Some(format!("{}: {says}", Code::OwnObjects)),
        reason: Some("Forbidden".to_owned()),
        ..Validation::default()
    }
}
