//! The project's own custom resources: Mesh, MeshUpgrade (the journal) and MeshFreeze (the lock's record).

mod downgrade;
mod fingerprint;
mod freeze_settings;
mod hosted;
mod mesh;
mod mesh_freeze;
mod mesh_upgrade;
mod plan;
mod plan_step;
mod reference;

pub use downgrade::*;
pub use fingerprint::*;
pub use freeze_settings::*;
pub use hosted::*;
pub use mesh::*;
pub use mesh_freeze::*;
pub use mesh_upgrade::*;
pub use plan::*;
pub use plan_step::*;
pub use reference::reference;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt as _;

/// All custom resource definitions, in the order in which they are applied.
#[must_use]
pub fn crds() -> Vec<CustomResourceDefinition> {
    vec![Mesh::crd(), MeshUpgrade::crd(), MeshFreeze::crd()]
}

/// Whether a string can be a mesh's name: a DNS label short enough to go into the names of policies and Leases.
#[must_use]
pub fn is_mesh_name(name: &str) -> bool {
    let alnum = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    !name.is_empty()
        && name.len() <= 40
        && name.chars().all(|c| alnum(c) || c == '-')
        && name.starts_with(alnum)
        && name.ends_with(alnum)
}
