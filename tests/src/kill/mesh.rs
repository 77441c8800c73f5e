//! The mesh that is upgraded: prepared once, and begun again from the same copy for each upgrade; or put up for one alone.

use std::{
    process::{Child, Stdio},
    sync::Arc,
};

use anyhow::{Context, Result};
use serde_json::Value;

use super::{
    bringer::Bringer,
    scenario::{FROM, Scenario, TO},
};
use crate::{
    harness::{Background, Cluster, ClusterOptions, Istio, IstioOptions, Proxy, Snapshot},
    product::{Guard, installed_by_istioctl, mesh_upgrade, mesh_upgrade_command, two_revisions},
};

/// A guarded mesh that can be upgraded.
pub struct Mesh {
    pub(super) scenario: Scenario,
    // Dropped before the cluster that they work in.
    at_work: Vec<Background>,
    pub(super) bringer: Option<Bringer>,
    pub(super) cluster: Arc<Cluster>,
    pub(super) istio: Istio,
    guard: Guard,
    /// What was stored when all was ready; nothing for a mesh that is there for one upgrade.
    snapshot: Option<Snapshot>,
}

impl Mesh {
    /// Installs everything, and keeps what is stored then.
    ///
    /// # Errors
    /// When something does not come to serve.
    pub fn prepare(scenario: Scenario) -> Result<Self> {
        let mut mesh = Self::put_up(scenario)?;
        mesh.at_work.clear();
        mesh.guard.kill();
        mesh.snapshot = Some(mesh.cluster.snapshot()?);
        Ok(mesh)
    }

    /// Installs everything, ready to be upgraded once.
    pub(super) fn put_up(scenario: Scenario) -> Result<Self> {
        let cluster = Arc::new(Cluster::start(ClusterOptions::named("kill"))?);
        let bringer = Bringer::install(scenario, &cluster)?;
        let at_work = bringer.as_ref().map(|bringer| bringer.work(&cluster)).transpose()?;
        let at_work = at_work.unwrap_or_default();
        if let Some(bringer) = &bringer {
            bringer.wait_for_all()?;
        }
        let istio = match scenario {
            Scenario::InPlace => Istio::install(&cluster, IstioOptions::version(FROM))?,
            Scenario::CanaryBeside | Scenario::CanaryRemoval => two_revisions::install(&cluster)?,
            Scenario::Istioctl => {
                installed_by_istioctl(&cluster, FROM, "")?.ok()?;
                Istio::installed(&cluster, IstioOptions::version(FROM))?
            }
            Scenario::ArgoCd | Scenario::Flux | Scenario::Sail => {
                Istio::installed(&cluster, IstioOptions::version(FROM))?
            }
            Scenario::SailRevisions => {
                let options = IstioOptions {
                    validates_by_default: false,
                    ..IstioOptions::version(FROM)
                };
                Istio::installed(&cluster, options)?
            }
        };
        let guard = Guard::install(&cluster)?;
        if scenario.is_canary() {
            two_revisions::run_workloads(&cluster, "istio.io/rev: prod", "1-30-3")?;
        }
        if scenario == Scenario::SailRevisions {
            two_revisions::run_workloads(&cluster, "istio-injection: enabled", "default-v1-30-3")?;
        }
        if scenario == Scenario::CanaryRemoval {
            mesh_upgrade(&cluster, &scenario.arguments()?)?.ok()?;
            two_revisions::move_workloads(&cluster, "1-31-0", TO)?;
        }
        Ok(Self {
            scenario,
            at_work,
            bringer,
            cluster,
            istio,
            guard,
            snapshot: None,
        })
    }

    /// Begins again as it was prepared, whatever has been done to it, with every process started anew.
    pub(super) fn begin(&mut self) -> Result<()> {
        let snapshot = self.snapshot.as_ref().context("it was put up for one upgrade")?;
        self.at_work.clear();
        self.guard.kill();
        self.cluster.restore(snapshot)?;
        self.guard.start()?;
        if let Some(bringer) = &self.bringer {
            self.at_work = bringer.work(&self.cluster)?;
        }
        Ok(())
    }

    /// Begins the upgrade through a proxy.
    pub(super) fn apply(&self, proxy: &Proxy) -> Result<Child> {
        let mut command = mesh_upgrade_command(&self.cluster, "alice", &self.scenario.arguments()?)?;
        command.env("KUBECONFIG", proxy.kubeconfig());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().context("start apply")
    }

    /// How many steps the journal says are being performed: what these change may be changed once more.
    pub(super) fn steps_under_way(&self) -> Result<usize> {
        let journals = self.cluster.kubectl(&["get", "meshupgrades", "-o", "json"])?.json()?;
        let items = journals.pointer("/items").and_then(Value::as_array);
        let steps = items
            .into_iter()
            .flatten()
            .filter_map(|journal| journal.pointer("/status/steps")?.as_array())
            .flatten();
        Ok(steps
            .filter(|step| step.pointer("/state").is_some_and(|state| state == "Running"))
            .count())
    }

    /// Goes on with it by the same command.
    pub(super) fn finish(&self) -> Result<()> {
        let run = mesh_upgrade(&self.cluster, &self.scenario.arguments()?)?;
        // Where the new revision had arrived before the kill, the same command is about the old one, and that is in use.
        let is_next = self.scenario == Scenario::CanaryBeside && run.code == 3 && run.stdout.contains("MU317");
        if !is_next {
            run.ok()?;
        }
        Ok(())
    }
}
