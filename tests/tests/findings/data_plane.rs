//! MU8xx: proxies whose version does not go with the target's. Those that are too old stand in `spoilt`, those that become
//! native ones in `configuration`.

use super::case::{Case, Report};
use anyhow::Result;
use mesh_upgrade_tests::harness::Cluster;
use serde_json::json;

const DIGEST: &str = "proxyv2@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// Of the mesh of today; the pods were made by hand, and injected by nobody.
pub const OF_PODS: &[Case] = &[
    Case {
        what: "proxies that are ahead, and that cannot be read",
        shows: &[
            ("MU802", "1 sidecar, as ahead, in default (1) run 1.31.3"),
            ("MU803", "sidecars of docker.io/istio/proxyv2@sha256:"),
        ],
        report: |cluster| {
            pod(cluster, "ahead", "sidecar", "proxyv2:1.31.3")?;
            pod(cluster, "unread", "sidecar", DIGEST)?;
            Report::of(cluster, &["--to", "1.30.7"])
        },
    },
    Case {
        what: "a waypoint that refuses what one patch sends; to go there leads back, which is told beside it",
        shows: &[("MU805", "1 waypoint, as refusing, in default (1) run 1.29.1")],
        report: |cluster| {
            pod(cluster, "refusing", "waypoint", "proxyv2:1.29.1")?;
            Report::of(cluster, &["--to", "1.30.1"])
        },
    },
];

fn pod(cluster: &Cluster, name: &str, role: &str, image: &str) -> Result<()> {
    let proxy = json!({"name": "istio-proxy", "image": format!("docker.io/istio/{image}"), "args": ["proxy", role]});
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"},
        "spec": {"containers": [{"name": "app", "image": "registry.example.com/app:1.0.0"}, proxy]}});
    cluster.apply_stdin(&pod.to_string())?.ok().map(drop)
}
