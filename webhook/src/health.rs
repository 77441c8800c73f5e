//! Whether the webhook is ready: it knows its cluster, and has a certificate that is valid now.

use crate::{metrics::Metrics, tls::Validity};
use axum::{
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};
use tokio::sync::watch;

/// What readiness looks at.
#[derive(Clone, Debug)]
pub(crate) struct Health {
    /// Every cache has been filled once.
    pub(crate) synced: Arc<AtomicBool>,
    /// The process is about to end.
    pub(crate) draining: Arc<AtomicBool>,
    /// Of the certificate that is served, if any.
    pub(crate) certificate: watch::Receiver<Option<Validity>>,
    pub(crate) metrics: Arc<Metrics>,
}

impl Health {
    /// Why the webhook is not ready at this second since 1970; `None` when it is.
    pub(crate) fn obstacle(&self, now: i64) -> Option<&'static str> {
        if self.draining.load(Ordering::Relaxed) {
            return Some("the process is ending");
        }
        if !self.synced.load(Ordering::Relaxed) {
            return Some("the caches are not filled yet; are the CRDs installed?");
        }
        match *self.certificate.borrow() {
            None => Some("no certificate is loaded yet"),
            Some(validity) if now < validity.not_before => Some("the certificate is not valid yet"),
            Some(validity) if now > validity.not_after => Some("the certificate has expired"),
            Some(_) => None,
        }
    }
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

pub(crate) async fn ready(State(health): State<Health>) -> (StatusCode, String) {
    match health.obstacle(now()) {
        None => (StatusCode::OK, "ok\n".to_owned()),
        Some(obstacle) => (StatusCode::SERVICE_UNAVAILABLE, format!("{obstacle}\n")),
    }
}

pub(crate) async fn metrics(State(health): State<Health>) -> impl IntoResponse {
    (
        [(
            header::CONTENT_TYPE,
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        )],
        health.metrics.text(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_only_with_caches_and_a_certificate_that_is_valid_now() {
        let (certificate, receiver) = watch::channel(None);
        let health = Health {
            synced: Arc::default(),
            draining: Arc::default(),
            certificate: receiver,
            metrics: Arc::default(),
        };
        let validity = Validity {
            not_before: 10,
            not_after: 20,
        };
        assert!(health.obstacle(15).unwrap().contains("caches"));
        health.synced.store(true, Ordering::Relaxed);
        assert!(health.obstacle(15).unwrap().contains("no certificate"));
        certificate.send_replace(Some(validity));
        assert_eq!(health.obstacle(15), None);
        assert!(health.obstacle(9).unwrap().contains("not valid yet"));
        assert!(health.obstacle(21).unwrap().contains("expired"));
        health.draining.store(true, Ordering::Relaxed);
        assert!(health.obstacle(15).unwrap().contains("ending"));
    }
}
