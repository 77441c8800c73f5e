//! The engines that the steps of a plan need, found before anything is changed; each step goes to its own.

use super::{Change, Installer, Prepared, gitops::GitOps, helm::Helm, istioctl::Istioctl, sail::Sail};
use crate::{error::CommandError, ui::Ui};
use shared::api::{InstallerKind, PlanStep};
use std::path::Path;
use tokio::task::JoinHandle;

/// Helm, asked for its version while something else is done: its start takes a while. Nobody misses it where no step needs
/// it.
#[derive(Debug)]
pub struct AskedHelm(JoinHandle<Result<Helm, CommandError>>);

impl AskedHelm {
    /// Begins to ask it, on the PATH unless given.
    #[must_use]
    pub fn begin(given: Option<&Path>) -> Self {
        let given = given.map(Path::to_owned);
        Self(tokio::spawn(async move { Helm::find(given.as_deref()).await }))
    }

    async fn answer(mut self) -> Result<Helm, CommandError> {
        match (&mut self.0).await {
            Ok(found) => found,
            Err(error) => Err(CommandError::error(format!("helm could not be asked: {error}"))),
        }
    }
}

impl Drop for AskedHelm {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Programs that the operator named.
#[derive(Debug)]
pub struct Given<'a> {
    /// `--helm`.
    pub helm: AskedHelm,
    /// `--istioctl`.
    pub istioctl: Option<&'a Path>,
}

/// Engines that were found.
#[derive(Clone, Debug)]
pub struct Engines {
    helm: Option<Helm>,
    istioctl: Option<Istioctl>,
    gitops: GitOps,
}

impl Engines {
    /// Finds those that the steps need, on the PATH unless given.
    ///
    /// # Errors
    /// When one is not there, or not of a version that will do.
    pub async fn find(steps: &[PlanStep], given: Given<'_>, ui: Ui) -> Result<Self, CommandError> {
        let first = |kind: InstallerKind| steps.iter().find(|step| step.installer == kind);
        let helm = match first(InstallerKind::Helm) {
            Some(_) => Some(given.helm.answer().await?),
            None => None,
        };
        let istioctl = match first(InstallerKind::Istioctl) {
            Some(step) => Some(Istioctl::find(given.istioctl, &step.to).await?),
            None => None,
        };
        Ok(Self {
            helm,
            istioctl,
            gitops: GitOps { ui },
        })
    }

    fn helm(&self) -> Result<&Helm, String> {
        self.helm.as_ref().ok_or_else(|| "no helm was looked for".to_owned())
    }

    fn istioctl(&self) -> Result<&Istioctl, String> {
        let found = self.istioctl.as_ref();
        found.ok_or_else(|| "no istioctl was looked for".to_owned())
    }
}

impl Installer for Engines {
    async fn prepare(&self, step: &PlanStep, charts: &str) -> Result<Prepared, String> {
        match step.installer {
            InstallerKind::Helm => self.helm()?.prepare(step, charts).await,
            InstallerKind::Istioctl => self.istioctl()?.prepare(step, charts).await,
            InstallerKind::ArgoCd | InstallerKind::Flux => self.gitops.prepare(step, charts).await,
            InstallerKind::Sail => Sail.prepare(step, charts).await,
        }
    }

    async fn images(&self, change: &Change<'_>) -> Result<Vec<String>, String> {
        match change.step.installer {
            InstallerKind::Helm => self.helm()?.images(change).await,
            InstallerKind::Istioctl => self.istioctl()?.images(change).await,
            InstallerKind::ArgoCd | InstallerKind::Flux => self.gitops.images(change).await,
            InstallerKind::Sail => Sail.images(change).await,
        }
    }

    async fn rehearse(&self, change: &Change<'_>) -> Result<(), String> {
        match change.step.installer {
            InstallerKind::Helm => self.helm()?.rehearse(change).await,
            InstallerKind::Istioctl => self.istioctl()?.rehearse(change).await,
            InstallerKind::ArgoCd | InstallerKind::Flux => self.gitops.rehearse(change).await,
            InstallerKind::Sail => Sail.rehearse(change).await,
        }
    }

    async fn upgrade(&self, change: &Change<'_>) -> Result<(), String> {
        match change.step.installer {
            InstallerKind::Helm => self.helm()?.upgrade(change).await,
            InstallerKind::Istioctl => self.istioctl()?.upgrade(change).await,
            InstallerKind::ArgoCd | InstallerKind::Flux => self.gitops.upgrade(change).await,
            InstallerKind::Sail => Sail.upgrade(change).await,
        }
    }
}
