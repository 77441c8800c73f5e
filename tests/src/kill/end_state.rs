//! The end state that every run reaches, and how often a component was changed on the way there.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{
    mesh::Mesh,
    scenario::{FROM, Scenario, TO},
};
use crate::product::two_revisions;

impl Mesh {
    /// Sees that it has arrived; returns how often a component was changed on the way.
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
            Scenario::InPlace | Scenario::Istioctl | Scenario::ArgoCd | Scenario::Flux | Scenario::Sail => {}
            // What runs is left to its owners.
            Scenario::CanaryBeside | Scenario::SailRevisions => two_revisions::wait_for_proxies(&self.cluster, FROM)?,
            Scenario::CanaryRemoval => {
                two_revisions::wait_for_proxies(&self.cluster, TO)?;
                let old = ["get", "deployments", "-A", "-l", "istio.io/rev=1-30-3", "-o", "name"];
                let old = self.cluster.kubectl(&old)?;
                ensure!(old.ok()?.is_empty(), "{old}");
            }
        }
        if self.scenario.is_canary() {
            two_revisions::tags_lead_to_the_new_revision(&self.cluster)?;
        }
        if let Some(bringer) = &self.bringer {
            bringer.is_at_the_target()?;
        }
        Ok(self.helm_revisions()? + self.writes_of_istioctl()? + self.generations_without_a_record()?)
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
            let stays = self.scenario.old_release() == Some(release.as_str());
            let version = if stays { FROM } else { TO };
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

    /// How often what Argo CD brings was changed: it keeps no record of its own, as helm does.
    fn generations_without_a_record(&self) -> Result<usize> {
        if self.scenario != Scenario::ArgoCd {
            return Ok(0);
        }
        let workloads = "jsonpath={range .items[*]}{.metadata.generation} {end}";
        let list = ["-n", "istio-system", "get", "deployments,daemonsets", "-o", workloads];
        let list = self.cluster.kubectl(&list)?;
        let generations = list.ok()?.split_whitespace().map(str::parse::<usize>);
        Ok(generations.sum::<Result<usize, _>>()?)
    }
}
