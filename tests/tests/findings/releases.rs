//! What the newer rules look at: leaders, room, charts and their values, neighbours, and more of what releases changed.

use std::fs;

use super::case::{Case, Report, kubectl, wait_until_may};
use anyhow::{Result, ensure};
use mesh_upgrade_tests::{
    harness::{Cluster, Run, Toolbox},
    product::mesh_upgrade_command,
};
use serde_json::json;

const OBJECTS: &str = include_str!("../../fixtures/findings/releases.yaml");
/// The chart repository that goes in December 2026.
const RETIRED: &str = "https://istio-release.storage.googleapis.com/charts";

/// A value that 1.24 removed, for the charts of the old mesh.
pub const REMOVED_VALUE: &str = "istio_cni.enabled=false";

/// Of the mesh of today.
pub const OF_CHARTS: &[Case] = &[
    Case {
        what: "a folder without charts",
        shows: &[("MU115", "chart istiod"), ("MU115", "chart base")],
        report: |cluster| {
            let folder = cluster.dir().join("no-charts");
            fs::create_dir_all(&folder)?;
            Report::of(cluster, &["--to", "1.31.0", "--charts", &folder.display().to_string()])
        },
    },
    Case {
        what: "a machine without helm",
        shows: &[("MU116", "helm")],
        report: |cluster| {
            // helm stands beside kubectl in the harness; a folder of its own has kubectl alone.
            let folder = cluster.dir().join("no-helm");
            fs::create_dir_all(&folder)?;
            let kubectl = folder.join("kubectl");
            if !kubectl.exists() {
                std::os::unix::fs::symlink(Toolbox::get()?.bin_dir().join("kubectl"), &kubectl)?;
            }
            let mut command = mesh_upgrade_command(cluster, "alice", &["check", "-o", "json", "--to", "1.31.0"])?;
            let path = mesh_upgrade_tests::product::Binaries::get()?.folder();
            command.env("PATH", std::env::join_paths([path, &folder])?);
            Report::of_command(command)
        },
    },
];

/// Of the old mesh, from which every release is crossed, and beside which a ztunnel runs; see `configuration`.
pub const OF_THE_OLD_MESH: &[Case] = &[
    Case {
        what: "neighbours, room and values that releases left behind",
        shows: &[
            ("MU314", "Deployment crowded/ingress"),
            ("MU314", "Deployment crowded/apart"),
            ("MU314", "its pod anti-affinity (kubernetes.io/hostname)"),
            ("MU413", "helm release istio-system/istiod-remote"),
            ("MU414", "HelmRepository flux-system/istio"),
            ("MU415", "it sets istio_cni, gone in 1.24"),
            ("MU708", "Deployment istio-operator/istio-operator"),
            (
                "MU729",
                "Service left-out/alias (DestinationRule left-out/to-alias names it)",
            ),
            ("MU730", "Namespace left-out"),
            ("MU731", "Deployment kiali/kiali"),
            ("MU733", "since 1.25"),
            ("MU734", "shared.example.com"),
            ("MU735", "Telemetry left-out/traced"),
        ],
        report: |cluster| {
            spoil(cluster)?;
            Report::of(cluster, &["default", "--to", "1.31.0"])
        },
    },
    Case {
        what: "an istiod that nobody leads",
        shows: &[("MU313", "by istiod-long-gone, which is no ready pod: nobody leads")],
        report: |cluster| Report::of(cluster, &["unled", "--to", "1.31.0"]),
    },
    Case {
        what: "a CNI that will mend rules in ambient pods",
        shows: &[("MU736", "iptables")],
        report: |cluster| Report::of(cluster, &["default", "--to", "1.31.0"]),
    },
];

/// The operator's role is enough to see everything, and to act as the driver.
pub fn the_operator_sees_everything(cluster: &Cluster) -> Result<()> {
    let binding = "clusterrolebinding/bob-upgrades";
    let role = ["--clusterrole=mesh-upgrade-operator", "--user=bob"];
    kubectl(
        cluster,
        &[&["create", "clusterrolebinding", "bob-upgrades"][..], &role].concat(),
    )?;
    let forward = ["create", "pods", "--subresource=portforward"];
    wait_until_may(cluster, "bob", &forward, true)?;
    let report = Report::as_user(cluster, "bob", &["--to", "1.31.0"])?;
    let unseen: Vec<&str> = report
        .codes()
        .into_iter()
        .filter(|code| code.starts_with("MU5") || code.starts_with("MU9"))
        .collect();
    ensure!(unseen.is_empty(), "{unseen:?}: {}", report.told());
    // Who may not write what the dry runs write has the driver ask, whom the guard refuses as well.
    let guard = Run::of(mesh_upgrade_command(cluster, "bob", &["guard", "status"])?, None)?;
    ensure!(guard.code == 0 && !guard.stdout.contains("NOT PROVED"), "{guard}");
    kubectl(cluster, &["delete", binding])?;
    // Later cases are about what bob may not.
    wait_until_may(cluster, "bob", &forward, false)
}

fn spoil(cluster: &Cluster) -> Result<()> {
    cluster.apply_stdin(OBJECTS)?.ok()?;
    cluster.wait_until_established()?;
    let placed = [
        "wait",
        "--for=condition=Available",
        "--timeout=60s",
        "deployment/lonely",
    ];
    kubectl(cluster, &[&placed[..], &["--namespace", "crowded"]].concat())?;
    kubectl(cluster, &["create", "namespace", "flux-system"])?;
    let repository = json!({"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "HelmRepository",
        "metadata": {"name": "istio", "namespace": "flux-system"}, "spec": {"url": RETIRED, "interval": "1h"}});
    cluster.apply_stdin(&repository.to_string())?.ok()?;
    let cni = Toolbox::get()?.charts("1.31.0")?.join("cni").display().to_string();
    let install = ["install", "istio-cni", &cni, "--namespace", "istio-system"];
    let excluded = ["--set", "excludeNamespaces[0]=left-out"];
    cluster.helm(&[&install[..], &excluded].concat())?.ok()?;
    // The chart as helm knows it: a name and a version, and nothing that it would install.
    let chart = cluster.dir().join("istiod-remote");
    fs::create_dir_all(&chart)?;
    let facts = "apiVersion: v2\nname: istiod-remote\nversion: 1.20.8\nappVersion: 1.20.8\n";
    fs::write(chart.join("Chart.yaml"), facts)?;
    let chart = chart.display().to_string();
    let install = ["install", "istiod-remote", &chart, "--namespace", "istio-system"];
    cluster.helm(&install)?.ok().map(drop)
}
