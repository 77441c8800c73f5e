//! Bounds of each request by itself, since a connection that many share is never silent for long: how long its server may be
//! silent, and how much it may say.

use super::relayed::Relayed;
use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::{BodyExt as _, Limited, combinators::UnsyncBoxBody};
use hyper::body::{Frame, SizeHint};
use kube::client::Body;
use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::{Sleep, sleep, timeout};
use tower::{BoxError, Service};

/// Longest body, decompressed, that is collected whole: a server may be anybody's, and a page of ten thousand objects'
/// metadata has a tenth of it.
pub(super) const LONGEST: usize = 64 << 20;

/// How long a server may be silent about what another program asks: an API server ends most requests by itself after 60 s, and
/// what became of a write that is given up before is not known.
const OF_ANOTHER_PROGRAM: Duration = Duration::from_secs(90);

/// Marks a request whose answer is looked at as it arrives, or bounded by who asks.
#[derive(Clone, Copy)]
pub(super) struct Streamed;

type Answer = UnsyncBoxBody<Bytes, BoxError>;

/// How long a server may be silent about one request. An API server ends most by itself after 60 s; a connection that is
/// dead is found sooner, see [`super::http_versions`].
pub(super) fn silence(connection: Duration) -> Duration {
    connection.saturating_mul(2)
}

/// A client whose answers have to begin in time. It is for one attempt.
#[derive(Clone)]
pub(super) struct Beginning<S> {
    pub inner: S,
    pub within: Duration,
}

impl<S> Service<Request<Body>> for Beginning<S>
where
    S: Service<Request<Body>, Error = BoxError>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let within = match request.extensions().get::<Relayed>() {
            Some(_) => self.within.max(OF_ANOTHER_PROGRAM),
            None => self.within,
        };
        let answer = self.inner.call(request);
        Box::pin(async move { timeout(within, answer).await.unwrap_or_else(|_| Err(silent())) })
    }
}

/// A client whose answers have to go on in time, and to end before they are too long. Watches have nothing to say for as
/// long as nothing happens, and no end.
#[derive(Clone)]
pub(super) struct Bounded<S> {
    pub inner: S,
    pub within: Duration,
}

impl<S> Service<Request<Body>> for Bounded<S>
where
    S: Service<Request<Body>, Response = Response<Answer>, Error = BoxError>,
    S::Future: Send + 'static,
{
    type Response = Response<Answer>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Answer>, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let watches = watches(request.uri());
        let extensions = request.extensions();
        let is_bounded = extensions.get::<Streamed>().is_none() && extensions.get::<Relayed>().is_none();
        let (answer, within) = (self.inner.call(request), self.within);
        Box::pin(async move {
            let answer = answer.await?;
            Ok(answer.map(|inner| match (watches, is_bounded) {
                (true, _) => inner,
                (false, bounded) => {
                    let patient = Patient {
                        inner,
                        within,
                        until: None,
                    };
                    if bounded {
                        Limited::new(patient, LONGEST).boxed_unsync()
                    } else {
                        patient.boxed_unsync()
                    }
                }
            }))
        })
    }
}

fn watches(uri: &Uri) -> bool {
    let mut parts = uri.query().unwrap_or_default().split('&');
    parts.any(|part| matches!(part, "watch=1" | "watch=true" | "follow=true"))
}

fn silent() -> BoxError {
    io::Error::from(io::ErrorKind::TimedOut).into()
}

/// A body that ends with an error when nothing of it comes for too long.
struct Patient {
    inner: Answer,
    within: Duration,
    /// Runs while it is waited for.
    until: Option<Pin<Box<Sleep>>>,
}

impl hyper::body::Body for Patient {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.inner).poll_frame(context) {
            this.until = None;
            return Poll::Ready(frame);
        }
        let within = this.within;
        let until = this.until.get_or_insert_with(|| Box::pin(sleep(within)));
        until.as_mut().poll(context).map(|()| Some(Err(silent())))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::{StreamExt as _, stream};
    use http_body_util::{LengthLimitError, StreamBody};
    use tower::ServiceExt as _;

    const SHORT: Duration = Duration::from_millis(50);

    /// What becomes of an answer of so many pieces of 8 MiB, with silence afterwards or an end.
    async fn asked(request: http::request::Builder, pieces: usize, ends: bool) -> Result<usize, BoxError> {
        let server = tower::service_fn(move |_: Request<Body>| async move {
            let piece = Bytes::from(vec![b' '; 8 << 20]);
            let said = stream::repeat(piece).take(pieces).map(|piece| Ok(Frame::data(piece)));
            let body = if ends {
                StreamBody::new(said).boxed_unsync()
            } else {
                StreamBody::new(said.chain(stream::pending())).boxed_unsync()
            };
            Ok::<_, BoxError>(Response::new(body))
        });
        let client = Bounded {
            inner: server,
            within: SHORT,
        };
        let answer = client.oneshot(request.body(Body::empty()).unwrap()).await?;
        let mut body = answer.into_body();
        let mut length = 0;
        while let Some(frame) = body.frame().await {
            length += frame?.into_data().map_or(0, |data| data.len());
        }
        Ok(length)
    }

    #[tokio::test]
    async fn an_answer_has_a_longest_length_unless_who_asks_bounds_it() {
        let (most, more) = (LONGEST >> 23, (LONGEST >> 23) + 1);
        assert_eq!(asked(Request::get("/version"), most, true).await.unwrap(), LONGEST);
        let error = asked(Request::get("/version"), more, true).await.unwrap_err();
        assert!(error.is::<LengthLimitError>(), "{error}");
        let streamed = Request::get("/api/v1/pods").extension(Streamed);
        assert!(asked(streamed, more, true).await.unwrap() > LONGEST);
        assert!(
            asked(Request::get("/api/v1/pods?watch=true"), more, true)
                .await
                .unwrap()
                > LONGEST
        );
    }

    #[tokio::test]
    async fn an_answer_that_does_not_go_on_or_not_begin_is_late() {
        let is_late = |error: BoxError| {
            let error = error.downcast_ref::<io::Error>().map(io::Error::kind);
            error == Some(io::ErrorKind::TimedOut)
        };
        assert!(is_late(asked(Request::get("/version"), 1, false).await.unwrap_err()));
        let streamed = Request::get("/api/v1/pods").extension(Streamed);
        assert!(is_late(asked(streamed, 1, false).await.unwrap_err()));
        let watch = asked(Request::get("/api/v1/pods?watch=1"), 1, false);
        assert!(timeout(SHORT * 4, watch).await.is_err(), "nothing has happened yet");
        let server = tower::service_fn(|_: Request<Body>| std::future::pending::<Result<(), BoxError>>());
        let client = Beginning {
            inner: server,
            within: SHORT,
        };
        let answer = client.oneshot(Request::get("/").body(Body::empty()).unwrap());
        assert!(is_late(answer.await.unwrap_err()));
    }
}
