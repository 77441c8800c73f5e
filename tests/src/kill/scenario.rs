//! The kinds of upgrades that are killed: how each is told, and what it ends with.

use anyhow::Result;

use crate::harness::{OnDemand, Toolbox};

pub(super) const FROM: &str = "1.30.3";
pub(super) const TO: &str = "1.31.0";
const OLD_RELEASE: &str = "istiod-1-30-3";
const NEW_RELEASE: &str = "istiod-1-31-0";
const OLD_SAIL_RELEASE: &str = "default-v1-30-3-istiod";

/// A kind of upgrade.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scenario {
    /// Helm's releases in place.
    InPlace,
    /// The same by helm 3.
    InPlaceHelm3,
    /// The same, but for a blocker that comes with the freeze, so that it is withdrawn.
    Withdrawal,
    /// Helm's releases in place, in the two primaries of one mesh.
    TwoClusters,
    /// The first upgrade of a canary: the new revision comes beside the old one, and takes its tags.
    CanaryBeside,
    /// The second one: the old revision goes.
    CanaryRemoval,
    /// By istioctl.
    Istioctl,
    /// By Argo CD, after somebody has merged each change.
    ArgoCd,
    /// The same by Flux.
    Flux,
    /// By the Sail Operator.
    Sail,
    /// By the Sail Operator as well, which brings a revision beside the one that workloads use.
    SailRevisions,
}

impl Scenario {
    /// Configuration of the mesh that is there from start to end.
    pub(super) fn config_map(self) -> &'static str {
        match self {
            Self::InPlace
            | Self::InPlaceHelm3
            | Self::Withdrawal
            | Self::TwoClusters
            | Self::Istioctl
            | Self::ArgoCd
            | Self::Flux
            | Self::Sail => "istio",
            Self::CanaryBeside => "istio-1-30-3",
            Self::CanaryRemoval => "istio-1-31-0",
            Self::SailRevisions => "istio-default-v1-30-3",
        }
    }

    /// Whether it is one of a canary's two.
    pub(super) fn is_canary(self) -> bool {
        matches!(self, Self::CanaryBeside | Self::CanaryRemoval)
    }

    /// Whether the driver's own helm does all of it.
    pub(super) fn is_by_helm(self) -> bool {
        !matches!(
            self,
            Self::Istioctl | Self::ArgoCd | Self::Flux | Self::Sail | Self::SailRevisions
        )
    }

    /// The version in the end.
    pub(super) fn ends_at(self) -> &'static str {
        if self == Self::Withdrawal { FROM } else { TO }
    }

    /// How `apply` ends that nobody kills.
    pub(super) fn ends_with(self) -> i32 {
        if self == Self::Withdrawal { 3 } else { 0 }
    }

    /// Fewer requests of a kind than that mean that the proxy was not in use.
    #[must_use]
    pub fn fewest_requests(self) -> usize {
        if self == Self::Withdrawal { 5 } else { 11 }
    }

    /// Helm's releases in the end, in the order in which helm lists them.
    pub(super) fn releases(self) -> &'static [&'static str] {
        match self {
            Self::InPlace | Self::InPlaceHelm3 | Self::Withdrawal | Self::TwoClusters => &["istio-base", "istiod"],
            Self::CanaryBeside => &["istio-base", OLD_RELEASE, NEW_RELEASE],
            Self::CanaryRemoval => &["istio-base", NEW_RELEASE],
            Self::Flux => &["istio-base", "istio-cni", "istiod"],
            Self::Sail => &["default-istiod", "istio-cni"],
            Self::SailRevisions => &[
                "default-revisiontags",
                OLD_SAIL_RELEASE,
                "default-v1-31-0-istiod",
                "istio-cni",
            ],
            Self::Istioctl | Self::ArgoCd => &[],
        }
    }

    /// The one of them that stays as it was.
    pub(super) fn old_release(self) -> Option<&'static str> {
        match self {
            Self::CanaryBeside => Some(OLD_RELEASE),
            Self::SailRevisions => Some(OLD_SAIL_RELEASE),
            _ => None,
        }
    }

    /// Phases of all journals in the end.
    pub(super) fn journals(self) -> &'static [&'static str] {
        match self {
            Self::CanaryRemoval => &["Succeeded", "Succeeded"],
            Self::Withdrawal => &["Withdrawn"],
            _ => &["Succeeded"],
        }
    }

    /// What the plugin is told.
    pub(super) fn arguments(self) -> Result<Vec<String>> {
        let charts = || -> Result<String> { Ok(Toolbox::get()?.charts(TO)?.display().to_string()) };
        let more = match self {
            Self::InPlace | Self::Withdrawal | Self::TwoClusters => vec!["--charts".to_owned(), charts()?],
            Self::InPlaceHelm3 => {
                let helm = Toolbox::get()?.helm_3().display().to_string();
                vec!["--charts".to_owned(), charts()?, "--helm".to_owned(), helm]
            }
            Self::CanaryBeside | Self::CanaryRemoval => {
                vec!["--strategy=canary".to_owned(), "--charts".to_owned(), charts()?]
            }
            Self::Istioctl => vec![
                "--istioctl".to_owned(),
                OnDemand::Istioctl131.program()?.display().to_string(),
            ],
            // What nobody merges any more shall end, and not hang.
            Self::ArgoCd | Self::Flux => vec!["--merge-timeout=90s".to_owned()],
            Self::Sail | Self::SailRevisions => Vec::new(),
        };
        let common = ["apply", "--to", TO, "--yes"].map(str::to_owned);
        Ok(common.into_iter().chain(more).collect())
    }
}
