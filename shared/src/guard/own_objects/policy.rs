//! The static policy for our own objects: the lock and the journal are written by the driver only, with the epoch that
//! holds them, and a freeze is lifted by hand only by somebody with the RBAC verb `unlock`, who says why first.
//!
//! An installation without the guard has no such policy: nothing else may rely on it.

use super::{
    super::{
        cel,
        codes::Code,
        policy::{binding, strings, variable},
    },
    ALLOWS_A_DOWNGRADE, BY_POLICY, CONDITION_UNLOCKED, FREEZE_IDENTITY, HOLDERS_STATUS, LONGEST_NOTE, WRITES_BY_POLICY,
};
use crate::{api::Management, names, phase::Phase};
use k8s_openapi::{
    api::admissionregistration::v1::{
        AuditAnnotation, MatchResources, NamedRuleWithOperations, ValidatingAdmissionPolicy,
        ValidatingAdmissionPolicyBinding, ValidatingAdmissionPolicySpec, Validation,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use std::collections::BTreeMap;

/// The policy and its binding.
#[must_use]
pub fn own_objects_policy() -> (ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding) {
    let labels = [
        (names::LABEL_PART_OF, names::PART_OF),
        // Where the webhook runs elsewhere, or not at all, only this tells of which release the guard is.
        (names::LABEL_VERSION, names::VERSION),
    ];
    let labels: BTreeMap<String, String> = labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
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
                resource_rules: Some(vec![
                    rule(BY_POLICY, &["CREATE", "UPDATE", "DELETE"]),
                    rule(WRITES_BY_POLICY, &["CREATE", "UPDATE"]),
                    rule(&["meshes/status"], &["UPDATE"]),
                ]),
                ..MatchResources::default()
            }),
            variables: Some(variables()),
            validations: Some(validations()),
            audit_annotations: Some(vec![
                AuditAnnotation {
                    key: "unlock".to_owned(),
                    value_expression: audited().to_owned(),
                },
                AuditAnnotation {
                    key: "downgrade".to_owned(),
                    value_expression: audited_downgrade().to_owned(),
                },
            ]),
            ..ValidatingAdmissionPolicySpec::default()
        }),
        ..ValidatingAdmissionPolicy::default()
    };
    (policy, binding(names::OWN_OBJECTS_POLICY, labels))
}

fn rule(resources: &[&str], operations: &[&str]) -> NamedRuleWithOperations {
    NamedRuleWithOperations {
        api_groups: Some(vec![names::GROUP.to_owned()]),
        api_versions: Some(vec!["*".to_owned()]),
        resources: Some(strings(resources)),
        operations: Some(strings(operations)),
        scope: Some("*".to_owned()),
        ..NamedRuleWithOperations::default()
    }
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
                 {}.all(k, [object, oldObject].all(o, !has(o.status) || !(k in o.status)) || \
                 (has(object.status) && has(oldObject.status) && k in object.status && k in oldObject.status && \
                 object.status[k] == oldObject.status[k]))",
                cel::is_user(&[names::webhook_user()]),
                cel::list(HOLDERS_STATUS),
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
                "authorizer.group({}).resource('meshfreezes').name(request.resource.resource == 'meshfreezes' ? \
                 variables.name : oldObject.spec.mesh).check('unlock').allowed()",
                cel::literal(names::GROUP)
            ),
        ),
        // While a way back stands, nothing of the specification changes but by whoever allows it anew.
        variable(
            "allowsDowngrade",
            "request.resource.resource == 'meshes' && object != null && has(object.spec.downgrade) && \
             (oldObject == null || object.spec != oldObject.spec)",
        ),
        variable(
            "mayDowngrade",
            &format!(
                "authorizer.group({}).resource('meshes').name(variables.name).check('downgrade').allowed()",
                cel::literal(names::GROUP)
            ),
        ),
        variable("reports", &reports()),
        variable("notesUnlock", &notes_unlock()),
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
        variable("phaseBefore", &phase_of("oldObject")),
        variable("phaseAfter", &phase_of("object")),
    ]
}

/// The phase of a journal; one without any has only just been created.
fn phase_of(object: &str) -> String {
    format!(
        "{object} != null && has({object}.status) && has({object}.status.phase) ? {object}.status.phase : '{}'",
        Phase::Pending
    )
}

/// The one exception to the journal being the driver's: who lifts a freeze by hand says so in the condition
/// [`CONDITION_UNLOCKED`], in their own name, and changes nothing else.
///
/// Events are forgotten after an hour and the MeshFreeze is deleted, so that otherwise no lasting record were left; and
/// the new resource version makes a driver that was only paused stop at its next write. The history stays the driver's:
/// with `apply` it takes the condition over into it.
fn notes_unlock() -> String {
    let condition = cel::literal(CONDITION_UNLOCKED);
    let others =
        |o: &str| format!("(has({o}.status.conditions) ? {o}.status.conditions.filter(c, c.type != {condition}) : [])");
    format!(
        "{} && has(object.status) && has(oldObject.status) && \
         object.status.all(k, k == 'conditions' || (k in oldObject.status && object.status[k] == oldObject.status[k])) \
         && oldObject.status.all(k, k in object.status) && {} == {} && has(object.status.conditions) && \
         has(request.userInfo.username) && object.status.conditions.exists_one(c, c.type == {condition} && \
         c.status == 'True' && c.message.startsWith(request.userInfo.username + ': ') && \
         c.message.size() <= {LONGEST_NOTE})",
        cel::unchanged(&["status"]),
        others("object"),
        others("oldObject"),
    )
}

/// What the API server's audit log says of the two requests that lift a freeze by hand; empty for every other one.
fn audited() -> &'static str {
    "request.resource.resource != 'meshfreezes' || !has(request.userInfo.username) ? '' : \
     variables.unlocks ? 'unlocked by ' + request.userInfo.username + ': ' + string(object.spec.unlock.reason) : \
     request.operation == 'DELETE' && oldObject != null && has(oldObject.spec.unlock) ? \
     'deleted by ' + request.userInfo.username + ', unlocked by ' + string(oldObject.spec.unlock.by) + ': ' + \
     string(oldObject.spec.unlock.reason) : ''"
}

/// Whoever may write a Mesh may write its status; so does the webhook. The guards of other clusters may write their reports
/// there and nothing else: what they say of a mesh's version would count for the guard here.
fn reports() -> String {
    format!(
        "request.resource.resource != 'meshes' || !has(request.subResource) || request.subResource != 'status' || ({}) || \
         authorizer.group({}).resource('meshes').name(variables.name).check('update').allowed() || \
         (has(object.status) && object.status.all(k, k == 'reports' || (has(oldObject.status) && k in oldObject.status && \
         object.status[k] == oldObject.status[k])) && (!has(oldObject.status) || \
         oldObject.status.all(k, k == 'reports' || k in object.status)))",
        cel::is_user(&[names::webhook_user()]),
        cel::literal(names::GROUP),
    )
}

/// What the audit log says of whoever allows a way back; how it is used is the webhook's to tell.
fn audited_downgrade() -> &'static str {
    "variables.allowsDowngrade && has(request.userInfo.username) ? 'downgrade of mesh ' + variables.name + ' to ' + \
     string(object.spec.downgrade.to) + ' allowed until ' + string(object.spec.downgrade.expires) + ' by ' + \
     request.userInfo.username + ': ' + string(object.spec.downgrade.reason) : ''"
}

/// A way back of a mesh that was its owner's before, too.
fn allowed_by_its_owner() -> String {
    let external = |mesh: &str| {
        format!(
            "has({mesh}.spec.management) && {mesh}.spec.management == '{}'",
            Management::External.as_str()
        )
    };
    format!(
        "!variables.allowsDowngrade || (has(request.userInfo.username) && \
         object.spec.downgrade.by == request.userInfo.username && \
         object.spec.downgrade.reason.matches('[^ \\\\t\\\\r\\\\n]') && {} && (oldObject == null || ({})) && \
         variables.mayDowngrade)",
        external("object"),
        external("oldObject"),
    )
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
             unlock on meshfreezes, in their own name and with a reason. See: kubectl mesh-upgrade unlock",
        ),
        refuse(
            freeze(
                "DELETE",
                "(variables.driver && variables.epochs == [string(oldObject.spec.epoch)]) || \
                 (has(oldObject.spec.unlock) && variables.mayUnlock)",
            ),
            "a MeshFreeze is deleted only by the driver with the current epoch, or after it was unlocked with a \
             reason. See: kubectl mesh-upgrade unlock",
        ),
        refuse(
            upgrade(
                "'CREATE', 'UPDATE'",
                "variables.driver || variables.unchanged || (variables.notesUnlock && variables.mayUnlock)",
            ),
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
            upgrade("'UPDATE'", "object.spec == oldObject.spec"),
            "an upgrade keeps its target and its plan. See: kubectl mesh-upgrade status",
        ),
        refuse(
            freeze(
                "UPDATE",
                &format!(
                    "{}.all(k, object.spec[k] == oldObject.spec[k]) && object.spec.epoch >= oldObject.spec.epoch",
                    cel::list(FREEZE_IDENTITY)
                ),
            ),
            "a freeze belongs to one upgrade, and its epoch never goes back. See: kubectl mesh-upgrade status",
        ),
        Validation {
            message_expression: Some(format!(
                "'{}: ' + variables.phaseAfter + ' may not follow ' + variables.phaseBefore + \
                 '. See: kubectl mesh-upgrade status'",
                Code::IllegalPhase
            )),
            ..refuse_with(
                Code::IllegalPhase,
                upgrade(
                    "'UPDATE'",
                    &Phase::follows("variables.phaseBefore", "variables.phaseAfter"),
                ),
                "a MeshUpgrade goes through its phases in their order. See: kubectl mesh-upgrade status",
            )
        },
        refuse(allowed_by_its_owner(), ALLOWS_A_DOWNGRADE),
        refuse(
            "variables.reports".to_owned(),
            "who may not write a Mesh may write the reports in its status, and nothing else of it. See: kubectl \
             mesh-upgrade list",
        ),
        refuse(
            upgrade("'DELETE'", "variables.over"),
            "the journal of an upgrade that is under way is not deleted: without it the upgrade could not be \
             resumed. See: kubectl mesh-upgrade status",
        ),
    ]
}

fn refuse(expression: String, says: &str) -> Validation {
    refuse_with(Code::OwnObjects, expression, says)
}

fn refuse_with(code: Code, expression: String, says: &str) -> Validation {
    Validation {
        expression,
        message: Some(format!("{code}: {says}")),
        reason: Some("Forbidden".to_owned()),
        ..Validation::default()
    }
}
