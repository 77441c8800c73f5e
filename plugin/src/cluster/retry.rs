//! Patience with a server that is overloaded, and with a connection that breaks: what does nothing twice is asked again a
//! moment later.

use super::relayed::Relayed;
use http::{Method, Request, Response, StatusCode, header::RETRY_AFTER};
use kube::client::{Body, retry::RetryPolicy};
use std::time::Duration;
use tower::{BoxError, retry::Policy};

/// With the waits below some ten seconds; what lasts longer is the caller's business.
const RETRIES: u32 = 5;
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// However long the server asks for: it may be anybody's.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Asks again what was refused for want of room.
#[derive(Clone, Default)]
pub(super) struct Again {
    tried: u32,
    /// Knows how to copy a request.
    copies: RetryPolicy,
}

impl<B> Policy<Request<Body>, Response<B>, BoxError> for Again {
    type Future = tokio::time::Sleep;

    fn retry(
        &mut self,
        request: &mut Request<Body>,
        result: &mut Result<Response<B>, BoxError>,
    ) -> Option<Self::Future> {
        let asks = asks(request.method(), request.uri().path());
        // Whoever is relayed asks again by itself.
        if !asks && request.extensions().get::<Relayed>().is_some() {
            return None;
        }
        let wait = match result {
            Ok(response) => {
                let asked = response.headers().get(RETRY_AFTER);
                let asked = asked.and_then(|value| value.to_str().ok()?.trim().parse().ok());
                wait(asks, response.status(), asked, self.tried)?
            }
            Err(error) => (asks && self.tried == 0 && broke(error.as_ref())).then_some(FIRST_WAIT)?,
        };
        self.tried = self.tried.saturating_add(1);
        Some(tokio::time::sleep(wait))
    }

    fn clone_request(&mut self, request: &Request<Body>) -> Option<Request<Body>> {
        Policy::<_, Response<()>, BoxError>::clone_request(&mut self.copies, request)
    }
}

/// Whether a request only asks: a read, or a review, which is written and stored nowhere.
fn asks(method: &Method, path: &str) -> bool {
    method == Method::GET || (method == Method::POST && path.ends_with("reviews"))
}

/// Whether the connection broke before the answer: a server that is not there, or is silent, is told of at once.
fn broke(error: &(dyn std::error::Error + 'static)) -> bool {
    use std::io::ErrorKind;
    let connects = error.downcast_ref::<hyper_util::client::legacy::Error>();
    if connects.is_some_and(hyper_util::client::legacy::Error::is_connect) {
        return false;
    }
    let chain = || std::iter::successors(Some(error), |error| error.source());
    let io =
        |error: &(dyn std::error::Error + 'static)| error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
    let silent = chain().any(|error| io(error) == Some(ErrorKind::TimedOut));
    let lost = |error: &(dyn std::error::Error + 'static)| match error.downcast_ref::<hyper::Error>() {
        // Over HTTP/2 a connection that ends, or a stream that is refused while it does, has no kind of its own.
        Some(error) => !error.is_parse() && !error.is_user(),
        None => matches!(
            io(error),
            Some(ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)
        ),
    };
    !silent && chain().any(lost)
}

/// How long to wait before asking again; `None` to leave it. As in client-go a write is repeated when the server says that
/// it has done nothing: by 429, or by naming a time. What only asks may be repeated whenever the server failed.
fn wait(asks: bool, status: StatusCode, asked: Option<u64>, tried: u32) -> Option<Duration> {
    let overloaded = status == StatusCode::TOO_MANY_REQUESTS || (status.is_server_error() && asked.is_some());
    let unread = asks && matches!(status.as_u16(), 500 | 502 | 503 | 504);
    if tried >= RETRIES || !(overloaded || unread) {
        return None;
    }
    let growing = FIRST_WAIT.saturating_mul(2_u32.saturating_pow(tried));
    let asked = asked.map_or(Duration::ZERO, Duration::from_secs);
    Some(growing.max(asked).min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_repeated_is_and_waits_longer_each_time() {
        let wait = |asks: bool, status: u16, asked, tried| {
            let status = StatusCode::from_u16(status).unwrap();
            super::wait(asks, status, asked, tried).map(|wait| wait.as_millis())
        };
        let cases = [
            (false, 429, None, 0, Some(250)),
            (false, 429, Some(2), 0, Some(2000)),
            (false, 429, Some(999_999), 0, Some(10_000)),
            (false, 503, Some(1), 3, Some(2000)),
            (true, 503, None, 4, Some(4000)),
            (true, 500, None, 5, None),
            // It may have been done.
            (false, 500, None, 0, None),
            (false, 504, None, 0, None),
            (true, 404, Some(1), 0, None),
            (true, 200, None, 0, None),
        ];
        for (asks, status, asked, tried, expected) in cases {
            assert_eq!(
                wait(asks, status, asked, tried),
                expected,
                "{asks} {status} {asked:?} {tried}"
            );
        }
    }

    #[test]
    fn only_reads_and_reviews_ask() {
        assert!(asks(&Method::GET, "/api/v1/pods"));
        assert!(asks(
            &Method::POST,
            "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        ));
        assert!(!asks(&Method::POST, "/api/v1/namespaces/a/pods"));
        assert!(!asks(&Method::PUT, "/apis/a/reviews"));
    }
}
