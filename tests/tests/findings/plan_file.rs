//! A plan file, bound to what was observed.

use super::case::kubectl;
use anyhow::{Result, ensure};
use mesh_upgrade_tests::{
    harness::{Cluster, Istio, Toolbox},
    product::mesh_upgrade,
};
use shared::{api::Plan, plan::PlanFile};

pub fn is_refused_when_it_no_longer_holds(cluster: &Cluster, istio: &Istio) -> Result<()> {
    let file = cluster.dir().join("plan.json").display().to_string();
    let charts = Toolbox::get()?.charts("1.31.0")?.display().to_string();
    let plan = ["plan", "--to", "1.31.0", "--charts", &charts, "--out", &file];
    mesh_upgrade(cluster, &plan)?.ok()?;
    refuses(
        cluster,
        &file,
        "is another one: its kube-system had the UID elsewhere, now ",
        |plan| {
            for planned in &mut plan.clusters {
                planned.uid = "elsewhere".to_owned();
            }
        },
    )?;
    refuses(cluster, &file, "was at 1.30.2, now 1.30.3", |plan| {
        for step in &mut plan.steps {
            step.from = "1.30.2".to_owned();
        }
    })?;
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

/// The same file as if it had been made elsewhere, or at another time.
fn refuses(cluster: &Cluster, file: &str, told: &str, made: impl Fn(&mut Plan)) -> Result<()> {
    let mut other: PlanFile = serde_json::from_str(&std::fs::read_to_string(file)?)?;
    made(&mut other.plan);
    other.hash = shared::plan::hash(&other.plan);
    let file = cluster.dir().join("other-plan.json").display().to_string();
    std::fs::write(&file, serde_json::to_string(&other)?)?;
    let refused = mesh_upgrade(cluster, &["apply", &file, "--yes"])?;
    ensure!(refused.code == 3 && refused.stderr.contains(told), "{told}: {refused}");
    Ok(())
}
