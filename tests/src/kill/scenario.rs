//! The kinds of upgrades that are killed: what each begins with, how it is told, and the end state that every run reaches.

use std::process::{Child, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::{
    harness::{Cluster, ClusterOptions, Istio, IstioOptions, OnDemand, Proxy, Toolbox},
    product::{Guard, installed_by_istioctl, mesh_upgrade, mesh_upgrade_command, two_revisions},
};

const FROM: &str = "1.30.3";
const TO: &str = "1.31.0";
const OLD_RELEASE: &str = "istiod-1-30-3";
const NEW_RELEASE: &str = "istiod-1-31-0";

/// A kind of upgrade.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scenario {
    /// Helm's releases in place.
    InPlace,
    /// The first upgrade of a canary: the new revision comes beside the old one, and takes its tags.
    CanaryBeside,
    /// The second one: the old revision goes.
    CanaryRemoval,
    /// By istioctl.
    Istioctl,
}

impl Scenario {
    /// Configuration of the mesh that is there from start to end.
    pub(super) fn config_map(self) -> &'static str {
        match self {
            Self::InPlace | Self::Istioctl => "istio",
            Self::CanaryBeside => "istio-1-30-3",
            Self::CanaryRemoval => "istio-1-31-0",
        }
    }

    fn releases(self) -> &'static [&'static str] {
        match self {
            Self::InPlace => &["istio-base", "istiod"],
            Self::CanaryBeside => &["istio-base", OLD_RELEASE, NEW_RELEASE],
            Self::CanaryRemoval => &["istio-base", NEW_RELEASE],
            Self::Istioctl => &[],
        }
    }

    fn journals(self) -> &'static [&'static str] {
        match self {
            Self::InPlace | Self::CanaryBeside | Self::Istioctl => &["Succeeded"],
            Self::CanaryRemoval => &["Succeeded", "Succeeded"],
        }
    }

    fn arguments(self) -> Result<Vec<String>> {
        let charts = || -> Result<String> { Ok(Toolbox::get()?.charts(TO)?.display().to_string()) };
        let more = match self {
            Self::InPlace => vec!["--charts".to_owned(), charts()?],
            Self::CanaryBeside | Self::CanaryRemoval => {
                vec!["--strategy=canary".to_owned(), "--charts".to_owned(), charts()?]
            }
            Self::Istioctl => vec![
                "--istioctl".to_owned(),
                OnDemand::Istioctl131.program()?.display().to_string(),
            ],
        };
        let common = ["apply", "--to", TO, "--yes"].map(str::to_owned);
        Ok(common.into_iter().chain(more).collect())
    }
}

/// A guarded mesh that can be upgraded.
pub(super) struct Mesh {
    scenario: Scenario,
    pub(super) cluster: Cluster,
    istio: Istio,
    _guard: Guard,
}

impl Mesh {
    pub(super) fn start(scenario: Scenario) -> Result<Self> {
        let cluster = Cluster::start(ClusterOptions::named("kill"))?;
        let istio = match scenario {
            Scenario::InPlace => Istio::install(&cluster, IstioOptions::version(FROM))?,
            Scenario::CanaryBeside | Scenario::CanaryRemoval => two_revisions::install(&cluster)?,
            Scenario::Istioctl => {
                installed_by_istioctl(&cluster, FROM, "")?.ok()?;
                Istio::installed(&cluster, IstioOptions::version(FROM))?
            }
        };
        let guard = Guard::install(&cluster)?;
        if matches!(scenario, Scenario::CanaryBeside | Scenario::CanaryRemoval) {
            two_revisions::run_workloads(&cluster)?;
        }
        if scenario == Scenario::CanaryRemoval {
            mesh_upgrade(&cluster, &scenario.arguments()?)?.ok()?;
            two_revisions::move_workloads(&cluster, TO)?;
        }
        Ok(Self {
            scenario,
            cluster,
            istio,
            _guard: guard,
        })
    }

    /// Begins the upgrade through a proxy.
    pub(super) fn apply(&self, proxy: &Proxy) -> Result<Child> {
        let mut command = mesh_upgrade_command(&self.cluster, "alice", &self.scenario.arguments()?)?;
        command.env("KUBECONFIG", proxy.kubeconfig());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().context("start apply")
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

    /// The end state that every run reaches; returns how often a component was changed on the way.
    pub(super) fn arrived(&self) -> Result<usize> {
        let phases = "jsonpath={.items[*].status.phase}";
        let journals = self.cluster.kubectl(&["get", "meshupgrades", "-o", phases])?;
        ensure!(
            journals
                .ok()?
                .split_whitespace()
                .eq(self.scenario.journals().iter().copied()),
            "{journals}"
        );
        self.istio.wait_serving(&self.cluster, TO)?;
        self.nothing_is_left()?;
        match self.scenario {
            Scenario::InPlace | Scenario::Istioctl => {}
            // What runs is left to its owners.
            Scenario::CanaryBeside => two_revisions::wait_for_proxies(&self.cluster, FROM)?,
            Scenario::CanaryRemoval => {
                two_revisions::wait_for_proxies(&self.cluster, TO)?;
                let old = ["get", "deployments", "-A", "-l", "istio.io/rev=1-30-3", "-o", "name"];
                let old = self.cluster.kubectl(&old)?;
                ensure!(old.ok()?.is_empty(), "{old}");
            }
        }
        if matches!(self.scenario, Scenario::CanaryBeside | Scenario::CanaryRemoval) {
            two_revisions::tags_lead_to_the_new_revision(&self.cluster)?;
        }
        Ok(self.helm_revisions()? + self.writes_of_istioctl()?)
    }

    fn nothing_is_left(&self) -> Result<()> {
        let kinds = "meshfreezes,validatingadmissionpolicies,validatingadmissionpolicybindings";
        let left = self.cluster.kubectl(&["get", kinds, "-o", "name"])?;
        ensure!(
            !left.ok()?.contains("mesh-freeze") && !left.stdout.contains("meshfreezes"),
            "{left}"
        );
        let ours = "app.kubernetes.io/part-of=mesh-upgrade";
        let pods = self.cluster.kubectl(&["get", "pods", "-A", "-l", ours, "-o", "name"])?;
        ensure!(pods.ok()?.trim().is_empty(), "pods of ours are left: {pods}");
        Ok(())
    }

    fn helm_revisions(&self) -> Result<usize> {
        let releases = two_revisions::releases(&self.cluster)?;
        ensure!(releases == self.scenario.releases(), "the releases are {releases:?}");
        let mut count = 0;
        for release in releases {
            let history = ["history", &release, "-n", "istio-system", "-o", "json"];
            let history = self.cluster.helm(&history)?.json()?;
            let revisions = history.as_array().map(Vec::as_slice).unwrap_or_default();
            let newest = revisions.last().context("a revision")?;
            let text = |key: &str| newest.get(key).and_then(Value::as_str).unwrap_or_default();
            let version = if release == OLD_RELEASE { FROM } else { TO };
            ensure!(
                text("status") == "deployed" && text("chart").ends_with(version),
                "{release} ended as {newest}"
            );
            count += revisions.len();
        }
        Ok(count)
    }

    /// How often istioctl changed istiod as the driver, from the API server's audit log.
    fn writes_of_istioctl(&self) -> Result<usize> {
        let log = std::fs::read_to_string(self.cluster.audit_log())?;
        let mut count = 0;
        for line in log.lines() {
            let event: Value = serde_json::from_str(line)?;
            let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
            let asked = text("/requestURI");
            let is_write = text("/verb") == "patch"
                && text("/userAgent").starts_with("istioctl/")
                && text("/impersonatedUser/username").ends_with(":mesh-upgrade-driver")
                && asked.contains("/namespaces/istio-system/deployments/istiod")
                && !asked.contains("dryRun");
            count += usize::from(is_write);
        }
        Ok(count)
    }
}
