//! Counters in Prometheus' text form.

use prometheus_client::{
    encoding::{EncodeLabelSet, text},
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};
use shared::{fingerprint::Change, guard::Verdict};
use std::sync::atomic::AtomicI64;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Decision {
    decision: &'static str,
    code: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfMesh {
    mesh: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ExemptChange {
    kind: &'static str,
    what: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CertificateStep {
    step: &'static str,
}

/// What the webhook counts.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    reviews: Family<Decision, Counter>,
    certificate_expiry: Gauge<i64, AtomicI64>,
    drifted: Family<OfMesh, Gauge>,
    exempt_changes: Family<ExemptChange, Counter>,
    certificate_steps: Family<CertificateStep, Counter>,
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
        let drifted = Family::<OfMesh, Gauge>::default();
        registry.register(
            "drifted_objects",
            "Webhook configurations and admission policies that are not as they were when the mesh was frozen",
            drifted.clone(),
        );
        let exempt_changes = Family::<ExemptChange, Counter>::default();
        registry.register(
            "exempt_changes",
            "Changes of a frozen mesh that no guard is asked about, by kind and by what was done",
            exempt_changes.clone(),
        );
        let certificate_steps = Family::<CertificateStep, Counter>::default();
        registry.register(
            "certificate_rotation_steps",
            "Steps of the certificates' rotation that this replica has performed",
            certificate_steps.clone(),
        );
        Self {
            registry,
            reviews,
            certificate_expiry,
            drifted,
            exempt_changes,
            certificate_steps,
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

    pub(crate) fn set_drifted(&self, mesh: &str, objects: usize) {
        let objects = i64::try_from(objects).unwrap_or(i64::MAX);
        let mesh = mesh.to_owned();
        self.drifted.get_or_create(&OfMesh { mesh }).set(objects);
    }

    pub(crate) fn forget_drift(&self, mesh: &str) {
        let mesh = mesh.to_owned();
        self.drifted.remove(&OfMesh { mesh });
    }

    pub(crate) fn count_exempt_change(&self, change: &Change) {
        let (kind, what) = (change.kind.as_str(), change.what.as_str());
        self.exempt_changes.get_or_create(&ExemptChange { kind, what }).inc();
    }

    pub(crate) fn count_certificate_step(&self, step: &'static str) {
        self.certificate_steps.get_or_create(&CertificateStep { step }).inc();
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
