//! The mesh that is upgraded: prepared once, and begun again from the same copy for each upgrade; or put up for one alone.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
};

use anyhow::{Context, Result, ensure};

use super::{
    blocker,
    bringer::Bringer,
    scenario::{FROM, Scenario, TO},
};
use crate::{
    harness::{Background, Cluster, ClusterOptions, Istio, IstioOptions, Proxy, Run, Snapshot},
    product::{
        Guard, SeveralClusters, contexts, installed_by_istioctl, mesh_upgrade, mesh_upgrade_command, two_revisions,
    },
};

/// One cluster of a mesh.
pub(super) struct Member {
    pub(super) cluster: Arc<Cluster>,
    pub(super) istio: Istio,
    guard: Guard,
    /// What was stored when all was ready; nothing in a mesh that is there for one upgrade.
    snapshot: Option<Snapshot>,
}

/// A guarded mesh that can be upgraded.
pub struct Mesh {
    pub(super) scenario: Scenario,
    // Dropped before the clusters that they work in.
    at_work: Vec<Background>,
    pub(super) bringer: Option<Bringer>,
    pub(super) members: Vec<Member>,
    home: Arc<Cluster>,
}

impl Mesh {
    /// Installs everything, and keeps what is stored then.
    ///
    /// # Errors
    /// When something does not come to serve.
    pub fn prepare(scenario: Scenario) -> Result<Self> {
        let mut mesh = Self::put_up(scenario)?;
        mesh.at_work.clear();
        for member in &mut mesh.members {
            member.guard.kill();
            member.snapshot = Some(member.cluster.snapshot()?);
        }
        Ok(mesh)
    }

    /// Installs everything, ready to be upgraded once.
    pub(super) fn put_up(scenario: Scenario) -> Result<Self> {
        if scenario == Scenario::TwoClusters {
            return Self::put_up_two(scenario);
        }
        let cluster = Arc::new(Cluster::start(ClusterOptions::named("kill"))?);
        let bringer = Bringer::install(scenario, &cluster)?;
        let at_work = bringer.as_ref().map(|bringer| bringer.work(&cluster)).transpose()?;
        let at_work = at_work.unwrap_or_default();
        if let Some(bringer) = &bringer {
            bringer.wait_for_all()?;
        }
        let options = IstioOptions::version(FROM);
        let istio = match scenario {
            Scenario::InPlace | Scenario::Withdrawal | Scenario::TwoClusters => Istio::install(&cluster, options)?,
            Scenario::InPlaceHelm3 => {
                let helm_3 = true;
                Istio::install(&cluster, IstioOptions { helm_3, ..options })?
            }
            Scenario::CanaryBeside | Scenario::CanaryRemoval => two_revisions::install(&cluster)?,
            Scenario::Istioctl => {
                installed_by_istioctl(&cluster, FROM, "")?.ok()?;
                Istio::installed(&cluster, options)?
            }
            Scenario::ArgoCd | Scenario::Flux | Scenario::Sail => Istio::installed(&cluster, options)?,
            Scenario::SailRevisions => {
                let validates_by_default = false;
                let options = IstioOptions {
                    validates_by_default,
                    ..options
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
        let home = Arc::clone(&cluster);
        let member = Member {
            cluster,
            istio,
            guard,
            snapshot: None,
        };
        Ok(Self {
            scenario,
            at_work,
            bringer,
            members: vec![member],
            home,
        })
    }

    fn put_up_two(scenario: Scenario) -> Result<Self> {
        let parts = SeveralClusters::two_primaries(&IstioOptions::version(FROM))?.into_parts();
        let members = parts.into_iter().map(|(cluster, istio, guard)| Member {
            cluster: Arc::new(cluster),
            istio,
            guard,
            snapshot: None,
        });
        let members: Vec<Member> = members.collect();
        // East, where the Mesh object is.
        let home = Arc::clone(&members.first().context("a cluster")?.cluster);
        Ok(Self {
            scenario,
            at_work: Vec::new(),
            bringer: None,
            members,
            home,
        })
    }

    /// The cluster that has the journal.
    pub(super) fn home(&self) -> &Cluster {
        &self.home
    }

    /// Begins again as it was prepared, whatever has been done to it, with every process started anew.
    pub(super) fn begin(&mut self) -> Result<()> {
        self.at_work.clear();
        for member in &mut self.members {
            member.guard.kill();
            let snapshot = member.snapshot.as_ref().context("it was put up for one upgrade")?;
            member.cluster.restore(snapshot)?;
        }
        for member in &mut self.members {
            member.guard.start()?;
        }
        if let Some(bringer) = &self.bringer {
            self.at_work = bringer.work(self.home())?;
        }
        if self.scenario == Scenario::Withdrawal {
            self.at_work.push(blocker::comes_once_frozen(self.home())?);
        }
        Ok(())
    }

    /// Begins the upgrade, or goes on with it, through a proxy before the cluster that has the journal.
    pub(super) fn apply(&self, proxy: &Proxy) -> Result<Child> {
        let mut command = self.command(proxy.kubeconfig())?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().context("start apply")
    }

    fn command(&self, kubeconfig: &Path) -> Result<Command> {
        let mut command = mesh_upgrade_command(self.home(), "alice", &self.scenario.arguments()?)?;
        command.env("KUBECONFIG", self.all_contexts(kubeconfig)?);
        if self.members.len() > 1 {
            command.args(["--context", self.home().name()]);
        }
        Ok(command)
    }

    /// Where to find every cluster, the first by what this says.
    fn all_contexts(&self, home: &Path) -> Result<PathBuf> {
        if self.members.len() == 1 {
            return Ok(home.to_owned());
        }
        let clusters = self.members.iter().map(|member| &*member.cluster);
        let all = contexts(clusters, |cluster| {
            if cluster.name() == self.home().name() {
                Ok(home.to_owned())
            } else {
                cluster.kubeconfig_for("alice")
            }
        })?;
        all.write(self.home().dir().join("all-contexts"))
    }

    /// Goes on with it by the same command.
    pub(super) fn finish(&self) -> Result<()> {
        let run = Run::of(self.command(&self.home().kubeconfig_for("alice")?)?, None)?;
        // Where the new revision had arrived before the kill, the same command is about the old one, and that is in use.
        let is_next = self.scenario == Scenario::CanaryBeside && run.code == 3 && run.stdout.contains("MU317");
        ensure!(is_next || run.code == self.scenario.ends_with(), "{run}");
        Ok(())
    }
}
