//! Flags of the verbs that change nothing.

use super::{
    target::{HowTo, MeshArgs, Programs, TargetArgs},
    values::day,
};
use clap::{Args, Subcommand};
use shared::catalog::Date;
use std::path::PathBuf;

/// Flags of `check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Which mesh, and where to.
    #[command(flatten)]
    pub target: TargetArgs,
    /// Check every mesh that is found, a line for each and one total
    #[arg(long, conflicts_with_all = ["mesh", "watch", "baseline", "verbose"])]
    pub all: bool,
    /// For which way of replacing control planes [default: in-place]
    #[arg(long, value_name = "HOW", value_enum)]
    pub strategy: Option<HowTo>,
    /// List the checks that passed, too
    #[arg(long, short)]
    pub verbose: bool,
    /// Exit with 4 when there are warnings
    #[arg(long, value_name = "SEVERITY", value_enum)]
    pub fail_on: Option<FailOn>,
    /// File of findings that were accepted in writing
    #[arg(long, value_name = "FILE")]
    pub waivers: Option<PathBuf>,
    /// Check again whenever something relevant has changed, until interrupted
    #[arg(long)]
    pub watch: bool,
    /// Day on which the upgrade is to be, as 2027-01-31: what ends until then, such as certificates, releases and waivers,
    /// has ended [default: today, in UTC]
    #[arg(long, value_name = "DAY", value_parser = day)]
    pub on: Option<Date>,
    /// An earlier report of `check -o json`: only what is new is shown; what blocks still blocks
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// The programs that install.
    #[command(flatten)]
    pub programs: Programs,
}

/// Severity from which `check` fails beside blockers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum FailOn {
    /// Warnings fail, too.
    Warning,
}

/// Flags of `plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// Which mesh, and where to.
    #[command(flatten)]
    pub target: TargetArgs,
    /// For which way of replacing control planes [default: in-place]
    #[arg(long, value_name = "HOW", value_enum)]
    pub strategy: Option<HowTo>,
    /// Exit with 2 when the plan has steps
    #[arg(long)]
    pub detailed_exitcode: bool,
    /// File of findings that were accepted in writing, for the commands that follow
    #[arg(long, value_name = "FILE")]
    pub waivers: Option<PathBuf>,
    /// Write the plan to a file, bound to what was observed, for `apply FILE`
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// The programs that install.
    #[command(flatten)]
    pub programs: Programs,
}

/// Verbs of the data plane.
#[derive(Debug, Subcommand)]
pub enum DataplaneCommand {
    /// Proxies by version, namespace and workload, who is due, and what a restart would meet; changes nothing
    Status(MeshArgs),
}

/// Flags of `guide`.
#[derive(Debug, Args)]
pub struct GuideArgs {
    /// Which mesh, and where to.
    #[command(flatten)]
    pub target: TargetArgs,
    /// How control planes are replaced [default: canary where they have revisions of their own, else in-place]
    #[arg(long, value_name = "HOW", value_enum)]
    pub strategy: Option<HowTo>,
    /// As a shell script that stops before each step and asks
    #[arg(long)]
    pub script: bool,
}

/// Flags of `status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Which mesh.
    #[command(flatten)]
    pub mesh: MeshArgs,
    /// Follow the upgrade to its end, or until it has been stopped for 20 s, which is exit code 1; with -o json, a line for each event
    #[arg(long, short)]
    pub watch: bool,
}

/// Flags of `version`.
#[derive(Debug, Args)]
pub struct VersionArgs {
    /// Only the plugin's own version: asks no cluster
    #[arg(long)]
    pub client: bool,
}

/// Flags of `explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// Code, as MU101 or MG001, or its number; without one all of them are listed
    #[arg(value_name = "CODE")]
    pub code: Option<String>,
}
