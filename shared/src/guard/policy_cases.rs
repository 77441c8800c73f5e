//! The freeze policy's CEL as the API server would evaluate it, and how long it may become.

use super::{
    decide_cases::{Ask, freeze},
    freeze_policies,
};
use crate::api::{MeshFreezeSpec, ObjectName, WorkloadKind, WorkloadName};
use k8s_openapi::api::admissionregistration::v1::{ValidatingAdmissionPolicySpec, Variable};
use serde_json::Value;
use std::collections::HashMap;

/// What an expression may have at most, in the parser of an API server.
const LONGEST: usize = 100_000;
/// What etcd takes for one object.
const LARGEST: usize = 1 << 20;

fn policy(freeze: &MeshFreezeSpec) -> ValidatingAdmissionPolicySpec {
    freeze_policies(freeze).remove(0).0.spec.unwrap()
}

/// Compares what the policy's variable `frozen` says with what is expected.
pub(super) fn agree(freeze: &MeshFreezeSpec, cases: &[(&str, Ask)], expected: bool) {
    let variables = policy(freeze).variables.unwrap();
    for (what, ask) in cases {
        assert_eq!(is_frozen(&variables, &ask.0["request"]), expected, "{what}: {}", ask.0);
    }
}

fn is_frozen(variables: &[Variable], request: &Value) -> bool {
    let mut known: HashMap<String, ::cel::Value> = HashMap::new();
    for variable in variables {
        let mut context = ::cel::Context::default();
        context.add_variable("request", request.clone()).unwrap();
        for object in ["object", "oldObject"] {
            let value = request.get(object).cloned().unwrap_or_default();
            context.add_variable(object, value).unwrap();
        }
        context.add_variable_from_value("variables", known.clone());
        let program = ::cel::Program::compile(&variable.expression).unwrap();
        let value = program.execute(&context);
        let value = value.unwrap_or_else(|error| panic!("{}: {error}: {}", variable.name, variable.expression));
        if variable.name == "frozen" {
            return value == ::cel::Value::Bool(true);
        }
        known.insert(variable.name.clone(), value);
    }
    panic!("the policy has no variable `frozen`");
}

/// A freeze of a mesh with so many gateways, each with names as long as they may be.
fn of_many(gateways: usize) -> MeshFreezeSpec {
    let mut freeze = freeze();
    let scope = &mut freeze.scope;
    for number in 0..gateways {
        let namespace = format!("{number:0>63}");
        let name = format!("{number:0>53}");
        scope.helm_releases.push(ObjectName {
            namespace: namespace.clone(),
            name: name.clone(),
        });
        scope.istioctl.push(ObjectName {
            namespace: namespace.clone(),
            name: name.clone(),
        });
        scope.applications.push(name.clone());
        scope.operator_objects.push(format!("istiorevisions/{name}"));
        for kind in [WorkloadKind::Deployment, WorkloadKind::DaemonSet] {
            scope.workloads.push(WorkloadName {
                kind,
                namespace: namespace.clone(),
                name: name.clone(),
            });
        }
        scope.configuration.namespaces.push(namespace);
    }
    freeze
}

#[test]
fn a_mesh_of_five_hundred_gateways_can_be_frozen() {
    let freeze = of_many(500);
    for (policy, _) in freeze_policies(&freeze) {
        let size = serde_json::to_string(&policy).unwrap().len();
        assert!(size < LARGEST, "{size} bytes");
        let spec = policy.spec.unwrap();
        for variable in spec.variables.iter().flatten() {
            let length = variable.expression.chars().count();
            assert!(length < LONGEST, "{}: {length}", variable.name);
        }
        for validation in spec.validations.iter().flatten() {
            assert!(validation.expression.chars().count() < LONGEST);
        }
    }
    // The webhook's condition is one expression.
    let mut by_helm = freeze.scope;
    by_helm.istioctl.clear();
    by_helm.applications.clear();
    let by_helm = super::asked::Coverage::of_scope(&by_helm).condition().expression;
    assert!(by_helm.chars().count() < LONGEST, "{}", by_helm.chars().count());
}

#[test]
fn the_last_of_many_gateways_is_frozen_as_the_first() {
    let freeze = of_many(50);
    let last = freeze.scope.helm_releases.last().unwrap();
    let path = format!("{}/sh.helm.release.v1.{}.v3", last.namespace, last.name);
    let owned = Ask::new("UPDATE", "", "services", "istio-ingress/x").old_release(&last.namespace, &last.name);
    let labels = serde_json::json!({"owner": "helm", "name": last.name});
    let labelled =
        Ask::new("CREATE", "", "secrets", &format!("{}/x", last.namespace)).set("object.metadata.labels", labels);
    let workload = format!("{}/{}", last.namespace, last.name);
    agree(
        &freeze,
        &[
            ("its storage", Ask::new("CREATE", "", "secrets", &path)),
            ("its storage by labels", labelled),
            ("what it owns", owned),
            ("its Deployment", Ask::new("DELETE", "apps", "deployments", &workload)),
            (
                "its scale",
                Ask::new("UPDATE", "apps", "deployments", &workload).sub("scale"),
            ),
            ("its DaemonSet", Ask::new("DELETE", "apps", "daemonsets", &workload)),
            (
                "its owner by its status",
                Ask::new("UPDATE", "apps", "deployments", &workload)
                    .sub("status")
                    .same()
                    .set("object.metadata.ownerReferences", serde_json::json!([{"uid": "gone"}])),
            ),
            ("its namespace", Ask::new("DELETE", "", "namespaces", &last.namespace)),
        ],
        true,
    );
    agree(
        &freeze,
        &[
            (
                "a release of another name",
                Ask::new("CREATE", "", "secrets", &path.replace(".v3", "x.v3")),
            ),
            (
                "its storage elsewhere",
                Ask::new("CREATE", "", "secrets", "shop/sh.helm.release.v1.istiod.v3"),
            ),
            ("a Service of nobody", Ask::new("DELETE", "", "services", &workload)),
            (
                "its status",
                Ask::new("UPDATE", "apps", "deployments", &workload)
                    .sub("status")
                    .same(),
            ),
        ],
        false,
    );
}
