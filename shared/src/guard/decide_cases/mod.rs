//! Allow and deny, case by case: the bypasses that were tried, the writers that must pass, and the guard on versions.

mod frozen;
mod further;
mod gateways;
mod gitops;
mod helm_releases;
mod istioctl;
mod late;
mod let_through;
mod operators;
mod own_objects;
mod remote_secrets;
mod settings;
mod versions;
mod way_back;

use super::{
    codes::Code,
    decide::{Facts, Freeze, Verdict, decide},
    review,
};
use crate::{
    api::{Controller, FreezeScope, FreezeSettings, MeshFreezeSpec, ObjectName, WorkloadKind, WorkloadName},
    names,
    phase::Phase,
};
use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
use serde_json::{Value, json};

/// When everything is asked for.
const NOW: Timestamp = Timestamp::UNIX_EPOCH;

const ISTIOD: &str = "system:serviceaccount:istio-system:istiod";
const COLLECTOR: &str = "system:serviceaccount:kube-system:generic-garbage-collector";
const NAMESPACES: &str = "system:serviceaccount:kube-system:namespace-controller";
const SCALER: &str = "system:serviceaccount:kube-system:horizontal-pod-autoscaler";
const GKE_SCALER: &str = "system:vpa-recommender";
const ARGO_CD: &str = "system:serviceaccount:argocd:argocd-application-controller";
const FLUX: &str = "system:serviceaccount:flux-system:helm-controller";
const SAIL: &str = "system:serviceaccount:sail-operator:sail-operator";
const MANAGER: &str = "system:kube-controller-manager";

fn object(namespace: &str, name: &str) -> ObjectName {
    ObjectName {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    }
}

pub(super) fn freeze() -> MeshFreezeSpec {
    let workload = |kind, namespace: &str, name: &str| WorkloadName {
        kind,
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    };
    MeshFreezeSpec {
        mesh: "default".to_owned(),
        upgrade: "default-1".to_owned(),
        home: None,
        from: "1.30.3".to_owned(),
        to: "1.31.0".to_owned(),
        holder: "alice".to_owned(),
        epoch: 3,
        since: Time(Timestamp::UNIX_EPOCH),
        scope: FreezeScope {
            istio_namespaces: vec!["istio-system".to_owned()],
            config_maps: vec![object("istio-system", "istio")],
            workloads: vec![
                workload(WorkloadKind::Deployment, "istio-system", "istiod"),
                workload(WorkloadKind::DaemonSet, "istio-system", "ztunnel"),
                workload(WorkloadKind::Deployment, "istio-ingress", "gateway"),
            ],
            helm_releases: vec![object("istio-system", "istiod"), object("istio-ingress", "gateway")],
            istioctl: vec![object("istio-system", "blue")],
            applications: vec!["istiod".to_owned(), "argocd_istiod".to_owned(), "cni".to_owned()],
            operator_objects: vec![
                "istios/default".to_owned(),
                "istiorevisions/default".to_owned(),
                "istiorevisiontags/default".to_owned(),
                "istiocnis/default".to_owned(),
            ],
            controllers: vec![
                Controller {
                    user: SAIL.to_owned(),
                    step: "east/istiod/istio-system/default-istiod".to_owned(),
                    version: "1.31.0".to_owned(),
                    helm_releases: vec![object("istio-system", "default-istiod")],
                    operator_objects: vec!["istiorevisions/default".to_owned()],
                    ..Controller::default()
                },
                Controller {
                    user: ARGO_CD.to_owned(),
                    step: "east/istiod/argocd/istiod".to_owned(),
                    version: "1.31.0".to_owned(),
                    applications: vec!["istiod".to_owned(), "argocd_istiod".to_owned()],
                    ..Controller::default()
                },
                Controller {
                    user: FLUX.to_owned(),
                    step: "east/gateway/istio-ingress/gateway".to_owned(),
                    version: "1.31.0".to_owned(),
                    helm_releases: vec![object("istio-ingress", "gateway")],
                    ..Controller::default()
                },
            ],
            istiod_users: vec![ISTIOD.to_owned()],
            configuration: FreezeSettings::default(),
        },
        unlock: None,
    }
}

/// A request under construction.
#[derive(Clone)]
pub(super) struct Ask(pub(super) Value);

impl Ask {
    pub(super) fn new(operation: &str, group: &str, resource: &str, path: &str) -> Self {
        let (namespace, name) = path.split_once('/').unwrap_or(("", path));
        let body = json!({"metadata": {"name": name, "resourceVersion": "1"}});
        let mut request = json!({
            "uid": "u",
            "resource": {"group": group, "version": "v1", "resource": resource},
            "operation": operation,
            "name": name,
            "userInfo": {"username": "bob", "groups": ["system:masters"]},
        });
        if !namespace.is_empty() {
            request["namespace"] = json!(namespace);
        }
        if operation != "DELETE" {
            request["object"] = body.clone();
        }
        if operation != "CREATE" {
            request["oldObject"] = body;
        }
        if group == "apps" {
            for object in ["object", "oldObject"] {
                if request.get(object).is_some() {
                    request[object]["spec"] = json!({"template": {}});
                }
            }
        }
        if operation == "UPDATE" {
            // Otherwise it would count as unchanged.
            request["object"]["spec"]["changed"] = json!(true);
        }
        Self(json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}))
    }

    pub(super) fn set(mut self, pointer: &str, value: Value) -> Self {
        let mut at = &mut self.0["request"];
        for key in pointer.split('.') {
            at = &mut at[key.replace('|', ".")];
        }
        *at = value;
        self
    }

    /// An update that so far changes nothing.
    pub(super) fn same(self) -> Self {
        let old = self.0["request"]["oldObject"].clone();
        self.set("object", old)
    }

    fn by(self, user: &str) -> Self {
        self.set("userInfo.username", json!(user))
    }

    fn driver(self, epoch: &str) -> Self {
        self.by(&names::driver_user())
            .set("userInfo.extra", json!({names::EXTRA_EPOCH: [epoch]}))
    }

    pub(super) fn sub(self, subresource: &str) -> Self {
        self.set("subResource", json!(subresource))
    }

    pub(super) fn old_release(self, namespace: &str, name: &str) -> Self {
        self.set("oldObject.metadata.annotations", release(namespace, name))
    }

    fn new_release(self, namespace: &str, name: &str) -> Self {
        self.set("object.metadata.annotations", release(namespace, name))
    }

    fn code(&self, facts: &Facts) -> Option<Code> {
        let body = self.0.to_string();
        let request = review::parse(body.as_bytes()).unwrap();
        match decide(&request, facts, NOW) {
            Verdict::Deny(ruling) => {
                assert_eq!(Code::at_start_of(&ruling.message), Some(ruling.code));
                assert!(!ruling.message.contains('\n'));
                Some(ruling.code)
            }
            Verdict::Allow | Verdict::Warn(_) => None,
        }
    }
}

fn release(namespace: &str, name: &str) -> Value {
    json!({"meta.helm.sh/release-name": name, "meta.helm.sh/release-namespace": namespace})
}

fn helm_labels(release: &str) -> Value {
    json!({"owner": "helm", "name": release, "status": "deployed"})
}

fn frozen() -> Facts {
    Facts {
        freezes: vec![Freeze {
            spec: freeze(),
            phase: Some(Phase::Upgrading),
        }],
        ..Facts::default()
    }
}

fn check(facts: &Facts, expected: Option<Code>, cases: Vec<(&str, Ask)>) {
    for (what, ask) in cases {
        assert_eq!(ask.code(facts), expected, "{what}: {}", ask.0);
    }
}

fn config(operation: &str) -> Ask {
    Ask::new(operation, "networking.istio.io", "virtualservices", "shop/cart")
}

fn secret(operation: &str, path: &str) -> Ask {
    Ask::new(operation, "", "secrets", path)
}

#[test]
fn an_open_mesh_is_never_hindered() {
    check(
        &Facts::default(),
        None,
        vec![
            ("configuration", config("CREATE")),
            ("helm", secret("DELETE", "istio-system/sh.helm.release.v1.istiod.v4")),
            (
                "a CRD",
                Ask::new(
                    "DELETE",
                    "apiextensions.k8s.io",
                    "customresourcedefinitions",
                    "gateways.networking.istio.io",
                ),
            ),
            (
                "istiod",
                Ask::new("DELETE", "apps", "deployments", "istio-system/istiod"),
            ),
        ],
    );
}

#[test]
fn all_freezes_must_admit() {
    let mut facts = frozen();
    let mut second = freeze();
    second.epoch = 4;
    facts.freezes.push(Freeze {
        spec: second,
        phase: None,
    });
    check(
        &facts,
        Some(Code::MeshFrozen),
        vec![
            ("the old holder", config("CREATE").driver("3")),
            ("the new one", config("CREATE").driver("4")),
        ],
    );
}

#[test]
fn depth_needs_no_stack_to_compare_and_hides_no_change() {
    let deep = |inner: &str| format!("{}{inner}{}", "[".repeat(200_000), "]".repeat(200_000));
    for part in ["spec", "status"] {
        for (change, denied) in [("1", false), ("2", true)] {
            let object = |inner: &str| format!(r#"{{"metadata":{{"name":"cart"}},"{part}":{}}}"#, deep(inner));
            let body = format!(
                r#"{{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{{"uid":"u",
                "operation":"UPDATE","resource":{{"group":"networking.istio.io","resource":"virtualservices"}},
                "namespace":"shop","name":"cart","userInfo":{{"username":"bob"}},
                "object":{},"oldObject":{}}}}}"#,
                object(change),
                object("1"),
            );
            let request = review::parse(body.as_bytes()).unwrap();
            let verdict = decide(&request, &frozen(), NOW);
            assert_eq!(matches!(verdict, Verdict::Deny(_)), denied, "{part}");
        }
    }
}

#[test]
fn the_message_is_one_line_and_names_the_next_command() {
    let body = config("CREATE").0.to_string();
    let request = review::parse(body.as_bytes()).unwrap();
    let Verdict::Deny(ruling) = decide(&request, &frozen(), NOW) else {
        panic!("allowed");
    };
    assert_eq!(
        ruling.message,
        "MG001 mesh-frozen: mesh \"default\" is being upgraded from 1.30.3 to 1.31.0 by alice since \
         1970-01-01T00:00:00Z, now Upgrading: this change is refused until it ends. See: kubectl mesh-upgrade status"
    );
}
