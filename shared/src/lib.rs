//! Pure core of `kubectl mesh-upgrade`: every decision, as functions of plain values, with time as a parameter.
//!
//! Nothing here reads a clock, a file, the environment or a network; the plugin and the webhook are the shells that
//! observe, call these functions, persist and act.

pub mod adopt;
pub mod api;
pub mod arrival;
pub mod canary;
pub mod catalog;
pub mod charts;
pub mod choice;
pub mod conditions;
pub mod connections;
pub mod data_plane;
pub mod document;
pub mod engine;
pub mod event;
pub mod finding;
pub mod fingerprint;
pub mod gitops;
pub mod guard;
pub mod guide;
pub mod helm;
pub mod injection;
pub mod inventory;
pub mod istioctl;
pub mod journals;
pub mod liveness;
pub mod machine;
pub mod managed;
pub mod managed_fields;
pub mod members;
pub mod mesh;
pub mod names;
pub mod path;
pub mod patience;
pub mod phase;
pub mod plan;
pub mod preflight;
pub mod prompt;
pub mod revision;
pub mod version;
pub mod waiver;
pub mod yaml;
pub mod ztunnel;
