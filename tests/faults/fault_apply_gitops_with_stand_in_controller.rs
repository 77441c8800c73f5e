//! A mesh that Argo CD or Flux brings, upgraded by `apply`: it says what to merge, component by component, lets the controller
//! through for that alone, waits with a deadline, is left by one signal, and survives a kill while it waits. The controller is a stand-in; its
//! kind, its charts, its helm and its identity are the real ones. Who merges is this test.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Stdio},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use mesh_upgrade_tests::{
    audit::{self, Event},
    harness::{Cluster, ClusterOptions, Istio, IstioOptions, Signal, signal, wait_until},
    product::{
        FOREIGN_CHANGE, GitOpsKind, Guard, StandInGitOps, images, mesh_upgrade, mesh_upgrade_command, wait_for_journal,
    },
};
use serde_json::Value;

const FROM: &str = "1.30.3";
const TO: &str = "1.31.0";
/// Name of each object, and its chart.
const CHARTS: [(&str, &str); 3] = [("istio-base", "base"), ("istiod", "istiod"), ("istio-cni", "cni")];
const DEADLINE: Duration = Duration::from_secs(120);

#[test]
fn what_argo_cd_brings_is_waited_for_with_a_stand_in_controller() -> Result<()> {
    with_stand_in("argocd", GitOpsKind::ArgoCd, |cluster, stand_in, istio| {
        it_is_told_that_it_can_be_waited_for(cluster, stand_in)?;
        nobody_merges_in_time(cluster)?;
        let mut left = Apply::start(cluster, "left")?;
        left.asks_for(stand_in, "istio-base")?;
        left.is_left_by_one_signal()?;
        let mut waiting = Apply::start(cluster, "killed")?;
        waiting.asks_for(stand_in, "istio-base")?;
        foreign_changes_are_refused(cluster, stand_in)?;
        the_controller_brings_nothing_else(cluster, stand_in)?;
        waiting.kill()?;
        foreign_changes_are_refused(cluster, stand_in)?;

        // Merged while nobody waits: the controller is let through by the freeze that the killed driver has left behind.
        stand_in.merge("istio-base", TO)?;
        let mut resumed = Apply::start(cluster, "resumed")?;
        for name in ["istiod", "istio-cni"] {
            resumed.asks_for(stand_in, name)?;
            foreign_changes_are_refused(cluster, stand_in)?;
            stand_in.merge(name, TO)?;
        }
        resumed.ends_well()?;
        it_has_arrived(cluster, istio)?;
        nobody_but_the_person_has_merged(cluster, stand_in)
    })
}

#[test]
fn what_flux_brings_is_waited_for_with_a_stand_in_controller() -> Result<()> {
    with_stand_in("flux", GitOpsKind::Flux, |cluster, stand_in, istio| {
        it_is_told_that_it_can_be_waited_for(cluster, stand_in)?;
        let mut apply = Apply::start(cluster, "apply")?;
        apply.asks_for(stand_in, "istio-base")?;
        foreign_changes_are_refused(cluster, stand_in)?;
        the_controller_brings_nothing_else(cluster, stand_in)?;
        for (name, _) in CHARTS {
            apply.asks_for(stand_in, name)?;
            stand_in.merge(name, TO)?;
        }
        apply.ends_well()?;
        it_has_arrived(cluster, istio)?;
        nobody_but_the_person_has_merged(cluster, stand_in)
    })
}

type Upgrade = fn(&Cluster, &StandInGitOps, &Istio) -> Result<()>;

/// A guarded mesh that the stand-in has brought, and goes on to look after.
fn with_stand_in(name: &str, kind: GitOpsKind, upgrade: Upgrade) -> Result<()> {
    let cluster = Arc::new(Cluster::start(ClusterOptions::named(name))?);
    let stand_in = StandInGitOps::install(&cluster, kind, &CHARTS, FROM)?;
    let _at_work = stand_in.run();
    stand_in.wait_for_all()?;
    let istio = Istio::installed(&cluster, IstioOptions::version(FROM))?;
    let _guard = Guard::install(&cluster)?;
    upgrade(&cluster, &stand_in, &istio)
}

fn it_is_told_that_it_can_be_waited_for(cluster: &Cluster, stand_in: &StandInGitOps) -> Result<()> {
    let check = mesh_upgrade(cluster, &["check", "--to", TO, "--verbose"])?;
    ensure!(check.code == 0, "{check}");
    let (kind, namespace) = (stand_in.kind.kind(), stand_in.kind.namespace());
    let waits = format!("apply waits for what is merged for {kind} {namespace}/istiod");
    ensure!(check.stdout.contains(&waits), "{check}");
    let plan = mesh_upgrade(cluster, &["plan", "--to", TO])?;
    let by = match stand_in.kind {
        GitOpsKind::ArgoCd => "Application argocd/istio-cni",
        GitOpsKind::Flux => "flux istio-system/istio-cni",
    };
    ensure!(plan.ok()?.contains(by), "{plan}");
    Ok(())
}

/// The deadline passes: it says for what it has waited, and the mesh stays frozen.
fn nobody_merges_in_time(cluster: &Cluster) -> Result<()> {
    let stalled = mesh_upgrade(cluster, &["apply", "--to", TO, "--yes", "--merge-timeout", "2s"])?;
    let why = "waited 2 s in vain for the change to be merged: spec.source.targetRevision of Application argocd/istio-base to be \
               1.31.0 (now 1.30.3)";
    ensure!(
        stalled.code == 1 && stalled.stderr.contains("stalled (StepFailed)") && stalled.stderr.contains(why),
        "{stalled}"
    );
    ensure!(
        stalled
            .stdout
            .contains("-    targetRevision: 1.30.3\n+    targetRevision: 1.31.0"),
        "{stalled}"
    );
    let journal = wait_for_journal(cluster, "a journal", DEADLINE, |_| true)?;
    ensure!(text(&journal, "/status/phase") == "Upgrading", "{journal:#}");
    let status = mesh_upgrade(cluster, &["status"])?;
    ensure!(status.stdout.contains("the change to be merged"), "{status}");
    // Whoever only looks is told, and what the controller is refused by the freeze is not held against it.
    let check = mesh_upgrade(cluster, &["check", "--to", TO])?;
    ensure!(
        check.stderr.contains("is in phase Upgrading") && !check.stdout.contains("MU409"),
        "{check}"
    );
    Ok(())
}

fn foreign_changes_are_refused(cluster: &Cluster, stand_in: &StandInGitOps) -> Result<()> {
    let user = stand_in.kind.user();
    let system = |arguments: &[&str]| cluster.kubectl(&[&["-n", "istio-system"], arguments].concat());
    for (what, run) in [
        ("configuration", cluster.apply_stdin(FOREIGN_CHANGE)?),
        (
            "kubectl scale",
            system(&["scale", "deployment/istiod", "--replicas=0"])?,
        ),
        ("an annotation", system(&["annotate", "service", "istiod", "by=hand"])?),
        (
            "taking the marks off",
            system(&[
                "annotate",
                "service",
                "istiod",
                "argocd.argoproj.io/tracking-id-",
                "meta.helm.sh/release-name-",
            ])?,
        ),
        ("deletion of a ConfigMap", system(&["delete", "configmap", "values"])?),
        (
            "deletion of a ClusterRole",
            cluster.kubectl(&["delete", "clusterrole", "istiod-clusterrole-istio-system"])?,
        ),
        (
            "deletion of a definition",
            cluster.kubectl(&["delete", "crd", "gateways.networking.istio.io"])?,
        ),
        (
            "the controller's end of the control plane",
            system(&["--as", &user, "delete", "deployment", "istiod"])?,
        ),
    ] {
        run.refused_by(&["MG001"]).context(what)?;
    }
    Ok(())
}

/// While base is waited for: no other version of it, no other flavor, and no other component.
fn the_controller_brings_nothing_else(cluster: &Cluster, stand_in: &StandInGitOps) -> Result<()> {
    let before = images(cluster)?;
    for (name, chart, version) in [
        ("istio-base", "base", "1.32.0"),
        ("istio-base", "base", "1.31.3"),
        ("istio-base", "base", "1.31.0-mspider"),
        ("istio-base", "base", "1.29.8"),
        ("istiod", "istiod", TO),
        ("istio-cni", "cni", TO),
    ] {
        let brought = stand_in.bring(name, chart, version)?;
        // Versions that no mesh may go to are refused in helm's storage already.
        let codes = ["MG001", "MG002", "MG003", "MG004"];
        brought
            .refused_by(&codes)
            .with_context(|| format!("{name} {version}"))?;
    }
    ensure!(images(cluster)? == before, "something was brought");
    Ok(())
}

fn it_has_arrived(cluster: &Cluster, istio: &Istio) -> Result<()> {
    let journal = wait_for_journal(cluster, "the journal", DEADLINE, |_| true)?;
    ensure!(text(&journal, "/status/phase") == "Succeeded", "{journal:#}");
    let drifted = journal.pointer("/status/conditions").and_then(Value::as_array);
    let drifted = drifted
        .into_iter()
        .flatten()
        .find(|one| text(one, "/type") == "Drifted");
    ensure!(drifted.is_none_or(|one| text(one, "/status") != "True"), "{journal:#}");
    let images = images(cluster)?;
    ensure!(
        images.len() == 2 && images.iter().all(|image| image.ends_with(TO)),
        "{images:?}"
    );
    ensure!(istio.injected_image(cluster)?.ends_with(TO));
    let kinds = "meshfreezes,validatingadmissionpolicies,validatingadmissionpolicybindings";
    let left = cluster.kubectl(&["get", kinds, "-o", "name"])?;
    ensure!(!left.ok()?.contains("mesh-freeze-"), "a freeze is left: {left}");
    let again = mesh_upgrade(cluster, &["apply", "--to", TO, "--yes"])?;
    ensure!(again.ok()?.contains("already: nothing to do"), "{again}");
    Ok(())
}

/// From the API server's audit log: this tool has not written what the controller follows.
fn nobody_but_the_person_has_merged(cluster: &Cluster, stand_in: &StandInGitOps) -> Result<()> {
    let resource = format!("{}s", stand_in.kind.kind().to_lowercase());
    let events = audit::read(&cluster.audit_log())?;
    let is_of_it = |event: &&Event| event.resource.split('/').next() == Some(&*resource);
    let (by_kubectl, others): (Vec<&Event>, Vec<&Event>) = events
        .iter()
        .filter(|event| event.is_write())
        .filter(is_of_it)
        .partition(|event| event.agent.starts_with("kubectl/"));
    ensure!(others.is_empty(), "somebody else has written: {others:#?}");
    let merged = by_kubectl
        .iter()
        .filter(|event| event.verb == "patch" && event.passed());
    // Without them the log was not read as it is written, and nothing was looked at.
    ensure!(
        merged.count() >= CHARTS.len(),
        "not even the person has written: {by_kubectl:#?}"
    );
    Ok(())
}

/// An `apply` that runs, with what it has said so far.
struct Apply {
    child: Child,
    said: PathBuf,
    told: PathBuf,
}

impl Apply {
    fn start(cluster: &Cluster, name: &str) -> Result<Self> {
        let (said, told) = (
            cluster.dir().join(format!("{name}.out")),
            cluster.dir().join(format!("{name}.err")),
        );
        let mut command = mesh_upgrade_command(cluster, "alice", &["apply", "--to", TO, "--yes"])?;
        command
            .stdin(Stdio::null())
            .stdout(File::create(&said)?)
            .stderr(File::create(&told)?);
        let child = command.spawn().context("start apply")?;
        Ok(Self { child, said, told })
    }

    /// Waits until it has printed the change of an object.
    fn asks_for(&mut self, stand_in: &StandInGitOps, name: &str) -> Result<()> {
        let patch = format!("+++ {} {}/{name}\n", stand_in.kind.kind(), stand_in.kind.namespace());
        let asked = wait_until(&format!("the change of {name}"), DEADLINE, || {
            if self.child.try_wait()?.is_some() {
                return Ok(Some(false));
            }
            Ok(read(&self.said)?.contains(&patch).then_some(true))
        })?;
        ensure!(asked, "apply ended before it asked for {name}: {}", read(&self.told)?);
        Ok(())
    }

    fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait().map(drop).context("wait for apply")
    }

    /// Nobody has to press Ctrl-C twice where nothing goes on but the waiting for somebody else.
    fn is_left_by_one_signal(&mut self) -> Result<()> {
        signal(self.child.id(), Signal::INT)?;
        let ended = wait_until("apply to end", DEADLINE, || Ok(self.child.try_wait()?));
        let told = read(&self.told)?;
        let ended = ended.with_context(|| told.clone())?;
        ensure!(ended.code() == Some(1), "{ended}: {told}");
        for says in [
            "stopped in phase Upgrading",
            "the mesh stays frozen",
            "kubectl mesh-upgrade apply default",
        ] {
            ensure!(told.contains(says), "{says:?} is not told: {told}");
        }
        Ok(())
    }

    fn ends_well(&mut self) -> Result<()> {
        let ended = wait_until("apply to end", DEADLINE, || Ok(self.child.try_wait()?));
        let ended = ended.with_context(|| read(&self.told).unwrap_or_default())?;
        ensure!(ended.success(), "{ended}: {}{}", read(&self.said)?, read(&self.told)?);
        Ok(())
    }
}

impl Drop for Apply {
    fn drop(&mut self) {
        // Ended already, where all went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| path.display().to_string())
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}
