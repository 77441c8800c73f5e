//! A guarded mesh that helm 3 installed, with every component, upgraded by helm 3 from start to end.

use anyhow::{Result, ensure};
use mesh_upgrade_tests::{
    harness::{Cluster, ClusterOptions, Istio, IstioOptions, Toolbox, no_leftovers},
    product::{Guard, journal_phase, mesh_upgrade},
};

#[test]
fn every_component_is_upgraded_by_helm_3_under_the_guard() -> Result<()> {
    let cluster = Cluster::start(ClusterOptions::named("helm3"))?;
    let options = IstioOptions {
        replicas: 2,
        cni: true,
        ztunnel: true,
        gateway: true,
        helm_3: true,
        ..IstioOptions::version("1.30.3")
    };
    let istio = Istio::install(&cluster, options)?;
    let guard = Guard::install(&cluster)?;
    let charts = Toolbox::get()?.charts("1.31.0")?.display().to_string();
    let helm = Toolbox::get()?.helm_3().display().to_string();
    let arguments = ["apply", "--to", "1.31.0", "--charts", &charts, "--helm", &helm, "--yes"];
    mesh_upgrade(&cluster, &arguments)?.ok()?;
    ensure!(journal_phase(&cluster)?.as_deref() == Some("Succeeded"));
    istio.wait_serving(&cluster, "1.31.0")?;
    let releases = cluster.helm_3(&["list", "-A", "-o", "json"])?.json()?;
    for release in releases.as_array().into_iter().flatten() {
        ensure!(
            release.get("status").and_then(|status| status.as_str()) == Some("deployed")
                && release
                    .get("chart")
                    .and_then(|chart| chart.as_str())
                    .is_some_and(|chart| chart.ends_with("-1.31.0")),
            "{release}"
        );
    }
    ensure!(releases.as_array().map(Vec::len) == Some(5), "{releases}");
    drop(guard);
    drop(cluster);
    no_leftovers()
}
