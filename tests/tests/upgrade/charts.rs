//! Charts in mid-upgrade: gone, of another version, or with other contents.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use mesh_upgrade_tests::{
    harness::Cluster,
    product::{mesh_upgrade, wait_for_journal},
};
use serde_json::Value;

use super::{DEADLINE, TO, text};

/// A chart of the same name and version is another by a template; nobody drives with it unless it is named again.
pub fn with_other_contents_are_refused(cluster: &Cluster, charts: &Path) -> Result<()> {
    let template = charts.join("istiod/templates/service.yaml");
    let text = std::fs::read_to_string(&template)?;
    std::fs::write(&template, format!("{text}# edited\n"))?;
    let edited = mesh_upgrade(cluster, &["apply", "--yes"])?;
    std::fs::write(&template, text)?;
    ensure!(
        edited.code == 1
            && edited
                .stderr
                .contains("have other contents than the upgrade of mesh default goes by: istiod-1.31.0, from")
            && edited.stderr.contains("kubectl mesh-upgrade apply default --charts"),
        "{edited}"
    );
    let journal = wait_for_journal(cluster, "the journal", DEADLINE, |_| true)?;
    ensure!(journal.pointer("/status/epoch") == Some(&Value::from(1)), "{journal:#}");
    Ok(())
}

/// The chart that was spoilt, and the one that was mended, were both named; that of base is still the one that was planned with.
pub fn that_were_named_are_on_the_record(journal: &Value) -> Result<()> {
    let history = journal.pointer("/status/history").and_then(Value::as_array);
    let history = history.into_iter().flatten();
    let named = history.filter(|event| text(event, "/what").starts_with("chart istiod-1.31.0 has other contents"));
    ensure!(named.count() == 2, "{journal:#}");
    let [planned, named] = ["/spec/plan/charts/digests", "/status/chartDigests"].map(|at| journal.pointer(at));
    let planned = planned.and_then(Value::as_object).context("digests of the plan")?;
    ensure!(planned.keys().eq(["base-1.31.0", "istiod-1.31.0"]), "{journal:#}");
    let named = named.and_then(Value::as_object).context("digests of what was named")?;
    ensure!(named.keys().eq(["istiod-1.31.0"]), "{journal:#}");
    ensure!(
        named.get("istiod-1.31.0") == planned.get("istiod-1.31.0"),
        "{journal:#}"
    );
    Ok(())
}

/// Charts that are gone, or of another version by now, are told before anybody drives; another folder stands for theirs.
pub fn are_looked_at_again(cluster: &Cluster, charts: &Path) -> Result<PathBuf> {
    let moved = charts.with_file_name("moved");
    std::fs::rename(charts, &moved)?;
    let gone = mesh_upgrade(cluster, &["apply", "--yes"])?;
    ensure!(
        gone.code == 1
            && gone
                .stderr
                .contains("nothing was changed now; put the charts of 1.31.0 back at"),
        "{gone}"
    );
    let facts = moved.join("istiod/Chart.yaml");
    let target = std::fs::read_to_string(&facts)?;
    std::fs::write(&facts, target.replace(TO, "1.31.1"))?;
    let named = moved.display().to_string();
    let newer = mesh_upgrade(cluster, &["apply", "--charts", &named, "--yes"])?;
    std::fs::write(&facts, target)?;
    ensure!(
        newer.code == 1 && newer.stderr.contains("the target is 1.31.0"),
        "{newer}"
    );
    Ok(moved)
}
