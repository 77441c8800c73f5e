//! A catalog that the cluster brings.

use super::{case::kubectl, printed::has_the_fields_of};
use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use mesh_upgrade_tests::{
    harness::{Cluster, Toolbox},
    product::mesh_upgrade,
};
use serde_json::{Value, json};
use shared::{catalog::Catalog, version::Flavor};

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

    has_the_fields_of("Path", &path)?;
    has_kubernetes_legs_or_none(cluster)?;

    apply(cluster, &LATER.replace("\"1.35\", \"1.36\"", "\"1.36\", \"1.35\""))?;
    let refused = mesh_upgrade(cluster, &["check", "--to", "1.31.0"])?;
    ensure!(
        refused.code == 1 && refused.stderr.contains("line 8") && refused.stderr.contains("must ascend"),
        "{refused}"
    );
    kubectl(cluster, &[NAMESPACE, "delete", "configmap", NAME]).map(drop)
}

/// What the embedded catalog says of releases, against what they are compiled with.
#[test]
fn the_embedded_catalog_has_the_minimums_of_the_sources() -> Result<()> {
    let catalog = Catalog::embedded()?;
    for minor in ["1.30", "1.31"] {
        let sources = Toolbox::istio_sources(minor)?;
        let read = |file: &str| std::fs::read_to_string(sources.join(file)).with_context(|| file.to_owned());
        let release = catalog.release(&Flavor::Native, minor.parse()?).context(minor)?;

        let minimums = read("pkg/config/schema/gatewayapi/minimumversions.go")?;
        let rows = minimums.lines().filter_map(|line| line.trim().split_once(": "));
        let found: BTreeMap<String, String> = rows
            .filter_map(|(name, version)| {
                let resource = name.trim_matches('"').strip_suffix(".gateway.networking.k8s.io")?;
                let numbers = version.trim().strip_prefix("semver.New(")?.split(", ").take(3);
                Some((resource.to_owned(), numbers.collect::<Vec<_>>().join(".")))
            })
            .collect();
        let ours = release.gateway_api.iter();
        let ours: BTreeMap<String, String> = ours
            .map(|(name, version)| (name.clone(), version.to_string()))
            .collect();
        ensure!(
            !found.is_empty() && found == ours,
            "{minor}: {found:?}, and the catalog {ours:?}"
        );

        let kubernetes = read("istioctl/pkg/install/k8sversion/version.go")?;
        let minimum = kubernetes.lines().find_map(|line| {
            let (_, minimum) = line.trim().strip_prefix("MinK8SVersion ")?.split_once("= ")?;
            Some(format!("1.{}", minimum.trim()))
        });
        let ours = release.minimum_kubernetes.map(|minimum| minimum.to_string());
        ensure!(
            minimum.is_some() && minimum == ours,
            "{minor}: {minimum:?}, and the catalog {ours:?}"
        );
    }
    Ok(())
}

/// Two releases of a catalog of one's own: the later one needs a Kubernetes that the one before supports, too, or does not.
fn has_kubernetes_legs_or_none(cluster: &Cluster) -> Result<()> {
    let file = cluster.dir().join("own.yaml");
    let plan = |kubernetes: &str, more: &[&str]| {
        let release = |minor: &str, kubernetes: &str| {
            format!(
                "      - {{minor: \"{minor}\", newestPatch: {minor}.0, released: 2026-08-31, endOfLife: {{date: 2027-08-31, \
                 kind: estimate}}, kubernetes: [{kubernetes}]}}\n"
            )
        };
        let releases = release("1.31", "\"1.36\", \"1.37\"") + &release("1.32", kubernetes);
        std::fs::write(&file, format!("extends: embedded\nflavors:\n  - releases:\n{releases}"))?;
        let file = file.display().to_string();
        let plan = ["plan", "--to", "1.32.0", "--catalog", &file];
        mesh_upgrade(cluster, &[&plan[..], more].concat())
    };
    let table = plan("\"1.37\"", &[])?;
    let rows: Vec<Vec<&str>> = table
        .stdout
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    let leg = ["2", "Kubernetes", "east", "1.36", "1.37"];
    ensure!(
        table.code == 0 && rows.iter().any(|row| row.starts_with(&leg)) && table.stdout.contains("in 2 hops"),
        "{table}"
    );
    let path = plan("\"1.37\"", &["-o", "json"])?.json()?;
    let expected = json!({"kind": "Kubernetes", "cluster": "east", "from": "1.36", "to": "1.37"});
    ensure!(path.pointer("/legs/1") == Some(&expected), "{path:#}");
    let none = plan("\"1.38\"", &[])?;
    let why = "Istio 1.32 needs at least Kubernetes 1.38 in east, and Istio 1.31 supports at most 1.37: no Kubernetes leads \
               from one to the other";
    ensure!(none.code == 3 && none.stderr.contains(why), "{none}");
    Ok(())
}

fn apply(cluster: &Cluster, text: &str) -> Result<()> {
    let file = cluster.dir().join("catalog.yaml");
    std::fs::write(&file, text)?;
    let from = format!("--from-file=catalog.yaml={}", file.display());
    let made = ["create", "configmap", NAME, &from, "--dry-run=client", "-o", "yaml"];
    let made = kubectl(cluster, &[&[NAMESPACE][..], &made].concat())?;
    cluster.apply_stdin(&made)?.ok().map(drop)
}
