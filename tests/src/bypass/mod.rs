//! The bypass corpus: every known way around the freeze, and everything that it must let pass, as rows of a table in
//! `tests/fixtures/bypass`. Each row is one request, asked of a real API server under each barrier by itself.
//!
//! To add an attempt, add a row; `tests/fixtures/bypass/README.md` tells what stands in one.

mod answer;
mod api;
mod freeze;
pub mod real_writers;
mod table;

pub use answer::{Answer, Barriers, Expectation, WebhookAnswer};
pub use api::Api;
pub use freeze::Freeze;
pub use table::{Identity, Row, Table, Verb, hours_ahead};
