//! Healthy meshes, a fresh one and one in use: nothing is found on the way to the next minor.

use std::time::Duration;

use super::case::{Case, Report, kubectl};
use anyhow::{Result, ensure};
use mesh_upgrade_tests::harness::{Cluster, Proxy, Treatment, wait_until};
use serde_json::{Value, json};

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

/// Namespaces that are added, with a Service in each.
const MANY: usize = 95;

/// What a check asks for grows with kinds and pages. Nothing of it comes out of a cache of the API server's, which may be old, and
/// the objects of Istio's kinds come page by page.
pub fn asks_as_often_in_many_namespaces(cluster: &Cluster) -> Result<()> {
    let calls = |report: &Report| report.document.pointer("/stats/0/calls").and_then(Value::as_u64);
    let check = ["--to", "1.31.0", "--on", DAY, "--stats"];
    let proxy = Proxy::start(cluster, "alice", |seen| {
        (seen.method == "GET").then_some(Treatment::Pass)
    })?;
    let few = Report::with_kubeconfig(cluster, proxy.kubeconfig(), &check)?;
    let asked = proxy.counted();
    for seen in &asked {
        ensure!(!seen.path.contains("resourceVersion=0"), "{seen:?}");
        let (path, query) = seen.path.split_once('?').unwrap_or((&seen.path, ""));
        let is_list = path.split('/').count() == 5 && path.starts_with("/apis/");
        let may_be_many = is_list
            && [".istio.io/", "/gateway.networking"]
                .iter()
                .any(|group| path.contains(group));
        ensure!(!may_be_many || query.contains("limit="), "{seen:?}");
    }
    let lists = asked.iter().filter(|seen| seen.path.contains(".istio.io/")).count();
    ensure!(lists > 3, "{asked:?}");

    let objects = (0..MANY).flat_map(|index| {
        let name = format!("many-{index}");
        let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "here", "namespace": &name},
            "spec": {"ports": [{"port": 80}]}});
        [
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": &name}}),
            service,
        ]
    });
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects.collect::<Vec<_>>()});
    cluster.apply_stdin(&list.to_string())?.ok()?;
    let many = Report::with_kubeconfig(cluster, proxy.kubeconfig(), &check)?;
    ensure!(
        calls(&few).is_some() && calls(&few) == calls(&many),
        "{:?} calls, then {:?}",
        calls(&few),
        calls(&many)
    );
    Ok(())
}

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
