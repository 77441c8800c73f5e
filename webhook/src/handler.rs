//! One review: read, decide, answer, and say in the log what was refused and to whom, never what was in it.

use crate::{answer, metrics::Metrics, way_back::WaysBack};
use axum::{
    body::Bytes,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use k8s_openapi::jiff::Timestamp;
use shared::guard::{
    Facts, Verdict, decide, message,
    review::{self, Request, ReviewError},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};
use tokio::sync::watch;

/// What answering reviews needs.
#[derive(Clone, Debug)]
pub struct Reviews {
    /// The newest facts.
    pub facts: watch::Receiver<Arc<Facts>>,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// Tells of ways back that are used.
    pub ways_back: WaysBack,
    /// Every cache has been filled once: with fewer facts everything would be allowed.
    pub synced: Arc<AtomicBool>,
}

/// Answers a review; what is none gets a 400 and is never allowed, and what comes too early gets a 503.
pub(crate) async fn validate(State(reviews): State<Reviews>, body: Bytes) -> Response {
    if !reviews.synced.load(Ordering::Relaxed) {
        return (StatusCode::SERVICE_UNAVAILABLE, "the caches are not filled yet\n").into_response();
    }
    let arrived = Instant::now();
    let request = match review::parse(&body) {
        Ok(request) => request,
        Err(error) => {
            reviews.metrics.count_unreadable();
            tracing::warn!(%error, place = place(&error), bytes = body.len(), "unreadable review");
            return (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response();
        }
    };
    let facts = Arc::clone(&reviews.facts.borrow());
    let verdict = decide(&request, &facts, Timestamp::now());
    reviews.ways_back.tell(&request, &verdict);
    log(&request, &verdict);
    let answer = answer::render(&request.uid, &verdict);
    reviews.metrics.count(&verdict, arrived.elapsed());
    match answer {
        Ok(body) => ([(header::CONTENT_TYPE, "application/json")], body).into_response(),
        Err(error) => {
            tracing::error!(%error, "answer cannot be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// Where in the body it stopped to make sense. What stands there is not told: it may be anybody's Secret.
fn place(error: &ReviewError) -> String {
    match error {
        ReviewError::Malformed(error) => format!("line {} column {}", error.line(), error.column()),
        _ => String::new(),
    }
}

fn log(request: &Request<'_>, verdict: &Verdict) {
    let (decision, ruling) = match verdict {
        Verdict::Allow => return,
        Verdict::Warn(ruling) => ("warn", ruling),
        Verdict::Deny(ruling) => ("deny", ruling),
    };
    tracing::info!(
        decision,
        code = ruling.code.as_str(),
        reason = ruling.message,
        uid = message::one_line(&request.uid),
        operation = request.operation.as_str(),
        group = message::one_line(&request.group),
        resource = message::one_line(&request.resource),
        subresource = message::one_line(&request.subresource),
        namespace = message::one_line(&request.namespace),
        name = message::one_line(request.object_name()),
        user = message::one_line(&request.username),
        dry_run = request.dry_run,
        "review"
    );
}
