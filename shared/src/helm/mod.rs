//! Helm's releases as they are stored in a cluster.

mod release;

pub use release::{Release, ReleaseError, Values, decode, storage_name};
