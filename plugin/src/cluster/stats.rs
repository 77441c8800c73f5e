//! What asking a cluster costs: calls and bytes, counted where they leave and arrive; and how many run at once.

use super::{client::AT_ONCE, relayed::Relayed};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, combinators::UnsyncBoxBody};
use hyper::body::Incoming;
use kube::client::Body;
use serde::Serialize;
use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};
use tokio::sync::Semaphore;
use tower::{BoxError, Service};

/// What one cluster cost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterStats {
    /// Name of the cluster.
    pub cluster: String,
    /// Requests sent to its API server.
    pub calls: u64,
    /// Bytes of the answers' bodies as they came over the wire, compressed where the server compressed them.
    pub bytes: u64,
    /// Milliseconds from connecting to the last answer.
    pub milliseconds: u64,
}

impl ClusterStats {
    /// Costs so far; without a meter, those of a cluster that could not even be tried.
    pub(super) fn new(cluster: &str, meter: Option<&Meter>, took: Duration) -> Self {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Self {
            cluster: cluster.to_owned(),
            calls: meter.map_or(0, |meter| read(&meter.calls)),
            bytes: meter.map_or(0, |meter| read(&meter.bytes)),
            milliseconds: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

/// Counts the requests to one cluster, and lets only some run at once.
#[derive(Debug)]
pub(super) struct Meter {
    calls: AtomicU64,
    bytes: AtomicU64,
    at_once: Arc<Semaphore>,
    /// Requests that may run beside those as soon as all of them share a connection.
    more: AtomicUsize,
}

impl Meter {
    /// Of a cluster to which at most so many connections may be open at once.
    pub(super) fn new(connections: usize) -> Self {
        Self {
            calls: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            at_once: Arc::new(Semaphore::new(connections)),
            more: AtomicUsize::new(AT_ONCE.saturating_sub(connections)),
        }
    }

    /// Requests take no connection of their own: as many may run as to a single cluster.
    pub(super) fn shares_a_connection(&self) {
        self.at_once.add_permits(self.more.swap(0, Ordering::Relaxed));
    }
}

/// A client that is counted. A request counts as running until its answer's body has come or was dropped.
#[derive(Clone)]
pub(super) struct Metered<S> {
    pub inner: S,
    pub meter: Arc<Meter>,
}

impl<S> Service<Request<Body>> for Metered<S>
where
    S: Service<Request<Body>, Response = Response<Incoming>, Error = BoxError> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<UnsyncBoxBody<Bytes, hyper::Error>>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        // The one that is ready is called, and a copy is left in its place.
        let copy = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, copy);
        let meter = Arc::clone(&self.meter);
        Box::pin(async move {
            let relayed = request.extensions().get::<Relayed>().cloned();
            let running = match relayed {
                Some(relayed) => {
                    relayed.pass().await?;
                    None
                }
                None => Some(Arc::clone(&meter.at_once).acquire_owned().await?),
            };
            meter.calls.fetch_add(1, Ordering::Relaxed);
            let response = inner.call(request).await?;
            Ok(response.map(|body| {
                let counted = body.map_frame(move |frame| {
                    let _held_until_the_body_ends = &running;
                    let length = frame.data_ref().map_or(0, Bytes::len);
                    meter.bytes.fetch_add(length as u64, Ordering::Relaxed);
                    frame
                });
                counted.boxed_unsync()
            }))
        })
    }
}
