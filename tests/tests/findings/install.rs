//! MU0xx and MU4xx: how things were installed, by whom, and from where. What a running one can be made to show stands in
//! `spoilt`.

use super::{
    case::{Case, Report, kubectl},
    stand_ins,
};
use anyhow::Result;
use mesh_upgrade_tests::harness::Cluster;
use serde_json::json;

const OPERATOR_CRDS: &str = include_str!("../../fixtures/minimal-operator-crds.yaml");

/// Of the old mesh, and beside it; see `stand_ins`. The last one takes a release away.
pub const OF_WORKLOADS: &[Case] = &[
    Case {
        what: "charts that will take their images from a registry which is shut down",
        shows: &[(
            "MU001",
            "the charts of 1.30.7 take their images from registry.istio.io/release",
        )],
        report: |cluster| Report::of(cluster, &["default", "--to", "1.30.7"]),
    },
    Case {
        what: "an istiod that no helm knows",
        shows: &[("MU401", "Deployment unread/istiod")],
        report: |cluster| Report::of(cluster, &["unread", "--to", "1.31.0"]),
    },
    Case {
        what: "the same by istioctl, beside releases of helm's in its cluster",
        shows: &[("MU416", "and helm base (istio-system/istio-base)")],
        report: |cluster| {
            let mark = ["label", "deployment/istiod", "operator.istio.io/managed=Reconcile"];
            kubectl(cluster, &[&["-n", "unread"], &mark[..]].concat())?;
            Report::of(cluster, &["unread", "--to", "1.31.0"])
        },
    },
    Case {
        what: "a gateway that no helm knows, and other meshes in the cluster",
        shows: &[
            ("MU406", "Deployment edge/ingress"),
            (
                "MU407",
                "Deployment halfway/istiod-canary (docker.io/istio/pilot:1.31.0)",
            ),
        ],
        report: |cluster| {
            kubectl(cluster, &["create", "namespace", "edge"])?;
            let proxy = json!({"name": "istio-proxy", "image": "auto"});
            let metadata = json!({"name": "ingress", "namespace": "edge", "labels": {"istio": "ingress"}});
            let gateway = stand_ins::deployment(&metadata, &proxy);
            cluster.apply_stdin(&gateway.to_string())?.ok()?;
            Report::of(cluster, &["default", "--to", "1.31.0"])
        },
    },
    Case {
        what: "an istiod that an operator owns",
        shows: &[("MU410", "IstioRevision default owns it")],
        report: |cluster| {
            owned_by_an_operator(cluster)?;
            Report::of(cluster, &["operated", "--to", "1.31.0"])
        },
    },
    Case {
        what: "a component of a vendor's beside its control plane",
        shows: &[("MU412", "DaemonSet vendor/merbridge")],
        report: |cluster| {
            let container = json!({"name": "merbridge", "image": "registry.example.com/mspider/merbridge:1.0.0"});
            let metadata = json!({"name": "merbridge", "namespace": "vendor", "labels": {"app": "merbridge"}});
            let merbridge = stand_ins::daemon_set(&metadata, &container);
            cluster.apply_stdin(&merbridge.to_string())?.ok()?;
            Report::of(cluster, &["vendor", "--to", "1.31.0-mspider"])
        },
    },
    Case {
        what: "an istiod whose release Terraform keeps",
        shows: &[(
            "MU417",
            "Deployment istio-system/istiod: Terraform keeps its helm release",
        )],
        report: |cluster| {
            let istiod = ["-n", "istio-system", "patch", "deployment/istiod", "--type=merge"];
            let as_terraform = [
                "--field-manager=terraform-provider-helm_v2.17.0_x5",
                "-p",
                r#"{"spec":{"minReadySeconds":1}}"#,
            ];
            kubectl(cluster, &[&istiod[..], &as_terraform].concat())?;
            Report::of(cluster, &["default", "--to", "1.31.0"])
        },
    },
    Case {
        what: "definitions that no release of base brings",
        shows: &[("MU403", "does not update Istio's CRDs")],
        report: |cluster| {
            let release = [
                "-n",
                "istio-system",
                "delete",
                "secret",
                "-l",
                "owner=helm,name=istio-base",
            ];
            kubectl(cluster, &release)?;
            Report::of(cluster, &["default", "--to", "1.31.0"])
        },
    },
];

/// An owner that is there: without it the garbage collector would take the istiod away.
fn owned_by_an_operator(cluster: &Cluster) -> Result<()> {
    cluster.apply_stdin(OPERATOR_CRDS)?.ok()?;
    cluster.wait_until_established()?;
    let (version, kind) = ("sailoperator.io/v1", "IstioRevision");
    let revision = json!({"apiVersion": version, "kind": kind, "metadata": {"name": "default"},
        "spec": {"version": "v1.30.3", "namespace": "operated"}});
    cluster.apply_stdin(&revision.to_string())?.ok()?;
    let uid = kubectl(
        cluster,
        &["get", "istiorevision", "default", "-o=jsonpath={.metadata.uid}"],
    )?;
    let owner = json!({"metadata": {"ownerReferences":
        [{"apiVersion": version, "kind": kind, "name": "default", "uid": uid}]}});
    let patch = ["-n", "operated", "patch", "deployment/istiod", "--type=merge", "-p"];
    kubectl(cluster, &[&patch[..], &[&owner.to_string()]].concat()).map(drop)
}
