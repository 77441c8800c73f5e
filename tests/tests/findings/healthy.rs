//! Healthy meshes, a fresh one and one in use: nothing is found on the way to the next minor.

use std::time::Duration;

use super::case::{Case, Report, kubectl};
use anyhow::{Result, ensure};
use mesh_upgrade_tests::harness::{Cluster, wait_until};

const HARMLESS: &str = include_str!("../../fixtures/findings/harmless.yaml");

/// The day on which it is checked, before anything in the embedded catalog ends; the ends of 1.30 and 1.31 are estimates,
/// which are no findings on any day.
const DAY: &str = "2026-11-24";

/// 1.30 with two istiods and their PodDisruptionBudget, to 1.31 on Kubernetes 1.36. Its own charts name a registry that is
/// shut down, which is the only thing to say of it.
pub const FRESH: Case = Case {
    what: "a fresh 1.30, with images from a registry that is shut down",
    shows: &[("MU405", "may not answer from 2026-12-01")],
    report: |cluster| {
        two_istiods(cluster)?;
        let report = Report::of(cluster, &["--to", "1.31.0", "--on", DAY])?;
        let others: Vec<&str> = report.codes().into_iter().filter(|code| *code != "MU405").collect();
        ensure!(others.is_empty(), "{others:?}: {}", report.told());
        // The day counts: istiod's own root lasts ten years.
        let later = Report::of(cluster, &["--to", "1.31.0", "--on", "2126-11-24"])?;
        for shown in [("MU311", "expired on 20"), ("MU405", "may not answer since")] {
            ensure!(later.shows(&shown), "{shown:?}: {}", later.told());
        }
        Ok(report)
    },
};

/// The same with CNI, ztunnel and a gateway, with workloads in both modes, and with configuration of every kind that rules look
/// at: a rule that takes the ordinary for a fault shows here.
pub const IN_USE: Case = Case {
    what: "a mesh in use, with nothing wrong in it",
    shows: &[("MU405", "may not answer from 2026-12-01")],
    report: |cluster| {
        cluster.apply_stdin(HARMLESS)?.ok()?;
        two_istiods(cluster)?;
        let proxies = [
            ("shop", "deployment/reviews", "{.status.readyReplicas}", "2"),
            ("stock", "deployment/counter", "{.status.readyReplicas}", "1"),
        ];
        for (namespace, object, path, value) in proxies {
            is(cluster, namespace, object, path, value)?;
        }
        let sidecars = ["-n", "shop", "get", "pods", "-o=jsonpath={.items[*].spec}"];
        ensure!(
            kubectl(cluster, &sidecars)?.contains("/proxyv2:1.30.3"),
            "no sidecar was injected"
        );
        let report = Report::of(cluster, &["--to", "1.31.0", "--on", DAY])?;
        let others: Vec<&str> = report.codes().into_iter().filter(|code| *code != "MU405").collect();
        ensure!(others.is_empty(), "{others:?}: {}", report.told());
        Ok(report)
    },
};

/// The autoscaler brings the second one, in its own time.
fn two_istiods(cluster: &Cluster) -> Result<()> {
    let wanted = [
        ("deployment/istiod", "{.status.readyReplicas}", "2"),
        ("pdb/istiod", "{.status.disruptionsAllowed}", "1"),
    ];
    for (object, path, value) in wanted {
        is(cluster, "istio-system", object, path, value)?;
    }
    Ok(())
}

/// Waits until a field has this value.
fn is(cluster: &Cluster, namespace: &str, object: &str, path: &str, value: &str) -> Result<()> {
    let what = format!("{path} of {object} to be {value}");
    wait_until(&what, Duration::from_secs(60), || {
        let path = format!("-o=jsonpath={path}");
        let found = kubectl(cluster, &["-n", namespace, "get", object, &path])?;
        Ok((found == value).then_some(()))
    })
}
