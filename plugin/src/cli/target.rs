//! What several verbs are told: which mesh goes where, how, and with which programs.

use super::values::version;
use clap::Args;
use shared::version::IstioVersion;
use std::path::PathBuf;

/// Which mesh.
#[derive(Clone, Debug, Default, Args)]
pub struct MeshArgs {
    /// Name of the mesh, as `list` shows it; may be left out when there is only one. For `apply` also a plan file,
    /// which has a dot or a slash in its name
    #[arg(value_name = "MESH")]
    pub mesh: Option<String>,
}

/// Which mesh goes where.
#[derive(Debug, Args)]
pub struct TargetArgs {
    /// Which mesh.
    #[command(flatten)]
    pub mesh: MeshArgs,
    /// Version to go to, as 1.31.0 or 1.31.0-mspider
    #[arg(long, value_name = "VERSION", value_parser = version)]
    pub to: IstioVersion,
    /// Where the charts are: a directory, oci://… or https://… [default: the catalog's source]
    #[arg(long, value_name = "DIR|URL")]
    pub charts: Option<String>,
}

/// Programs of the operator's that install.
#[derive(Clone, Debug, Default, Args)]
pub struct Programs {
    /// The helm binary, for what helm installed [default: helm on the PATH]
    #[arg(long, value_name = "FILE")]
    pub helm: Option<PathBuf>,
    /// The istioctl of the target's version, for what istioctl installed [default: istioctl on the PATH]
    #[arg(long, value_name = "FILE")]
    pub istioctl: Option<PathBuf>,
}

/// How control planes are replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum HowTo {
    /// Where they stand.
    InPlace,
    /// By a new revision beside the one that runs.
    Canary,
}

impl HowTo {
    /// Whether a canary is asked for.
    #[must_use]
    pub fn is_canary(given: Option<Self>) -> bool {
        given == Some(Self::Canary)
    }

    /// The word of the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InPlace => "in-place",
            Self::Canary => "canary",
        }
    }
}
