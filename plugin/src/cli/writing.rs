//! Flags of the verbs that write: an upgrade, a Mesh, or the end of a freeze.

use super::{
    target::{HowTo, MeshArgs, Programs},
    values::{step_timeout, version},
};
use clap::Args;
use shared::version::IstioVersion;
use std::{path::PathBuf, time::Duration};

/// Flags of `apply`.
#[derive(Clone, Debug, Args)]
pub struct ApplyArgs {
    /// Which mesh.
    #[command(flatten)]
    pub mesh: MeshArgs,
    /// Version to go to; may be left out to resume the upgrade that has begun
    #[arg(long, value_name = "VERSION", value_parser = version)]
    pub to: Option<IstioVersion>,
    /// Where the charts are: a directory, oci://… or https://… [default: the catalog's source]
    #[arg(long, value_name = "DIR|URL")]
    pub charts: Option<String>,
    /// How control planes are replaced; a canary takes two upgrades, both begun so [default: in-place]
    #[arg(long, value_name = "HOW", value_enum)]
    pub strategy: Option<HowTo>,
    /// Give up an upgrade that has changed nothing yet; it ends as Withdrawn, and the mesh is open
    #[arg(long, conflicts_with_all = ["to", "charts", "strategy", "unguarded", "waivers", "skip_image_pull"])]
    pub withdraw: bool,
    /// Do not ask: yes, there is no way back
    #[arg(long, short = 'y')]
    pub yes: bool,
    /// Go on without the guard: nothing stops others from changing the mesh meanwhile
    #[arg(long, requires = "reason")]
    pub unguarded: bool,
    /// File of findings that were accepted in writing; those that are used are recorded in the journal
    #[arg(long, value_name = "FILE")]
    pub waivers: Option<PathBuf>,
    /// Why it goes on without the guard; recorded in the journal (with --unguarded)
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Do not pull the images first: a missing image is then found in mid-upgrade, with the mesh frozen
    #[arg(long)]
    pub skip_image_pull: bool,
    /// How long one component may take to become ready, as 10m; one that runs on each node gets more where its nodes need it
    #[arg(long, value_name = "DURATION", value_parser = step_timeout, default_value = "10m")]
    pub step_timeout: Duration,
    /// How long somebody may take to merge the change of one component that Argo CD or Flux brings, as 1h
    #[arg(long, value_name = "DURATION", value_parser = step_timeout, default_value = "1h")]
    pub merge_timeout: Duration,
    /// The programs that install.
    #[command(flatten)]
    pub programs: Programs,
}

/// Flags of `adopt`.
#[derive(Debug, Args)]
pub struct AdoptArgs {
    /// Which mesh.
    #[command(flatten)]
    pub mesh: MeshArgs,
    /// Who operates it; external ones are never written to [default: what fits, as far as that is seen]
    #[arg(long, value_name = "KIND", value_enum)]
    pub management: Option<Kept>,
    /// Only show the object
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask
    #[arg(long, short = 'y')]
    pub yes: bool,
}

/// Who operates a mesh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Kept {
    /// Its control plane runs elsewhere for it.
    Hosted,
    /// Its control plane runs in its own clusters.
    Dedicated,
    /// Its owner.
    External,
}

/// Flags of `unlock`.
#[derive(Debug, Args)]
pub struct UnlockArgs {
    /// Which mesh.
    #[command(flatten)]
    pub mesh: MeshArgs,
    /// Why; recorded in the MeshFreeze, the journal, an Event and the audit log
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// Do not ask
    #[arg(long, short = 'y')]
    pub yes: bool,
}
