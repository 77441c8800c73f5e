//! Takeovers that are killed themselves, each with its freeze in place and the ones before it not yet deleted: whoever comes
//! then finds several freezes of one mesh, of which the API server names any, and takes them over all the same.

use std::{process::Command, time::Duration};

use anyhow::{Context, Result, ensure};
use mesh_upgrade_tests::{
    harness::{
        Cluster, ClusterOptions, Istio, IstioOptions, Moment, Proxy, Seen, Started, Toolbox, no_leftovers, wait_until,
    },
    product::{FOREIGN_CHANGE, Guard, HeldHelm, mesh_upgrade, mesh_upgrade_command, wait_for_journal},
};
use serde_json::Value;

const FROM: &str = "1.30.3";
const TO: &str = "1.31.0";
const DEADLINE: Duration = Duration::from_secs(240);

#[test]
fn takeovers_that_were_killed_are_taken_over() -> Result<()> {
    let cluster = Cluster::start(ClusterOptions::named("east"))?;
    let istio = Istio::install(&cluster, IstioOptions::version(FROM))?;
    let guard = Guard::install(&cluster)?;

    killed_in_the_middle(&cluster)?;
    ensure!(freezes(&cluster)?.len() == 1, "{:?}", freezes(&cluster)?);
    for standing in 2..=3 {
        killed_while_taking_over(&cluster)?;
        let freezes = freezes(&cluster)?;
        ensure!(
            freezes.len() == standing,
            "{standing} freezes should stand: {freezes:?}"
        );
        let run = cluster.apply_stdin(FOREIGN_CHANGE)?;
        ensure!(run.refused()?.contains("MG001"), "{run}");
    }

    let last = mesh_upgrade(&cluster, &["apply", "--yes"])?;
    last.ok()?;
    let journal = wait_for_journal(&cluster, "the journal", DEADLINE, |_| true)?;
    let phase = journal.pointer("/status/phase").and_then(Value::as_str);
    ensure!(phase == Some("Succeeded"), "{last}\n{journal:#}");
    ensure!(freezes(&cluster)?.is_empty(), "{:?}", freezes(&cluster)?);
    ensure!(istio.injected_image(&cluster)?.ends_with(&format!(":{TO}")));
    cluster.apply_stdin(FOREIGN_CHANGE)?.ok()?;

    let footprint = cluster.footprint();
    drop(guard);
    drop(istio);
    drop(cluster);
    footprint.gone()?;
    no_leftovers()
}

/// With the first component changed, as when a machine is lost.
fn killed_in_the_middle(cluster: &Cluster) -> Result<()> {
    let helm = HeldHelm::before("istiod")?;
    let charts = Toolbox::get()?.charts(TO)?.display().to_string();
    let program = helm.program().display().to_string();
    let arguments = ["apply", "--to", TO, "--charts", &charts, "--yes", "--helm", &program];
    let mut apply = Started::of(mesh_upgrade_command(cluster, "alice", &arguments)?)?;
    let reached = helm.wait_until_reached_by(&mut apply.child, DEADLINE);
    reached.with_context(|| apply.said())?;
    apply.kill()?;
    helm.kill()
}

/// Before its first deletion of an older freeze, when it has put up and proved its own.
fn killed_while_taking_over(cluster: &Cluster) -> Result<()> {
    let proxy = Proxy::holding(cluster, "alice", Some((1, Moment::Before)), deletes_a_freeze)?;
    let mut command: Command = mesh_upgrade_command(cluster, "alice", &["apply", "--yes"])?;
    command.env("KUBECONFIG", proxy.kubeconfig());
    let mut apply = Started::of(command)?;
    let reached = wait_until("the first deletion of an older freeze", DEADLINE, || {
        let ended = apply.child.try_wait()?;
        ensure!(ended.is_none(), "it ended before: {ended:?}");
        Ok(proxy.is_reached().then_some(()))
    });
    reached.with_context(|| apply.said())?;
    apply.kill()
    // The request is not let through: its connection is gone, and then the proxy.
}

fn deletes_a_freeze(seen: &Seen) -> bool {
    seen.method == "DELETE" && seen.path.contains("/validatingadmissionpolic")
}

/// Names of the freeze policies whose bindings stand, too.
fn freezes(cluster: &Cluster) -> Result<Vec<String>> {
    let named = |kind: &str| -> Result<Vec<String>> {
        let found = cluster.kubectl(&[
            "get",
            kind,
            "-o",
            "jsonpath={range .items[*]}{.metadata.name}{\"\\n\"}{end}",
        ])?;
        let names = found.ok()?.lines().filter(|name| name.starts_with("mesh-freeze-"));
        Ok(names.map(str::to_owned).collect())
    };
    let bindings = named("validatingadmissionpolicybindings")?;
    let mut policies = named("validatingadmissionpolicies")?;
    policies.retain(|name| bindings.contains(name));
    Ok(policies)
}
