//! A guarded mesh that is about to be upgraded with charts that can be spoilt, and what is asked of it afterwards.

use std::{path::PathBuf, process::Command, time::Duration};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{Guard, journal_phase, mesh_upgrade_command, wait_for_journal};
use crate::harness::{Cluster, ClusterOptions, Istio, IstioOptions, Proxy, Run, Seen, Toolbox, Treatment};

const FROM: &str = "1.30.3";
const DEADLINE: Duration = Duration::from_secs(60);

/// A guarded mesh and what an upgrade of it is told.
pub struct Upgradable {
    /// Its cluster.
    pub cluster: Cluster,
    /// A copy of the target's charts, to be spoilt.
    pub charts: PathBuf,
    istio: Istio,
    to: String,
    _guard: Guard,
}

impl Upgradable {
    /// Starts a mesh of Istio 1.30.3 that is to go to this version.
    ///
    /// # Errors
    /// When something of it does not start.
    pub fn start(name: &str, to: &str) -> Result<Self> {
        Self::start_in(ClusterOptions::named(name), to)
    }

    /// The same in a cluster of this kind.
    ///
    /// # Errors
    /// When something of it does not start.
    pub fn start_in(cluster: ClusterOptions, to: &str) -> Result<Self> {
        let cluster = Cluster::start(cluster)?;
        let istio = Istio::install(&cluster, IstioOptions::version(FROM))?;
        let guard = Guard::install(&cluster)?;
        let charts = cluster.dir().join("charts");
        let copied = Command::new("cp")
            .arg("-r")
            .arg(Toolbox::get()?.charts(to)?)
            .arg(&charts)
            .status()?;
        ensure!(copied.success(), "the charts could not be copied");
        Ok(Self {
            cluster,
            charts,
            istio,
            to: to.to_owned(),
            _guard: guard,
        })
    }

    /// `apply` with these flags, ready to be started.
    ///
    /// # Errors
    /// When the programs cannot be built.
    pub fn command(&self, more: &[&str]) -> Result<Command> {
        let charts = self.charts.display().to_string();
        let mut arguments = vec!["apply", "--to", &self.to, "--charts", &charts, "--yes"];
        arguments.extend(more);
        mesh_upgrade_command(&self.cluster, "alice", &arguments)
    }

    /// Begins the upgrade or goes on with it.
    ///
    /// # Errors
    /// When it cannot be started; its own failure is in the result.
    pub fn apply(&self, more: &[&str]) -> Result<Run> {
        Run::of(self.command(more)?, None)
    }

    /// The same with a proxy that does this to the requests of plugin and helm.
    ///
    /// # Errors
    /// When it cannot be started; its own failure is in the result.
    pub fn apply_through(&self, treat: impl Fn(&Seen) -> Treatment + Send + Sync + 'static) -> Result<Run> {
        let proxy = Proxy::start(&self.cluster, "alice", move |seen| Some(treat(seen)))?;
        let mut command = self.command(&[])?;
        command.env("KUBECONFIG", proxy.kubeconfig());
        Run::of(command, None)
    }

    /// Sees that it is stalled and frozen: the journal's condition `Stalled` has this reason, and its message, which the
    /// error says too, these words. Returns the message.
    ///
    /// # Errors
    /// What is otherwise.
    pub fn stalled(&self, run: &Run, reason: &str, says: &[&str]) -> Result<String> {
        ensure!(run.code == 1 && run.stderr.contains("stalled ("), "not stalled: {run}");
        let journal = wait_for_journal(&self.cluster, "a journal", DEADLINE, |_| true)?;
        let conditions = journal.pointer("/status/conditions").and_then(Value::as_array);
        let stalled = conditions
            .into_iter()
            .flatten()
            .find(|condition| text(condition, "type") == "Stalled" && text(condition, "status") == "True")
            .with_context(|| format!("no condition Stalled: {journal:#}"))?;
        ensure!(text(stalled, "reason") == reason, "{stalled}");
        for words in says {
            ensure!(
                text(stalled, "message").contains(words) && run.stderr.contains(words),
                "{words:?} is not said: {stalled}\n{run}"
            );
        }
        ensure!(run.stderr.contains("go on with: kubectl mesh-upgrade apply"), "{run}");
        self.is_frozen()?;
        Ok(text(stalled, "message").to_owned())
    }

    /// Sees that a foreign write is refused.
    ///
    /// # Errors
    /// When it is not.
    pub fn is_frozen(&self) -> Result<()> {
        let foreign = [
            "-n",
            "istio-system",
            "annotate",
            "--overwrite",
            "configmap",
            "istio",
            "a/b=c",
        ];
        let refused = self.cluster.kubectl(&foreign)?;
        ensure!(refused.refused()?.contains("MG001"), "{refused}");
        Ok(())
    }

    /// Sees that the mesh is at its target and open.
    ///
    /// # Errors
    /// What is otherwise.
    pub fn arrived(&self, run: &Run) -> Result<()> {
        run.ok()?;
        let phase = journal_phase(&self.cluster)?;
        ensure!(phase.as_deref() == Some("Succeeded"), "{phase:?}: {run}");
        self.istio.wait_serving(&self.cluster, &self.to)?;
        let kinds = "meshfreezes,validatingadmissionpolicies,validatingadmissionpolicybindings";
        let left = self.cluster.kubectl(&["get", kinds, "-o", "name"])?;
        ensure!(!left.ok()?.contains("mesh-freeze-"), "a freeze is left: {left}");
        Ok(())
    }
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}
