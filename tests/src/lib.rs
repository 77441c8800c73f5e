//! End-to-end tests: the harness that runs a real control plane.
pub mod harness;
