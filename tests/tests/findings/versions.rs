//! MU1xx: targets that do not follow what runs, and control planes that do not agree.

use super::case::{Case, Report, kubectl};
use anyhow::Result;
use mesh_upgrade_tests::harness::Cluster;
use serde_json::json;

/// The definitions of this tool's own objects.
const OWN: &str = "manifests/crds";

/// The mesh of today runs 1.30.3.
pub const OF_TARGETS: &[Case] = &[
    Case {
        what: "a target that is older",
        shows: &[("MU102", "istiod runs 1.30.3; 1.28.9 is older")],
        report: |cluster| Report::of(cluster, &["--to", "1.28.9"]),
    },
    Case {
        what: "a target that has no fixes any more, as a catalog says",
        shows: &[("MU112", "1.31 gets no fixes since 2026-09-01")],
        report: |cluster| {
            let file = cluster.dir().join("ended.yaml");
            let catalog = "extends: embedded\nflavors: [{releases: [{minor: \"1.31\", newestPatch: 1.31.3, released: \
                           2026-08-31, endOfLife: {date: 2026-09-01, kind: actual}, kubernetes: [\"1.36\"]}]}]\n";
            std::fs::write(&file, catalog)?;
            let file = file.display().to_string();
            Report::of(cluster, &["--to", "1.31.0", "--catalog", &file])
        },
    },
    Case {
        what: "a target of a vendor's",
        shows: &[("MU103", "Deployment istio-system/istiod")],
        report: |cluster| Report::of(cluster, &["--to", "1.31.0-mspider"]),
    },
    Case {
        what: "a target that runs already",
        shows: &[("MU104", "every control plane runs 1.30.3")],
        report: |cluster| Report::of(cluster, &["--to", "1.30.3"]),
    },
    Case {
        what: "a target that nobody knows",
        shows: &[("MU106", "not 1.40"), ("MU101", "1.40.0 is more than one minor ahead")],
        report: |cluster| Report::of(cluster, &["--to", "1.40.0"]),
    },
    Case {
        what: "a target that is newer than the catalog",
        shows: &[("MU107", "1.31.99 is newer")],
        report: |cluster| Report::of(cluster, &["--to", "1.31.99"]),
    },
    Case {
        what: "a target that is a pre-release",
        shows: &[("MU108", "1.31.0-rc.1 is a pre-release")],
        report: |cluster| Report::of(cluster, &["--to", "1.31.0-rc.1"]),
    },
];

/// Beside the old mesh; see `stand_ins`.
pub const OF_CONTROL_PLANES: &[Case] = &[
    Case {
        what: "an image that is named by its digest",
        shows: &[("MU105", "Deployment unread/istiod")],
        report: |cluster| Report::of(cluster, &["unread", "--to", "1.31.0"]),
    },
    Case {
        what: "a vendor's control plane beside the community's",
        shows: &[("MU109", "community, mspider")],
        report: |cluster| Report::of(cluster, &["mixed", "--to", "1.31.0"]),
    },
    Case {
        what: "a canary that was left half-way",
        shows: &[
            ("MU110", "1.30.3, 1.31.0"),
            ("MU305", "default (docker.io/istio/pilot:1.30.3), canary"),
            ("MU306", "Deployment halfway/istiod-canary"),
        ],
        report: |cluster| Report::of(cluster, &["halfway", "--to", "1.31.0"]),
    },
    Case {
        what: "an upgrade to another version that is not over",
        shows: &[(
            "MU117",
            "an upgrade to 1.31.0 has begun (Upgrading, frozen since 2026-11-24T04:00:00Z)",
        )],
        report: |cluster| {
            let definitions = format!("{}/../{OWN}", env!("CARGO_MANIFEST_DIR"));
            kubectl(cluster, &["apply", "--server-side", "-f", &definitions])?;
            cluster.wait_until_established()?;
            let report = begun(cluster).and_then(|()| Report::of(cluster, &["halfway", "--to", "1.30.7"]));
            // The journal goes with its definition: there is no guard in this cluster.
            kubectl(cluster, &["delete", "-f", &definitions])?;
            report
        },
    },
];

/// The journal of an upgrade of one of the meshes, as a driver that was killed would leave it.
fn begun(cluster: &Cluster) -> Result<()> {
    let journal = json!({
        "apiVersion": "meshupgrade.io/v1alpha1", "kind": "MeshUpgrade", "metadata": {"name": "halfway-1"},
        "spec": {
            "journalVersion": 1, "mesh": "halfway", "from": "1.30.3", "to": "1.31.0", "planHash": "h", "requestedBy": "alice",
            "plan": {"clusters": [], "steps": [], "charts": {"location": "/charts"}},
        },
    });
    cluster.apply_stdin(&journal.to_string())?.ok()?;
    let status = r#"{"status":{"phase":"Upgrading","epoch":1,"frozenSince":"2026-11-24T04:00:00Z"}}"#;
    let patch = [
        "patch",
        "meshupgrade/halfway-1",
        "--subresource=status",
        "--type=merge",
        "-p",
        status,
    ];
    kubectl(cluster, &patch).map(drop)
}
