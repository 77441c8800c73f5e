//! The executor: observes, asks the machine, persists, then performs one effect. It decides nothing itself.

mod after;
mod before;
pub mod canary;
pub mod effects;
pub mod fault;
pub mod freeze;
mod frozen;
mod given_up;
#[cfg(unix)]
mod hangup;
mod health;
mod images;
pub mod inherited;
mod interrupts;
pub mod journal;
mod late;
pub mod lease;
mod members;
mod pauses;
mod proxies;
mod removal;
mod report;
mod restricted;
mod rollout;
mod shadowed;
mod step;
mod stuck;
mod tenure;
mod wait;
pub mod watch;

pub use before::has_become_external;
pub use members::Members;
pub use tenure::Tenure;

use crate::{
    clock::now,
    cluster::Cluster,
    error::{CommandError, Exit, api_code, api_message},
    ui::{Mark, Output, Ui, progress::HowFar, upgrade},
};
use effects::Effects;
use interrupts::Interrupts;
use journal::Written;
use kube::{Client, ResourceExt as _};
use lease::DriverLease;
use report::Reporter;
use shared::{
    api::{MeshUpgrade, MeshUpgradeSpec, MeshUpgradeStatus},
    charts::Digests,
    machine::{self, Driver, Effect, News, Observation, Stop, driving::Driving, progress},
    patience::Sparing,
};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// How long the home may take to say who holds the Lease, before a stall is written.
const ASKED_WITHIN: Duration = Duration::from_secs(10);

/// Everything that driving one upgrade needs.
pub struct Drive<'a> {
    /// Prints.
    pub ui: Ui,
    /// The home cluster, as the writer: where the journal is.
    pub home: Client,
    /// The right to drive.
    pub lease: &'a DriverLease,
    /// Who drives.
    pub driver: Driver,
    /// Why the upgrade is given up, where the operator asked for it.
    pub abandoned: Option<String>,
    /// Digests of the charts at hand, for the journal.
    pub chart_digests: Digests,
    /// What performs effects.
    pub effects: Effects<'a>,
    /// What is shown below everything that is told.
    pub how_far: HowFar,
}

/// How a drive ended.
#[derive(Debug)]
pub enum End {
    /// The machine stopped.
    Stopped(Stop),
    /// Ctrl-C was pressed, or as much: once, and the step at hand was finished, or twice, and it was left in the middle.
    Interrupted,
}

impl Drive<'_> {
    /// Drives an upgrade from its journal until the machine stops. Returns the journal as it was last written.
    ///
    /// # Errors
    /// When the journal cannot be written or somebody else has taken over. Effects that fail are no errors here: the
    /// machine decides what they mean.
    pub async fn run(&self, mut journal: MeshUpgrade) -> Result<(MeshUpgrade, End), CommandError> {
        let interrupts = Interrupts::listen(self.ui);
        let spec = journal.spec.clone();
        let reporter = Reporter::begin(&self.home);
        // Left in the middle, helm is ended and its private kubeconfig removed as the effect is dropped. The journal is ahead
        // of every effect, so that leaving is as safe as a kill, wherever it waits for a server.
        let driven = tokio::select! {
            biased;
            driven = self.drive(&mut journal, &interrupts, &reporter) => driven,
            () = interrupts.counted(2) => Ok(End::Interrupted),
        };
        tokio::select! {
            () = reporter.end() => {}
            () = interrupts.counted(2) => {}
        }
        if driven.as_ref().is_err_and(|error| error.exit == Exit::Held) {
            tokio::select! {
                () = self.effects.leave_nothing_late(&spec) => {}
                () = interrupts.counted(2) => {}
            }
        }
        Ok((journal, driven?))
    }

    async fn drive(
        &self,
        journal: &mut MeshUpgrade,
        interrupts: &Interrupts,
        reporter: &Reporter,
    ) -> Result<End, CommandError> {
        let mut seen = Observation {
            abandoned: self.abandoned.clone(),
            chart_digests: self.chart_digests.clone(),
            ..Observation::default()
        };
        loop {
            let status = journal.status.clone().unwrap_or_default();
            let next = machine::step(&journal.spec, &status, &seen, &self.driver, now());
            if matches!(next.stop, Some(Stop::Stalled { .. })) {
                self.leave_to_a_rival().await?;
            }
            if next.status != status {
                match self.write(journal, next.status, reporter).await? {
                    Written::Done(written) => *journal = written,
                    Written::Before(current) => {
                        *journal = current;
                        continue;
                    }
                }
            }
            if let Some(stop) = next.stop {
                return Ok(End::Stopped(stop));
            }
            let Some(effect) = next.effect else { continue };
            if interrupts.asked() {
                return Ok(End::Interrupted);
            }
            // Renewed so lately that nobody can have taken it, it need not be asked for.
            if !self.lease.tenure().is_sure() {
                self.lease.still_held().await?;
            }
            tracing::info!(journal = journal.name_any(), ?effect, "performing");
            let (news, heard) = mpsc::unbounded_channel();
            let spec = journal.spec.clone();
            // Dropped with the effect, `news` ends the scribe, after what it is writing.
            let work = async {
                let news = news;
                tokio::select! {
                    done = self.effects.perform(&effect, &spec, &mut seen, &news) => done.map(|()| false),
                    () = interrupts.counted(1), if waits_for_a_merge(&effect, &spec) => Ok(true),
                }
            };
            let (left, ()) = tokio::try_join!(work, self.scribe(journal, heard, reporter))?;
            if left {
                return Ok(End::Interrupted);
            }
        }
    }

    /// Who has lost the Lease has nothing to say of an upgrade that another drives: what failed may have failed for just that.
    async fn leave_to_a_rival(&self) -> Result<(), CommandError> {
        // Where the home does not answer, the journal cannot be written either, and that is told.
        let asked = tokio::time::timeout(ASKED_WITHIN, self.lease.still_held()).await;
        match asked {
            Ok(Err(error)) if error.exit == Exit::Held => Err(error),
            _ => Ok(()),
        }
    }

    /// Writes news into the journal while an effect is being performed, beside it: neither waits for the other.
    async fn scribe(
        &self,
        journal: &mut MeshUpgrade,
        mut heard: mpsc::UnboundedReceiver<News>,
        reporter: &Reporter,
    ) -> Result<(), CommandError> {
        let (begun, mut sparing) = (Instant::now(), Sparing::default());
        let mut waits = None;
        while let Some(news) = heard.recv().await {
            let status = journal.status.clone().unwrap_or_default();
            match &news {
                News::Waits(what) => {
                    waits.clone_from(what);
                    self.show(journal, waits.as_deref());
                    if let Some(what) = what.as_deref().filter(|what| sparing.is_due(what, begun.elapsed())) {
                        upgrade::awaited(self.ui, &self.how_far, journal, what)?;
                    }
                    continue;
                }
                News::Awaited { what, .. } => waits = Some(what.clone()),
                News::Freeze(_) | News::Drift(_) => {}
            }
            let next = machine::heard(&journal.spec, &status, &news, &self.driver, now());
            if next != status {
                match journal::persist(&self.home, journal, next.clone()).await? {
                    Written::Done(written) => {
                        *journal = written;
                        self.narrate(journal, &status, &next, waits.as_deref())?;
                    }
                    // Told of again by the next look.
                    Written::Before(current) => {
                        *journal = current;
                        continue;
                    }
                }
                reporter.publish(journal, &status, &next);
            }
        }
        Ok(())
    }

    async fn write(
        &self,
        journal: &MeshUpgrade,
        next: MeshUpgradeStatus,
        reporter: &Reporter,
    ) -> Result<Written, CommandError> {
        let before = journal.status.clone().unwrap_or_default();
        let written = journal::persist(&self.home, journal, next.clone()).await?;
        if let Written::Done(journal) = &written {
            self.narrate(journal, &before, &next, None)?;
            reporter.publish(journal, &before, &next);
        }
        Ok(written)
    }

    /// Says what the journal gained: to people beside the result, to programs as a stream that ends with it.
    fn narrate(
        &self,
        journal: &MeshUpgrade,
        before: &MeshUpgradeStatus,
        after: &MeshUpgradeStatus,
        waits: Option<&str>,
    ) -> Result<(), CommandError> {
        self.show(journal, waits);
        for event in progress::news(before, after) {
            self.ui.progress(Mark::Step, &event.what);
            if self.ui.output != Output::Text {
                upgrade::event(self.ui, journal, after, event)?;
            }
        }
        Ok(())
    }

    /// Shows how far it is, and what it waits for.
    fn show(&self, journal: &MeshUpgrade, waits: Option<&str>) {
        upgrade::show(self.ui, &self.how_far, journal, Driving::Held, waits);
    }
}

/// Whether an effect waits for somebody to merge something, which may take an hour: nobody has to ask twice to leave it.
fn waits_for_a_merge(effect: &Effect, spec: &MeshUpgradeSpec) -> bool {
    let Effect::Apply { step } = effect else { return false };
    let mut steps = spec.plan.steps.iter();
    steps.any(|planned| planned.id == *step && planned.installer.is_merged())
}

/// Whether trying again may help: the server is restarting, overloaded, or the connection broke.
#[must_use]
pub fn is_transient(error: &kube::Error) -> bool {
    match error {
        kube::Error::Api(status) => matches!(status.code, 429 | 500 | 502 | 503 | 504),
        kube::Error::HyperError(_) | kube::Error::Service(_) | kube::Error::ReadEvents(_) => true,
        _ => false,
    }
}

/// A deletion that found nothing is done.
fn settle<T>(result: Result<T, kube::Error>) -> Result<(), String> {
    match result {
        Ok(_) => Ok(()),
        Err(error) if api_code(&error) == 404 => Ok(()),
        Err(error) => Err(api_message(&error)),
    }
}

/// The client that writes: the driver's, or the caller's own where there is no guard.
///
/// # Errors
/// When the impersonating client cannot be built.
pub fn writing_client(cluster: &Cluster, writer: &crate::installer::Writer) -> Result<Client, String> {
    match writer {
        crate::installer::Writer::Caller => Ok(cluster.client.clone()),
        crate::installer::Writer::Driver { epoch } => {
            let epoch = epoch.to_string();
            let extra = [(shared::names::EXTRA_EPOCH, epoch.as_str())];
            cluster
                .impersonating(&extra)
                .map(|cluster| cluster.client)
                .map_err(|error| error.to_string())
        }
    }
}
