//! What is counted and measured, in Prometheus' text form.

mod reference;

use prometheus_client::{
    encoding::{EncodeLabelSet, text},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};
use shared::{fingerprint::Change, guard::Verdict};
use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicI64, AtomicU64},
    },
    time::{Duration, Instant},
};

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
struct OfResource {
    resource: String,
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
    durations: Histogram,
    cache_ages: Family<OfResource, Gauge<f64, AtomicU64>>,
    /// When each watch gave its last sign of life.
    heard: Mutex<BTreeMap<String, Instant>>,
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
        // From 50 µs, where the decision of a small review ends, to what an API server waits for.
        let durations = Histogram::new(exponential_buckets(50e-6, 2.0, 16));
        registry.register(
            "review_duration_seconds",
            "From the arrival of a whole review to its answer",
            durations.clone(),
        );
        let cache_ages = Family::<OfResource, Gauge<f64, AtomicU64>>::default();
        registry.register(
            "cache_age_seconds",
            "Since the watch of a resource gave its last sign of life, which comes at least each half minute",
            cache_ages.clone(),
        );
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
            durations,
            cache_ages,
            heard: Mutex::default(),
            certificate_expiry,
            drifted,
            exempt_changes,
            certificate_steps,
        }
    }
}

impl Metrics {
    pub(crate) fn count(&self, verdict: &Verdict, duration: Duration) {
        let (decision, code) = match verdict {
            Verdict::Allow => ("allow", ""),
            Verdict::Warn(ruling) => ("warn", ruling.code.as_str()),
            Verdict::Deny(ruling) => ("deny", ruling.code.as_str()),
        };
        self.reviews.get_or_create(&Decision { decision, code }).inc();
        self.durations.observe(duration.as_secs_f64());
    }

    /// The watch of this resource gave a sign of life.
    pub(crate) fn hear(&self, resource: &str) {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        match heard.get_mut(resource) {
            Some(last) => *last = Instant::now(),
            None => drop(heard.insert(resource.to_owned(), Instant::now())),
        }
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
        for (resource, last) in self.heard.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let resource = resource.clone();
            let age = last.elapsed().as_secs_f64();
            self.cache_ages.get_or_create(&OfResource { resource }).set(age);
        }
        let mut out = String::new();
        // Writing into a String cannot fail.
        let _ = text::encode(&mut out, &self.registry);
        out
    }
}
