//! A plan file, bound to what was observed.

use super::case::kubectl;
use anyhow::{Result, ensure};
use mesh_upgrade_tests::{
    harness::{Cluster, Istio, Toolbox},
    product::mesh_upgrade,
};

pub fn is_refused_when_it_no_longer_holds(cluster: &Cluster, istio: &Istio) -> Result<()> {
    let file = cluster.dir().join("plan.json").display().to_string();
    let charts = Toolbox::get()?.charts("1.31.0")?.display().to_string();
    let plan = ["plan", "--to", "1.31.0", "--charts", &charts, "--out", &file];
    mesh_upgrade(cluster, &plan)?.ok()?;
    istio.upgrade_release(cluster, "base", "1.30.3")?.ok()?;
    let refused = mesh_upgrade(cluster, &["apply", &file, "--yes"])?;
    ensure!(
        refused.code == 3 && refused.stderr.contains("was at revision 1, now 2"),
        "{refused}"
    );
    let journals = kubectl(cluster, &["get", "meshupgrades", "-o", "name"])?;
    ensure!(journals.is_empty(), "{journals}");
    Ok(())
}
