//! Verbs of the guard, and their flags.

use clap::{Args, Subcommand};

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
