//! Observing a cluster: what of Istio and of the guard runs there, as plain values for the checks.

mod permissions;

pub use permissions::{
    PermissionQuery, impersonation_arrives, permissions_for_apply, permissions_for_unguarded_apply, whoami,
};

use super::client::Cluster;
use shared::inventory::{ClusterInventory, ClusterState, Inventory};
use std::time::Duration;

/// What is asked beyond the lists.
#[derive(Clone, Debug)]
pub struct ObserveOptions {
    /// Ask the pods of istiod which version they run, through port-forwards.
    pub ask_running_versions: bool,
    /// What the caller and the driver must be allowed to do.
    pub permissions: Vec<PermissionQuery>,
    /// How long each single question may take.
    pub deadline: Duration,
}

impl Default for ObserveOptions {
    fn default() -> Self {
        Self {
            ask_running_versions: false,
            permissions: Vec::new(),
            deadline: Duration::from_secs(20),
        }
    }
}

/// Observes one cluster. Never fails: a cluster that cannot be read is Unknown, with the reason.
pub async fn observe(cluster: &Cluster, options: &ObserveOptions) -> ClusterInventory {
    let _ = options;
    ClusterInventory {
        name: cluster.name.clone(),
        state: ClusterState::Unknown {
            reason: "it was not observed".to_owned(),
        },
    }
}

/// Observes several clusters at the same time.
pub async fn observe_all(clusters: &[Cluster], options: &ObserveOptions) -> Inventory {
    let asked = clusters.iter().map(|cluster| observe(cluster, options));
    Inventory {
        clusters: futures::future::join_all(asked).await,
    }
}
