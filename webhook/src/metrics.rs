//! Counters in Prometheus' text form.

use prometheus_client::{
    encoding::{EncodeLabelSet, text},
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};
use shared::guard::Verdict;
use std::sync::atomic::AtomicI64;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Decision {
    decision: &'static str,
    code: &'static str,
}

/// What the webhook counts.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    reviews: Family<Decision, Counter>,
    certificate_expiry: Gauge<i64, AtomicI64>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("mesh_upgrade_webhook");
        let reviews = Family::<Decision, Counter>::default();
        registry.register("reviews", "Reviews answered, by decision and code", reviews.clone());
        let certificate_expiry = Gauge::<i64, AtomicI64>::default();
        registry.register(
            "certificate_expiry_timestamp_seconds",
            "When the serving certificate expires, in seconds since 1970",
            certificate_expiry.clone(),
        );
        Self {
            registry,
            reviews,
            certificate_expiry,
        }
    }
}

impl Metrics {
    pub(crate) fn count(&self, verdict: &Verdict) {
        let (decision, code) = match verdict {
            Verdict::Allow => ("allow", ""),
            Verdict::Warn(ruling) => ("warn", ruling.code.as_str()),
            Verdict::Deny(ruling) => ("deny", ruling.code.as_str()),
        };
        self.reviews.get_or_create(&Decision { decision, code }).inc();
    }

    pub(crate) fn count_unreadable(&self) {
        let decision = "unreadable";
        self.reviews.get_or_create(&Decision { decision, code: "" }).inc();
    }

    pub(crate) fn set_certificate_expiry(&self, seconds: i64) {
        self.certificate_expiry.set(seconds);
    }

    /// All of them as text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::new();
        // Writing into a String cannot fail.
        let _ = text::encode(&mut out, &self.registry);
        out
    }
}
