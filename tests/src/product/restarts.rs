//! The API server restarted, idle and frozen: idle, the guard never refuses a write; frozen, no foreign write ever
//! passes. The upgrade that holds the freeze survives all of it and arrives.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::Duration,
};

use anyhow::{Context, Result, ensure};

use super::{Guard, HeldHelm, journal_phase, mesh_upgrade, mesh_upgrade_command};
use crate::harness::{Cluster, ClusterOptions, Istio, IstioOptions, Run, Started, Toolbox, wait_until};

/// Answers to wait for after each restart.
const WRITES_EACH: usize = 15;
const DEADLINE: Duration = Duration::from_secs(120);

/// What a foreign writer got.
#[derive(Debug, Default)]
struct Tally {
    passed: usize,
    refused_by_the_guard: usize,
    refused_otherwise: Vec<String>,
    unreachable: usize,
}

impl Tally {
    fn count(&mut self, run: &Run) {
        let text = run.stderr.as_str();
        if run.success() {
            self.passed += 1;
        } else if text.contains("MG0") {
            self.refused_by_the_guard += 1;
        } else if text.contains("denied") || text.contains("forbidden") {
            self.refused_otherwise.push(text.trim().to_owned());
        } else {
            // The server is down, or has just come up and does not serve the kind yet.
            self.unreachable += 1;
        }
    }
}

/// Restarts the API server so many times idle, and as many times while an upgrade holds the freeze; returns what the
/// writers got, for the record.
///
/// # Errors
/// When a promise is broken.
pub fn survive_restarts(restarts: usize) -> Result<String> {
    let cluster = Cluster::start(ClusterOptions::named("east"))?;
    let istio = Istio::install(&cluster, IstioOptions::version("1.30.3"))?;
    let _guard = Guard::install(&cluster)?;

    let idle = write_through_restarts(&cluster, restarts)?;
    ensure!(
        idle.refused_by_the_guard == 0 && idle.refused_otherwise.is_empty(),
        "idle: {idle:?}"
    );
    ensure!(
        idle.passed >= WRITES_EACH * restarts,
        "too few writes to say anything: {idle:?}"
    );

    wait_until("the mesh to be free to go", DEADLINE, || {
        Ok(mesh_upgrade(&cluster, &["check", "--to", "1.31.0"])?
            .success()
            .then_some(()))
    })?;
    let helm = HeldHelm::before("istiod")?;
    let charts = Toolbox::get()?.charts("1.31.0")?.display().to_string();
    let program = helm.program().display().to_string();
    let arguments = [
        "apply", "--to", "1.31.0", "--charts", &charts, "--yes", "--helm", &program,
    ];
    let mut apply = Started::of(mesh_upgrade_command(&cluster, "alice", &arguments)?)?;
    let reached = helm.wait_until_reached_by(&mut apply.child, DEADLINE);
    reached.with_context(|| apply.said())?;
    let frozen = write_through_restarts(&cluster, restarts)?;
    ensure!(frozen.passed == 0, "frozen: {frozen:?}");
    ensure!(
        frozen.refused_by_the_guard >= WRITES_EACH * restarts,
        "too few writes to say anything: {frozen:?}"
    );
    let told = format!("idle {idle:?}\nfrozen {frozen:?}");

    helm.release()?;
    ensure!(apply.ended()?.success(), "{}", apply.said());
    ensure!(journal_phase(&cluster)?.as_deref() == Some("Succeeded"));
    istio.wait_serving(&cluster, "1.31.0")?;
    Ok(told)
}

/// Restarts the API server while somebody writes without a pause, and lets each server answer some writes.
fn write_through_restarts(cluster: &Cluster, restarts: usize) -> Result<Tally> {
    let done = AtomicBool::new(false);
    let answered = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut tally = Tally::default();
            let mut count = 0;
            while !done.load(Ordering::SeqCst) {
                count += 1;
                tally.count(&write(cluster, count)?);
                answered.store(tally.passed + tally.refused_by_the_guard, Ordering::SeqCst);
            }
            Ok::<_, anyhow::Error>(tally)
        });
        let restarted = (0..restarts).try_for_each(|_| {
            cluster.restart_api_server()?;
            let before = answered.load(Ordering::SeqCst);
            wait_until("the server to answer writes", DEADLINE, || {
                Ok((answered.load(Ordering::SeqCst) >= before + WRITES_EACH).then_some(()))
            })
        });
        done.store(true, Ordering::SeqCst);
        let tally = writer.join().map_err(|_| anyhow::anyhow!("the writer panicked"))?;
        restarted?;
        tally
    })
}

/// One real write of mesh configuration, at once.
fn write(cluster: &Cluster, count: usize) -> Result<Run> {
    let manifest = format!(
        "{{\"apiVersion\": \"networking.istio.io/v1\", \"kind\": \"DestinationRule\", \
          \"metadata\": {{\"name\": \"written-{count}\"}}, \"spec\": {{\"host\": \"written-{count}\"}}}}"
    );
    let path = "/apis/networking.istio.io/v1/namespaces/default/destinationrules";
    // Raw, so that kubectl asks nothing else before: one process, one request.
    cluster.kubectl_with("admin", &["create", "--raw", path, "-f", "-"], Some(&manifest))
}
