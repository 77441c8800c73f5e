//! Clusters in which parts of Istio run, and which are of no mesh that was found.

use super::MeshView;
use crate::inventory::{ClusterState, Inventory};

/// Names of the clusters that were observed, run parts of Istio, and are members of none of the meshes.
pub fn strays<'a>(inventory: &'a Inventory, meshes: &'a [MeshView]) -> impl Iterator<Item = &'a str> {
    let strays = inventory.clusters.iter().filter(|cluster| {
        let ClusterState::Observed(observed) = &cluster.state else {
            return false;
        };
        let runs_parts = !observed.node_components.is_empty()
            || !observed.vendor_components.is_empty()
            || !observed.gateways.is_empty()
            || !observed.helm_releases.is_empty();
        let mut all = meshes.iter().flat_map(MeshView::clusters);
        runs_parts && !all.any(|name| name == cluster.name)
    });
    strays.map(|cluster| cluster.name.as_str())
}
