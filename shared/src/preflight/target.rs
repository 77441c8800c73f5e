//! What is to be checked: the version to go to, and what the check is for.

use super::Begun;
use crate::{api::Component, version::IstioVersion};

/// What a check is made for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Purpose {
    /// To know: what only `apply` would need is a warning.
    #[default]
    Check,
    /// To change the mesh, frozen by the guard.
    Apply,
    /// To change the mesh without the guard, because the operator said so and why.
    ApplyUnguarded,
}

/// What was found of the target's charts at the place from which an upgrade would take them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChartLookup {
    /// The place: a folder, or an address.
    pub source: String,
    /// Whether a person named it; otherwise it is the catalog's, and `apply` may still be told of another.
    pub named: bool,
    /// Each chart that was asked for, with why it is not to be had.
    pub charts: Vec<(Component, Result<(), String>)>,
    /// Why nothing could be asked.
    pub no_installer: Option<String>,
    /// Where istioctl has to make a step: whether it is at hand, or why not.
    pub istioctl: Option<Result<String, String>>,
}

/// The version that a mesh is to go to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The version, flavor included.
    pub version: IstioVersion,
    /// Whether a person named it; only then may it be a pre-release.
    pub named: bool,
    /// What the check is for.
    pub purpose: Purpose,
    /// What was found of its charts; `None` where nobody looked.
    pub charts: Option<ChartLookup>,
    /// Whether control planes are replaced by new revisions beside them.
    pub canary: bool,
    /// Whether the mesh is frozen for it already, so that controllers are refused what they try.
    pub frozen: bool,
    /// The upgrade of the mesh that has begun and is not over, where somebody looked for one.
    pub begun: Option<Begun>,
}

impl Target {
    /// A version that a person named, as with `--to`, to be checked.
    #[must_use]
    pub fn new(version: IstioVersion) -> Self {
        Self {
            version,
            named: true,
            purpose: Purpose::Check,
            charts: None,
            canary: false,
            frozen: false,
            begun: None,
        }
    }

    /// A version that the tool itself proposes, to be checked.
    #[must_use]
    pub fn proposed(version: IstioVersion) -> Self {
        Self {
            named: false,
            ..Self::new(version)
        }
    }

    /// The same version, with what was found of its charts.
    #[must_use]
    pub fn with_charts(mut self, charts: Option<ChartLookup>) -> Self {
        self.charts = charts;
        self
    }

    /// The same version, as a canary or where things stand.
    #[must_use]
    pub fn as_canary(mut self, canary: bool) -> Self {
        self.canary = canary;
        self
    }

    /// The same version, once the mesh is frozen for it, or before.
    #[must_use]
    pub fn once_frozen(mut self, frozen: bool) -> Self {
        self.frozen = frozen;
        self
    }

    /// The same version, while an upgrade is not over.
    #[must_use]
    pub fn amid(mut self, begun: Option<Begun>) -> Self {
        self.begun = begun;
        self
    }

    /// The same version, for another purpose.
    #[must_use]
    pub fn for_purpose(mut self, purpose: Purpose) -> Self {
        self.purpose = purpose;
        self
    }
}
