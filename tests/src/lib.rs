//! End-to-end tests and the demo: real control planes, and this project's own programs run in them.

pub mod bypass;
pub mod figures;
pub mod harness;
pub mod kill;
pub mod product;
