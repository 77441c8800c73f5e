//! Preflight: what has to be right before a mesh may go to a version, one file for each family of checks.

mod target;

pub use target::{Purpose, Target};
