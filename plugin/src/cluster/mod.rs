//! Clusters as the plugin reads them: finding the members of a mesh, connecting, private kubeconfigs for helm, and
//! observing what runs.

mod bounds;
mod client;
mod connector;
mod error;
mod failure;
mod http_versions;
mod in_cluster;
mod kubeconfig;
mod lists;
mod members;
mod observe;
mod private;
mod read_ahead;
mod relayed;
mod remote_secret;
mod renewal;
mod retry;
mod stats;

pub use client::{Cluster, ClusterFlags, connect};
pub(crate) use connector::{CONNECT_TIMEOUT, DELIVERED_WITHIN};
pub use error::ClusterError;
pub(crate) use failure::one_line_of;
pub use kubeconfig::known_contexts;
pub use lists::{list, list_metadata};
pub use members::{Members, MembersError, Reached, observe_members, reach_members};
pub use observe::{
    Marks, ObserveOptions, awaited, catalog_text, connected_to, guard_release, impersonation_arrives, managed, observe,
    observe_all, permissions_for_apply, permissions_for_unguarded_apply, served, whoami,
};
pub use private::PrivateKubeconfig;
pub use relayed::{Relayed, was_never_done, why_not_passed};
pub use remote_secret::sanitized as sanitized_kubeconfig;
pub use stats::ClusterStats;

#[cfg(test)]
pub(crate) mod tests;
