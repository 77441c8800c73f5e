//! Flags that every verb takes.

use super::values::request_timeout;
use crate::{
    cluster::ClusterFlags,
    ui::{Chosen, EVERYWHERE, Format, Lang},
};
use clap::Args;
use std::{path::PathBuf, time::Duration};

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
