//! The reference of metrics is made from what the webhook serves; `UPDATE_REFERENCE=1` writes it anew.

#[path = "../../shared/tests/kept/mod.rs"]
mod kept;

use webhook::Metrics;

#[test]
fn the_reference_of_metrics_is_up_to_date() {
    kept::is_up_to_date("docs/metrics.md", &Metrics::reference());
}
