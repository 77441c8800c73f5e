//! What the guard knows of the cluster that it stands in: its name, where somebody says it, and its Kubernetes, asked for
//! once an hour.

use crate::report::Membership;
use kube::Client;
use shared::{prompt::Here, version::KubernetesVersion};
use std::{path::PathBuf, time::Duration};
use tokio::sync::watch;

/// How often it is asked: a Kubernetes upgrade takes longer.
const AGAIN: Duration = Duration::from_secs(3600);
/// After a question without an answer.
const RETRY: Duration = Duration::from_secs(30);

/// Keeps it current for ever.
pub(crate) async fn keep(client: Client, membership: Option<PathBuf>, here: watch::Sender<Here>) {
    loop {
        let kubernetes = ask(&client).await;
        let pause = if kubernetes.is_some() { AGAIN } else { RETRY };
        let cluster = membership.as_deref().and_then(Membership::cluster_in);
        here.send_if_modified(|known| {
            let new = Here {
                cluster,
                // What was once known is better than nothing.
                kubernetes: kubernetes.or_else(|| known.kubernetes.clone()),
            };
            let changed = *known != new;
            *known = new;
            changed
        });
        tokio::time::sleep(pause).await;
    }
}

async fn ask(client: &Client) -> Option<KubernetesVersion> {
    let answer = client.apiserver_version().await;
    let version =
        answer.inspect_err(|error| tracing::warn!(%error, "cannot ask for the version of Kubernetes; trying again"));
    version.ok()?.git_version.parse().ok()
}
