//! Installers: existing engines that change a component, never our own.

mod engines;
mod gitops;
pub mod helm;
mod hold;
mod images;
pub mod istioctl;
mod process;
mod redact;
mod relay;
mod sail;

pub use engines::{AskedHelm, Engines, Given};
pub use hold::Hold;

use crate::{cluster::Cluster, executor::Tenure};
use shared::api::PlanStep;
use std::{future::Future, time::Duration};

/// Whose rights a change is made with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Writer {
    /// The driver's ServiceAccount with its epoch, by impersonation.
    Driver {
        /// The epoch that the API server checks.
        epoch: i64,
    },
    /// The caller's own, where there is no guard.
    Caller,
}

/// What a change will use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared {
    /// A chart or a program with its version, or the object that somebody else follows.
    pub what: String,
    /// What tells the chart's contents from others, where that is known.
    pub digest: Option<String>,
}

impl Prepared {
    /// What has no contents that could be told apart.
    fn only(what: String) -> Self {
        Self { what, digest: None }
    }
}

/// What an installer needs to know beside the step.
#[derive(Clone, Debug)]
pub struct Change<'a> {
    /// The cluster that is changed.
    pub cluster: &'a Cluster,
    /// Component, release and target.
    pub step: &'a PlanStep,
    /// Where the charts are.
    pub charts: &'a str,
    /// Digest of the step's chart that the upgrade goes by, where it is known.
    pub digest: Option<&'a str>,
    /// Whose rights it is made with.
    pub writer: &'a Writer,
    /// How long the component may take to become ready.
    pub timeout: Duration,
    /// Holds the engine while it must not write.
    pub hold: &'a Hold,
    /// How sure the driver is of its Lease; nothing where nothing is written.
    pub tenure: Option<&'a Tenure>,
}

/// A way in which Istio is installed. Implementations call the engine that installed the component.
pub trait Installer {
    /// Says, before anything is changed, whether everything the change needs is at hand; returns what will be used.
    fn prepare(&self, step: &PlanStep, charts: &str) -> impl Future<Output = Result<Prepared, String>>;

    /// The images that the change will bring, with the release's own values: its hub may differ from today's. Changes
    /// nothing.
    fn images(&self, change: &Change<'_>) -> impl Future<Output = Result<Vec<String>, String>>;

    /// Tries, in dry runs of the frozen mesh, whether the change would be refused, or would take away what it should not.
    /// Changes nothing.
    fn rehearse(&self, change: &Change<'_>) -> impl Future<Output = Result<(), String>>;

    /// Makes the change and waits for the engine's own word that it is done. May be called again after a kill. Called while
    /// writes are held: what an engine reads may be read, and what it writes goes through its relay, or waits for
    /// [`Hold::free`].
    fn upgrade(&self, change: &Change<'_>) -> impl Future<Output = Result<(), String>>;
}
