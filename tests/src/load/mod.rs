//! Clients that speak to a webhook as the API server does, HTTP/1.1 over TLS on connections that are kept, and what a
//! process costs, as the kernel counts it.

mod client;
mod cost;
mod reviews;

pub use client::{Client, Server};
pub use cost::{cpu_of, peak_of, resident_of};
pub use reviews::{Shape, review};
