//! The command line of the webhook.

use clap::Parser;
use std::{net::IpAddr, path::PathBuf};

/// Guards Istio meshes while `kubectl mesh-upgrade` upgrades them, and their versions at all times.
#[derive(Clone, Debug, Parser)]
#[command(name = "mesh-upgrade-webhook", version)]
pub struct Args {
    /// Address to listen on.
    #[arg(long, default_value = "0.0.0.0")]
    pub bind: IpAddr,

    /// Port of admission reviews, over TLS.
    #[arg(long, default_value_t = 8443)]
    pub port: u16,

    /// Port of /healthz, /readyz and /metrics, in plain HTTP.
    #[arg(long, default_value_t = 8081)]
    pub health_port: u16,

    /// Directory with tls.crt and tls.key; a change is picked up within seconds.
    #[arg(long, value_name = "DIRECTORY")]
    pub tls_dir: PathBuf,

    /// Kubeconfig of the cluster to guard; by default the cluster that the webhook runs in.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,

    /// Another flavor that a Mesh may name, beside those of the built-in catalog; may be repeated.
    #[arg(long = "flavor", value_name = "NAME")]
    pub flavors: Vec<String>,
}
