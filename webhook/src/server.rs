//! The two servers: reviews over TLS within limits, and health in plain HTTP.

use crate::{
    connections::LimitedAcceptor,
    handler::{Reviews, validate},
    health::{self, Health},
};
use axum::{
    BoxError, Router,
    error_handling::HandleErrorLayer,
    extract::DefaultBodyLimit,
    http::StatusCode,
    routing::{get, post},
};
use axum_server::{
    Handle,
    tls_rustls::{RustlsAcceptor, RustlsConfig},
};
use shared::guard::{review::MAX_REVIEW, rules};
use std::{
    net::{SocketAddr, TcpListener},
    time::Duration,
};
use tower::{ServiceBuilder, limit::GlobalConcurrencyLimitLayer};
use tower_http::{limit::RequestBodyLimitLayer, timeout::TimeoutLayer};

/// Reviews in work at once; the largest fill 7 MiB each, and more than these wait for nobody's answer in time.
const MAX_CONCURRENT: usize = 64;
/// Connections at once: an API server keeps 25 idle ones and opens more in bursts.
const MAX_CONNECTIONS: usize = 1024;
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
    let limits = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(overloaded))
        .load_shed()
        .layer(GlobalConcurrencyLimitLayer::new(MAX_CONCURRENT));
    Router::new()
        .route(rules::PATH, post(validate))
        .layer(DefaultBodyLimit::disable())
        .layer(RequestBodyLimitLayer::new(MAX_REVIEW))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::REQUEST_TIMEOUT,
            REVIEW_TIMEOUT,
        ))
        .layer(limits)
        .with_state(reviews)
}

async fn overloaded(_: BoxError) -> (StatusCode, &'static str) {
    (StatusCode::SERVICE_UNAVAILABLE, "too many reviews at once\n")
}

/// Serves reviews until the handle says otherwise.
pub(crate) async fn serve_reviews(
    listener: TcpListener,
    tls: RustlsConfig,
    reviews: Reviews,
    handle: Handle<SocketAddr>,
) -> std::io::Result<()> {
    let acceptor = RustlsAcceptor::new(tls)
        .handshake_timeout(HANDSHAKE_TIMEOUT)
        .acceptor(LimitedAcceptor::new(MAX_CONNECTIONS));
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
    server.serve(router(reviews).into_make_service()).await
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
        .handle(handle)
        .http1_only()
        .first_request_timeout(FIRST_REQUEST_TIMEOUT);
    server.http_builder().http1().header_read_timeout(HEADER_READ_TIMEOUT);
    server.serve(health_router(health).into_make_service()).await
}

#[cfg(test)]
mod tests;
