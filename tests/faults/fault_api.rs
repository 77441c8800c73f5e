//! What an upgrade meets in a bad hour. First an API server that is overloaded, fails, loses answers, is slow or cut off:
//! a proxy does it where the real server cannot be made to. Then real parts that fail: helm, charts, images, nodes. Each
//! ends in success or in `Stalled` with the reason a person needs, and goes on after it was mended.

mod helm_that_fails;

use std::{
    collections::HashSet,
    io::Write as _,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Result, ensure};
use mesh_upgrade_tests::{
    harness::{Run, Seen, Treatment},
    product::{Binaries, Upgradable, journal_phase, mesh_upgrade, wait_for_journal},
};
use serde_json::Value;

use helm_that_fails::HelmThatFails;

const TO: &str = "1.31.0";
const DEADLINE: Duration = Duration::from_secs(300);

/// Past the runner's capture: it takes long, and the figures are to be recorded.
fn tell(text: &str) {
    // A closed standard error is no reason to stop.
    let _ = writeln!(std::io::stderr(), "{text}");
}

fn stalled(mesh: &Upgradable, run: &Run, reason: &str, says: &[&str]) -> Result<()> {
    tell(&format!("  stalled as it should: {}", mesh.stalled(run, reason, says)?));
    Ok(())
}

/// Does something to the first request of each kind that is chosen, and counts.
fn once(
    treatment: Treatment,
    chosen: impl Fn(&Seen) -> bool + Send + Sync + 'static,
) -> (Arc<AtomicUsize>, impl Fn(&Seen) -> Treatment + Send + Sync + 'static) {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let seen_before = Mutex::new(HashSet::new());
    let treat = move |seen: &Seen| {
        // The same path is asked again and again: the first time of each is enough.
        let key = (seen.method.clone(), seen.path.clone(), seen.agent.clone());
        let is_new = chosen(seen) && seen_before.lock().unwrap_or_else(PoisonError::into_inner).insert(key);
        if !is_new {
            return Treatment::Pass;
        }
        counted.fetch_add(1, Ordering::SeqCst);
        treatment
    };
    (count, treat)
}

/// Does something to each `every`th request that is chosen, whichever it is, and counts.
fn now_and_then(
    every: usize,
    treatment: Treatment,
    chosen: impl Fn(&Seen) -> bool + Send + Sync + 'static,
) -> (Arc<AtomicUsize>, impl Fn(&Seen) -> Treatment + Send + Sync + 'static) {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let all = AtomicUsize::new(0);
    let treat = move |seen: &Seen| {
        if !chosen(seen) || !all.fetch_add(1, Ordering::SeqCst).is_multiple_of(every) {
            return Treatment::Pass;
        }
        counted.fetch_add(1, Ordering::SeqCst);
        treatment
    };
    (count, treat)
}

fn is_helm(seen: &Seen) -> bool {
    seen.agent.starts_with("Helm/")
}

fn is_write(seen: &Seen) -> bool {
    seen.method != "GET"
}

#[test]
fn an_overloaded_api_server_only_makes_it_slower() -> Result<()> {
    let mesh = Upgradable::start("busy", TO)?;
    let (count, treat) = once(Treatment::Answer(429, Some(1)), |_| true);
    let run = mesh.apply_through(treat)?;
    mesh.arrived(&run)?;
    let count = count.load(Ordering::SeqCst);
    tell(&format!("{count} requests of plugin and helm answered with 429 once"));
    ensure!(count > 100, "only {count}");
    Ok(())
}

#[test]
fn a_failing_api_server_is_asked_again() -> Result<()> {
    let mesh = Upgradable::start("failing", TO)?;
    let (count, treat) = once(Treatment::Answer(500, None), |seen| !is_helm(seen));
    let run = mesh.apply_through(treat)?;
    mesh.arrived(&run)?;
    let count = count.load(Ordering::SeqCst);
    tell(&format!("{count} requests of the plugin answered with 500 once"));
    ensure!(count > 100, "only {count}");
    Ok(())
}

#[test]
fn an_api_server_that_is_not_there_for_a_moment_is_asked_again() -> Result<()> {
    let mesh = Upgradable::start("unavailable", TO)?;
    let (count, treat) = once(Treatment::Answer(503, None), |seen| !is_helm(seen));
    let run = mesh.apply_through(treat)?;
    mesh.arrived(&run)?;
    let count = count.load(Ordering::SeqCst);
    tell(&format!("{count} requests of the plugin answered with 503 once"));
    ensure!(count > 100, "only {count}");
    Ok(())
}

#[test]
fn a_slow_api_server_only_makes_it_slower() -> Result<()> {
    let mesh = Upgradable::start("delaying", TO)?;
    let delay = Treatment::Delay(Duration::from_secs(3));
    let (count, treat) = now_and_then(40, delay, |_| true);
    let run = mesh.apply_through(treat)?;
    mesh.arrived(&run)?;
    let count = count.load(Ordering::SeqCst);
    tell(&format!("{count} requests of plugin and helm answered 3 s late"));
    ensure!(count > 10, "only {count}");
    Ok(())
}

#[test]
fn a_lost_answer_of_any_write_does_no_harm() -> Result<()> {
    let mesh = Upgradable::start("losing", TO)?;
    let (count, treat) = once(Treatment::LoseAnswer, |seen| !is_helm(seen) && is_write(seen));
    let run = mesh.apply_through(treat)?;
    mesh.arrived(&run)?;
    let count = count.load(Ordering::SeqCst);
    tell(&format!("{count} writes of the plugin done with their answer lost"));
    ensure!(count > 15, "only {count}");
    Ok(())
}

/// The journal is one path that is written again and again, and so is the lease.
#[test]
fn a_lost_answer_of_each_third_write_does_no_harm() -> Result<()> {
    let mesh = Upgradable::start("losing-more", TO)?;
    let (count, treat) = now_and_then(3, Treatment::LoseAnswer, |seen| {
        let is_kept = ["/meshupgrades", "/leases/"]
            .iter()
            .any(|path| seen.path.contains(path));
        !is_helm(seen) && is_write(seen) && is_kept
    });
    let run = mesh.apply_through(treat)?;
    mesh.arrived(&run)?;
    let count = count.load(Ordering::SeqCst);
    tell(&format!(
        "{count} writes of journal and lease done with their answer lost"
    ));
    ensure!(count > 5, "only {count}");
    Ok(())
}

/// Helm does not ask again: each time the upgrade stalls, and goes on with the same command.
#[test]
fn what_helm_cannot_bear_stalls_and_is_repeated() -> Result<()> {
    let mesh = Upgradable::start("helm", TO)?;
    let bad = [Treatment::LoseAnswer, Treatment::Answer(500, None), Treatment::Cut];
    let mut stalls = 0;
    for (number, treatment) in bad.into_iter().cycle().take(6).enumerate() {
        let writes = AtomicUsize::new(0);
        let at = 3 + 4 * number;
        let hit = Arc::new(AtomicBool::new(false));
        let was_hit = Arc::clone(&hit);
        let run = mesh.apply_through(move |seen| {
            if is_helm(seen) && is_write(seen) && writes.fetch_add(1, Ordering::SeqCst) == at {
                was_hit.store(true, Ordering::SeqCst);
                return treatment;
            }
            Treatment::Pass
        })?;
        if run.success() {
            mesh.arrived(&run)?;
            let hit = hit.load(Ordering::SeqCst);
            tell(&format!(
                "{stalls} stalls, the {at}th write of helm with {treatment:?} was borne: {hit}"
            ));
            ensure!(stalls > 0, "helm has met nothing");
            return Ok(());
        }
        stalled(&mesh, &run, "StepFailed", &["helm upgrade"])?;
        stalls += 1;
    }
    let run = mesh.apply(&[])?;
    mesh.arrived(&run)?;
    tell(&format!("{stalls} stalls of helm, then success"));
    Ok(())
}

/// The real etcd, stopped for two of each three seconds.
#[test]
fn a_slow_etcd_only_makes_it_slower() -> Result<()> {
    let mesh = Upgradable::start("slow", TO)?;
    let done = AtomicBool::new(false);
    let (run, pauses) = std::thread::scope(|scope| {
        let slowed = scope.spawn(|| {
            let mut pauses = 0;
            while !done.load(Ordering::SeqCst) {
                mesh.cluster.control("pause etcd")?;
                std::thread::sleep(Duration::from_millis(1500));
                mesh.cluster.control("resume etcd")?;
                std::thread::sleep(Duration::from_millis(750));
                pauses += 1;
            }
            Ok::<_, anyhow::Error>(pauses)
        });
        let run = mesh.apply(&[]);
        done.store(true, Ordering::SeqCst);
        let pauses = slowed.join().map_err(|_| anyhow::anyhow!("slowing etcd panicked"))??;
        Ok::<_, anyhow::Error>((run?, pauses))
    })?;
    tell(&format!("etcd was stopped {pauses} times for 1.5 s"));
    ensure!(pauses > 3, "only {pauses}");
    mesh.arrived(&run)
}

/// Cuts an upgrade off in the middle of helm's work, and not only for a moment.
fn cut_off(mesh: &Upgradable) -> Result<Run> {
    let cut = AtomicBool::new(false);
    let writes = AtomicUsize::new(0);
    let run = mesh.apply_through(move |seen| {
        if is_helm(seen) && is_write(seen) && writes.fetch_add(1, Ordering::SeqCst) == 20 {
            cut.store(true, Ordering::SeqCst);
        }
        if cut.load(Ordering::SeqCst) {
            Treatment::Cut
        } else {
            Treatment::Pass
        }
    })?;
    mesh.is_frozen()?;
    ensure!(journal_phase(&mesh.cluster)?.as_deref() == Some("Upgrading"));
    Ok(run)
}

#[test]
fn a_cluster_that_is_cut_off_stays_frozen_and_goes_on() -> Result<()> {
    let mesh = Upgradable::start("cut", TO)?;
    let run = cut_off(&mesh)?;
    ensure!(
        run.code == 1 && run.stderr.contains("kubectl mesh-upgrade apply"),
        "how does it go on? {run}"
    );
    tell(&format!(
        "  cut off: {}",
        run.stderr
            .lines()
            .filter(|line| line.contains("error:"))
            .collect::<String>()
    ));
    let run = mesh.apply(&[])?;
    mesh.arrived(&run)
}

/// Somebody else writes an object at the same moment, as the webhook does with the freeze that is taken over.
#[test]
fn an_object_that_was_changed_meanwhile_is_read_again() -> Result<()> {
    let mesh = Upgradable::start("conflicts", TO)?;
    cut_off(&mesh)?;
    let freezes = Arc::new(AtomicUsize::new(0));
    let taken_over = Arc::clone(&freezes);
    let (count, treat) = once(Treatment::Answer(409, None), move |seen| {
        let is_of_the_freeze = seen.method == "PUT" && seen.path.contains("/meshfreezes/");
        taken_over.fetch_add(usize::from(is_of_the_freeze), Ordering::SeqCst);
        seen.method == "PUT" && !is_helm(seen)
    });
    let run = mesh.apply_through(treat)?;
    mesh.arrived(&run)?;
    let (count, freezes) = (count.load(Ordering::SeqCst), freezes.load(Ordering::SeqCst));
    ensure!(freezes > 1, "the freeze was written {freezes} times");
    tell(&format!(
        "{count} objects of the plugin's were changed meanwhile, the freeze among them"
    ));
    Ok(())
}

/// One upgrade that meets one real failure after the other.
#[test]
fn real_failures_stall_with_their_reason_and_are_mended() -> Result<()> {
    let mesh = Upgradable::start("real", TO)?;
    let cluster = &mesh.cluster;
    let unchanged = |run: &Run| -> Result<()> {
        ensure!(run.code != 0 && journal_phase(cluster)?.is_none(), "{run}");
        Ok(())
    };

    // Nothing is begun without helm.
    let mut without = mesh.command(&[])?;
    without.env("PATH", Binaries::get()?.folder());
    let run = Run::of(without, None)?;
    unchanged(&run)?;
    ensure!(
        run.stderr.contains("helm") && run.stderr.contains("--helm FILE"),
        "{run}"
    );

    // Nor with a chart that cannot be rendered.
    let spoilt = mesh.charts.join("istiod/templates/spoilt.yaml");
    std::fs::write(&spoilt, "{{ .Values.nothing.at.all }}\n")?;
    let run = mesh.apply(&[])?;
    unchanged(&run)?;
    ensure!(run.stderr.contains("spoilt.yaml"), "which template? {run}");

    // One that only fails in a cluster.
    let fails =
        "{{ if (lookup \"v1\" \"Namespace\" \"\" \"istio-system\") }}{{ fail \"broken in a cluster\" }}{{ end }}\n";
    std::fs::write(&spoilt, fails)?;
    let run = mesh.apply(&[])?;
    stalled(
        &mesh,
        &run,
        "StepFailed",
        &["istiod", "broken in a cluster", "spoilt.yaml"],
    )?;

    // Gone in the middle of the upgrade: the freeze holds.
    let mut without = mesh.command(&[])?;
    without.env("PATH", Binaries::get()?.folder());
    let run = Run::of(without, None)?;
    ensure!(run.code == 1 && run.stderr.contains("--helm FILE"), "{run}");
    mesh.is_frozen()?;
    std::fs::remove_file(&spoilt)?;

    // The mended chart is another than the one that the upgrade began with: who goes on with it has to name it.
    let unnamed = mesh_upgrade(cluster, &["apply", "--yes"])?;
    ensure!(
        unnamed.code == 1 && unnamed.stderr.contains("have other contents") && unnamed.stderr.contains("--charts"),
        "{unnamed}"
    );

    // Without room for its pods helm waits, and so is killed half-way, however late; and one that says that it failed.
    let node = cluster.kubectl(&["get", "nodes", "-o", "jsonpath={.items[0].metadata.name}"])?;
    let node = node.ok()?.to_owned();
    cluster.kubectl(&["cordon", &node])?.ok()?;
    let killed = HelmThatFails::killed_once_stored("istiod")?;
    let run = mesh.apply(&["--helm", &killed.program()])?;
    stalled(&mesh, &run, "StepFailed", &["helm upgrade istiod", "ended by signal 9"])?;
    let failing = HelmThatFails::saying("Error: UPGRADE FAILED: out of luck")?;
    let run = mesh.apply(&["--helm", &failing.program()])?;
    stalled(&mesh, &run, "StepFailed", &["out of luck"])?;

    // No room: the scheduler's reason is told.
    let run = mesh.apply(&["--step-timeout", "15s"])?;
    mesh.stalled(
        &run,
        "StepFailed",
        &["istiod", "no node takes pod istiod-", "unschedulable"],
    )?;
    cluster.kubectl(&["uncordon", &node])?.ok()?;

    // An image that went away after it was pulled: the rollout never becomes ready.
    let values = mesh.charts.join("istiod/values.yaml");
    let good = std::fs::read_to_string(&values)?;
    let bad = good.replace("hub: docker.io/istio", "hub: registry.invalid/unpullable");
    ensure!(good != bad, "the chart's hub is not where it was");
    std::fs::write(&values, bad)?;
    let run = mesh.apply(&["--step-timeout", "15s"])?;
    stalled(&mesh, &run, "StepFailed", &["istiod", "ImagePullBackOff"])?;
    std::fs::write(&values, good)?;

    let run = mesh.apply(&[])?;
    mesh.arrived(&run)?;
    let journal = wait_for_journal(cluster, "the journal", DEADLINE, |_| true)?;
    let epochs = journal.pointer("/status/epoch").and_then(Value::as_i64);
    tell(&format!(
        "6 failures stalled and mended, the mesh arrived with epoch {epochs:?}"
    ));
    ensure!(epochs >= Some(6), "{journal:#}");
    Ok(())
}
