//! A second control plane under another name: refused while the mesh is frozen, by both barriers alike.

use super::{super::policy_cases::agree, *};

/// A workload whose pods bear these labels.
fn workload(operation: &str, resource: &str, path: &str, labels: &Value) -> Ask {
    let template = json!({"metadata": {"labels": labels}, "spec": {"containers": [{"name": "x", "image": "x:1"}]}});
    Ask::new(operation, "apps", resource, path).set("object.spec.template", template)
}

/// An object of the Sail Operator's, new.
fn told(resource: &str, name: &str, spec: Value) -> Ask {
    Ask::new("CREATE", "sailoperator.io", resource, name).set("object.spec", spec)
}

fn labels(label: &str, value: &str) -> Value {
    json!({label: value, "istio.io/rev": "rogue"})
}

#[test]
fn a_second_control_plane_is_refused_under_any_name() {
    let deployment = |label: &str, value: &str| {
        workload(
            "CREATE",
            "deployments",
            "istio-system/istiod-rogue",
            &labels(label, value),
        )
    };
    let daemon_set =
        |path: &str, label: &str, value: &str| workload("CREATE", "daemonsets", path, &labels(label, value));
    let mut facts = frozen();
    facts.freezes[0].spec.scope.workloads.push(WorkloadName {
        kind: WorkloadKind::DaemonSet,
        namespace: "istio-cni".to_owned(),
        name: "istio-cni-node".to_owned(),
    });
    let cases = vec![
        ("istiod", deployment("app", "istiod")),
        ("istiod by its other label", deployment("istio", "pilot")),
        ("istiod by its newer label", deployment("istio", "istiod")),
        (
            "by an administrator",
            deployment("app", "istiod").by("kubernetes-admin"),
        ),
        (
            "by Flux, of no release that is waited for",
            deployment("app", "istiod").by(FLUX),
        ),
        (
            "with helm's annotations",
            deployment("app", "istiod").new_release("istio-system", "istiod-rogue"),
        ),
        ("in a dry run", deployment("app", "istiod").set("dryRun", json!(true))),
        ("an old driver's", deployment("app", "istiod").driver("2")),
        (
            "a Deployment that becomes one",
            workload("UPDATE", "deployments", "istio-system/web", &labels("app", "istiod")),
        ),
        (
            "a CNI agent",
            daemon_set("istio-system/agent", "k8s-app", "istio-cni-node"),
        ),
        (
            "a CNI agent beside the one that is elsewhere",
            daemon_set("istio-cni/agent", "k8s-app", "istio-cni-node"),
        ),
        ("a ztunnel", daemon_set("istio-system/tunnel", "app", "ztunnel")),
    ];
    agree(&facts.freezes[0].spec, &cases, true);
    check(&facts, Some(Code::MeshFrozen), cases);
}

#[test]
fn the_holder_and_who_brings_the_target_make_one_and_other_meshes_are_left_alone() {
    let istiod = |path: &str| workload("CREATE", "deployments", path, &labels("app", "istiod"));
    let free = vec![
        ("another mesh's", istiod("team/istiod")),
        (
            "an application beside it",
            workload("CREATE", "deployments", "istio-system/kiali", &labels("app", "kiali")),
        ),
        (
            "an application without labels",
            Ask::new("CREATE", "apps", "deployments", "istio-system/web"),
        ),
        (
            "a label of a DaemonSet on a Deployment",
            workload("CREATE", "deployments", "istio-system/web", &labels("app", "ztunnel")),
        ),
        (
            "labels of its own metadata only",
            Ask::new("CREATE", "apps", "deployments", "istio-system/web")
                .set("object.metadata.labels", json!({"app": "istiod"})),
        ),
        (
            "one that is taken away",
            Ask::new("DELETE", "apps", "deployments", "istio-system/istiod-rogue").set(
                "oldObject.spec.template",
                json!({"metadata": {"labels": {"app": "istiod"}}}),
            ),
        ),
    ];
    agree(&freeze(), &free, false);
    check(&frozen(), None, free);
    let of_target = |ask: Ask| {
        let version = json!({crate::gitops::VERSION_LABEL: "1.31.0"});
        ask.new_release("istio-system", "default-istiod")
            .set("object.metadata.labels", version)
    };
    check(
        &frozen(),
        None,
        vec![
            ("the holder's canary", istiod("istio-system/istiod-1-31-0").driver("3")),
            (
                "the Sail Operator's new revision",
                of_target(istiod("istio-system/istiod-new")).by(SAIL),
            ),
        ],
    );
}

#[test]
fn a_new_object_of_the_sail_operator_installs_nothing_beside_the_mesh() {
    let tag = |kind: &str, name: &str| {
        told(
            "istiorevisiontags",
            "prod",
            json!({"targetRef": {"kind": kind, "name": name}}),
        )
    };
    let cases = vec![
        (
            "a second Istio",
            told(
                "istios",
                "other",
                json!({"version": "v1.31.0", "namespace": "istio-system"}),
            ),
        ),
        (
            "an Istio that does not say where",
            told("istios", "other", json!({"version": "v1.31.0"})),
        ),
        (
            "a revision",
            told("istiorevisions", "other", json!({"namespace": "istio-system"})),
        ),
        (
            "an agent, wherever it is",
            told("istiocnis", "other", json!({"namespace": "elsewhere"})),
        ),
        (
            "a ztunnel, wherever it is",
            told("ztunnels", "default", json!({"namespace": "ztunnel"})),
        ),
        ("a tag of the mesh's Istio", tag("Istio", "default")),
        ("a tag of the mesh's revision", tag("IstioRevision", "default")),
        ("a tag of nothing", told("istiorevisiontags", "prod", json!({}))),
    ];
    agree(&freeze(), &cases, true);
    check(&frozen(), Some(Code::MeshFrozen), cases);
    let cases = vec![
        (
            "another mesh's Istio",
            told("istios", "team", json!({"version": "v1.31.0", "namespace": "team"})),
        ),
        (
            "another mesh's revision",
            told(
                "istiorevisions",
                "team",
                json!({"version": "v1.31.0", "namespace": "team"}),
            ),
        ),
        ("a tag of another mesh's", tag("Istio", "team")),
    ];
    agree(&freeze(), &cases, false);
    check(&frozen(), None, cases);
    let revision = told(
        "istiorevisions",
        "other",
        json!({"version": "v1.31.0", "namespace": "istio-system"}),
    );
    check(&frozen(), None, vec![("the holder's", revision.driver("3"))]);
}
