//! MU2xx: Kubernetes out of range, nodes, and what older versions left behind.

use super::{
    case::{Case, Report, kubectl},
    stand_ins,
};
use anyhow::{Context as _, Result};
use mesh_upgrade_tests::harness::Cluster;
use serde_json::json;

/// The cluster is of Kubernetes 1.36; which range the target has, a catalog says. The fault suite has real API servers
/// of other versions.
pub const OF_CATALOGS: &[Case] = &[
    Case {
        what: "a target that begins with the next Kubernetes",
        shows: &[("MU201", "supports Kubernetes 1.37 to 1.38; this cluster runs 1.36")],
        report: |cluster| with_ranges(cluster, "kubernetes: [\"1.37\", \"1.38\"]", ""),
    },
    Case {
        what: "a target whose own minimum is the next Kubernetes",
        shows: &[("MU204", "supports Kubernetes 1.37; this cluster runs 1.36")],
        report: |cluster| with_ranges(cluster, "kubernetes: [\"1.37\"], minimumKubernetes: \"1.37\"", ""),
    },
    Case {
        what: "a target that ends with the last Kubernetes, and a later one that fits",
        shows: &[("MU202", "supports Kubernetes 1.35; this cluster runs 1.36")],
        report: |cluster| {
            let later = "{minor: \"1.32\", newestPatch: 1.32.0, released: 2026-11-20, endOfLife: {date: 2027-08-31, kind: \
                         estimate}, kubernetes: [\"1.36\"]}, ";
            with_ranges(cluster, "kubernetes: [\"1.35\"]", later)
        },
    },
    Case {
        what: "a target that ends with the last Kubernetes, and none that fits",
        shows: &[("MU203", "no release of the flavor community supports it yet")],
        report: |cluster| with_ranges(cluster, "kubernetes: [\"1.35\"]", ""),
    },
];

/// Checks against a catalog whose 1.31 has these ranges.
fn with_ranges(cluster: &Cluster, ranges: &str, later: &str) -> Result<Report> {
    let file = cluster.dir().join("ranges.yaml");
    let catalog = format!(
        "extends: embedded\nflavors: [{{releases: [{later}{{minor: \"1.31\", newestPatch: 1.31.3, released: 2026-08-31, \
         endOfLife: {{date: 2027-04-30, kind: estimate}}, {ranges}}}]}}]\n"
    );
    std::fs::write(&file, catalog)?;
    let file = file.display().to_string();
    Report::of(cluster, &["--to", "1.31.0", "--catalog", &file])
}

/// In the cluster of the old mesh.
pub const OF_A_CLUSTER: &[Case] = &[
    Case {
        what: "a node that was left behind, and definitions that were once stored otherwise",
        shows: &[
            ("MU205", "Nodes of kubelet 1.29"),
            (
                "MU207",
                "CustomResourceDefinition gateways.networking.istio.io: objects may still be stored as v1alpha3",
            ),
        ],
        report: |cluster| {
            let node = json!({"apiVersion": "v1", "kind": "Node",
                "metadata": {"name": "behind"}, "spec": {"unschedulable": true}});
            cluster.apply_stdin(&node.to_string())?.ok()?;
            // Whoever makes it ready writes its version, too.
            kubectl(
                cluster,
                &["wait", "--for=condition=Ready", "--timeout=60s", "node/behind"],
            )?;
            let kubelet = r#"{"status":{"nodeInfo":{"kubeletVersion":"v1.29.3"}}}"#;
            status(cluster, "node/behind", kubelet)?;
            let stored = r#"{"status":{"storedVersions":["v1alpha3","v1"]}}"#;
            status(cluster, "crd/gateways.networking.istio.io", stored)?;
            Report::of(cluster, &["default", "--to", "1.31.0"])
        },
    },
    Case {
        what: "a release that was made when Kubernetes still served its objects, and that another image has left",
        shows: &[
            ("MU206", "policy/v1beta1 PodDisruptionBudget"),
            ("MU404", "its chart istiod is at 1.29.9, but 1.30.3 runs"),
        ],
        report: |cluster| {
            stand_ins::release(cluster, "of-old", "istiod", "istiod", "1.29.9").context("make a release")?;
            Report::of(cluster, &["of-old", "--to", "1.31.0"])
        },
    },
];

fn status(cluster: &Cluster, object: &str, patch: &str) -> Result<()> {
    kubectl(
        cluster,
        &["patch", object, "--subresource=status", "--type=merge", "-p", patch],
    )
    .map(drop)
}
