//! The clusters of a mesh as an upgrade goes over them, under the names of its plan.

use crate::cluster::{self, Cluster, ObserveOptions};
use shared::{
    inventory::{ClusterInventory, ClusterState, Found, Inventory},
    members::{Host, Led, tell_hosts, tell_remotes},
};
use std::collections::BTreeMap;

/// The clusters, as the caller.
#[derive(Default)]
pub struct Members {
    /// Name of the one that holds the journal.
    pub home: String,
    /// Those that the plan writes to, as far as they were reached.
    pub clusters: Vec<Cluster>,
    /// All members, for what is checked over the whole mesh.
    pub all: Vec<Cluster>,
    /// Members of this mesh that the plan does not write to, with the namespaces of their control planes.
    pub others: Vec<(Cluster, Vec<String>)>,
    /// How each became a member.
    pub found: BTreeMap<String, Found>,
    /// Control planes of the plan that are configured in another cluster: what leads there is not read again.
    pub hosts: Vec<Host>,
    /// Whose kubeconfigs their istiods were given, which is not read again either.
    pub remotes: Vec<Led>,
    /// Clusters that could not be reached when this driver began, with the reason.
    pub unreached: BTreeMap<String, String>,
}

impl Members {
    /// A cluster of the plan.
    ///
    /// # Errors
    /// When it was not reached; with the reason.
    pub fn cluster(&self, name: &str) -> Result<&Cluster, String> {
        let found = self.clusters.iter().find(|cluster| cluster.name == name);
        found.ok_or_else(|| match self.unreached.get(name) {
            Some(why) => format!("cluster {name} is Unknown: {why}"),
            None => format!("cluster {name} of the plan is not reachable through this kubeconfig"),
        })
    }

    /// Observes all members anew. Those that were not reached are Unknown, as before.
    pub async fn observe(&self, options: &ObserveOptions) -> Inventory {
        let mut inventory = cluster::observe_all(&self.all, options).await;
        let unreached = self.unreached.iter().map(|(name, reason)| ClusterInventory {
            name: name.clone(),
            found: Found::Named,
            state: ClusterState::Unknown { reason: reason.clone() },
        });
        inventory.clusters.extend(unreached);
        for cluster in &mut inventory.clusters {
            if let Some(found) = self.found.get(&cluster.name) {
                cluster.found.clone_from(found);
            }
        }
        tell_hosts(&mut inventory, self.hosts.clone());
        tell_remotes(&mut inventory, self.remotes.clone());
        inventory
    }
}
