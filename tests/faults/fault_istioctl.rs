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

/// What `analyze` calls an error: where, and the finding of ours that tells of the same object.
const ERRORS: [(&str, &str, &str); 3] = [
    (
        "IST0139",
        "MutatingWebhookConfiguration istio-revision-tag-canary",
        "MU309",
    ),
    (
        "IST0139",
        "MutatingWebhookConfiguration istio-revision-tag-twin",
        "MU315",
    ),
    ("IST0152", "EnvoyFilter default/replaces", "MU727"),
];

/// A tag whose Service is not there, another that takes the same pods, and a patch that no proxy takes as it is meant.
const SEEDS: &str = r#"
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata: {name: istio-revision-tag-canary, labels: {istio.io/rev: default, istio.io/tag: canary}}
webhooks:
  - name: rev.namespace.sidecar-injector.istio.io
    admissionReviewVersions: [v1]
    sideEffects: None
    failurePolicy: Fail
    namespaceSelector:
      matchExpressions:
        - {key: istio.io/rev, operator: In, values: [canary]}
        - {key: istio-injection, operator: DoesNotExist}
    clientConfig: {service: {namespace: istio-system, name: istiod-1-29, path: /inject}}
    rules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods]}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata: {name: istio-revision-tag-twin, labels: {istio.io/rev: default, istio.io/tag: twin}}
webhooks:
  - name: rev.namespace.sidecar-injector.istio.io
    admissionReviewVersions: [v1]
    sideEffects: None
    failurePolicy: Ignore
    namespaceSelector:
      matchExpressions:
        - {key: istio.io/rev, operator: In, values: [canary]}
        - {key: istio-injection, operator: DoesNotExist}
    clientConfig: {service: {namespace: istio-system, name: istiod, path: /inject}}
    rules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods]}]
---
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {name: replaces, namespace: default}
spec:
  configPatches:
    - applyTo: CLUSTER
      match: {context: SIDECAR_OUTBOUND}
      patch: {operation: REPLACE, value: {dns_lookup_family: V4_ONLY}}
"#;

/// The version is told by the proxy that rewrites `/version`: Istio 1.31 needs Kubernetes 1.32.
#[test]
fn what_istioctl_reports_as_an_obstacle_check_reports_too() -> Result<()> {
    let cluster = Cluster::start(ClusterOptions::reporting("old", "1.31.5"))?;
    Istio::install(&cluster, IstioOptions::version("1.30.3"))?;
    cluster.apply_stdin(READER)?.ok()?;
    cluster.apply_stdin(OLD_DEFINITION)?.ok()?;
    let theirs = istioctl(&cluster, &["x", "precheck", "-o", "json"])?;
    let ours = findings(&cluster)?;
    for (code, equals) in OBSTACLES {
        ensure!(
            theirs.iter().any(|message| message.code == code),
            "precheck does not report {code}: {theirs:#?}"
        );
        ensure!(
            ours.iter().any(|finding| equals.contains(&finding.code.as_str())),
            "{code} without one of {equals:?}: {ours:#?}"
        );
    }
    // Whatever else it calls an error must have its counterpart, too.
    for message in &theirs {
        let known = OBSTACLES.iter().any(|(known, _)| message.code == *known);
        ensure!(known || !message.is_error, "check knows nothing of {message:?}");
    }

    // Without an end, `analyze` asks for objects in a version that is not served.
    let definition = "customresourcedefinition/httproutes.gateway.networking.k8s.io";
    cluster.kubectl(&["delete", definition])?.ok()?;
    cluster.apply_stdin(SEEDS)?.ok()?;
    let theirs = istioctl(&cluster, &["analyze", "-A", "-o", "json"])?;
    let ours = findings(&cluster)?;
    for (code, object, equal) in ERRORS {
        ensure!(
            theirs
                .iter()
                .any(|message| message.is_error && message.code == code && message.text.contains(object)),
            "analyze does not report {code} of {object}: {theirs:#?}"
        );
        let name = object.rsplit([' ', '/']).next().unwrap_or(object);
        ensure!(
            ours.iter()
                .any(|finding| finding.code == equal && finding.text.contains(name)),
            "{code} of {object} without {equal}: {ours:#?}"
        );
    }
    for message in &theirs {
        let known = ERRORS
            .iter()
            .any(|(known, object, _)| message.code == *known && message.text.contains(object));
        ensure!(known || !message.is_error, "check knows nothing of {message:?}");
    }
    Ok(())
}

/// What one of them has to say.
#[derive(Debug)]
struct Message {
    code: String,
    is_error: bool,
    /// About which object, and what.
    text: String,
}

impl Message {
    fn of(one: &Value, fields: [&str; 2]) -> Option<Self> {
        let text = |field: &str| one.get(field).and_then(Value::as_str);
        Some(Self {
            code: text("code")?.to_owned(),
            is_error: text("level") == Some("Error"),
            text: fields.map(|field| text(field).unwrap_or_default()).join(": "),
        })
    }
}

fn istioctl(cluster: &Cluster, arguments: &[&str]) -> Result<Vec<Message>> {
    let mut command: Command = cluster.command(OnDemand::Istioctl131.program()?)?;
    command
        .env("KUBECONFIG", cluster.kubeconfig_for("bob")?)
        .args(arguments);
    let run = Run::of(command, None)?;
    let all: Value = serde_json::from_str(&run.stdout).with_context(|| run.to_string())?;
    let all = all.as_array().into_iter().flatten();
    Ok(all.filter_map(|one| Message::of(one, ["origin", "message"])).collect())
}

fn findings(cluster: &Cluster) -> Result<Vec<Message>> {
    let run = Run::of(
        mesh_upgrade_command(cluster, "bob", &["check", "--to", "1.31.0", "-o", "json"])?,
        None,
    )?;
    let report: Value = serde_json::from_str(&run.stdout).with_context(|| run.to_string())?;
    let all = report.get("findings").and_then(Value::as_array).into_iter().flatten();
    Ok(all.filter_map(|one| Message::of(one, ["object", "cause"])).collect())
}
