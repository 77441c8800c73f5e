//! Credentials of a plugin that end while they are used: an API server that accepts them no more is asked again with what the
//! plugin gives then.
//!
//! kube renews only tokens that say until when they hold. A certificate is part of TLS, and a token may be withdrawn: for both
//! the whole way to the server is built anew, with new connections.

use super::connector::Transport;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use kube::client::{Body, retry::RetryPolicy};
use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};
use tokio::{sync::Mutex, time::timeout};
use tower::{BoxError, Service, ServiceExt as _, retry::Policy};

/// A plugin whose credentials are refused is not run again sooner, so that one who is not known at all does not run it for
/// each question.
const AGAIN_AFTER: Duration = Duration::from_secs(10);

/// How long it may take: it may wait for a person, and for ever, and all else of the cluster waits for it.
const LONGEST_RUN: Duration = Duration::from_secs(60);

/// Builds the way anew, which runs the plugin, so it may block.
type Build = dyn Fn() -> Result<Transport, kube::Error> + Send + Sync;

/// A way to a server whose credentials a plugin gives. Clones share it.
#[derive(Clone)]
pub(super) struct Renewing {
    way: Arc<Mutex<Way>>,
    build: Arc<Build>,
}

struct Way {
    transport: Transport,
    /// How many were built before it.
    number: u64,
    built: Instant,
}

impl Renewing {
    /// The way as it was built first.
    pub(super) fn new(
        transport: Transport,
        build: impl Fn() -> Result<Transport, kube::Error> + Send + Sync + 'static,
    ) -> Self {
        Self {
            way: Arc::new(Mutex::new(Way {
                transport,
                number: 0,
                built: Instant::now(),
            })),
            build: Arc::new(build),
        }
    }

    async fn send(self, request: Request<Body>) -> Result<Response<UnsyncBoxBody<Bytes, BoxError>>, BoxError> {
        let (transport, number) = {
            let way = self.way.lock().await;
            (way.transport.clone(), way.number)
        };
        let copy = Policy::<_, Response<()>, BoxError>::clone_request(&mut RetryPolicy::default(), &request);
        let answer = transport.oneshot(request).await?;
        if answer.status() != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        // Apart from whoever asks, who may give up sooner: the plugin that runs is not started once more for the next one.
        let apart = self.clone();
        let renewed = tokio::spawn(async move { apart.renewed(number, AGAIN_AFTER).await });
        let renewed = renewed.await.ok().flatten();
        match (copy, renewed) {
            (Some(copy), Some(transport)) => transport.oneshot(copy).await,
            _ => Ok(answer),
        }
    }

    /// The way after the one of this number. Of all who were refused one builds it, and the others wait for that.
    async fn renewed(&self, number: u64, pause: Duration) -> Option<Transport> {
        let mut way = self.way.lock().await;
        if way.number > number {
            return Some(way.transport.clone());
        }
        if way.built.elapsed() < pause {
            return None;
        }
        let build = Arc::clone(&self.build);
        let built = timeout(LONGEST_RUN, tokio::task::spawn_blocking(move || build())).await;
        way.built = Instant::now();
        match built {
            Ok(Ok(Ok(transport))) => {
                way.number = way.number.saturating_add(1);
                way.transport = transport.clone();
                Some(transport)
            }
            // What the plugin prints may be the credential; the server's refusal is told.
            _ => {
                tracing::warn!("the credential plugin gave nothing new after its credentials were refused");
                None
            }
        }
    }
}

impl Service<Request<Body>> for Renewing {
    type Response = Response<UnsyncBoxBody<Bytes, BoxError>>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.clone().send(request))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::{BodyExt as _, Empty};
    use std::sync::atomic::{AtomicU64, Ordering};
    use tower::util::BoxCloneSyncService;

    /// A way whose server accepts credentials from this one on.
    fn way(number: u64, accepted: u64) -> Transport {
        BoxCloneSyncService::new(tower::service_fn(move |_: Request<Body>| async move {
            let body = Empty::new().map_err(|never| match never {}).boxed_unsync();
            let mut answer = Response::new(body);
            if number < accepted {
                *answer.status_mut() = StatusCode::UNAUTHORIZED;
            }
            Ok(answer)
        }))
    }

    fn renewing(accepted: u64) -> (Renewing, Arc<AtomicU64>) {
        let runs = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&runs);
        let build = move || Ok(way(counted.fetch_add(1, Ordering::Relaxed) + 1, accepted));
        (Renewing::new(way(0, accepted), build), runs)
    }

    #[tokio::test]
    async fn of_all_who_are_refused_one_renews_and_nobody_soon_again() {
        let (renewing, runs) = renewing(1);
        let all = futures::future::join_all((0..8).map(|_| renewing.renewed(0, Duration::ZERO))).await;
        assert!(all.iter().all(Option::is_some));
        assert_eq!(runs.load(Ordering::Relaxed), 1);
        assert!(renewing.renewed(1, AGAIN_AFTER).await.is_none(), "that one is new");
        assert_eq!(runs.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn what_was_refused_is_asked_again_with_what_the_plugin_gives_then() {
        for (accepted, age, status, ran) in [
            (0, AGAIN_AFTER, StatusCode::OK, 0),
            (1, AGAIN_AFTER, StatusCode::OK, 1),
            (2, AGAIN_AFTER, StatusCode::UNAUTHORIZED, 1),
            (1, Duration::ZERO, StatusCode::UNAUTHORIZED, 0),
        ] {
            let (renewing, runs) = renewing(accepted);
            let built = Instant::now().checked_sub(age).unwrap();
            renewing.way.lock().await.built = built;
            let request = Request::post("/apis").body(Body::from(b"{}".to_vec())).unwrap();
            let answer = renewing.oneshot(request).await.unwrap();
            assert_eq!(
                (answer.status(), runs.load(Ordering::Relaxed)),
                (status, ran),
                "{accepted} {age:?}"
            );
        }
    }
}
