//! A guarded mesh over several clusters: the primaries east and west, and mostly north, a remote that east's istiod serves.
//! The Mesh object is in east; west's istiod was given east's kubeconfig, and nothing in north leads anywhere.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use serde_json::{Value, json};

use super::{Guard, mesh_upgrade_command};
use crate::{
    harness::{Cluster, ClusterOptions, Contexts, Istio, IstioOptions, Run, Toolbox},
    traffic::{BlockingCaller, Identity},
};

const FROM: &str = "1.30.3";
const TO: &str = "1.31.0";
/// Names of three clusters, and of the contexts that lead to them.
const THREE: [&str; 3] = ["east", "west", "north"];
const FOREIGN: &str = "\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: foreign, namespace: default}
spec: {hosts: [foreign], http: [{route: [{destination: {host: foreign}}]}]}
";

/// The mesh.
pub struct SeveralClusters {
    clusters: Vec<Cluster>,
    istios: Vec<Istio>,
    kubeconfig: PathBuf,
    guards: Vec<Guard>,
}

impl SeveralClusters {
    /// Starts the clusters and installs Istio 1.30.3 and the guard in each: east and west are primaries, and north is
    /// served by east.
    ///
    /// # Errors
    /// When something of it does not start.
    pub fn start() -> Result<Self> {
        let mesh = Self::install("Dedicated", &THREE, &["east", "west"], &IstioOptions::version(FROM))?;
        mesh.lead_from_west_to_east()?;
        Ok(mesh)
    }

    /// The primaries east and west alone, where Istio was installed as these options say.
    ///
    /// # Errors
    /// When something of it does not start.
    pub fn two_primaries(options: &IstioOptions) -> Result<Self> {
        let names = ["east", "west"];
        let mesh = Self::install("Dedicated", &names, &names, options)?;
        mesh.lead_from_west_to_east()?;
        Ok(mesh)
    }

    /// The same of a hosted mesh: its control plane is in east, its members are west and north.
    ///
    /// # Errors
    /// When something of it does not start.
    pub fn hosted() -> Result<Self> {
        Self::install("Hosted", &THREE, &["east"], &IstioOptions::version(FROM))
    }

    fn install(management: &str, names: &[&str], primaries: &[&str], options: &IstioOptions) -> Result<Self> {
        let clusters = Cluster::start_many(names.iter().copied().map(ClusterOptions::named))?;
        let is_primary = |cluster: &&Cluster| primaries.contains(&cluster.name());
        let install = |cluster: &Cluster| {
            let mut options = options.clone();
            let name = format!("global.multiCluster.clusterName={}", cluster.name());
            options.values.extend(["global.meshID=shop".to_owned(), name]);
            Istio::install(cluster, options)
        };
        let istios = clusters.iter().filter(is_primary).map(install);
        let istios = istios.collect::<Result<Vec<_>>>()?;
        let east = clusters.first().context("east")?;
        for remote in clusters.iter().filter(|cluster| !is_primary(cluster)) {
            Istio::install_remote(remote, east, FROM)?;
        }
        let guards = clusters.iter().map(Guard::install).collect::<Result<Vec<_>>>()?;
        let members: Vec<Value> = clusters
            .iter()
            .map(|cluster| {
                let role = if is_primary(&cluster) { "Primary" } else { "Remote" };
                json!({"name": cluster.name(), "role": role})
            })
            .collect();
        let mesh = json!({
            "apiVersion": "meshupgrade.io/v1alpha1", "kind": "Mesh", "metadata": {"name": "shop"},
            "spec": {"management": management, "istioNamespace": "istio-system", "clusters": members},
        });
        east.apply_stdin(&mesh.to_string())?.ok()?;
        let kubeconfig = contexts(&clusters, |cluster| cluster.kubeconfig_for("alice"))?;
        let kubeconfig = kubeconfig.write(east.dir().join("several"))?;
        Ok(Self {
            clusters,
            istios,
            kubeconfig,
            guards,
        })
    }

    fn lead_from_west_to_east(&self) -> Result<()> {
        let theirs = Contexts::of(self.cluster("east")?.kubeconfig())?;
        let secret = remote_secret("east", &Contexts::alone("east", &theirs.cluster(), &theirs.user()));
        self.cluster("west")?.apply_stdin(&secret.to_string())?.ok()?;
        Ok(())
    }

    /// What it is made of, cluster by cluster, for who puts it together otherwise. Each has to be a primary.
    pub(crate) fn into_parts(self) -> Vec<(Cluster, Istio, Guard)> {
        let parts = self.clusters.into_iter().zip(self.istios).zip(self.guards);
        parts.map(|((cluster, istio), guard)| (cluster, istio, guard)).collect()
    }

    /// The clusters: east, west, and north where there is one.
    #[must_use]
    pub fn clusters(&self) -> &[Cluster] {
        &self.clusters
    }

    /// One of them.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn cluster(&self, name: &str) -> Result<&Cluster> {
        let found = self.clusters.iter().find(|cluster| cluster.name() == name);
        found.with_context(|| format!("there is no cluster {name}"))
    }

    /// A kubeconfig of alice's with a context for each cluster, one of them reached by what this kubeconfig says.
    ///
    /// # Errors
    /// When a kubeconfig cannot be read or written.
    pub fn kubeconfig_with(&self, name: &str, other: &Path) -> Result<PathBuf> {
        let of = |cluster: &Cluster| {
            if cluster.name() == name {
                Ok(other.to_owned())
            } else {
                cluster.kubeconfig_for("alice")
            }
        };
        contexts(&self.clusters, of)?.write(self.cluster("east")?.dir().join("several-otherwise"))
    }

    /// `kubectl mesh-upgrade …` as alice from one context.
    ///
    /// # Errors
    /// When the programs cannot be built.
    pub fn command(&self, context: &str, arguments: &[&str]) -> Result<Command> {
        let mut command = mesh_upgrade_command(self.cluster(context)?, "alice", arguments)?;
        command.args(["--context", context]).env("KUBECONFIG", &self.kubeconfig);
        Ok(command)
    }

    /// `apply` to 1.31.0 from one context, with more flags.
    ///
    /// # Errors
    /// When the programs cannot be built.
    pub fn apply(&self, context: &str, more: &[&str]) -> Result<Command> {
        let charts = Toolbox::get()?.charts(TO)?.display().to_string();
        let mut arguments = vec!["apply", "--to", TO, "--charts", &charts, "--yes"];
        arguments.extend(more);
        self.command(context, &arguments)
    }

    /// Runs `kubectl mesh-upgrade …` to its end.
    ///
    /// # Errors
    /// When it cannot be started; its own failure is in the result.
    pub fn run(&self, context: &str, arguments: &[&str]) -> Result<Run> {
        Run::of(self.command(context, arguments)?, None)
    }

    /// Sees that an administrator's write is refused by the freeze in every cluster.
    ///
    /// # Errors
    /// When it is not.
    pub fn is_frozen(&self) -> Result<()> {
        for cluster in &self.clusters {
            let foreign = cluster.kubectl_with("admin", &["create", "-f", "-"], Some(FOREIGN))?;
            ensure!(foreign.refused()?.contains("MG001"), "{}: {foreign}", cluster.name());
        }
        Ok(())
    }

    /// The same, and that each cluster is frozen by this epoch and no other: a driver of the epoch before it changes neither what
    /// helm records nor what it brings, and the one of this epoch does.
    ///
    /// # Errors
    /// When it is not.
    pub fn is_frozen_by(&self, epoch: i64) -> Result<()> {
        self.is_frozen()?;
        for (number, cluster) in self.clusters.iter().enumerate() {
            let epochs = cluster.kubectl(&["get", "meshfreezes", "-o", "jsonpath={.items[*].spec.epoch}"])?;
            ensure!(epochs.ok()? == epoch.to_string(), "{}: {epochs}", cluster.name());
            let policies = freeze_policies(cluster)?;
            let own = format!("validatingadmissionpolicy.admissionregistration.k8s.io/mesh-freeze-shop-{epoch}");
            ensure!(policies == [own], "{}: {policies:?}", cluster.name());
            let tried = takes_writes_of(cluster, epoch)?;
            // A remote has no istiod; the primaries come first.
            let expected = if number < self.istios.len() { 2 } else { 1 };
            ensure!(tried == expected, "{}: {tried} writes were tried", cluster.name());
        }
        Ok(())
    }

    /// Sees that nothing of a freeze is left in any cluster, and that an administrator's write passes.
    ///
    /// # Errors
    /// When something is.
    pub fn is_open(&self) -> Result<()> {
        for cluster in &self.clusters {
            let policies = freeze_policies(cluster)?;
            ensure!(policies.is_empty(), "{}: {policies:?}", cluster.name());
            let freezes = cluster.kubectl(&["get", "meshfreezes", "-o", "name"])?;
            ensure!(freezes.ok()?.is_empty(), "{}: {freezes}", cluster.name());
            let foreign = ["create", "--dry-run=server", "-f", "-"];
            cluster.kubectl_with("admin", &foreign, Some(FOREIGN))?.ok()?;
        }
        Ok(())
    }

    /// Chart versions of base and istiod in a cluster.
    ///
    /// # Errors
    /// When helm cannot tell.
    pub fn charts(&self, name: &str) -> Result<[String; 2]> {
        let list = self
            .cluster(name)?
            .helm(&["list", "-n", "istio-system", "-o", "json"])?
            .json()?;
        let chart = |release: &str| {
            let mut all = list.as_array().into_iter().flatten();
            let found = all.find(|one| one.get("name") == Some(&json!(release)));
            let chart = found.and_then(|one| one.get("chart")?.as_str()).unwrap_or_default();
            chart.rsplit('-').next().unwrap_or_default().to_owned()
        };
        Ok([chart("istio-base"), chart("istiod")])
    }

    /// Sees that all three are at 1.31.0 and open, by one journal, in east.
    ///
    /// # Errors
    /// What is otherwise.
    pub fn arrived(&self) -> Result<Value> {
        for name in THREE {
            ensure!(self.charts(name)? == [TO, TO], "{name}: {:?}", self.charts(name)?);
        }
        for (istio, cluster) in self.istios.iter().zip(&self.clusters) {
            istio.wait_serving(cluster, TO)?;
        }
        let injected = Istio::injected_image_in(self.cluster("north")?)?;
        ensure!(
            injected.ends_with(&format!(":{TO}")),
            "north is injected with {injected}"
        );
        self.succeeded(1)
    }

    /// Sees that all are open, and that there were as many upgrades, told by as many journals in east alone, the last of
    /// which succeeded. Returns that.
    ///
    /// # Errors
    /// What is otherwise.
    pub fn succeeded(&self, upgrades: usize) -> Result<Value> {
        self.is_open()?;
        for cluster in &self.clusters {
            let journals = cluster.kubectl(&["get", "meshupgrades", "-o", "name"])?;
            let expected = if cluster.name() == "east" { upgrades } else { 0 };
            ensure!(
                journals.ok()?.lines().count() == expected,
                "{}: {journals}",
                cluster.name()
            );
        }
        let journal = super::newest(self.cluster("east")?)?.context("no journal")?;
        let phase = journal.pointer("/status/phase").and_then(Value::as_str);
        ensure!(phase == Some("Succeeded"), "{journal:#}");
        Ok(journal)
    }
}

/// A kubeconfig with a context for each cluster, of what this says of each; the first is the current one.
pub(crate) fn contexts<'a>(
    clusters: impl IntoIterator<Item = &'a Cluster>,
    of: impl Fn(&Cluster) -> Result<PathBuf>,
) -> Result<Contexts> {
    let mut clusters = clusters.into_iter();
    let mut contexts = Contexts::of(&of(clusters.next().context("a cluster")?)?)?;
    for cluster in clusters {
        let theirs = Contexts::of(&of(cluster)?)?;
        contexts = contexts.with(cluster.name(), &theirs.cluster(), &theirs.user());
    }
    Ok(contexts)
}

/// By dry runs, as the driver: of the epoch before this one they are refused, and of this one admitted. Returns how many objects
/// were tried: a helm release, and istiod where there is one.
fn takes_writes_of(cluster: &Cluster, epoch: i64) -> Result<usize> {
    let driver = |epoch| BlockingCaller::new(cluster.kubeconfig(), Identity::driver(epoch));
    let (late, holder) = (driver(epoch - 1)?, driver(epoch)?);
    let deployments = "/apis/apps/v1/namespaces/istio-system/deployments";
    let istiods = holder.read(&format!("{deployments}?labelSelector=app%3Distiod"))?;
    let istiod = istiods.pointer("/items/0/metadata/name").and_then(Value::as_str);
    let mut paths = vec!["/api/v1/namespaces/istio-system/secrets/sh.helm.release.v1.istio-base.v1".to_owned()];
    paths.extend(istiod.map(|name| format!("{deployments}/{name}")));
    for path in &paths {
        let patch = json!({"metadata": {"annotations": {"meshupgrade.test/epoch": "tried"}}});
        let path = format!("{path}?dryRun=All");
        let (status, why) = late.call("PATCH", &path, &patch)?;
        ensure!(
            status >= 400 && why.to_string().contains("MG001"),
            "{}: {path} of an epoch before {epoch}: {status} {why}",
            cluster.name()
        );
        let (status, why) = holder.call("PATCH", &path, &patch)?;
        ensure!(
            status == 200,
            "{}: {path} of epoch {epoch}: {status} {why}",
            cluster.name()
        );
    }
    Ok(paths.len())
}

fn freeze_policies(cluster: &Cluster) -> Result<Vec<String>> {
    let list = cluster.kubectl(&["get", "validatingadmissionpolicies", "-o", "name"])?;
    let names = list.ok()?.lines().filter(|name| name.contains("/mesh-freeze-"));
    Ok(names.map(str::to_owned).collect())
}

fn remote_secret(name: &str, kubeconfig: &Value) -> Value {
    let kubeconfig = base64::engine::general_purpose::STANDARD.encode(kubeconfig.to_string());
    json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": format!("istio-remote-secret-{name}"), "namespace": "istio-system",
            "labels": {"istio/multiCluster": "true"}},
        "data": {name: kubeconfig},
    })
}
