//! A catalog that the cluster brings.

use super::case::kubectl;
use anyhow::{Result, ensure};
use mesh_upgrade_tests::{harness::Cluster, product::mesh_upgrade};
use serde_json::Value;

const LATER: &str = "\
extends: embedded
flavors:
  - releases:
      - minor: \"1.32\"
        newestPatch: 1.32.0
        released: 2026-11-20
        endOfLife: {date: 2027-08-31, kind: estimate}
        kubernetes: [\"1.35\", \"1.36\"]
";
const NAMESPACE: &str = "--namespace=mesh-upgrade-system";
const NAME: &str = "mesh-upgrade-catalog";

pub fn extend_or_are_refused_with_their_line(cluster: &Cluster) -> Result<()> {
    apply(cluster, LATER)?;
    let path = mesh_upgrade(cluster, &["plan", "--to", "1.32.0", "-o", "json"])?.json()?;
    let legs = path.get("legs").and_then(Value::as_array).into_iter().flatten();
    let to: Vec<&str> = legs.filter_map(|leg| leg.get("to")?.as_str()).collect();
    ensure!(to == ["1.31.3", "1.32.0"], "{path:#}");
    let catalog = path.get("catalog").and_then(Value::as_str).unwrap_or_default();
    ensure!(
        catalog.starts_with("ConfigMap mesh-upgrade-system/mesh-upgrade-catalog over"),
        "{catalog}"
    );

    apply(cluster, &LATER.replace("\"1.35\", \"1.36\"", "\"1.36\", \"1.35\""))?;
    let refused = mesh_upgrade(cluster, &["check", "--to", "1.31.0"])?;
    ensure!(
        refused.code == 1 && refused.stderr.contains("line 8") && refused.stderr.contains("must ascend"),
        "{refused}"
    );
    kubectl(cluster, &[NAMESPACE, "delete", "configmap", NAME]).map(drop)
}

fn apply(cluster: &Cluster, text: &str) -> Result<()> {
    let file = cluster.dir().join("catalog.yaml");
    std::fs::write(&file, text)?;
    let from = format!("--from-file=catalog.yaml={}", file.display());
    let made = ["create", "configmap", NAME, &from, "--dry-run=client", "-o", "yaml"];
    let made = kubectl(cluster, &[&[NAMESPACE][..], &made].concat())?;
    cluster.apply_stdin(&made)?.ok().map(drop)
}
