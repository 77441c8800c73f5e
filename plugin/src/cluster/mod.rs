//! Clusters as the plugin reads them: connecting, private kubeconfigs for helm, and observing what runs.

mod client;
mod connector;
mod error;
mod failure;
mod kubeconfig;
mod observe;
mod private;

pub use client::{Cluster, ClusterFlags, connect};
pub use error::ClusterError;
pub use observe::{
    ObserveOptions, PermissionQuery, catalog_text, impersonation_arrives, observe, observe_all, permissions_for_apply,
    permissions_for_unguarded_apply, whoami,
};
pub use private::PrivateKubeconfig;

#[cfg(test)]
mod tests;
