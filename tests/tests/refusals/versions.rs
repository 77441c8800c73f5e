//! The guard on versions while nothing is frozen: foreign helm, operators, pinned gateways, and whose Secrets it sees.

use std::time::Duration;

use anyhow::{Result, ensure};
use mesh_upgrade_tests::{
    harness::{Cluster, Istio, Run, Toolbox, wait_until},
    product::Guard,
};

/// The Sail Operator's and istioctl's kinds with the fields that say a version: their own CRDs come in no Go module.
const MINIMAL_OPERATOR_CRDS: &str = include_str!("../../fixtures/minimal-operator-crds.yaml");
const ASKED_OF_OPERATORS: &str = include_str!("../../fixtures/asked-of-operators.yaml");
const PINNED_GATEWAY: &str = include_str!("../../fixtures/pinned-gateway.yaml");
/// Objects of an application that the webhook would be asked about, were they the mesh's.
const OF_A_SHOP: &str = include_str!("../../fixtures/of-a-shop.yaml");

/// In a cluster that runs 1.30, which is at 1.31.0 afterwards.
pub fn guarded_at_all_times(cluster: &Cluster, istio: &Istio, guard: &Guard) -> Result<()> {
    foreign_helm_ends_at_its_first_write(cluster, istio)?;
    other_peoples_secrets_never_reach_the_webhook(cluster, guard)?;
    operators_are_asked_for_one_minor_more_at_most(cluster)?;
    a_pinned_gateway_never_leads(cluster)?;
    a_control_plane_made_anew_is_no_older(cluster)
}

/// Deleted by whoever may, it leaves its version with its Mesh.
fn a_control_plane_made_anew_is_no_older(cluster: &Cluster) -> Result<()> {
    let mesh = r#"{"apiVersion":"meshupgrade.io/v1alpha1","kind":"Mesh","metadata":{"name":"default"},"spec":{}}"#;
    cluster.apply_stdin(mesh)?.ok()?;
    wait_until(
        "the webhook to record the mesh's version",
        Duration::from_secs(30),
        || {
            let version = cluster.kubectl(&["get", "mesh", "default", "--output=jsonpath={.status.version}"])?;
            Ok((version.ok()? == "1.31.0").then_some(()))
        },
    )?;
    let namespace = "--namespace=istio-system";
    cluster
        .kubectl(&["delete", "deployment", "istiod", namespace, "--wait"])?
        .ok()?;
    let anew = |tag: &str| {
        let spec = format!(
            "{{replicas: 0, selector: {{matchLabels: {{app: istiod}}}}, template: {{metadata: {{labels: {{app: istiod}}}}, \
             spec: {{containers: [{{name: discovery, image: \"docker.io/istio/pilot:{tag}\"}}]}}}}}}"
        );
        let metadata = "{name: istiod, namespace: istio-system}";
        cluster.apply_stdin(&format!(
            "{{apiVersion: apps/v1, kind: Deployment, metadata: {metadata}, spec: {spec}}}"
        ))
    };
    // The webhook hears of the deletion a moment later; until then it compares with what ran, which is the same.
    for (what, tag, code) in [
        ("an older one", "1.30.3", "MG003"),
        ("one too new", "1.33.0", "MG002"),
        ("a vendor's", "1.31.0-mspider", "MG004"),
    ] {
        let run = anew(tag)?;
        ensure!(run.refused()?.contains(code), "{what}: {run}");
    }
    anew("1.31.0")?.ok()?;
    Ok(())
}

/// Nothing is frozen: it is the version that stops helm, before it has written anything at all.
fn foreign_helm_ends_at_its_first_write(cluster: &Cluster, istio: &Istio) -> Result<()> {
    let before = stored(cluster)?;
    for (what, chart, version, code) in [
        ("a skip", "istiod", "1.32.0", "MG002"),
        ("a downgrade", "istiod", "1.29.8", "MG003"),
        ("another flavor", "istiod", "1.31.0-mspider", "MG004"),
        ("a skip of the base", "base", "1.32.0", "MG002"),
    ] {
        let run = istio.upgrade_release(cluster, chart, version)?;
        ensure!(run.refused()?.contains(code), "{what}: {run}");
        ensure!(stored(cluster)? == before, "{what} left something behind");
    }
    let charts = Toolbox::get()?.charts("1.32.0")?;
    let istiod = charts.join("istiod").display().to_string();
    let namespace = "--namespace=istio-system";
    for (what, driver, arguments) in [
        (
            "in ConfigMaps",
            "configmap",
            &["upgrade", "--install", "istiod", &istiod, namespace][..],
        ),
        (
            "another control plane",
            "secret",
            &["install", "istiod-canary", &istiod, namespace, "--set=revision=canary"][..],
        ),
    ] {
        let mut helm = cluster.command("helm")?;
        helm.env("HELM_DRIVER", driver).args(arguments);
        let run = Run::of(helm, None)?;
        ensure!(run.refused()?.contains("MG002"), "{what}: {run}");
        ensure!(stored(cluster)? == before, "{what} left something behind");
    }
    // By helm 3 as well; and what the tag says counts more than the chart.
    let charts = Toolbox::get()?.charts("1.31.0")?;
    let chart = charts.join("istiod").display().to_string();
    let tag = "--set=global.tag=1.32.0";
    let run = cluster.helm_3(&["upgrade", "istiod", &chart, namespace, "--reuse-values", tag])?;
    ensure!(run.refused()?.contains("MG002"), "{run}");
    ensure!(stored(cluster)? == before, "the tag left something behind");
    // One minor forward is nobody's business but the operator's.
    istio.upgrade_release(cluster, "base", "1.31.0")?.ok()?;
    cluster
        .helm(&[
            "upgrade",
            "istiod",
            &chart,
            namespace,
            "--reset-then-reuse-values",
            "--force-conflicts",
        ])?
        .ok()?;
    let image = "--output=jsonpath={.spec.template.spec.containers[0].image}";
    let image = cluster.kubectl(&["get", "deployment", "istiod", namespace, image])?;
    ensure!(image.ok()?.ends_with(":1.31.0"), "{image}");
    Ok(())
}

/// Helm's storage and what helm lists of it.
fn stored(cluster: &Cluster) -> Result<String> {
    let columns = "custom-columns=KIND:.kind,NAME:.metadata.name,VERSION:.metadata.resourceVersion";
    let storage = cluster.kubectl(&["get", "secrets,configmaps", "-A", "-l", "owner=helm", "-o", columns])?;
    let releases = cluster.helm(&["list", "--all-namespaces", "--output=json"])?;
    Ok(format!("{}{}", storage.ok()?, releases.ok()?))
}

/// The webhook's own count of reviews: it stands still for them, and moves for a release of the mesh.
fn other_peoples_secrets_never_reach_the_webhook(cluster: &Cluster, guard: &Guard) -> Result<()> {
    let chart = cluster.dir().join("shop");
    std::fs::create_dir_all(chart.join("templates"))?;
    std::fs::write(chart.join("Chart.yaml"), "{apiVersion: v2, name: shop, version: 1.0.0}")?;
    std::fs::write(chart.join("templates/all.yaml"), OF_A_SHOP)?;
    let chart = chart.display().to_string();
    let foreign = || -> Result<()> {
        cluster
            .helm(&[
                "upgrade",
                "--install",
                "shop",
                &chart,
                "--namespace=shop",
                "--create-namespace",
            ])?
            .ok()?;
        cluster
            .helm(&["upgrade", "--install", "shop", &chart, "--namespace=istio-system"])?
            .ok()?;
        cluster
            .kubectl(&["label", "secret", "password", "--namespace=shop", "--overwrite", "x=z"])?
            .ok()?;
        cluster
            .kubectl(&["create", "configmap", "istio-like", "--namespace=shop"])?
            .ok()?;
        for namespace in ["--namespace=shop", "--namespace=istio-system"] {
            cluster.helm(&["uninstall", "shop", namespace])?.ok()?;
        }
        cluster
            .kubectl(&["delete", "configmap", "istio-like", "--namespace=shop"])?
            .ok()
            .map(drop)
    };
    // Somebody else's writes are reviewed meanwhile; one quiet time is proof, for these would be reviewed every time.
    let quiet = (0..5).try_fold(false, |quiet, _| -> Result<bool> {
        if quiet {
            return Ok(true);
        }
        let before = guard.reviews()?;
        foreign()?;
        Ok(guard.reviews()? == before)
    })?;
    ensure!(quiet, "the webhook is asked about a foreign release");
    let before = guard.reviews()?;
    let selector = "--selector=owner=helm,name=istiod";
    let label = [
        "label",
        "secrets",
        selector,
        "--namespace=istio-system",
        "x=z",
        "--overwrite",
    ];
    cluster.kubectl(&label)?.ok()?;
    ensure!(
        guard.reviews()? > before,
        "the webhook is not asked about a release of the mesh"
    );
    Ok(())
}

/// The operators themselves do not run: it is what they are asked for that is judged. istiod runs 1.31.0 by now.
fn operators_are_asked_for_one_minor_more_at_most(cluster: &Cluster) -> Result<()> {
    let deadline = Duration::from_secs(30);
    wait_until("the operators' minimal kinds", deadline, || {
        cluster.apply_stdin(MINIMAL_OPERATOR_CRDS)?.ok()?;
        cluster.apply_stdin(ASKED_OF_OPERATORS)?.ok()?;
        Ok(Some(()))
    })?;
    for (what, object, spec, code) in [
        (
            "a skip",
            "istios.v1.sailoperator.io/default",
            r#"{"version":"v1.33.0"}"#,
            Some("MG002"),
        ),
        (
            "a skip in v1alpha1",
            "istios.v1alpha1.sailoperator.io/default",
            r#"{"version":"v1.33.0"}"#,
            Some("MG002"),
        ),
        (
            "a skip by an alias",
            "istios.v1.sailoperator.io/default",
            r#"{"version":"v1.33-latest"}"#,
            Some("MG002"),
        ),
        (
            "a downgrade",
            "istios.v1.sailoperator.io/default",
            r#"{"version":"v1.30.3"}"#,
            Some("MG003"),
        ),
        (
            "another flavor",
            "istios.v1.sailoperator.io/default",
            r#"{"version":"v1.31.0-mspider"}"#,
            Some("MG004"),
        ),
        (
            "no version",
            "istios.v1.sailoperator.io/default",
            r#"{"version":"master"}"#,
            Some("MG005"),
        ),
        (
            "the CNI",
            "istiocnis.v1.sailoperator.io/default",
            r#"{"version":"v1.33.0"}"#,
            Some("MG002"),
        ),
        (
            "ztunnel",
            "ztunnels.v1.sailoperator.io/default",
            r#"{"version":"v1.30.3"}"#,
            Some("MG003"),
        ),
        (
            "a revision",
            "istiorevisions.v1.sailoperator.io/default",
            r#"{"version":"v1.30.3"}"#,
            Some("MG003"),
        ),
        (
            "one minor",
            "istios.v1.sailoperator.io/default",
            r#"{"version":"v1.32-latest"}"#,
            None,
        ),
        (
            "IstioOperator",
            "istiooperators.install.istio.io/mesh",
            r#"{"tag":"1.33.0"}"#,
            Some("MG002"),
        ),
        (
            "IstioOperator back",
            "istiooperators.install.istio.io/mesh",
            r#"{"tag":"1.30.3"}"#,
            Some("MG003"),
        ),
        (
            "IstioOperator by one",
            "istiooperators.install.istio.io/mesh",
            r#"{"tag":"1.32.0"}"#,
            None,
        ),
    ] {
        let patch = format!(r#"{{"spec":{spec}}}"#);
        let run = cluster.kubectl(&[
            "patch",
            object,
            "--namespace=istio-system",
            "--type=merge",
            "--patch",
            &patch,
        ])?;
        match code {
            Some(code) => ensure!(run.refused()?.contains(code), "{what}: {run}"),
            None => drop(run.ok()?),
        }
    }
    Ok(())
}

/// By its container and by labels that cannot be taken off; istiod runs 1.31.0 by now.
fn a_pinned_gateway_never_leads(cluster: &Cluster) -> Result<()> {
    let apply = cluster.apply_stdin(PINNED_GATEWAY)?;
    apply.ok()?;
    cluster
        .kubectl(&["label", "deployment", "edge", "--namespace=edge", "istio-", "app-"])?
        .ok()?;
    for (what, tag, code) in [
        ("a skip", "1.32.0", Some("MG002")),
        ("a downgrade", "1.29.8", Some("MG003")),
        ("another flavor", "1.30.3-mspider", Some("MG004")),
        ("an unreadable version", "latest", Some("MG005")),
        ("one minor", "1.31.0", None),
        ("ahead of the control plane", "1.32.0", Some("MG010")),
    ] {
        let image = format!("istio-proxy=docker.io/istio/proxyv2:{tag}");
        let run = cluster.kubectl(&["set", "image", "deployment/edge", "--namespace=edge", &image])?;
        match code {
            Some(code) => ensure!(run.refused()?.contains(code), "{what}: {run}"),
            None => drop(run.ok()?),
        }
    }
    Ok(())
}
