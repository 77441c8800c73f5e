//! The command line: verbs and flags, as kubectl's users expect them.

mod global;
mod guard;
mod mistakes;
mod reading;
mod target;
mod values;
mod writing;

pub use global::Global;
pub use guard::{GuardCommand, GuardInstallArgs, GuardUninstallArgs};
pub use mistakes::advice;
pub use reading::{CheckArgs, DataplaneCommand, ExplainArgs, FailOn, GuideArgs, PlanArgs, StatusArgs, VersionArgs};
pub use target::{HowTo, MeshArgs, Programs, TargetArgs};
pub use writing::{AdoptArgs, ApplyArgs, Kept, UnlockArgs};

use crate::ui::Lang;
use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use std::ffi::OsString;

/// Upgrade Istio meshes one minor at a time, checked first and frozen while it runs.
#[derive(Debug, Parser)]
#[command(
    name = "kubectl-mesh_upgrade",
    bin_name = "kubectl mesh-upgrade",
    disable_version_flag = true,
    after_help = "Start with:  kubectl mesh-upgrade list"
)]
pub struct Cli {
    /// Flags that every verb takes.
    #[command(flatten)]
    pub global: Global,
    /// Print the plugin's own version, as `version --client` does
    #[arg(short = 'V', long, hide = true)]
    pub version: bool,
    /// The verb; without one, the wizard on a terminal and help elsewhere.
    #[command(subcommand)]
    pub command: Option<Command>,
}

impl Cli {
    /// Reads a command line.
    ///
    /// # Errors
    /// clap's own, which carries its text and knows whether it is help or a mistake.
    pub fn read<I: IntoIterator<Item = OsString>>(args: I) -> Result<Self, clap::Error> {
        Self::read_in(args, Lang::English)
    }

    /// The same with help in a language.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_in<I: IntoIterator<Item = OsString>>(args: I, lang: Lang) -> Result<Self, clap::Error> {
        let matches = lang.helping(Self::command()).try_get_matches_from(args)?;
        Self::from_arg_matches(&matches)
    }
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List meshes, their versions, and where a newer Istio is available
    List,
    /// Check whether a mesh can go to a version; changes nothing
    Check(CheckArgs),
    /// Show the ordered steps of an upgrade; changes nothing
    Plan(PlanArgs),
    /// Upgrade a mesh, frozen while it runs; there is no way back once it has begun
    #[command(alias = "upgrade")]
    Apply(ApplyArgs),
    /// Write the Mesh object that says what was discovered, after showing it
    Adopt(AdoptArgs),
    /// Look at the data plane: proxies that are behind, and what restarts them
    #[command(subcommand)]
    Dataplane(DataplaneCommand),
    /// Write the runbook of an upgrade for whoever does it by hand; changes nothing
    Guide(GuideArgs),
    /// Show the journal of the upgrade that runs, or ran last
    Status(StatusArgs),
    /// Lift the freeze of an upgrade that stopped, on the record; the upgrade can still be resumed
    Unlock(UnlockArgs),
    /// Install, prove or remove the guard in the cluster
    #[command(subcommand)]
    Guard(GuardCommand),
    /// Explain a finding or a refusal by its code, as MU101 or MG001
    Explain(ExplainArgs),
    /// Show the versions of plugin, guard and catalog, and whether they fit together
    Version(VersionArgs),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_version_that_is_none_is_wrong_usage() {
        let error = Cli::read(["kubectl-mesh_upgrade", "check", "--to", "latest"].map(OsString::from)).unwrap_err();
        assert!(error.use_stderr());
        assert!(error.to_string().contains("1.31.0-mspider"), "{error}");
    }
}
