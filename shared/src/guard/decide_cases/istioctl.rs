//! What istioctl installed, known by the labels that it writes.

use super::*;
use crate::istioctl::{OWNER_NAMESPACE_LABEL, REVISION_LABEL};

fn labels(namespace: &str, revision: &str) -> Value {
    json!({OWNER_NAMESPACE_LABEL: namespace, REVISION_LABEL: revision, "app": "istiod"})
}

fn service(operation: &str) -> Ask {
    Ask::new(operation, "", "services", "istio-system/istiod-blue")
}

fn slices(operation: &str) -> Ask {
    Ask::new(
        operation,
        "discovery.k8s.io",
        "endpointslices",
        "istio-system/istiod-blue-x",
    )
}

fn controller(name: &str) -> String {
    format!("system:serviceaccount:kube-system:{name}-controller")
}

#[test]
fn what_an_installation_of_the_mesh_owns_is_frozen_before_and_after_the_change() {
    let ours = || labels("istio-system", "blue");
    let old = |ask: Ask, labels: Value| ask.set("oldObject.metadata.labels", labels);
    let new = |ask: Ask, labels: Value| ask.set("object.metadata.labels", labels);
    check(
        &frozen(),
        Some(Code::MeshFrozen),
        vec![
            ("created", new(service("CREATE"), ours())),
            ("deleted", old(service("DELETE"), ours())),
            ("changed", new(old(service("UPDATE"), ours()), ours())),
            ("taken out of it", old(service("UPDATE"), ours())),
            ("put into it", new(service("UPDATE").same(), ours())),
            (
                "given to another revision",
                new(old(service("UPDATE"), ours()).same(), labels("istio-system", "green")),
            ),
            (
                "a ClusterRole",
                old(
                    Ask::new("DELETE", "rbac.authorization.k8s.io", "clusterroles", "istiod-blue"),
                    ours(),
                ),
            ),
            (
                "by an old driver, without a change",
                new(old(service("UPDATE"), ours()), ours()).same().driver("2"),
            ),
            (
                "its labels, by its status",
                old(service("UPDATE").sub("status"), ours()),
            ),
            (
                "slices of its Service, by a person",
                old(slices("UPDATE").by("bob"), ours()),
            ),
            (
                "a slice of its Service, by another controller",
                old(
                    slices("DELETE").by("system:serviceaccount:kube-system:job-controller"),
                    ours(),
                ),
            ),
            (
                "its Service, by who writes slices",
                old(service("UPDATE").by(&controller("endpointslice")), ours()),
            ),
        ],
    );
    check(
        &frozen(),
        None,
        vec![
            ("by the holder", new(service("CREATE"), ours()).driver("3")),
            ("nothing changed", new(old(service("UPDATE"), ours()), ours()).same()),
            (
                "of another revision",
                new(service("CREATE"), labels("istio-system", "green")),
            ),
            // Kubernetes copies the labels of a Service to what tells where it leads.
            (
                "a slice, made",
                new(slices("CREATE").by(&controller("endpointslice")), ours()),
            ),
            (
                "a slice, changed",
                old(slices("UPDATE").by(&controller("endpointslice")), ours()),
            ),
            (
                "a slice, gone",
                old(slices("DELETE").by(&controller("endpointslice")), ours()),
            ),
            (
                "Endpoints",
                old(
                    Ask::new("UPDATE", "", "endpoints", "istio-system/istiod-blue").by(&controller("endpoint")),
                    ours(),
                ),
            ),
            ("of another mesh", new(service("CREATE"), labels("other", "blue"))),
            (
                "half of the labels",
                new(service("CREATE"), json!({REVISION_LABEL: "blue"})),
            ),
            ("its status", new(old(service("UPDATE").sub("status"), ours()), ours())),
        ],
    );
}
