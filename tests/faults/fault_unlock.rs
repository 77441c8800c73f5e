//! The ways out of a freeze, walked on a real upgrade that stopped in its middle, killed or left by two signals: `unlock` by somebody who may and by
//! nobody else, `guard uninstall` by force, and kubectl alone as `manifests/break-glass.md` says; and after each of
//! them the same upgrade goes on, frozen again.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use mesh_upgrade_tests::{
    harness::{
        Cluster, ClusterOptions, Istio, IstioOptions, Run, Signal, Started, Toolbox, group, no_leftovers, signal,
        wait_until,
    },
    product::{Guard, HeldHelm, mesh_upgrade, mesh_upgrade_command, wait_for_journal},
};
use serde_json::Value;

const FROM: &str = "1.30.3";
const TO: &str = "1.31.0";
const DEADLINE: Duration = Duration::from_secs(120);
const FOREIGN: &str = "\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: foreign, namespace: default}
spec: {hosts: [foreign], http: [{route: [{destination: {host: foreign}}]}]}
";
const BREAK_GLASS: &str = include_str!("../../manifests/break-glass.md");

#[test]
fn a_stopped_upgrade_is_unlocked_by_those_who_may_and_goes_on_afterwards() -> Result<()> {
    let cluster = Cluster::start(ClusterOptions::named("east"))?;
    Istio::install(&cluster, IstioOptions::version(FROM))?;
    let guard = Guard::install(&cluster)?;

    let held = Held::start(&cluster)?;
    let beside = unlock(&cluster, "alice", "pager 7")?;
    ensure!(
        beside.code == 5 && beside.stderr.contains("is driving"),
        "a living driver: {beside}"
    );
    held.kill()?;
    whose_mesh_it_has_become_decides(&cluster)?;
    nobody_else_unlocks(&cluster)?;
    unlocked_on_the_record(&cluster)?;

    let held = Held::start(&cluster)?;
    is_frozen_again(&cluster, "bob: pager 7")?;
    held.leave(&cluster, Signal::INT)?;
    guard_leaves_only_by_force(&cluster)?;
    drop(guard);

    let guard = Guard::install(&cluster)?;
    let held = Held::start(&cluster)?;
    is_frozen_again(&cluster, "alice: the guard is in the way")?;
    held.leave(&cluster, Signal::TERM)?;
    glass_is_broken_as_documented(&cluster)?;
    drop(guard);

    let guard = Guard::install(&cluster)?;
    mesh_upgrade(&cluster, &["apply", "--yes"])?.ok()?;
    let journal = wait_for_journal(&cluster, "the journal", DEADLINE, |_| true)?;
    ensure!(text(&journal, "/status/phase") == "Succeeded", "{journal:#}");
    let history = journal
        .pointer("/status/history")
        .map(Value::to_string)
        .unwrap_or_default();
    for by in ["by bob: pager 7", "by alice: the guard is in the way"] {
        ensure!(
            history.contains(&format!("the freeze was lifted by hand, {by}")),
            "{history}"
        );
    }
    // Who breaks the glass with kubectl alone says nothing of it in the journal: whoever goes on does.
    let gone = "east: MeshFreeze default is gone";
    ensure!(
        history.contains(&format!(
            "the freeze was found open, and the journal does not say why: {gone}"
        )),
        "{history}"
    );
    ensure!(
        unlocked(&journal) == Some(("False", "FrozenAgain", gone)),
        "{journal:#}"
    );
    is_open(&cluster)?;

    let footprint = cluster.footprint();
    drop(guard);
    drop(cluster);
    footprint.gone()?;
    no_leftovers()
}

/// An apply that waits before its second component, with the first one changed.
struct Held {
    helm: HeldHelm,
    apply: Started,
}

impl Held {
    /// Begins the upgrade, or goes on with it.
    fn start(cluster: &Cluster) -> Result<Self> {
        let helm = HeldHelm::before("istiod")?;
        let charts = Toolbox::get()?.charts(TO)?.display().to_string();
        let program = helm.program().display().to_string();
        let arguments = ["apply", "--to", TO, "--charts", &charts, "--yes", "--helm", &program];
        let mut apply = Started::of(mesh_upgrade_command(cluster, "alice", &arguments)?)?;
        let reached = helm.wait_until_reached_by(&mut apply.child, DEADLINE);
        reached.with_context(|| apply.said())?;
        Ok(Self { helm, apply })
    }

    /// As a lost machine would.
    fn kill(mut self) -> Result<()> {
        self.apply.kill()?;
        self.helm.kill()
    }

    /// As somebody who presses Ctrl-C twice, or is as clear by other signals: it leaves at once, while its helm is held still.
    /// Nothing of that is left behind, and the lease is given up.
    fn leave(mut self, cluster: &Cluster, by: Signal) -> Result<()> {
        let plugin = self.apply.child.id();
        signal(plugin, by)?;
        // Two at the same time would be one.
        wait_until("the first to be heard", DEADLINE, || {
            let heard = "stopping after this step; press Ctrl-C again to leave at once";
            Ok(self.apply.said().contains(heard).then_some(()))
        })?;
        let helm = self.helm.process()?;
        ensure!(group(helm).contains(&helm), "one ends helm: {}", self.apply.said());
        signal(plugin, by)?;
        let ended = self.apply.ended()?;
        let said = self.apply.said();
        ensure!(ended.code() == Some(1), "{ended}: {said}");
        for says in [
            "leaving in the middle of the step",
            "stopped in phase Upgrading",
            "the mesh stays frozen",
            "kubectl mesh-upgrade apply default",
        ] {
            ensure!(said.contains(says), "{says:?} is not told: {said}");
        }
        wait_until("helm's processes to be gone", DEADLINE, || {
            Ok(group(helm).is_empty().then_some(()))
        })?;
        let lease = ["get", "lease", "mesh-upgrade-default", "-n", "mesh-upgrade-system"];
        let holder = cluster.kubectl(&[&lease[..], &["-o", "jsonpath={.spec.holderIdentity}"]].concat())?;
        ensure!(holder.ok()?.is_empty(), "the lease is held still: {holder}");
        is_frozen(cluster)
    }
}

fn unlock(cluster: &Cluster, user: &str, reason: &str) -> Result<Run> {
    Run::of(
        mesh_upgrade_command(cluster, user, &["unlock", "--reason", reason, "--yes"])?,
        None,
    )
}

/// A mesh that has become its owner's is written to no more, until that is taken back.
fn whose_mesh_it_has_become_decides(cluster: &Cluster) -> Result<()> {
    let manage = |management: &str| {
        let mesh = format!(
            "apiVersion: meshupgrade.io/v1alpha1\nkind: Mesh\nmetadata: {{name: default}}\n\
             spec: {{istioNamespace: istio-system, management: {management}}}\n"
        );
        cluster.apply_stdin(&mesh)?.ok().map(drop)
    };
    let history = || -> Result<Value> {
        let journal = wait_for_journal(cluster, "the journal", DEADLINE, |_| true)?;
        Ok(journal.pointer("/status/history").cloned().unwrap_or_default())
    };
    manage("External")?;
    let before = history()?;
    let refused = mesh_upgrade(cluster, &["apply", "--yes"])?;
    let told = "operated by its owner by now";
    ensure!(refused.code == 3 && refused.stderr.contains(told), "{refused}");
    ensure!(history()? == before, "written to, though it has become external");
    manage("Dedicated")
}

fn nobody_else_unlocks(cluster: &Cluster) -> Result<()> {
    is_frozen(cluster)?;
    let denied = unlock(cluster, "bob", "pager 7")?;
    ensure!(
        denied.code == 1 && denied.stderr.contains("you may not") && denied.stderr.contains("mesh-upgrade-unlocker"),
        "{denied}"
    );
    for reason in ["", "  "] {
        let blank = unlock(cluster, "alice", reason)?;
        ensure!(blank.code == 64, "{blank}");
    }
    let asked = mesh_upgrade(cluster, &["unlock", "--reason", "pager 7"])?;
    ensure!(
        asked.code == 64 && asked.stderr.contains("--yes"),
        "without a terminal: {asked}"
    );
    // Not even system:masters without the reason, which comes first and in their own name.
    let deleted = cluster.kubectl(&["delete", "meshfreezes", "--all"])?;
    ensure!(deleted.refused()?.contains("MG006"), "{deleted}");
    is_frozen(cluster)
}

/// By bob, who has the ClusterRole for it and nothing else.
fn unlocked_on_the_record(cluster: &Cluster) -> Result<()> {
    let role = "--clusterrole=mesh-upgrade-unlocker";
    cluster
        .kubectl(&["create", "clusterrolebinding", "bob-unlocks", role, "--user=bob"])?
        .ok()?;
    let opened = wait_until("bob to be let", DEADLINE, || {
        let run = unlock(cluster, "bob", "pager 7")?;
        run.ok()?;
        Ok(Some(run))
    })?;
    ensure!(opened.stdout.contains("is open"), "{opened}");
    ensure!(
        opened.stderr.contains("a foreign change is admitted again"),
        "not proved: {opened}"
    );
    is_open(cluster)?;
    let journal = wait_for_journal(cluster, "the journal", DEADLINE, |_| true)?;
    ensure!(text(&journal, "/status/phase") == "Upgrading", "{journal:#}");
    ensure!(
        unlocked(&journal) == Some(("True", "ByHand", "bob: pager 7")),
        "{journal:#}"
    );
    let status = mesh_upgrade(cluster, &["status"])?;
    ensure!(status.stdout.contains("UNLOCKED  by bob: pager 7"), "{status}");
    let events = events(cluster, "Unlocked")?;
    ensure!(events == ["MeshFreeze", "MeshUpgrade"], "{events:?}");
    let log = std::fs::read_to_string(cluster.audit_log())?;
    for words in ["unlocked by bob: pager 7", "deleted by bob, unlocked by bob: pager 7"] {
        let annotation = format!("\"mesh-upgrade-own-objects/unlock\":\"{words}\"");
        ensure!(log.contains(&annotation), "the audit log has no {annotation}");
    }
    let again = unlock(cluster, "bob", "pager 7")?;
    ensure!(again.ok()?.contains("Nothing is frozen"), "{again}");
    Ok(())
}

fn guard_leaves_only_by_force(cluster: &Cluster) -> Result<()> {
    let uninstall = [
        "guard",
        "uninstall",
        "--force",
        "--reason",
        "the guard is in the way",
        "--yes",
    ];
    let plain = mesh_upgrade(cluster, uninstall.get(..2).unwrap_or_default())?;
    ensure!(plain.code == 3 && plain.stderr.contains("--force"), "{plain}");
    let without_reason = mesh_upgrade(cluster, uninstall.get(..3).unwrap_or_default())?;
    ensure!(without_reason.code == 64, "{without_reason}");
    is_frozen(cluster)?;
    let forced = mesh_upgrade(cluster, &uninstall)?;
    forced.ok()?;
    ensure!(forced.stderr.contains("by alice: the guard is in the way"), "{forced}");
    is_open(cluster)?;
    let journal = wait_for_journal(cluster, "the journal", DEADLINE, |_| true)?;
    ensure!(
        unlocked(&journal) == Some(("True", "ByHand", "alice: the guard is in the way")),
        "{journal:#}"
    );
    ensure!(events(cluster, "GuardRemoved")? == ["MeshUpgrade"]);
    let left = "validatingadmissionpolicies,validatingadmissionpolicybindings,clusterroles";
    let left = cluster.kubectl(&["get", left, "-o", "name"])?;
    ensure!(
        !left.ok()?.contains("mesh-upgrade") && !left.stdout.contains("mesh-freeze"),
        "{left}"
    );
    Ok(())
}

/// The first block of commands of the document, to the letter.
fn glass_is_broken_as_documented(cluster: &Cluster) -> Result<()> {
    let steps = BREAK_GLASS
        .split("```sh\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next());
    let steps = steps.context("the document has no steps")?;
    ensure!(steps.contains("delete meshfreezes"), "{steps}");
    let mut shell = cluster.command("sh")?;
    shell.args(["-e", "-c", steps]);
    Run::of(shell, None)?.ok()?;
    is_open(cluster)?;
    let left =
        "validatingadmissionpolicies,validatingadmissionpolicybindings,validatingwebhookconfigurations,meshfreezes";
    let left = cluster.kubectl(&["get", left, "-o", "name"])?;
    ensure!(
        !left.ok()?.contains("mesh-upgrade") && !left.stdout.contains("mesh-freeze"),
        "{left}"
    );
    Ok(())
}

/// By whoever went on, with the word of whoever had unlocked it kept: it is over once the freeze is closed.
fn is_frozen_again(cluster: &Cluster, by: &str) -> Result<()> {
    is_frozen(cluster)?;
    let journal = wait_for_journal(cluster, "the journal", DEADLINE, |_| true)?;
    ensure!(unlocked(&journal) == Some(("False", "FrozenAgain", by)), "{journal:#}");
    let history = journal
        .pointer("/status/history")
        .map(Value::to_string)
        .unwrap_or_default();
    ensure!(!history.contains("was found open"), "{history}");
    Ok(())
}

fn is_frozen(cluster: &Cluster) -> Result<()> {
    let run = cluster.apply_stdin(FOREIGN)?;
    ensure!(run.refused()?.contains("MG001"), "{run}");
    Ok(())
}

fn is_open(cluster: &Cluster) -> Result<()> {
    wait_until("the mesh to be open", Duration::from_secs(10), || {
        cluster.apply_stdin(FOREIGN)?.ok()?;
        Ok(Some(()))
    })?;
    cluster.kubectl(&["delete", "virtualservice", "foreign"])?.ok()?;
    Ok(())
}

/// Kinds that Events with this reason are about, sorted and each once.
fn events(cluster: &Cluster, reason: &str) -> Result<Vec<String>> {
    let selector = format!("--field-selector=reason={reason}");
    let kinds = "jsonpath={range .items[*]}{.involvedObject.kind}{\"\\n\"}{end}";
    let found = cluster.kubectl(&["get", "events", "-n", "default", &selector, "-o", kinds])?;
    let mut kinds: Vec<String> = found.ok()?.lines().map(str::to_owned).collect();
    kinds.sort();
    kinds.dedup();
    Ok(kinds)
}

/// Status, reason and message of the condition that tells of an unlocking.
fn unlocked(journal: &Value) -> Option<(&str, &str, &str)> {
    let conditions = journal.pointer("/status/conditions")?.as_array()?;
    let found = conditions
        .iter()
        .find(|condition| text(condition, "/type") == "Unlocked")?;
    Some((text(found, "/status"), text(found, "/reason"), text(found, "/message")))
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}
