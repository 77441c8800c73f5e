//! A canary, end to end: two upgrades, each killed in the middle of helm's own work and gone on with; a freeze that holds
//! meanwhile; and an old revision that stays until nothing refers to it.
//!
//! Of two revisions of istiod only the newest is a real process here, and it serves both.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use mesh_upgrade_tests::{
    harness::{Cluster, ClusterOptions, Moment, Proxy, Run, Seen, Started, Toolbox},
    kill::kill_with_children,
    product::{
        Guard, journal_phase, mesh_upgrade, mesh_upgrade_command,
        two_revisions::{self, move_workloads, releases, tags_lead_to_the_new_revision, wait_for_proxies},
    },
};

const FROM: &str = "1.30.3";
const TO: &str = "1.31.0";
const DEADLINE: Duration = Duration::from_secs(120);

const FOREIGN: &str = "\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: foreign, namespace: default}
spec: {hosts: [foreign], http: [{route: [{destination: {host: foreign}}]}]}
";

#[test]
fn both_upgrades_of_a_canary_are_killed_and_arrive_and_the_old_one_goes_last() -> Result<()> {
    let cluster = Cluster::start(ClusterOptions::named("canary"))?;
    let istio = two_revisions::install(&cluster)?;
    let _guard = Guard::install(&cluster)?;
    two_revisions::run_workloads(&cluster, "istio.io/rev: prod", "1-30-3")?;

    // The first release that helm stores anew is the upgraded base.
    let made = |seen: &Seen| seen.method == "POST" && seen.path.contains("/namespaces/istio-system/secrets");
    killed_after(&cluster, 2, made, "pending-install")?;
    is_frozen(&cluster)?;
    let uninstall = cluster.helm(&["uninstall", "istiod-1-30-3", "-n", "istio-system", "--debug"])?;
    ensure!(
        !uninstall.success() && uninstall.stderr.contains("MG001"),
        "the old revision is not frozen: {uninstall}"
    );
    let other = mesh_upgrade(&cluster, &["apply", "--strategy", "in-place", "--yes"])?;
    ensure!(
        other.code == 64 && other.stderr.contains("begun the other way"),
        "{other}"
    );
    let placed = mesh_upgrade(&cluster, &["apply", "--yes"])?;
    ensure!(
        placed.ok()?.contains("runs revision 1-31-0 (1.31.0) beside 1-30-3"),
        "{placed}"
    );
    ensure!(
        placed
            .stderr
            .contains("kubectl mesh-upgrade apply default --to 1.31.0 --strategy canary"),
        "the second upgrade is not named: {placed}"
    );
    ensure!(journal_phase(&cluster)?.as_deref() == Some("Succeeded"));
    ensure!(releases(&cluster)? == ["istio-base", "istiod-1-30-3", "istiod-1-31-0"]);
    tags_lead_to_the_new_revision(&cluster)?;
    istio.wait_serving(&cluster, TO)?;
    // What runs is left to its owners, and the old revision serves it.
    wait_for_proxies(&cluster, FROM)?;

    let used = apply(&cluster, &[])?;
    ensure!(used.code == 3, "{used}");
    for what in ["MU317", "Namespace shop", "namespace pay", "namespace shop"] {
        let said = [&used.stdout, &used.stderr].into_iter().any(|text| text.contains(what));
        ensure!(said, "{what} is not told: {used}");
    }
    ensure!(releases(&cluster)?.len() == 3);
    move_workloads(&cluster, "1-31-0", TO)?;

    let changed = |seen: &Seen| seen.method == "PUT" && seen.path.contains("/sh.helm.release.v1.istiod-1-30-3.");
    killed_after(&cluster, 1, changed, "uninstalling")?;
    is_frozen(&cluster)?;
    mesh_upgrade(&cluster, &["apply", "--yes"])?.ok()?;
    ensure!(journal_phase(&cluster)?.as_deref() == Some("Succeeded"));
    ensure!(releases(&cluster)? == ["istio-base", "istiod-1-31-0"]);
    let old = cluster.kubectl(&["get", "deployments", "-A", "-l", "istio.io/rev=1-30-3", "-o", "name"])?;
    ensure!(old.ok()?.is_empty(), "{old}");
    tags_lead_to_the_new_revision(&cluster)?;
    istio.wait_serving(&cluster, TO)?;
    let policies = cluster.kubectl(&["get", "meshfreezes,validatingadmissionpolicies", "-o", "name"])?;
    ensure!(!policies.ok()?.contains("mesh-freeze"), "{policies}");
    let over = apply(&cluster, &[])?;
    ensure!(over.code == 0 && over.stdout.contains("nothing to do"), "{over}");
    Ok(())
}

fn arguments(more: &[&str]) -> Result<Vec<String>> {
    let charts = Toolbox::get()?.charts(TO)?.display().to_string();
    let words = [
        "apply",
        "--to",
        TO,
        "--strategy",
        "canary",
        "--charts",
        &charts,
        "--yes",
    ];
    Ok(words.iter().chain(more).map(|word| (*word).to_owned()).collect())
}

fn apply(cluster: &Cluster, more: &[&str]) -> Result<Run> {
    Run::of(mesh_upgrade_command(cluster, "alice", &arguments(more)?)?, None)
}

/// Begins an upgrade that is killed, and helm with it, right after helm has stored its release for the n-th time in such a
/// request: the release then has this status.
fn killed_after(cluster: &Cluster, nth: usize, stored: fn(&Seen) -> bool, status: &str) -> Result<()> {
    let by_helm = move |seen: &Seen| seen.agent.starts_with("Helm/") && stored(seen);
    let proxy = Proxy::holding(cluster, "alice", Some((nth, Moment::After)), by_helm)?;
    let mut command = mesh_upgrade_command(cluster, "alice", &arguments(&[])?)?;
    command.env("KUBECONFIG", proxy.kubeconfig());
    let mut plugin = Started::of(command)?;
    let reached = proxy.wait_until_reached(DEADLINE);
    kill_with_children(&mut plugin.child)?;
    drop(proxy);
    reached.with_context(|| plugin.said())?;
    let journal = journal_phase(cluster)?;
    ensure!(journal.as_deref() == Some("Upgrading"), "{journal:?}");
    let left = cluster.kubectl(&["get", "secrets", "-A", "-l", &format!("status={status}"), "-o", "name"])?;
    ensure!(
        left.ok()?.contains("sh.helm.release.v1.istiod-"),
        "helm left nothing {status}: {left}"
    );
    Ok(())
}

/// Whoever asks: the configuration, and what helm knows of the new revision.
fn is_frozen(cluster: &Cluster) -> Result<()> {
    let foreign = cluster.kubectl_with("admin", &["apply", "-f", "-"], Some(FOREIGN))?;
    ensure!(foreign.refused()?.contains("MG001"), "{foreign}");
    let secret = [
        "-n",
        "istio-system",
        "delete",
        "secret",
        "-l",
        "owner=helm,name=istiod-1-31-0",
    ];
    let refused = cluster.kubectl(&secret)?;
    ensure!(refused.refused()?.contains("MG001"), "{refused}");
    Ok(())
}
