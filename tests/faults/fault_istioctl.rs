//! `istioctl x precheck` and `istioctl analyze -A` beside `check`, on the same cluster and as the same person: what they
//! report as an obstacle to the upgrade, ours reports too.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use mesh_upgrade_tests::{
    harness::{Cluster, ClusterOptions, Istio, IstioOptions, OnDemand, Run},
    product::mesh_upgrade_command,
};
use serde_json::Value;

/// Messages of Istio's that stand in an upgrade's way, with the findings of ours of which one must be there.
const OBSTACLES: [(&str, &[&str]); 4] = [
    // Insufficient permissions, to install.
    ("IST0141", &["MU501", "MU502"]),
    // The Kubernetes version is not supported.
    ("IST0142", &["MU201", "MU204"]),
    // A definition of the Gateway API that is too old, and one that soon will be.
    ("IST0156", &["MU728"]),
    ("IST0172", &["MU728"]),
];

/// As the Gateway API 0.4 had it.
const OLD_DEFINITION: &str = r#"
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: httproutes.gateway.networking.k8s.io
  annotations: {api-approved.kubernetes.io: "unapproved, as old as can be"}
spec:
  group: gateway.networking.k8s.io
  names: {kind: HTTPRoute, plural: httproutes}
  scope: Namespaced
  versions: [{name: v1alpha2, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]
"#;

/// Everybody may look, and nobody but administrators may write.
const READER: &str = r#"
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: reader}
rules: [{apiGroups: ["*"], resources: ["*"], verbs: [get, list, watch]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: reader}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: reader}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: bob}]
"#;

/// The version is told by the proxy that rewrites `/version`: Istio 1.31 needs Kubernetes 1.32.
#[test]
fn what_istioctl_reports_as_an_obstacle_check_reports_too() -> Result<()> {
    let cluster = Cluster::start(ClusterOptions::reporting("old", "1.31.5"))?;
    Istio::install(&cluster, IstioOptions::version("1.30.3"))?;
    cluster.apply_stdin(READER)?.ok()?;
    cluster.apply_stdin(OLD_DEFINITION)?.ok()?;
    let istioctl = OnDemand::Istioctl131.program()?;
    let istioctl = |arguments: &[&str]| -> Result<Vec<(String, String)>> {
        let mut command: Command = cluster.command(&istioctl)?;
        command
            .env("KUBECONFIG", cluster.kubeconfig_for("bob")?)
            .args(arguments);
        messages(&Run::of(command, None)?)
    };
    let mut theirs = istioctl(&["x", "precheck", "-o", "json"])?;
    let prechecked = theirs.len();
    let mut command = mesh_upgrade_command(&cluster, "bob", &["check", "--to", "1.31.0", "-o", "json"])?;
    command.env("KUBECONFIG", cluster.kubeconfig_for("bob")?);
    let run = Run::of(command, None)?;
    // Without an end, `analyze` asks for objects in a version that is not served.
    let definition = "customresourcedefinition/httproutes.gateway.networking.k8s.io";
    cluster.kubectl(&["delete", definition])?.ok()?;
    theirs.extend(istioctl(&["analyze", "-A", "-o", "json"])?);
    let report: Value = serde_json::from_str(&run.stdout).with_context(|| run.to_string())?;
    let ours: Vec<&str> = report
        .get("findings")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|finding| finding.get("code")?.as_str())
        .collect();
    for (code, equals) in OBSTACLES {
        ensure!(
            theirs.iter().any(|(found, _)| found == code),
            "istioctl does not report {code}: {theirs:?}"
        );
        ensure!(
            equals.iter().any(|equal| ours.contains(equal)),
            "{code} without one of {equals:?}: {run}"
        );
    }
    // Whatever else it calls an error must have its counterpart, too.
    for (code, level) in &theirs {
        let known = OBSTACLES.iter().any(|(known, _)| known == code);
        ensure!(
            known || level != "Error",
            "istioctl reports {code}, and check knows nothing of it: {theirs:?}"
        );
    }
    ensure!(prechecked >= OBSTACLES.len(), "{theirs:?}");
    Ok(())
}

/// Codes and levels of istioctl's messages.
fn messages(run: &Run) -> Result<Vec<(String, String)>> {
    let all: Value = serde_json::from_str(&run.stdout).with_context(|| run.to_string())?;
    let text = |one: &Value, field: &str| Some(one.get(field)?.as_str()?.to_owned());
    let all = all.as_array().into_iter().flatten();
    Ok(all
        .filter_map(|one| Some((text(one, "code")?, text(one, "level")?)))
        .collect())
}
