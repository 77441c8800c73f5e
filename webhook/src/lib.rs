//! Validating admission webhook: reads a review, gathers what it knows of the cluster, asks `shared::guard`, answers.

mod answer;
mod args;
mod authority;
mod connections;
mod events;
mod exempt;
mod facts;
mod follow;
mod handler;
mod health;
mod heard;
mod here;
mod lean;
mod listen;
mod metrics;
mod prompt;
mod record;
mod report;
mod run;
mod server;
pub mod telemetry;
pub mod tls;
mod way_back;

pub use args::Args;
pub use facts::{Caches, build as build_facts};
pub use handler::Reviews;
pub use metrics::Metrics;
pub use run::run;
pub use server::{limited, router, serve_reviews};
pub use way_back::{Uses, WaysBack, ways_back};
