//! MU8xx: proxies whose version does not go with the target's. Those that are too old stand in `spoilt`, those that become
//! native ones in `configuration`.

use super::case::{Case, Report};
use serde_json::json;

const DIGEST: &str = "proxyv2@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// Of the mesh of today; the pods were made by hand, and injected by nobody.
pub const OF_PODS: &[Case] = &[Case {
    what: "proxies that are ahead, that cannot be read, and that refuse a newer istiod",
    shows: &[
        ("MU802", "1 sidecar, as ahead, in default (1) run 1.31.3"),
        ("MU803", "sidecars of docker.io/istio/proxyv2@sha256:"),
        ("MU805", "1 sidecar, as refusing, in default (1) run 1.29.1"),
    ],
    report: |cluster| {
        for (name, image) in [
            ("ahead", "proxyv2:1.31.3"),
            ("unread", DIGEST),
            ("refusing", "proxyv2:1.29.1"),
        ] {
            let proxy = json!({"name": "istio-proxy", "image": format!("docker.io/istio/{image}"), "args": ["proxy", "sidecar"]});
            let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"},
                "spec": {"containers": [{"name": "app", "image": "registry.example.com/app:1.0.0"}, proxy]}});
            cluster.apply_stdin(&pod.to_string())?.ok()?;
        }
        Report::of(cluster, &["--to", "1.30.7"])
    },
}];
