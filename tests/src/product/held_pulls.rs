//! Pods that pull images are gone a moment later: here they stay until somebody has looked at them.

use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use serde_json::Value;

use super::mesh_upgrade_command;
use crate::harness::{Cluster, Moment, Proxy, Run, Treatment, wait_until};

/// Path of the pods that pull, whatever their number.
const PODS: &str = "/pods/mesh-upgrade-pull-";
const DEADLINE: Duration = Duration::from_secs(60);

/// A way to the API server on which the plugin takes none of them away before it is told to.
pub struct HeldPulls<'a> {
    cluster: &'a Cluster,
    proxy: Proxy,
}

impl<'a> HeldPulls<'a> {
    /// For one run of the plugin.
    ///
    /// # Errors
    /// When there is no such way.
    pub fn of(cluster: &'a Cluster) -> Result<Self> {
        let proxy = Proxy::start(cluster, "alice", |seen| match seen.method.as_str() {
            "DELETE" if seen.path.contains(PODS) => Some(Treatment::Hold(Moment::Before)),
            "GET" if seen.path.contains(PODS) => Some(Treatment::Pass),
            _ => None,
        })?;
        Ok(Self { cluster, proxy })
    }

    /// Runs the plugin with these arguments, and looks at its pods meanwhile.
    ///
    /// # Errors
    /// When it cannot be started, or what the look says.
    pub fn run(&self, arguments: &[&str], look: impl FnOnce() -> Result<()>) -> Result<Run> {
        let mut command = mesh_upgrade_command(self.cluster, "alice", arguments)?;
        command.env("KUBECONFIG", self.proxy.kubeconfig());
        std::thread::scope(|scope| {
            let running = scope.spawn(|| Run::of(command, None));
            let looked = look();
            self.proxy.let_go();
            let run = running.join().map_err(|_| anyhow!("the plugin's thread panicked"))??;
            looked.with_context(|| run.to_string())?;
            Ok(run)
        })
    }

    /// The pods, as soon as there are so many of which each is so.
    ///
    /// # Errors
    /// When there are not.
    pub fn pods(&self, count: usize, is_so: impl Fn(&Value) -> bool) -> Result<Vec<Value>> {
        wait_until(&format!("{count} pods that pull"), DEADLINE, || {
            let list = ["get", "pods", "-A", "-l", "app=mesh-upgrade-pull", "-o", "json"];
            let list = self.cluster.kubectl(&list)?.json()?;
            let pods = list.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
            Ok((pods.len() == count && pods.iter().all(&is_so)).then_some(pods))
        })
    }

    /// Waits until the plugin has seen them as they are now.
    ///
    /// # Errors
    /// When it does not look.
    pub fn seen(&self) -> Result<()> {
        let looks = || self.proxy.counted().iter().filter(|seen| seen.method == "GET").count();
        // The first of the next two may have begun before, and has ended when the second begins.
        let enough = looks() + 2;
        wait_until("the plugin to look at its pods", DEADLINE, || {
            Ok((looks() >= enough).then_some(()))
        })
    }
}

/// Images of a pod's containers, sorted.
#[must_use]
pub fn images(pod: &Value) -> Vec<&str> {
    let containers = pod.pointer("/spec/containers").and_then(Value::as_array);
    let images = containers
        .into_iter()
        .flatten()
        .filter_map(|container| container.get("image")?.as_str());
    let mut images: Vec<&str> = images.collect();
    images.sort_unstable();
    images
}
