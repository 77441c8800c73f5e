//! The two servers: reviews over TLS within limits, and health in plain HTTP.

use crate::{
    connections::{LimitedAcceptor, Limits},
    handler::{Reviews, validate},
    health::{self, Health},
};
use axum::{
    BoxError, Router,
    error_handling::HandleErrorLayer,
    extract::DefaultBodyLimit,
    http::{HeaderValue, StatusCode, header},
    middleware,
    response::Response,
    routing::{MethodRouter, get, post},
};
use axum_server::{
    Handle,
    tls_rustls::{RustlsAcceptor, RustlsConfig},
};
use shared::guard::{review::MAX_REVIEW, rules};
use std::{
    net::{SocketAddr, TcpListener},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tower::{ServiceBuilder, limit::GlobalConcurrencyLimitLayer};
use tower_http::{limit::RequestBodyLimitLayer, timeout::TimeoutLayer};

/// Connections for reviews: an API server keeps 25 idle ones and opens more in bursts. Together with all else they stay
/// below the 1024 files that a process may have open without asking for more.
const REVIEW_LIMITS: Limits = Limits {
    newcomers: 384,
    regulars: 384,
    in_work: 256,
    // Room for two of the largest. While one is read it is in memory twice.
    bytes: 96 << 20,
};
/// Reviews in work at once. Above the limit at which the slowest gives way, so that it is met only by a burst that is
/// faster than that.
const MAX_CONCURRENT: usize = 384;
/// Connections for health: kubelet opens a new one for each probe, and Prometheus keeps one.
const HEALTH_LIMITS: Limits = Limits {
    newcomers: 32,
    regulars: 32,
    in_work: 32,
    bytes: 1 << 20,
};
/// A review that takes longer to arrive than the API server waits for its answer is of no use.
const REVIEW_TIMEOUT: Duration = Duration::from_secs(5);
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
const FIRST_REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// It is also how long an idle connection is kept, so it stays above the 90 s of the API server's client: closing
/// first would fail the review that is sent at that moment.
const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(100);
const MAX_HEADERS: usize = 64;
const MAX_HEADER_BYTES: usize = 32 << 10;

/// Routes of the server for reviews.
pub fn router(reviews: Reviews) -> Router {
    limited(post(validate)).with_state(reviews)
}

/// Whatever answers reviews, within the limits of all of them.
pub fn limited<S: Clone + Send + Sync + 'static>(answers: MethodRouter<S>) -> Router<S> {
    // One stack: each `layer` of a Router boxes every request anew.
    let limits = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(overloaded))
        .load_shed()
        .layer(GlobalConcurrencyLimitLayer::new(MAX_CONCURRENT))
        .layer(RequestBodyLimitLayer::new(MAX_REVIEW))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::REQUEST_TIMEOUT,
            REVIEW_TIMEOUT,
        ))
        .layer(DefaultBodyLimit::disable());
    Router::new().route(rules::PATH, answers).layer(limits)
}

async fn overloaded(_: BoxError) -> (StatusCode, &'static str) {
    (StatusCode::SERVICE_UNAVAILABLE, "too many reviews at once\n")
}

/// Closes each connection after its answer once the process is about to end.
fn leaves(router: Router, leaving: Arc<AtomicBool>) -> Router {
    router.layer(middleware::map_response(move |mut response: Response| {
        if leaving.load(Ordering::Relaxed) {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
        }
        std::future::ready(response)
    }))
}

/// Serves reviews over TLS until the handle says otherwise.
///
/// # Errors
/// When the listener fails.
pub async fn serve_reviews(
    listener: TcpListener,
    tls: RustlsConfig,
    router: Router,
    leaving: Arc<AtomicBool>,
    handle: Handle<SocketAddr>,
) -> std::io::Result<()> {
    let acceptor = RustlsAcceptor::new(tls)
        .handshake_timeout(HANDSHAKE_TIMEOUT)
        .acceptor(LimitedAcceptor::new(REVIEW_LIMITS));
    let mut server = axum_server::from_tcp(listener)?
        .acceptor(acceptor)
        .handle(handle)
        .http1_only()
        .first_request_timeout(FIRST_REQUEST_TIMEOUT);
    server
        .http_builder()
        .http1()
        .header_read_timeout(HEADER_READ_TIMEOUT)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEADER_BYTES);
    server.serve(leaves(router, leaving).into_make_service()).await
}

/// Routes of the server for health and metrics.
pub(crate) fn health_router(health: Health) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .with_state(health)
}

/// Serves health and metrics until the handle says otherwise.
pub(crate) async fn serve_health(
    listener: TcpListener,
    health: Health,
    handle: Handle<SocketAddr>,
) -> std::io::Result<()> {
    let mut server = axum_server::from_tcp(listener)?
        .acceptor(LimitedAcceptor::new(HEALTH_LIMITS))
        .handle(handle)
        .http1_only()
        .first_request_timeout(FIRST_REQUEST_TIMEOUT);
    server.http_builder().http1().header_read_timeout(HEADER_READ_TIMEOUT);
    server.serve(health_router(health).into_make_service()).await
}

#[cfg(test)]
mod connection_tests;
#[cfg(test)]
mod tests;
