//! The admission webhook of `kubectl mesh-upgrade`.

use clap::Parser as _;

fn main() -> anyhow::Result<()> {
    let log = webhook::telemetry::install();
    webhook::tls::install_crypto();
    let args = webhook::Args::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        tokio::select! {
            ended = webhook::run(args) => ended,
            () = log.write() => Ok(()),
        }
    })
}
