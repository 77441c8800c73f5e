//! The command line of the webhook.

use clap::Parser;
use k8s_openapi::jiff::SignedDuration;
use std::{net::IpAddr, path::PathBuf};

/// Guards Istio meshes while `kubectl mesh-upgrade` upgrades them, and their versions at all times.
#[derive(Clone, Debug, Parser)]
#[command(name = "mesh-upgrade-webhook", version)]
pub struct Args {
    /// Address to listen on; without it all of IPv6 and IPv4.
    #[arg(long, value_name = "ADDRESS")]
    pub bind: Option<IpAddr>,

    /// Port of admission reviews, over TLS.
    #[arg(long, default_value_t = 8443)]
    pub port: u16,

    /// Port of /healthz, /readyz and /metrics, in plain HTTP.
    #[arg(long, default_value_t = 8081)]
    pub health_port: u16,

    /// Directory with tls.crt and tls.key, as of cert-manager; a change is picked up within seconds. Without it the
    /// webhook makes its certificates itself and keeps them in a Secret.
    #[arg(long, value_name = "DIRECTORY", conflicts_with_all = ["serving_certificate_lifetime", "authority_settle_time"])]
    pub tls_dir: Option<PathBuf>,

    /// How long a certificate that the webhook makes is valid, as 2160h; it is renewed when a third of that is left.
    #[arg(long, value_name = "DURATION", default_value = "2160h")]
    pub serving_certificate_lifetime: SignedDuration,

    /// How long a new authority stands in the webhook configuration before its certificate is served, as 5m: each API
    /// server must have read it by then.
    #[arg(long, value_name = "DURATION", default_value = "5m")]
    pub authority_settle_time: SignedDuration,

    /// Directory with the file `cluster`, the name by which Mesh objects list this cluster, and, where those are in another
    /// cluster, the file `kubeconfig`, which leads there: this one is then reported to them. Files may come later.
    #[arg(long, value_name = "DIRECTORY")]
    pub member_dir: Option<PathBuf>,

    /// Kubeconfig of the cluster to guard; by default the cluster that the webhook runs in.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
}
