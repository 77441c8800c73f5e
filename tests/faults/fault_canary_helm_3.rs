//! Both upgrades of a canary, of a guarded mesh that helm 3 installed, by helm 3: which deletes the tags with the old
//! release, so that they are brought back.

use anyhow::{Result, ensure};
use mesh_upgrade_tests::{
    harness::{Cluster, ClusterOptions, Istio, IstioOptions, Toolbox, no_leftovers},
    product::{
        Guard, journal_phase, mesh_upgrade,
        two_revisions::{self, move_workloads, releases, tags_lead_to_the_new_revision, wait_for_proxies},
    },
};

#[test]
fn both_upgrades_of_a_canary_arrive_by_helm_3_and_the_tags_stay() -> Result<()> {
    let cluster = Cluster::start(ClusterOptions::named("canary3"))?;
    let options = IstioOptions {
        helm_3: true,
        ..two_revisions::options()
    };
    let istio = Istio::install(&cluster, options)?;
    let guard = Guard::install(&cluster)?;
    two_revisions::run_workloads(&cluster, "istio.io/rev: prod", "1-30-3")?;
    let charts = Toolbox::get()?.charts("1.31.0")?.display().to_string();
    let helm = Toolbox::get()?.helm_3().display().to_string();
    let arguments = [
        "apply",
        "--to",
        "1.31.0",
        "--strategy",
        "canary",
        "--charts",
        &charts,
        "--helm",
        &helm,
        "--yes",
    ];

    mesh_upgrade(&cluster, &arguments)?.ok()?;
    ensure!(journal_phase(&cluster)?.as_deref() == Some("Succeeded"));
    ensure!(releases(&cluster)? == ["istio-base", "istiod-1-30-3", "istiod-1-31-0"]);
    tags_lead_to_the_new_revision(&cluster)?;
    istio.wait_serving(&cluster, "1.31.0")?;
    wait_for_proxies(&cluster, "1.30.3")?;

    let used = mesh_upgrade(&cluster, &arguments)?;
    ensure!(used.code == 3 && used.stdout.contains("MU317"), "{used}");
    move_workloads(&cluster, "1-31-0", "1.31.0")?;
    mesh_upgrade(&cluster, &arguments)?.ok()?;
    ensure!(journal_phase(&cluster)?.as_deref() == Some("Succeeded"));
    ensure!(releases(&cluster)? == ["istio-base", "istiod-1-31-0"]);
    tags_lead_to_the_new_revision(&cluster)?;
    istio.wait_serving(&cluster, "1.31.0")?;
    drop(guard);
    drop(cluster);
    no_leftovers()
}
