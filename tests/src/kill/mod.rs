//! Kills an upgrade at one exact request, finishes it with the same command, and judges what came of it: the same end
//! state as without the kill, no component changed more often than the kill explains, and a freeze that was never open
//! in between.

mod foreign_writer;

use std::{
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::{
    harness::{Cluster, ClusterOptions, Istio, IstioOptions, Moment, Proxy, Seen, Toolbox, wait_until},
    product::{Guard, journal_phase, mesh_upgrade, mesh_upgrade_command},
};
use foreign_writer::ForeignWriter;

const FROM: &str = "1.30.3";
const TO: &str = "1.31.0";
const DEADLINE: Duration = Duration::from_secs(180);

/// Requests of one kind, at each of which an upgrade can be killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// What the plugin writes into the journal.
    JournalWrite,
    /// What helm asks of the API server, reads included.
    HelmRequest,
}

impl Kind {
    /// Whether a request is of this kind.
    #[must_use]
    pub fn is(self, seen: &Seen) -> bool {
        let helm = seen.agent.starts_with("Helm/");
        match self {
            Self::JournalWrite => !helm && seen.method != "GET" && seen.path.contains("/meshupgrades"),
            Self::HelmRequest => helm,
        }
    }
}

/// A moment at which an upgrade is killed: the n-th request of a kind, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KillPoint {
    /// Of which kind.
    pub kind: Kind,
    /// Which.
    pub number: usize,
    /// Before it arrives, or after it is done.
    pub moment: Moment,
}

/// What came of a kill.
#[derive(Debug)]
pub struct Outcome {
    /// The request at which it was killed; nothing when the upgrade had arrived before: how often helm looks at what it
    /// waits for differs from run to run.
    pub request: Option<String>,
    /// Foreign writes that were refused while the mesh was frozen.
    pub refused: usize,
    /// Helm revisions beyond those of an upgrade that is not killed.
    pub extra_revisions: usize,
}

/// Counts the requests of a kind in an upgrade that nobody kills.
///
/// # Errors
/// When the upgrade does not arrive.
pub fn count(kind: Kind) -> Result<Vec<Seen>> {
    let mesh = Mesh::start()?;
    let proxy = Proxy::holding(&mesh.cluster, "alice", None, move |seen| kind.is(seen))?;
    let status = mesh.apply(Some(&proxy))?.wait()?;
    ensure!(status.success(), "the upgrade through the proxy ended with {status}");
    Ok(proxy.counted())
}

/// Kills an upgrade at a point and finishes it.
///
/// # Errors
/// What did not hold.
pub fn kill_and_finish(point: KillPoint) -> Result<Outcome> {
    let mesh = Mesh::start()?;
    let kind = point.kind;
    let hold = Some((point.number, point.moment));
    let proxy = Proxy::holding(&mesh.cluster, "alice", hold, move |seen| kind.is(seen))?;
    let writer = ForeignWriter::start(&mesh.cluster)?;
    let mut killed = mesh.apply(Some(&proxy))?;
    let reached = wait_until("the request to kill at", DEADLINE, || {
        if proxy.is_reached() {
            return Ok(Some(true));
        }
        match killed.try_wait()? {
            Some(status) if status.success() => Ok(Some(false)),
            Some(status) => bail!("the upgrade ended with {status} before its request {}", point.number),
            None => Ok(None),
        }
    })?;
    let mut request = None;
    if reached {
        kill_with_children(&mut killed)?;
        let seen = proxy.counted();
        request = seen.last().map(|seen| format!("{} {}", seen.method, seen.path));
    }
    // What the killed program had begun is not let through: its connection is gone.
    drop(proxy);

    if reached {
        mesh_upgrade(&mesh.cluster, &apply_arguments()?)?.ok()?;
    }
    let refused = writer.stop()?.judge()?;
    let extra_revisions = mesh.arrived()?;
    Ok(Outcome {
        request,
        refused,
        extra_revisions,
    })
}

/// A guarded mesh that can be upgraded.
struct Mesh {
    cluster: Cluster,
    istio: Istio,
    _guard: Guard,
}

impl Mesh {
    fn start() -> Result<Self> {
        let cluster = Cluster::start(ClusterOptions::named("kill"))?;
        let istio = Istio::install(&cluster, IstioOptions::version(FROM))?;
        let guard = Guard::install(&cluster)?;
        Ok(Self {
            cluster,
            istio,
            _guard: guard,
        })
    }

    fn apply(&self, proxy: Option<&Proxy>) -> Result<Child> {
        let mut command = mesh_upgrade_command(&self.cluster, "alice", &apply_arguments()?)?;
        if let Some(proxy) = proxy {
            command.env("KUBECONFIG", proxy.kubeconfig());
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().context("start apply")
    }

    /// The end state that every run reaches; returns how many helm revisions the kill has cost.
    fn arrived(&self) -> Result<usize> {
        ensure!(journal_phase(&self.cluster)?.as_deref() == Some("Succeeded"));
        self.istio.wait_serving(&self.cluster, TO)?;
        let left = self.cluster.kubectl(&[
            "get",
            "meshfreezes,validatingadmissionpolicies,validatingadmissionpolicybindings",
            "-o",
            "name",
        ])?;
        ensure!(
            !left.ok()?.contains("mesh-freeze") && !left.stdout.contains("meshfreezes"),
            "{left}"
        );
        let pods = self.cluster.kubectl(&[
            "get",
            "pods",
            "-A",
            "-l",
            "app.kubernetes.io/part-of=mesh-upgrade",
            "-o",
            "name",
        ])?;
        ensure!(pods.ok()?.trim().is_empty(), "pods of ours are left: {pods}");
        let mut extra = 0;
        for release in ["istio-base", "istiod"] {
            let history = self
                .cluster
                .helm(&["history", release, "-n", "istio-system", "-o", "json"])?
                .json()?;
            let revisions = history.as_array().map(Vec::as_slice).unwrap_or_default();
            let newest = revisions.last().context("a revision")?;
            let text = |key: &str| newest.get(key).and_then(Value::as_str).unwrap_or_default();
            ensure!(
                text("status") == "deployed" && text("chart").ends_with(TO),
                "{release} ended as {newest}"
            );
            extra += revisions.len().saturating_sub(2);
        }
        ensure!(extra <= 1, "one kill has cost {extra} more helm revisions");
        Ok(extra)
    }
}

fn apply_arguments() -> Result<Vec<String>> {
    let charts = Toolbox::get()?.charts(TO)?.display().to_string();
    Ok(["apply", "--to", TO, "--charts", &charts, "--yes"]
        .map(str::to_owned)
        .into())
}

/// As when the machine goes: kubectl has become the plugin, and its helm dies with it.
fn kill_with_children(plugin: &mut Child) -> Result<()> {
    let children = Command::new("pgrep").args(["-P", &plugin.id().to_string()]).output()?;
    plugin.kill()?;
    plugin.wait()?;
    for child in String::from_utf8_lossy(&children.stdout).split_whitespace() {
        // It may have ended by itself.
        Command::new("kill").args(["-9", child]).output()?;
    }
    Ok(())
}
