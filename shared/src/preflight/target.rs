//! What is to be checked: the version to go to, and what the check is for.

use crate::version::IstioVersion;

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

/// The version that a mesh is to go to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The version, flavor included.
    pub version: IstioVersion,
    /// Whether a person named it; only then may it be a pre-release.
    pub named: bool,
    /// What the check is for.
    pub purpose: Purpose,
}

impl Target {
    /// A version that a person named, as with `--to`, to be checked.
    #[must_use]
    pub fn new(version: IstioVersion) -> Self {
        Self {
            version,
            named: true,
            purpose: Purpose::Check,
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

    /// The same version, for another purpose.
    #[must_use]
    pub fn for_purpose(mut self, purpose: Purpose) -> Self {
        self.purpose = purpose;
        self
    }
}
