//! The admission webhook of `kubectl mesh-upgrade`.

use clap::Parser as _;

fn main() -> anyhow::Result<()> {
    webhook::telemetry::install();
    webhook::tls::install_crypto();
    let args = webhook::Args::parse();
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(webhook::run(args))
}
