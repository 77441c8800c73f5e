//! The command line: verbs and flags, as kubectl's users expect them.

mod mistakes;
mod values;

pub use mistakes::advice;

use crate::{
    cluster::ClusterFlags,
    ui::{Chosen, EVERYWHERE, Format, Lang},
};
use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use shared::{catalog::Date, version::IstioVersion};
use std::{ffi::OsString, path::PathBuf, time::Duration};
use values::{day, request_timeout, step_timeout, version};

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

/// Flags that every verb takes, named as kubectl names them.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = EVERYWHERE)]
pub struct Global {
    /// Path to the kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the ServiceAccount of a pod]
    #[arg(long, global = true, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig to use
    #[arg(long, global = true, value_name = "NAME")]
    pub context: Option<String>,
    /// Contexts of several clusters of a mesh: a,b,c; one is enough where it leads to the others
    #[arg(
        long,
        global = true,
        value_name = "NAMES",
        value_delimiter = ',',
        conflicts_with = "context"
    )]
    pub contexts: Vec<String>,
    /// Only meshes whose control plane is in this namespace, for list, check, plan, guide, dataplane and adopt [default:
    /// all namespaces]
    #[arg(short, long, global = true, value_name = "NAMESPACE")]
    pub namespace: Option<String>,
    /// Meshes of all namespaces, which is the default
    #[arg(short = 'A', long, global = true, conflicts_with = "namespace")]
    pub all_namespaces: bool,
    /// How long one request may take, as 10s or 2m; 0 is an hour
    #[arg(long, global = true, value_name = "DURATION", value_parser = request_timeout)]
    pub request_timeout: Option<Duration>,
    /// User to impersonate (reading only)
    #[arg(long = "as", global = true, value_name = "USER")]
    pub as_user: Option<String>,
    /// Group to impersonate; may be repeated
    #[arg(long = "as-group", global = true, value_name = "GROUP")]
    pub as_groups: Vec<String>,
    /// Output format
    #[arg(short, long, global = true, value_enum, default_value_t = Format::Text, hide_default_value = true)]
    pub output: Format,
    /// Language of what people read [default: what LC_ALL, LC_MESSAGES or LANG name, else en]
    #[arg(long, global = true, value_name = "LANG", value_enum)]
    pub lang: Option<Lang>,
    /// Show what asking cost, for list, check and plan: calls, bytes and time of each cluster
    #[arg(long, global = true)]
    pub stats: bool,
    /// Catalog of Istio versions that replaces the built-in one, or with `extends: embedded` is laid over it
    #[arg(long, global = true, value_name = "FILE")]
    pub catalog: Option<PathBuf>,
}

impl Global {
    /// The flags that say which cluster and as whom.
    #[must_use]
    pub fn cluster(&self) -> ClusterFlags {
        ClusterFlags {
            kubeconfig: self.kubeconfig.clone(),
            context: self.context.clone(),
            request_timeout: self.request_timeout,
            as_user: self.as_user.clone(),
            as_groups: self.as_groups.clone(),
        }
    }

    /// What printed commands have to repeat.
    #[must_use]
    pub fn chosen(&self) -> Chosen {
        let shown = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        Chosen {
            context: self.context.clone(),
            contexts: self.contexts.clone(),
            kubeconfig: shown(&self.kubeconfig),
            catalog: shown(&self.catalog),
        }
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

/// Flags of `status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Which mesh.
    #[command(flatten)]
    pub mesh: MeshArgs,
    /// Follow the upgrade to its end, or until it has stopped, which is exit code 1; with -o json, a line for each event
    #[arg(long, short)]
    pub watch: bool,
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

/// Verbs of the guard.
#[derive(Debug, Subcommand)]
pub enum GuardCommand {
    /// Install or update the guard
    Install(GuardInstallArgs),
    /// Prove the guard by dry runs, and say what is protected and what is not
    Status,
    /// Remove the guard; refused while an upgrade runs, unless forced with a reason
    Uninstall(GuardUninstallArgs),
}

/// Flags of `guard install`.
#[derive(Debug, Args)]
pub struct GuardInstallArgs {
    /// Only the policies: no pod and no image in the cluster
    #[arg(long, conflicts_with_all = ["image", "image_pull_secrets", "webhook_url", "cert_manager"])]
    pub policy_only: bool,
    /// Let cert-manager make the webhook's certificates; without it the webhook makes and renews them itself
    #[arg(long, conflicts_with = "webhook_url")]
    pub cert_manager: bool,
    /// Image of the webhook
    #[arg(long, value_name = "IMAGE")]
    pub image: Option<String>,
    /// Secret in the guard's namespace by which nodes may pull the webhook's image; may be repeated
    #[arg(long = "image-pull-secret", value_name = "NAME", conflicts_with = "webhook_url")]
    pub image_pull_secrets: Vec<String>,
    /// Where the API server reaches a webhook that runs outside of the cluster, as https://HOST:PORT
    #[arg(long, value_name = "URL")]
    pub webhook_url: Option<String>,
    /// Replicas of the webhook [default: 3]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..), conflicts_with_all = ["policy_only", "webhook_url"])]
    pub replicas: Option<i32>,
    /// Begin from the defaults, and not from how the guard is installed now; also take back a guard of a later release
    #[arg(long)]
    pub reset: bool,
}

/// Flags of `guard uninstall`.
#[derive(Debug, Default, Args)]
pub struct GuardUninstallArgs {
    /// Also while an upgrade runs, whose freeze is lifted first, as by `unlock`; and with what you keep in its namespace
    #[arg(long, requires = "reason")]
    pub force: bool,
    /// Why it is removed by force; recorded as by `unlock` (with --force)
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Do not ask
    #[arg(long, short = 'y')]
    pub yes: bool,
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
