//! How old the caches may be: each frame of a watch's body is a sign of life, and so is that it begins anew, which each does
//! within half a minute. The caches themselves say nothing of that, nor of bookmarks.

use crate::metrics::Metrics;
use axum::{
    body::{Bytes, HttpBody},
    http::{Request, Response},
};
use futures::{FutureExt as _, TryFutureExt as _, future::BoxFuture};
use http_body_util::{BodyExt as _, combinators::UnsyncBoxBody};
use kube::client::Body;
use std::{
    sync::Arc,
    task::{Context, Poll},
};
use tower::{Layer, Service};

/// Listens to all watches of a client.
#[derive(Clone)]
pub(crate) struct ListenLayer(pub(crate) Arc<Metrics>);

impl<S> Layer<S> for ListenLayer {
    type Service = Listen<S>;

    fn layer(&self, inner: S) -> Listen<S> {
        Listen {
            inner,
            metrics: Arc::clone(&self.0),
        }
    }
}

/// See [`ListenLayer`].
pub(crate) struct Listen<S> {
    inner: S,
    metrics: Arc<Metrics>,
}

impl<S, B> Service<Request<Body>> for Listen<S>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Future: Send + 'static,
    B: HttpBody<Data = Bytes> + Send + 'static,
{
    type Response = Response<UnsyncBoxBody<Bytes, B::Error>>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let resource = watched(request.uri().path(), request.uri().query()).map(str::to_owned);
        let metrics = Arc::clone(&self.metrics);
        let answered = self.inner.call(request);
        answered
            .map_ok(move |response| {
                // Only a watch that was granted is a sign of life.
                let resource = resource.filter(|_| response.status().is_success());
                if let Some(resource) = &resource {
                    metrics.hear(resource);
                }
                response.map(|body| {
                    let listened = body.map_frame(move |frame| {
                        if let Some(resource) = &resource {
                            metrics.hear(resource);
                        }
                        frame
                    });
                    listened.boxed_unsync()
                })
            })
            .boxed()
    }
}

/// Resource of a watch: the last part of the path.
fn watched<'a>(path: &'a str, query: Option<&str>) -> Option<&'a str> {
    let is_watch = query?.split('&').any(|pair| matches!(pair, "watch=true" | "watch=1"));
    path.rsplit('/').next().filter(|_| is_watch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::Full;
    use std::{convert::Infallible, future::ready};
    use tower::service_fn;

    #[test]
    fn a_watch_is_told_from_a_list() {
        let path = "/apis/meshupgrade.io/v1alpha1/meshfreezes";
        assert_eq!(watched(path, Some("watch=true&timeoutSeconds=25")), Some("meshfreezes"));
        assert_eq!(watched(path, Some("limit=500")), None);
        assert_eq!(watched(path, None), None);
    }

    #[tokio::test]
    async fn frames_are_heard_and_what_was_refused_is_not() {
        let metrics = Arc::new(Metrics::default());
        let answers = |status: u16| {
            service_fn(move |_: Request<Body>| {
                let body = Full::new(Bytes::from_static(b"{}"));
                ready(Ok::<_, Infallible>(
                    Response::builder().status(status).body(body).unwrap(),
                ))
            })
        };
        let watch = |resource: &str| {
            Request::get(format!("/api/v1/{resource}?watch=true"))
                .body(Body::empty())
                .unwrap()
        };
        let layer = ListenLayer(Arc::clone(&metrics));
        let refused = layer.layer(answers(403)).call(watch("secrets")).await.unwrap();
        assert_eq!(refused.into_body().collect().await.unwrap().to_bytes(), "{}");
        let granted = layer.layer(answers(200)).call(watch("pods")).await.unwrap();
        assert_eq!(granted.into_body().collect().await.unwrap().to_bytes(), "{}");
        let text = metrics.text();
        assert!(text.contains("cache_age_seconds{resource=\"pods\"} 0"), "{text}");
        assert!(!text.contains("secrets"), "{text}");
    }
}
