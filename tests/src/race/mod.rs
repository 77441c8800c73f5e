//! Two drivers of one upgrade: one of them is stopped at a seeded request, and goes on at a seeded request of the other,
//! with the request that it was in the middle of. The API server's audit log tells who held the mesh.

mod judge;

use std::{
    collections::BTreeMap,
    process::{Child, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::{
    audit,
    fuzz::Dice,
    harness::{
        Cluster, ClusterOptions, Istio, IstioOptions, Moment, Proxy, Run, Seen, Signal, Toolbox, children, signal,
        wait_until,
    },
    kill::foreign_writer::{ForeignWriter, Frozen},
    product::{Guard, mesh_upgrade, mesh_upgrade_command, newest, wait_for_journal},
};

const FROM: &str = "1.30.3";
const TO: &str = "1.31.0";
/// Who drives first, and who second.
const FIRST: &str = "alice";
const SECOND: &str = "bob";
const DEADLINE: Duration = Duration::from_secs(240);
/// How long the foreign writer may be without an answer: more clusters share a machine here than where upgrades are killed.
const SILENCE: Duration = Duration::from_secs(30);
/// About as many writes as an upgrade makes of those that count here.
const WRITES: usize = 72;

/// What a seed says of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// At which of its writes the first driver is stopped, from 1.
    pub stopped_at: usize,
    /// Before that write arrives, or after it is done and before its answer is known.
    pub moment: Moment,
    /// Whether its helm is stopped with it, as when a machine sleeps, or goes on alone.
    pub with_helm: bool,
    /// When it goes on.
    pub goes_on: GoesOn,
}

/// When the driver that was stopped goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GoesOn {
    /// As soon as the second driver watches: the lease has not passed.
    InTime,
    /// Past its lease, at this write of the second driver, from 1; or at its end, if that comes first.
    AtWrite(usize),
    /// Past its lease, when the second driver has ended.
    AtItsEnd,
}

impl Setting {
    /// The setting of a seed.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        Self {
            stopped_at: dice.below(WRITES) + 1,
            moment: if dice.below(4) == 0 {
                Moment::After
            } else {
                Moment::Before
            },
            with_helm: dice.below(3) > 0,
            goes_on: match dice.below(8) {
                0 => GoesOn::InTime,
                1 => GoesOn::AtItsEnd,
                _ => GoesOn::AtWrite(dice.below(WRITES) + 1),
            },
        }
    }
}

/// What came of a run.
#[derive(Debug)]
pub struct Outcome {
    /// The write at which the first driver was stopped; nothing when it had ended before.
    pub stopped_at: Option<String>,
    /// How the two drivers ended.
    pub exits: (i32, i32),
    /// Accepted writes to the mesh and its journal, by epoch.
    pub accepted: BTreeMap<i64, usize>,
    /// Writes with an epoch that another had followed, refused.
    pub stale_refused: usize,
}

/// Two drivers as a seed says.
///
/// # Errors
/// What did not hold.
pub fn run(seed: u64) -> Result<Outcome> {
    let setting = Setting::of(seed);
    let cluster = Cluster::start(ClusterOptions::named("race"))?;
    let istio = Istio::install(&cluster, IstioOptions::version(FROM))?;
    let _guard = Guard::install(&cluster)?;
    // alice may drive as one of the platform's administrators; so may the second driver.
    let user = format!("--user={SECOND}");
    let may = [
        "create",
        "clusterrolebinding",
        SECOND,
        "--clusterrole=cluster-admin",
        &user,
    ];
    cluster.kubectl(&may)?.ok()?;
    let foreigner = ForeignWriter::start(&cluster, "istio")?;
    let raced = race(&cluster, setting);
    let answers = foreigner.stop();
    let raced = raced.with_context(|| last_words(&cluster));
    let (stopped_at, first, second) = raced?;

    let told = |run: &Run| format!("{run}\n{}", last_words(&cluster));
    // A driver that comes late, or meets a living one, says who drives and how far the upgrade is.
    for (late, other) in [(&first, SECOND), (&second, FIRST)] {
        match late.code {
            0 => {}
            5 => ensure!(
                late.stderr.contains(other) && late.stderr.contains(TO) && late.stderr.contains("phase "),
                "neither who nor how far: {}",
                told(late)
            ),
            _ => bail!("a driver ended with {}: {}", late.code, told(late)),
        }
    }
    ensure!(first.success() || second.success(), "nobody arrived: {}", told(&second));
    open_at_target(&cluster, &istio).with_context(|| told(&first))?;
    let frozen = Frozen::of(&newest(&cluster)?.context("no journal")?)?;
    let refused = answers.judge(&frozen, SILENCE).with_context(|| told(&second))?;
    ensure!(refused > 0, "no foreign write was refused: was the mesh frozen at all?");
    let judged = judge::judge(&audit::read(&cluster.audit_log())?);
    ensure!(
        judged.faults.is_empty(),
        "{:#?}\n{}\n{}",
        judged.faults,
        told(&first),
        told(&second)
    );
    Ok(Outcome {
        stopped_at,
        exits: (first.code, second.code),
        accepted: judged.accepted,
        stale_refused: judged.stale_refused,
    })
}

fn race(cluster: &Cluster, setting: Setting) -> Result<(Option<String>, Run, Run)> {
    let hold = Some((setting.stopped_at, setting.moment));
    let firsts = Proxy::holding(cluster, FIRST, hold, counts)?;
    let mut first = Driver::start(cluster, FIRST, &firsts)?;
    wait_until("the first driver's write, or its end", DEADLINE, || {
        Ok((firsts.is_reached() || first.has_ended()?).then_some(()))
    })?;
    let stopped = firsts.is_reached();
    if stopped {
        first.signal(Signal::STOP, setting.with_helm)?;
    }
    let write = firsts
        .counted()
        .last()
        .map(|seen| format!("{} {}", seen.method, seen.path));

    let hold = match setting.goes_on {
        GoesOn::AtWrite(number) => Some((number, Moment::Before)),
        GoesOn::InTime | GoesOn::AtItsEnd => None,
    };
    let seconds = Proxy::holding(cluster, SECOND, hold, counts)?;
    let mut second = Driver::start(cluster, SECOND, &seconds)?;
    wait_until("the moment at which the first goes on", DEADLINE, || {
        let watches = setting.goes_on == GoesOn::InTime && second.says("watching it for");
        Ok((watches || seconds.is_reached() || second.has_ended()?).then_some(()))
    })?;
    // Both at once: what each of them is in the middle of meets the other's.
    first.signal(Signal::CONT, setting.with_helm)?;
    firsts.let_go();
    seconds.let_go();
    let first = first.end().context("the first driver")?;
    let second = second.end().context("the second driver")?;
    Ok((write.filter(|_| stopped), first, second))
}

/// Writes that change something: no dry run, no review, no renewal of a lease.
fn counts(seen: &Seen) -> bool {
    seen.method != "GET"
        && !["dryRun=", "reviews", "/leases/", "/events"]
            .iter()
            .any(|other| seen.path.contains(other))
}

/// The mesh runs the target and nothing of a freeze is left, whoever was late.
fn open_at_target(cluster: &Cluster, istio: &Istio) -> Result<()> {
    let journal = wait_for_journal(cluster, "a journal", DEADLINE, |_| true)?;
    let phase = journal.pointer("/status/phase").and_then(Value::as_str);
    ensure!(phase == Some("Succeeded"), "{journal:#}");
    let kinds = "meshfreezes,validatingadmissionpolicies,validatingadmissionpolicybindings";
    let left = cluster.kubectl(&["get", kinds, "-o", "name"])?;
    ensure!(
        !left.ok()?.contains("mesh-freeze") && !left.stdout.contains("meshfreezes"),
        "a freeze is left: {left}"
    );
    ensure!(istio.injected_image(cluster)?.ends_with(&format!(":{TO}")));
    let again = mesh_upgrade(cluster, &["apply", "--to", TO, "--yes"])?;
    ensure!(
        again.success() || again.stdout.contains("already"),
        "nothing is left to do: {again}"
    );
    Ok(())
}

fn last_words(cluster: &Cluster) -> String {
    mesh_upgrade(cluster, &["status"]).map_or_else(|error| error.to_string(), |run| run.stdout)
}

/// An `apply` under way; ended when this value is dropped.
struct Driver {
    child: Child,
    /// What it says, in files: a pipe would fill while nobody reads.
    said: tempfile::TempDir,
}

impl Driver {
    fn start(cluster: &Cluster, who: &str, proxy: &Proxy) -> Result<Self> {
        let charts = Toolbox::get()?.charts(TO)?.display().to_string();
        let mut command = mesh_upgrade_command(cluster, who, &["apply", "--to", TO, "--charts", &charts, "--yes"])?;
        let said = tempfile::tempdir()?;
        let file = |name| std::fs::File::create(said.path().join(name));
        command
            .env("KUBECONFIG", proxy.kubeconfig())
            .stdin(Stdio::null())
            .stdout(file("stdout")?)
            .stderr(file("stderr")?);
        // kubectl replaces itself by the plugin, so that this process is the plugin.
        Ok(Self {
            child: command.spawn().context("start apply")?,
            said,
        })
    }

    fn has_ended(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.said.path().join(name)).unwrap_or_default()
    }

    fn says(&self, what: &str) -> bool {
        self.text("stderr").contains(what) || self.text("stdout").contains(what)
    }

    /// Sends a signal to the plugin, and to the helm that it has started.
    fn signal(&mut self, what: Signal, with_helm: bool) -> Result<()> {
        if self.has_ended()? {
            return Ok(());
        }
        let plugin = self.child.id();
        let helm = if with_helm { children(plugin) } else { Vec::new() };
        for process in std::iter::once(plugin).chain(helm) {
            // It may have ended by itself.
            let _ = signal(process, what);
        }
        Ok(())
    }

    fn end(mut self) -> Result<Run> {
        let status =
            wait_until("it to end", DEADLINE, || Ok(self.child.try_wait()?)).with_context(|| self.text("stderr"))?;
        Ok(Run {
            command: "apply".to_owned(),
            code: status.code().unwrap_or(-1),
            stdout: self.text("stdout"),
            stderr: self.text("stderr"),
        })
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // Normally ended; SIGKILL ends a stopped process, too.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
