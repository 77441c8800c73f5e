//! A canary of a mesh with two primaries: the new revision is placed and proved in the one before the other has its turn, a
//! failure there stops the wave, and no old revision goes while anything in either cluster refers to its own.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use mesh_upgrade_tests::{
    harness::{Cluster, Run, Started, no_leftovers},
    product::{
        HeldHelm, SeveralClusters, tells_in_order,
        two_revisions::{self, move_workloads, releases, tags_lead_to_the_new_revision, wait_for_proxies},
    },
};
const FROM: &str = "1.30.3";
const TO: &str = "1.31.0";
const BOTH: [&str; 3] = ["istio-base", "istiod-1-30-3", "istiod-1-31-0"];
const NEW: [&str; 2] = ["istio-base", "istiod-1-31-0"];
const DEADLINE: Duration = Duration::from_secs(180);

#[test]
fn a_canary_goes_through_two_primaries_one_after_the_other() -> Result<()> {
    let mesh = SeveralClusters::two_primaries(&two_revisions::options())?;
    let (east, west) = (mesh.cluster("east")?, mesh.cluster("west")?);
    for cluster in [east, west] {
        two_revisions::run_workloads(cluster, "istio.io/rev: prod", "1-30-3")?;
    }
    let apply = |context| Run::of(mesh.apply(context, &["--strategy", "canary"])?, None);

    stopped_in_west(&mesh)?;
    mesh.is_frozen_by(1)?;
    tags_lead_to_the_new_revision(east)?;
    ensure!(leads_to(west, "prod")? == "1-30-3");
    west.kubectl(&["uncordon", &node(west)?])?.ok()?;
    Run::of(mesh.command("west", &["apply", "shop", "--yes"])?, None)?.ok()?;
    tells_in_order(
        &mesh.succeeded(1)?,
        &[
            "east/istiod/istio-system/istiod-1-31-0: chart istiod",
            "verified before the next cluster: east",
            "west/istiod/istio-system/istiod-1-31-0: chart istiod",
        ],
    )?;
    for cluster in [east, west] {
        ensure!(releases(cluster)? == BOTH, "{}", cluster.name());
        tags_lead_to_the_new_revision(cluster)?;
        wait_for_proxies(cluster, FROM)?;
    }

    // East has moved, west has not: nothing goes, in east neither.
    move_workloads(east, "1-31-0", TO)?;
    let used = apply("east")?;
    ensure!(used.code == 3, "{used}");
    let of_clusters = used.stdout.split_once("\nwest\n").with_context(|| used.to_string())?;
    ensure!(!of_clusters.0.contains("MU317"), "{used}");
    ensure!(
        of_clusters.1.contains("MU317") && of_clusters.1.contains("Namespace shop"),
        "{used}"
    );
    ensure!(releases(east)? == BOTH, "{used}");
    move_workloads(west, "1-31-0", TO)?;
    apply("west")?.ok()?;
    mesh.succeeded(2)?;
    for cluster in [east, west] {
        ensure!(releases(cluster)? == NEW, "{}", cluster.name());
        tags_lead_to_the_new_revision(cluster)?;
    }
    drop(mesh);
    no_leftovers()
}

/// West's new istiod finds no node: east's runs already, and in west nothing leads to a revision that does not run.
fn stopped_in_west(mesh: &SeveralClusters) -> Result<()> {
    let (east, west) = (mesh.cluster("east")?, mesh.cluster("west")?);
    let helm = HeldHelm::at(east.name(), "istiod-1-31-0")?;
    let program = helm.program().display().to_string();
    let more = ["--strategy", "canary", "--step-timeout", "15s", "--helm", &program];
    let mut apply = Started::of(mesh.apply("east", &more)?)?;
    let reached = helm.wait_until_reached_by(&mut apply.child, DEADLINE);
    reached.with_context(|| apply.said())?;
    west.kubectl(&["cordon", &node(west)?])?.ok()?;
    helm.release()?;
    let (ended, said) = (apply.ended()?, apply.said());
    for words in ["stalled (StepFailed)", "west/istiod/istio-system/istiod-1-31-0"] {
        ensure!(ended.code() == Some(1) && said.contains(words), "{ended}: {said}");
    }
    Ok(())
}

fn node(cluster: &Cluster) -> Result<String> {
    let name = "jsonpath={.items[0].metadata.name}";
    Ok(cluster.kubectl(&["get", "nodes", "-o", name])?.ok()?.to_owned())
}

/// The revision that a tag leads to.
fn leads_to(cluster: &Cluster, tag: &str) -> Result<String> {
    let name = format!("istio-revision-tag-{tag}");
    let revision = r"jsonpath={.metadata.labels.istio\.io/rev}";
    let found = cluster.kubectl(&["get", "mutatingwebhookconfiguration", &name, "-o", revision])?;
    Ok(found.ok()?.to_owned())
}
