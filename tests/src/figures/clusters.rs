//! `check` over one cluster and over a hundred; and `list` and `check --all` over a hundred meshes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::measured::{Measured, command, cost, judged, measured, medians, processor_of_this, show};
use super::stand_in_clusters::StandInClusters;
use super::{held, released_plugin, say};
use crate::harness::{Cluster, ClusterOptions, Istio, IstioOptions, Toolbox};

/// Runs of each command; the median counts.
const RUNS: usize = 5;
/// How long a stand-in for a distant cluster takes for an answer.
const LATENCY: Duration = Duration::from_millis(25);
/// Member clusters of the largest mesh.
const CLUSTERS: usize = 100;
/// The mesh ID of what is measured; a stand-in that is a mesh of its own puts its number over the last three.
const MESH_ID: &str = "figures-000";

/// Measures; whether all bars are met.
///
/// # Errors
/// When a part is missing, or a program fails.
pub fn measure() -> Result<bool> {
    let plugin = released_plugin()?;
    let cluster = Cluster::start(ClusterOptions::named("figures"))?;
    let options = IstioOptions {
        replicas: 2,
        values: vec![format!("global.meshID={MESH_ID}")],
        ..IstioOptions::version("1.30.3")
    };
    Istio::install(&cluster, options)?;
    let charts = Toolbox::get()?.charts("1.31.0")?.display().to_string();
    let list = ["list"];
    let check = ["check", "--to", "1.31.0", "--charts", &charts];
    let check_all = ["check", "--all", "--to", "1.31.0", "--charts", &charts];
    let mesh = Asked::new(&cluster, &plugin, None)?;
    let mut met = vec![mesh.compare("check", &check, all_answered)?];
    drop(mesh);
    let fleet = Asked::new(&cluster, &plugin, Some(MESH_ID))?;
    for (name, verb, documents) in [
        ("list", &list[..], "meshes"),
        ("check --all", &check_all[..], "reports"),
    ] {
        met.push(fleet.compare(name, verb, |document| {
            let meshes = document.get(documents).and_then(Value::as_array).map_or(0, Vec::len);
            ensure!(meshes == CLUSTERS, "{name} told of {meshes} meshes");
            Ok(())
        })?);
    }
    Ok(met.iter().all(|met| *met))
}

/// Whether every cluster was checked.
fn all_answered(report: &Value) -> Result<()> {
    let stats = report.get("stats").and_then(Value::as_array).map_or(0, Vec::len);
    let unknown = report.to_string().matches("\"MU901\",\"severity\"").count();
    ensure!(
        stats == CLUSTERS && unknown == 0,
        "{unknown} of {stats} clusters did not answer"
    );
    Ok(())
}

/// A hundred stand-ins that repeat a real cluster's answers, and who asks them.
struct Asked<'a> {
    cluster: &'a Cluster,
    plugin: &'a Path,
    kubeconfig: PathBuf,
    /// They are one mesh, or as many.
    is_fleet: bool,
    _stand_ins: StandInClusters,
}

impl<'a> Asked<'a> {
    fn new(cluster: &'a Cluster, plugin: &'a Path, mesh_id: Option<&str>) -> Result<Self> {
        let uid = ["get", "namespace", "kube-system", "--output=jsonpath={.metadata.uid}"];
        let uid = cluster.kubectl(&uid)?;
        let alice = cluster.kubeconfig_for("alice")?;
        let stand_ins = StandInClusters::start(&alice, uid.ok()?, mesh_id, CLUSTERS, LATENCY)?;
        let kubeconfig = cluster.dir().join("stand-ins");
        stand_ins.write(&kubeconfig)?;
        Ok(Self {
            cluster,
            plugin,
            kubeconfig,
            is_fleet: mesh_id.is_some(),
            _stand_ins: stand_ins,
        })
    }

    fn run(&self, verb: &[&str], contexts: &str) -> Result<Measured> {
        let arguments = [verb, &["--stats", "-o", "json", "--contexts", contexts]].concat();
        let mut command = command(self.cluster, self.plugin, &arguments)?;
        command.env("KUBECONFIG", &self.kubeconfig);
        measured(command)
    }

    /// Measures a verb over one of them and over all; `judge` looks at what it told of all.
    fn compare(&self, name: &str, verb: &[&str], judge: impl Fn(&Value) -> Result<()>) -> Result<bool> {
        let all: Vec<String> = (0..CLUSTERS).map(|number| format!("m{number}")).collect();
        let all = all.join(",");
        // Once unmeasured: the stand-ins learn the answers.
        self.run(verb, "m0")?;
        let (mut one, mut hundred, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..RUNS {
            one.push(self.run(verb, "m0")?);
            let before = processor_of_this();
            hundred.push(self.run(verb, &all)?);
            theirs.push(processor_of_this() - before);
        }
        judged(&hundred)?;
        let document: Value = serde_json::from_str(&hundred.first().context("a run")?.stdout)?;
        judge(&document)?;
        let what = if self.is_fleet {
            "meshes of one cluster each"
        } else {
            "member clusters"
        };
        say(&format!(
            "{CLUSTERS} {what}, stand-ins that take {} ms for an answer and {:.2} s of processor in all: medians of {RUNS} \
             runs, {}",
            LATENCY.as_millis(),
            theirs.into_iter().max().unwrap_or_default() as f64 / 100.0,
            cost(&document)
        ));
        show(&format!("{name}, one"), &one)?;
        show(&format!("{name}, all"), &hundred)?;
        let ratio = medians(&hundred)?.0.as_secs_f64() / medians(&one)?.0.as_secs_f64();
        Ok(held(&format!("{name}, wall, of one's"), ratio, 3.0, ""))
    }
}
