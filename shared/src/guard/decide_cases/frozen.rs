//! What a frozen mesh refuses to foreigners.

use super::*;

#[test]
fn a_frozen_mesh_refuses_foreigners() {
    let storage = "istio-system/sh.helm.release.v1.istiod.v4";
    let service = || Ask::new("UPDATE", "", "services", "istio-system/istiod");
    let scale = || Ask::new("UPDATE", "apps", "deployments", "istio-system/istiod").sub("scale");
    let collection = |ask: Ask| ask.set("name", json!(""));
    check(
        &frozen(),
        Some(Code::MeshFrozen),
        vec![
            ("create configuration", config("CREATE")),
            ("update configuration", config("UPDATE")),
            ("delete configuration", config("DELETE")),
            (
                "a dry run gets the same verdict",
                config("CREATE").set("dryRun", json!(true)),
            ),
            ("no administrator passes", config("CREATE").by("kubernetes-admin")),
            ("nobody without a name passes", config("CREATE").by("")),
            (
                "security",
                Ask::new("UPDATE", "security.istio.io", "authorizationpolicies", "shop/deny"),
            ),
            (
                "telemetry",
                Ask::new("CREATE", "telemetry.istio.io", "telemetries", "istio-system/mesh"),
            ),
            (
                "extensions",
                Ask::new("DELETE", "extensions.istio.io", "wasmplugins", "shop/w"),
            ),
            (
                "a kind that Istio adds later",
                Ask::new("CREATE", "networking.istio.io", "newkinds", "shop/x"),
            ),
            (
                "only an annotation",
                config("UPDATE")
                    .same()
                    .set("object.metadata.annotations", json!({"istio.io/dry-run": "true"})),
            ),
            (
                "only a label",
                config("UPDATE")
                    .same()
                    .set("object.metadata.labels", json!({"istio.io/rev": "canary"})),
            ),
            (
                "a dangling owner",
                config("UPDATE")
                    .same()
                    .set("object.metadata.ownerReferences", json!([{"uid": "gone"}])),
            ),
            (
                "a finalizer that is added",
                config("UPDATE")
                    .same()
                    .set("object.metadata.finalizers", json!(["hold/me"])),
            ),
            (
                "the mesh configuration",
                Ask::new("UPDATE", "", "configmaps", "istio-system/istio"),
            ),
            (
                "the canary",
                Ask::new("CREATE", "", "configmaps", "istio-system/mesh-upgrade-canary"),
            ),
            (
                "istiod's Deployment",
                Ask::new("UPDATE", "apps", "deployments", "istio-system/istiod"),
            ),
            (
                "deleting it",
                Ask::new("DELETE", "apps", "deployments", "istio-system/istiod"),
            ),
            (
                "deleting all Deployments",
                collection(Ask::new("DELETE", "apps", "deployments", "istio-system/istiod")),
            ),
            ("scaling it", scale()),
            (
                "scaling a gateway",
                Ask::new("UPDATE", "apps", "deployments", "istio-ingress/gateway").sub("scale"),
            ),
            (
                "ztunnel",
                Ask::new("UPDATE", "apps", "daemonsets", "istio-system/ztunnel"),
            ),
            (
                "Istio's CRD",
                Ask::new(
                    "DELETE",
                    "apiextensions.k8s.io",
                    "customresourcedefinitions",
                    "virtualservices.networking.istio.io",
                ),
            ),
            (
                "all CRDs",
                collection(Ask::new(
                    "DELETE",
                    "apiextensions.k8s.io",
                    "customresourcedefinitions",
                    "virtualservices.networking.istio.io",
                )),
            ),
            (
                "the Sail Operator's CRD, where its objects are frozen",
                Ask::new(
                    "DELETE",
                    "apiextensions.k8s.io",
                    "customresourcedefinitions",
                    "istiorevisions.sailoperator.io",
                ),
            ),
            (
                "our CRD",
                Ask::new(
                    "UPDATE",
                    "apiextensions.k8s.io",
                    "customresourcedefinitions",
                    "meshfreezes.meshupgrade.io",
                ),
            ),
            (
                "Istio's namespace",
                Ask::new("DELETE", "", "namespaces", "istio-system").set("namespace", json!("istio-system")),
            ),
            (
                "a gateway's namespace",
                Ask::new("DELETE", "", "namespaces", "istio-ingress"),
            ),
            ("our namespace", Ask::new("DELETE", "", "namespaces", names::NAMESPACE)),
            ("helm upgrade's first write", secret("CREATE", storage)),
            ("helm rollback's", secret("UPDATE", storage)),
            ("helm uninstall's", secret("DELETE", storage)),
            (
                "a storage that is deleted with all others",
                collection(secret("DELETE", storage)),
            ),
            (
                "a Secret that helm would find by its labels",
                secret("CREATE", "istio-system/innocent").set("object.metadata.labels", helm_labels("istiod")),
            ),
            (
                "a Secret that helm would find no longer",
                secret("UPDATE", "istio-system/innocent").set("oldObject.metadata.labels", helm_labels("istiod")),
            ),
            (
                "a dangling owner by way of the status",
                Ask::new("UPDATE", "apps", "deployments", "istio-system/istiod")
                    .sub("status")
                    .same()
                    .set("object.metadata.ownerReferences", json!([{"uid": "gone"}])),
            ),
            (
                "helm's annotations taken off by way of the status",
                service().old_release("istio-system", "istiod").sub("status"),
            ),
            (
                "another release by way of the status",
                service()
                    .old_release("istio-system", "istiod")
                    .new_release("istio-system", "second")
                    .sub("status"),
            ),
            ("helm's ConfigMap driver", Ask::new("CREATE", "", "configmaps", storage)),
            (
                "what a release owns",
                service()
                    .old_release("istio-system", "istiod")
                    .new_release("istio-system", "istiod"),
            ),
            (
                "taking the annotation off",
                service().old_release("istio-system", "istiod"),
            ),
            (
                "taking over for a release",
                service().new_release("istio-system", "istiod"),
            ),
            (
                "handing over to a second release",
                service()
                    .old_release("istio-system", "istiod")
                    .new_release("istio-system", "other"),
            ),
            (
                "helm uninstall's later deletes",
                Ask::new("DELETE", "rbac.authorization.k8s.io", "clusterroles", "istiod")
                    .old_release("istio-system", "istiod"),
            ),
            (
                "an autoscaler's bounds",
                Ask::new(
                    "UPDATE",
                    "autoscaling",
                    "horizontalpodautoscalers",
                    "istio-system/istiod",
                )
                .old_release("istio-system", "istiod"),
            ),
            (
                "an unnamed workload of a release",
                Ask::new("CREATE", "apps", "deployments", "istio-system/istiod-2")
                    .new_release("istio-system", "istiod"),
            ),
            ("an old epoch", config("CREATE").driver("2")),
            ("an epoch to come", config("CREATE").driver("4")),
            ("an epoch with a blank", config("CREATE").driver("3 ")),
            (
                "two epochs",
                config("CREATE")
                    .driver("3")
                    .set("userInfo.extra", json!({names::EXTRA_EPOCH: ["3", "2"]})),
            ),
            (
                "the driver without an epoch",
                config("CREATE").by(&names::driver_user()),
            ),
            ("the epoch without the driver", config("CREATE").driver("3").by("bob")),
            (
                "a canary of the holder",
                config("CREATE").driver("3").set("dryRun", json!(true)).set(
                    "userInfo.extra",
                    json!({names::EXTRA_EPOCH: ["3"], names::EXTRA_PROBE: [names::PROBE_WEBHOOK]}),
                ),
            ),
            ("istiod beyond what it must", config("CREATE").by(ISTIOD)),
            (
                "an istiod of elsewhere",
                Ask::new("CREATE", "networking.istio.io", "workloadentries", "shop/vm")
                    .by("system:serviceaccount:shop:istiod"),
            ),
            (
                "istiod's Deployment by its own account",
                Ask::new("UPDATE", "apps", "deployments", "istio-system/istiod").by(ISTIOD),
            ),
            ("the collector changing", config("UPDATE").by(COLLECTOR)),
            (
                "the collector at a CRD",
                Ask::new(
                    "DELETE",
                    "apiextensions.k8s.io",
                    "customresourcedefinitions",
                    "gateways.networking.istio.io",
                )
                .by(COLLECTOR),
            ),
            (
                "the collector at a namespace",
                Ask::new("DELETE", "", "namespaces", "istio-system")
                    .set("namespace", json!("istio-system"))
                    .by(COLLECTOR),
            ),
            (
                "the autoscaler beyond scale",
                Ask::new("UPDATE", "apps", "deployments", "istio-system/istiod").by(SCALER),
            ),
            (
                "GKE's autoscaler beyond scale",
                Ask::new("UPDATE", "apps", "deployments", "istio-ingress/gateway").by(GKE_SCALER),
            ),
            ("GKE's autoscaler at configuration", config("UPDATE").by(GKE_SCALER)),
            (
                "a probe that is stored",
                Ask::new(
                    "CREATE",
                    "networking.istio.io",
                    "gateways",
                    "istio-system/invalid-gateway",
                )
                .set(
                    "object.metadata.annotations",
                    json!({"internal.istio.io/webhook-always-reject": "true"}),
                ),
            ),
            (
                "a probe without its mark",
                Ask::new(
                    "CREATE",
                    "networking.istio.io",
                    "gateways",
                    "istio-system/invalid-gateway",
                )
                .set("dryRun", json!(true)),
            ),
        ],
    );
}
