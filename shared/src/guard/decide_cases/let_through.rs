//! Who passes a frozen mesh, and what is none of its business.

use super::*;

#[test]
fn a_frozen_mesh_lets_through_who_must_pass_and_what_is_not_its_own() {
    let probe = Ask::new(
        "CREATE",
        "networking.istio.io",
        "gateways",
        "istio-system/invalid-gateway",
    )
    .set("dryRun", json!(true))
    .set(
        "object.metadata.annotations",
        json!({"internal.istio.io/webhook-always-reject": "true"}),
    );
    let managed = |ask: Ask| {
        ask.set(
            "object.metadata.labels",
            json!({"gateway.istio.io/managed": "istio.io-gateway-controller"}),
        )
    };
    check(
        &frozen(),
        None,
        vec![
            ("the holder", config("CREATE").driver("3")),
            (
                "the holder's helm",
                secret("CREATE", "istio-system/sh.helm.release.v1.istiod.v4").driver("3"),
            ),
            (
                "the holder at a CRD",
                Ask::new(
                    "UPDATE",
                    "apiextensions.k8s.io",
                    "customresourcedefinitions",
                    "gateways.networking.istio.io",
                )
                .driver("3"),
            ),
            (
                "istiod's WorkloadEntry",
                Ask::new("CREATE", "networking.istio.io", "workloadentries", "shop/vm").by(ISTIOD),
            ),
            (
                "and its end",
                Ask::new("DELETE", "networking.istio.io", "workloadentries", "shop/vm").by(ISTIOD),
            ),
            (
                "istiod's managed gateway",
                managed(Ask::new("CREATE", "", "services", "shop/gw").new_release("istio-system", "istiod")).by(ISTIOD),
            ),
            ("istiod's probe", probe.clone().by(ISTIOD)),
            ("anybody's probe", probe),
            ("the collector", config("DELETE").by(COLLECTOR)),
            ("the namespace controller", config("DELETE").by(NAMESPACES)),
            ("a controller manager of one account", config("DELETE").by(MANAGER)),
            (
                "the autoscaler",
                Ask::new("UPDATE", "apps", "deployments", "istio-ingress/gateway")
                    .sub("scale")
                    .by(SCALER),
            ),
            (
                "the autoscaler of one account",
                Ask::new("UPDATE", "apps", "deployments", "istio-ingress/gateway")
                    .sub("scale")
                    .by(MANAGER),
            ),
            (
                "GKE's autoscaler",
                Ask::new("UPDATE", "apps", "deployments", "istio-ingress/gateway")
                    .sub("scale")
                    .by(GKE_SCALER),
            ),
            (
                "mirrored slices",
                Ask::new("UPDATE", "discovery.k8s.io", "endpointslices", "istio-system/istiod-x")
                    .old_release("istio-system", "istiod")
                    .by("system:serviceaccount:kube-system:endpointslicemirroring-controller"),
            ),
            ("status", config("UPDATE").sub("status")),
            (
                "status of istiod's Deployment",
                Ask::new("UPDATE", "apps", "deployments", "istio-system/istiod").sub("status"),
            ),
            (
                "an update that changes nothing",
                config("UPDATE").set(
                    "object",
                    json!({"metadata": {"name": "cart",
                "resourceVersion": "2", "managedFields": [{"manager": "x"}], "generation": 4}}),
                ),
            ),
            (
                "a finalizer that is removed",
                config("UPDATE")
                    .set("object", json!({"metadata": {"name": "cart"}}))
                    .set("oldObject.metadata.finalizers", json!(["a/b", "c/d"])),
            ),
            (
                "leader election",
                Ask::new("UPDATE", "", "configmaps", "istio-system/istio-leader").by(ISTIOD),
            ),
            (
                "the root certificate",
                Ask::new("CREATE", "", "configmaps", "shop/istio-ca-root-cert").by(ISTIOD),
            ),
            (
                "a ConfigMap of the same name elsewhere",
                Ask::new("UPDATE", "", "configmaps", "shop/istio"),
            ),
            (
                "a Deployment of the same name elsewhere",
                Ask::new("UPDATE", "apps", "deployments", "shop/istiod"),
            ),
            (
                "a DaemonSet of a Deployment's name",
                Ask::new("UPDATE", "apps", "daemonsets", "istio-system/istiod"),
            ),
            (
                "another release",
                secret("CREATE", "istio-system/sh.helm.release.v1.kiali.v1"),
            ),
            (
                "another release's labels",
                secret("CREATE", "istio-system/x").set("object.metadata.labels", helm_labels("kiali")),
            ),
            (
                "the release's labels elsewhere",
                secret("CREATE", "shop/x").set("object.metadata.labels", helm_labels("istiod")),
            ),
            (
                "an application's labels",
                secret("CREATE", "istio-system/x").set("object.metadata.labels", json!({"name": "istiod"})),
            ),
            (
                "the Deployment controller's status, with its annotation",
                Ask::new("UPDATE", "apps", "deployments", "istio-system/istiod")
                    .sub("status")
                    .set(
                        "object.metadata.annotations",
                        json!({"deployment.kubernetes.io/revision": "2"}),
                    ),
            ),
            (
                "a load balancer's finalizer by way of the status",
                Ask::new("UPDATE", "", "services", "istio-system/istiod")
                    .old_release("istio-system", "istiod")
                    .new_release("istio-system", "istiod")
                    .sub("status")
                    .set(
                        "object.metadata.finalizers",
                        json!(["service.kubernetes.io/load-balancer-cleanup"]),
                    ),
            ),
            (
                "owners by way of the status of an application",
                Ask::new("UPDATE", "apps", "deployments", "shop/shop")
                    .sub("status")
                    .set("object.metadata.ownerReferences", json!([{"uid": "gone"}])),
            ),
            (
                "a release with a longer name",
                secret("CREATE", "istio-system/sh.helm.release.v1.istiod-canary.v1"),
            ),
            (
                "the release's name elsewhere",
                secret("CREATE", "shop/sh.helm.release.v1.istiod.v1"),
            ),
            (
                "what another release owns",
                Ask::new("UPDATE", "", "services", "istio-system/kiali").old_release("istio-system", "kiali"),
            ),
            (
                "another CRD",
                Ask::new(
                    "DELETE",
                    "apiextensions.k8s.io",
                    "customresourcedefinitions",
                    "istio.io.example.com",
                ),
            ),
            ("another namespace", Ask::new("DELETE", "", "namespaces", "shop")),
            (
                "a change to Istio's namespace",
                Ask::new("UPDATE", "", "namespaces", "istio-system"),
            ),
            ("a pod", Ask::new("DELETE", "", "pods", "istio-system/istiod-1")),
            (
                "a lease",
                Ask::new("UPDATE", "coordination.k8s.io", "leases", "istio-system/istiod"),
            ),
        ],
    );
}
