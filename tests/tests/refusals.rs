//! What must not happen does not: skipped minors, downgrades, mixed flavors, Kubernetes out of range; by check and by
//! guard, each on the real API server.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use mesh_upgrade_tests::{
    harness::{Cluster, ClusterOptions, Istio, IstioOptions, Run, wait_until},
    product::{Guard, mesh_upgrade},
};
use serde_json::Value;

mod versions;

/// A catalog that knows one minor more than the built-in one, for a skip between known versions.
const LATER_CATALOG: &str = include_str!("../fixtures/catalog-with-1.32.yaml");

#[test]
fn versions_that_must_not_follow_are_refused_by_check_and_by_guard() -> Result<()> {
    let cluster = Cluster::start(ClusterOptions::named("east"))?;
    let istio = Istio::install(&cluster, IstioOptions::version("1.30.3"))?;
    let guard = Guard::install(&cluster)?;
    let status = mesh_upgrade(&cluster, &["guard", "status"])?;
    ensure!(status.code == 0 && !status.stdout.contains("Protected:"), "{status}");
    let verdict = status.stdout.lines().last();
    ensure!(
        verdict.is_some_and(|line| line.contains("Every barrier is proved in cluster east.")),
        "{status}"
    );
    let status = mesh_upgrade(&cluster, &["guard", "status", "-o", "wide"])?;
    ensure!(status.code == 0, "{status}");
    for words in [
        "Protected:",
        "MG002",
        "Not protected:",
        "asked about all that is guarded",
    ] {
        ensure!(status.stdout.contains(words), "{words} is not in {status}");
    }
    let status = mesh_upgrade(&cluster, &["guard", "status", "-o", "json"])?.json()?;
    let proofs = status.pointer("/clusters/0/proofs").and_then(Value::as_array);
    let proved = |proof: &Value| proof.get("proved") == Some(&Value::from(true));
    ensure!(
        proofs.is_some_and(|proofs| proofs.len() > 3 && proofs.iter().all(proved)),
        "{status:#}"
    );
    ensure!(
        status.pointer("/protected/0/policy") == Some(&Value::from(true)),
        "{status:#}"
    );

    let catalog = cluster.dir().join("catalog.yaml");
    std::fs::write(&catalog, LATER_CATALOG)?;
    let catalog = catalog.display().to_string();
    let free = check(&cluster, &["--to", "1.31.0"])?;
    ensure!(free.code == 0, "{free}");
    for (what, arguments, code) in [
        (
            "a skip",
            &["--to", "1.32.0", "--catalog", catalog.as_str()][..],
            "MU101",
        ),
        ("an unknown minor", &["--to", "1.39.0"][..], "MU106"),
        ("a downgrade", &["--to", "1.30.2"][..], "MU102"),
        ("another flavor", &["--to", "1.31.0-mspider"][..], "MU103"),
    ] {
        let report = check(&cluster, arguments)?;
        ensure!(report.code == 3, "{what} is not blocked: {report}");
        let codes = blockers(&report)?;
        ensure!(codes.iter().any(|found| found == code), "{what}: {codes:?}");
    }
    for (what, tag, code) in [
        ("a skip", "1.32.0", "MG002"),
        ("a downgrade", "1.29.8", "MG003"),
        ("another flavor", "1.30.3-mspider", "MG004"),
        ("an unreadable version", "latest", "MG005"),
    ] {
        let image = format!("discovery=docker.io/istio/pilot:{tag}");
        let run = cluster.kubectl(&["-n", "istio-system", "set", "image", "deployment/istiod", &image])?;
        ensure!(run.refused()?.contains(code), "{what}: {run}");
    }
    let patch = cluster.kubectl(&[
        "-n",
        "istio-system",
        "set",
        "image",
        "deployment/istiod",
        "discovery=x/pilot:1.30.4",
    ])?;
    patch.ok()?;
    versions::guarded_at_all_times(&cluster, &istio, &guard)?;
    a_mesh_takes_only_flavors_that_a_catalog_knows(&cluster)
}

/// The built-in catalog, or the one that the cluster brings: the webhook follows it.
fn a_mesh_takes_only_flavors_that_a_catalog_knows(cluster: &Cluster) -> Result<()> {
    const MESH: &str = "\
apiVersion: meshupgrade.io/v1alpha1
kind: Mesh
metadata: {name: shop}
spec: {istioNamespace: shop, flavor: asm}
";
    const CATALOG: &str = "catalog.yaml={extends: embedded, asOf: 2026-11-25, from: [a test], flavors: [{suffix: asm, \
                           sources: {images: r.example/asm, charts: \"https://c.example\"}, releases: [{minor: \"1.31\", \
                           newestPatch: 1.31.3-asm, released: 2026-08-31, kubernetes: [\"1.36\"], endOfLife: {date: \
                           2027-04-30, kind: estimate}}]}]}";
    let refused = cluster.apply_stdin(MESH)?;
    ensure!(refused.refused()?.contains("MG007"), "{refused}");
    ensure!(
        refused.stderr.contains("community, mspider"),
        "the known ones are not named: {refused}"
    );
    let namespace = "--namespace=mesh-upgrade-system";
    let literal = format!("--from-literal={CATALOG}");
    cluster
        .kubectl(&["create", "configmap", "mesh-upgrade-catalog", namespace, &literal])?
        .ok()?;
    wait_until("the flavor to be known", Duration::from_secs(60), || {
        cluster.apply_stdin(MESH)?.ok()?;
        Ok(Some(()))
    })?;
    let explained = mesh_upgrade(cluster, &["explain", "MG007"])?;
    ensure!(explained.ok()?.contains("mesh-upgrade-catalog"), "{explained}");
    Ok(())
}

#[test]
fn an_old_mesh_must_not_skip_a_minor() -> Result<()> {
    let cluster = Cluster::start(ClusterOptions::reporting("old", "1.34.4"))?;
    Istio::install(&cluster, IstioOptions::version("1.29.8"))?;
    let _guard = Guard::install(&cluster)?;
    let report = check(&cluster, &["--to", "1.31.0"])?;
    ensure!(
        report.code == 3 && blockers(&report)?.contains(&"MU101".to_owned()),
        "{report}"
    );
    ensure!(report.stdout.contains("1.30"), "the next hop is not named: {report}");
    let apply = mesh_upgrade(&cluster, &["apply", "--to", "1.31.0", "--yes"])?;
    ensure!(apply.code == 3, "{apply}");
    let journals = cluster.kubectl(&["get", "meshupgrades", "-o", "name"])?;
    ensure!(journals.ok()?.is_empty(), "{journals}");
    let image = "discovery=docker.io/istio/pilot:1.31.0";
    let run = cluster.kubectl(&["-n", "istio-system", "set", "image", "deployment/istiod", image])?;
    ensure!(run.refused()?.contains("MG002"), "{run}");
    Ok(())
}

/// The versions come from a proxy that rewrites `/version`; the API server itself is 1.36.
#[test]
fn kubernetes_too_low_and_too_high_are_told_apart_by_version_rewriting_proxies() -> Result<()> {
    let clusters = Cluster::start_many([
        ClusterOptions::reporting("low", "1.31.5"),
        ClusterOptions::reporting("high", "1.37.2"),
    ])?;
    for cluster in &clusters {
        Istio::install(cluster, IstioOptions::version("1.30.3"))?;
        let report = check(cluster, &["--to", "1.31.0"])?;
        ensure!(report.code == 3, "{report}");
        // 1.31 names a minimum of its own, and no release supports 1.37 yet.
        let (code, field, words) = match cluster.name() {
            "low" => ("MU204", "fix", "to at least 1.32,"),
            _ => ("MU203", "cause", "no release of the flavor community supports it yet"),
        };
        // That there is no guard blocks as well.
        let codes: Vec<String> = blockers(&report)?;
        let codes: Vec<&String> = codes.iter().filter(|code| code.starts_with("MU2")).collect();
        ensure!(codes == [code], "{}: {codes:?}", cluster.name());
        let document = report_of(&report)?;
        let findings = document.get("findings").and_then(Value::as_array);
        let of_code = |finding: &&Value| finding.get("code").and_then(Value::as_str) == Some(code);
        let said = findings.into_iter().flatten().find(of_code);
        let said = said
            .and_then(|finding| finding.get(field)?.as_str())
            .unwrap_or_default();
        ensure!(said.contains(words), "{}: {words:?} is not in {said:?}", cluster.name());
    }
    Ok(())
}

fn check(cluster: &Cluster, arguments: &[&str]) -> Result<Run> {
    let mut all = vec!["check", "-o", "json"];
    all.extend(arguments);
    mesh_upgrade(cluster, &all)
}

/// What `check -o json` printed, whether or not something blocks.
fn report_of(run: &Run) -> Result<Value> {
    serde_json::from_str(&run.stdout).with_context(|| run.to_string())
}

/// Codes of the blockers in a report.
fn blockers(run: &Run) -> Result<Vec<String>> {
    let report = report_of(run)?;
    let findings = report
        .get("findings")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let blocker = |finding: &&Value| finding.get("severity").and_then(Value::as_str) == Some("Blocker");
    let code = |finding: &Value| finding.get("code").and_then(Value::as_str).map(str::to_owned);
    let codes: Vec<String> = findings.iter().filter(blocker).filter_map(code).collect();
    ensure!(!codes.is_empty(), "no blocker in {report}");
    Ok(codes)
}
