//! The reference of metrics is made from what the webhook serves; `UPDATE_REFERENCE=1` writes it anew.

use std::path::Path;
use webhook::Metrics;

#[test]
fn the_reference_of_metrics_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/metrics.md");
    let generated = Metrics::reference();
    if std::env::var_os("UPDATE_REFERENCE").is_some() {
        std::fs::write(&path, &generated).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == generated,
        "docs/metrics.md is not what the code says; write it anew with\n  UPDATE_REFERENCE=1 cargo test -p \
         mesh-upgrade-webhook --test reference"
    );
}
