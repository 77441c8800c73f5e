//! Installing the guard and proving it: the plugin's side of the admission barriers.

pub mod apply;
pub mod belongings;
pub mod certificate;
pub mod lift;
pub mod prove;
pub mod rollout;
pub mod standing;

pub use apply::{ensure_crds, ensure_journal};
