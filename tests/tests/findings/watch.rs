//! `check --watch`: checks again when something relevant changes.

use std::{
    io::{BufRead as _, BufReader, Read},
    process::{Child, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use super::case::kubectl;
use anyhow::{Context as _, Result, ensure};
use mesh_upgrade_tests::{
    harness::{Cluster, wait_until},
    product::mesh_upgrade_command,
};
use serde_json::json;

/// How long one check may take to be made and told.
const DEADLINE: Duration = Duration::from_secs(60);

/// An EnvoyFilter that comes and goes, the mesh's configuration in a ConfigMap, and a waiver in the annotation of a Mesh, each right after the report before it.
pub fn checks_again_when_something_changes(cluster: &Cluster) -> Result<()> {
    const FILTER: &str = "\
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {name: watched, namespace: default}
spec: {configPatches: [{applyTo: CLUSTER, patch: {operation: MERGE, value: {dns_lookup_family: V4_ONLY}}}]}
";
    const MESH: &str = "\
apiVersion: meshupgrade.io/v1alpha1
kind: Mesh
metadata:
  name: watched
  annotations:
    meshupgrade.io/waivers: 'waivers: [{code: MU405, owner: alice, reason: mirrored, expires: 2999-12-31}]'
spec: {}
";
    let mut watching = Watching::start(cluster)?;
    watching.wait_for("the first report", |report| {
        report.contains("MU405") && !report.contains("MU727")
    })?;
    cluster.apply_stdin(FILTER)?.ok()?;
    watching.wait_for("the EnvoyFilter", |report| report.contains("MU727"))?;
    kubectl(cluster, &["delete", "envoyfilter", "watched"])?;
    watching.wait_for("its end", |report| !report.contains("MU727"))?;
    cluster.apply_stdin(MESH)?.ok()?;
    watching.wait_for("the waiver", |report| {
        report.starts_with("Mesh watched") && report.contains("MU405  waived by alice")
    })?;
    // By hand, which the report tells, too.
    let mesh = kubectl(
        cluster,
        &[
            "-n",
            "istio-system",
            "get",
            "configmap/istio",
            "-o=jsonpath={.data.mesh}",
        ],
    )?;
    let everything = "discoverySelectors: [{matchExpressions: [{key: kubernetes.io/metadata.name, operator: Exists}]}]";
    let patch = json!({"data": {"mesh": format!("{mesh}\n{everything}\n")}}).to_string();
    let by_hand = [
        "-n",
        "istio-system",
        "patch",
        "configmap/istio",
        "--type=merge",
        "-p",
        &patch,
    ];
    kubectl(cluster, &by_hand)?;
    watching.wait_for("the mesh's configuration", |report| {
        report.contains("data.mesh was set by kubectl-patch (ConfigMap istio-system/istio)")
    })?;
    let told = watching.told();
    for (kind, times) in [("envoyfilters", 2), ("meshes", 1), ("configmaps", 1)] {
        let because = format!("checked again, because of {kind} of east");
        ensure!(told.matches(&because).count() >= times, "{because}: {told}");
    }
    ensure!(watching.child.try_wait()?.is_none(), "it ended by itself: {told}");
    kubectl(cluster, &["delete", "mesh", "watched"]).map(drop)
}

/// A `check --watch` that runs until this is dropped.
struct Watching {
    child: Child,
    printed: Arc<Mutex<String>>,
    told: Arc<Mutex<String>>,
}

impl Watching {
    fn start(cluster: &Cluster) -> Result<Self> {
        let mut command = mesh_upgrade_command(cluster, "alice", &["check", "--to", "1.31.0", "--watch"])?;
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().context("start check --watch")?;
        let printed = gathered(child.stdout.take());
        let told = gathered(child.stderr.take());
        Ok(Self { child, printed, told })
    }

    /// Waits until the newest report is whole and as it should be.
    fn wait_for(&self, what: &str, is_it: impl Fn(&str) -> bool) -> Result<()> {
        let found = wait_until(&format!("check --watch to tell of {what}"), DEADLINE, || {
            let printed = self.printed();
            let titles: Vec<_> = printed
                .match_indices("Mesh ")
                .filter(|(at, _)| begins_a_line(&printed, *at))
                .collect();
            // What to do next is the last thing that is said of each.
            let is_whole = self.told().matches("Next:").count() >= titles.len();
            let newest = titles.last().and_then(|(at, _)| printed.get(*at..));
            Ok(newest.filter(|newest| is_whole && is_it(newest)).map(drop))
        });
        found.with_context(|| format!("{}{}", self.printed(), self.told()))
    }

    fn printed(&self) -> String {
        read(&self.printed)
    }

    fn told(&self) -> String {
        read(&self.told)
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        // Gone already, or going: either way it is waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn begins_a_line(text: &str, at: usize) -> bool {
    text.get(..at)
        .is_some_and(|before| before.is_empty() || before.ends_with('\n'))
}

fn read(text: &Mutex<String>) -> String {
    text.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// What a pipe has given so far; the thread ends with the program.
fn gathered(pipe: Option<impl Read + Send + 'static>) -> Arc<Mutex<String>> {
    let text = Arc::new(Mutex::new(String::new()));
    let gathered = Arc::clone(&text);
    std::thread::spawn(move || {
        for line in pipe
            .map(BufReader::new)
            .into_iter()
            .flat_map(BufReader::lines)
            .map_while(Result::ok)
        {
            let mut text = gathered.lock().unwrap_or_else(PoisonError::into_inner);
            text.push_str(&line);
            text.push('\n');
        }
    });
    text
}
