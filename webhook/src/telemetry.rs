//! Logs: JSON on stderr, the level from RUST_LOG, `info` without it.

use tracing_subscriber::{EnvFilter, fmt};

/// Starts logging; a second call changes nothing.
pub fn install() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let subscriber = fmt()
        .json()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .finish();
    // It fails only when a subscriber is already there, as in a test.
    drop(tracing::subscriber::set_global_default(subscriber));
}
