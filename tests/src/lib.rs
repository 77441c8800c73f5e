//! End-to-end tests and the demo: real control planes, and this project's own programs run in them.

pub mod audit;
pub mod bypass;
pub mod figures;
pub mod fuzz;
pub mod harness;
pub mod kill;
pub mod load;
pub mod pictures;
pub mod product;
pub mod race;
pub mod release;
pub mod traffic;
