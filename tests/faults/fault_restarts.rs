//! The API server restarted ten times idle and ten times frozen, and killed once in each phase of an upgrade.

use std::{collections::BTreeSet, sync::mpsc, time::Duration};

use anyhow::{Result, anyhow, ensure};
use mesh_upgrade_tests::{
    harness::{Cluster, Seen, Treatment},
    product::{Upgradable, journal_phase, survive_restarts},
};

/// What an upgrade that nobody has to withdraw goes through.
const PHASES: [&str; 6] = ["Checking", "Pulling", "Freezing", "Upgrading", "Verifying", "Thawing"];
/// How long a write is kept back: long enough to see the phase and to kill.
const KEPT_BACK: Duration = Duration::from_secs(2);

#[test]
fn ten_restarts_idle_and_ten_frozen() -> Result<()> {
    println!("{}", survive_restarts(10)?);
    Ok(())
}

/// What is kept back then meets a server that is gone, and so does all else that the plugin asks meanwhile.
#[test]
fn an_api_server_that_is_killed_in_each_phase_keeps_no_upgrade_from_arriving() -> Result<()> {
    let mesh = Upgradable::start("phases", "1.31.0")?;
    let (write, writes) = mpsc::channel();
    let (run, killed) = std::thread::scope(|scope| {
        let cluster = &mesh.cluster;
        let killer = scope.spawn(move || kill_in_each_phase(cluster, &writes));
        let run = mesh.apply_through(move |seen: &Seen| {
            let is_journal = seen.path.contains("/meshupgrades/") && seen.method != "GET";
            if is_journal && write.send(()).is_ok() {
                return Treatment::Delay(KEPT_BACK);
            }
            Treatment::Pass
        });
        // With the proxy the last sender is gone.
        let killed = killer.join().map_err(|_| anyhow!("the killer panicked"))??;
        Ok::<_, anyhow::Error>((run?, killed))
    })?;
    println!("killed in {killed:?}: {}", run.code);
    if run.success() {
        mesh.arrived(&run)?;
    } else {
        // helm does not ask again where it was in the middle of its work.
        mesh.stalled(&run, "StepFailed", &["helm upgrade"])?;
        mesh.arrived(&mesh.apply(&[])?)?;
    }
    for phase in PHASES {
        ensure!(killed.contains(phase), "not killed in {phase}, only in {killed:?}");
    }
    Ok(())
}

/// As soon as a journal write is seen in it.
fn kill_in_each_phase(cluster: &Cluster, writes: &mpsc::Receiver<()>) -> Result<BTreeSet<String>> {
    let mut killed = BTreeSet::new();
    for () in writes {
        let phase = journal_phase(cluster)?.unwrap_or_default();
        if killed.insert(phase) {
            cluster.restart_api_server()?;
        }
    }
    Ok(killed)
}
