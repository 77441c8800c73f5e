//! MU604 and MU9xx: Mesh objects, and the clusters that they and the kubeconfig name. What each way of not being readable
//! tells stands in the test `members`.

use super::case::{Case, Report, kubectl};
use anyhow::Result;
use mesh_upgrade_tests::harness::{Cluster, Contexts, stand_in_that_refuses};
use serde_json::{Value, json};

/// Of the mesh of today, whose Mesh object is gone again afterwards.
pub const OF_A_MESH: &[Case] = &[
    Case {
        what: "a Mesh in whose namespace nothing runs",
        shows: &[("MU114", "in the namespace nowhere")],
        report: |cluster| with_mesh(cluster, &json!({"istioNamespace": "nowhere"})),
    },
    Case {
        what: "a Mesh that lists its cluster twice, and is only warned about",
        shows: &[
            ("MU604", "mesh shop wants foreign changes"),
            ("MU903", "home and again are one cluster"),
        ],
        report: |cluster| {
            let member = |name: &str| json!({"name": name, "context": "east"});
            let clusters = [member("home"), member("again")];
            with_mesh(cluster, &json!({"freeze": {"mode": "Warn"}, "clusters": clusters}))
        },
    },
    Case {
        what: "a Mesh of another owner's",
        shows: &[("MU902", "the mesh shop is operated by its owner")],
        report: |cluster| with_mesh(cluster, &json!({"management": "External"})),
    },
    Case {
        what: "an istiod that was given another cluster's kubeconfig for its own configuration",
        shows: &[
            ("MU907", "reads its configuration in the cluster remote"),
            ("MU901", "connection refused"),
        ],
        report: |cluster| {
            let kubeconfig = Contexts::alone("remote", &stand_in_that_refuses()?, &json!({"token": "not-needed"}));
            let secret = json!({
                "apiVersion": "v1", "kind": "Secret", "stringData": {"config": kubeconfig.to_string()},
                "metadata": {"namespace": "istio-system", "name": "istio-kubeconfig",
                    "labels": {"istio/multiCluster": "true"},
                    "annotations": {"networking.istio.io/cluster": "remote"}},
            });
            cluster.apply_stdin(&secret.to_string())?.ok()?;
            let report = Report::of(cluster, &["default", "--to", "1.31.0"]);
            kubectl(
                cluster,
                &["delete", "secret", "istio-kubeconfig", "--namespace=istio-system"],
            )?;
            report
        },
    },
    Case {
        what: "a cluster that refuses the connection",
        shows: &[("MU901", "connection refused")],
        report: |cluster| {
            let contexts = Contexts::of(&cluster.kubeconfig_for("alice")?)?;
            let nobody = json!({"token": "not-needed"});
            let contexts = contexts.with("refusing", &stand_in_that_refuses()?, &nobody);
            let kubeconfig = contexts.write(cluster.dir().join("with-one-that-refuses"))?;
            let arguments = ["default", "--to", "1.31.0", "--contexts", "east,refusing"];
            Report::with_kubeconfig(cluster, &kubeconfig, &arguments)
        },
    },
];

fn with_mesh(cluster: &Cluster, spec: &Value) -> Result<Report> {
    let mesh =
        json!({"apiVersion": "meshupgrade.io/v1alpha1", "kind": "Mesh", "metadata": {"name": "shop"}, "spec": spec});
    cluster.apply_stdin(&mesh.to_string())?.ok()?;
    let report = Report::of(cluster, &["shop", "--to", "1.31.0"]);
    kubectl(cluster, &["delete", "mesh", "shop"])?;
    report
}
