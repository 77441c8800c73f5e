//! Requests of another program, which are passed on as they come.

use std::{error::Error, fmt, future::Future, pin::Pin, sync::Arc};

type Asked = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

/// Marks a request of another program. It waits for none of ours, nor do ours for it: the watches of a helm that waits would
/// else take every turn, the renewal of the Lease's among them. Each time that it is about to be sent, its relay is asked first,
/// since credentials that are renewed and a server that is busy may have kept it for a while.
#[derive(Clone)]
pub struct Relayed(Arc<dyn Fn() -> Asked + Send + Sync>);

impl Relayed {
    /// `pass` returns as soon as the request may be sent, or says why it may not.
    pub fn new<F, P>(pass: F) -> Self
    where
        F: Fn() -> P + Send + Sync + 'static,
        P: Future<Output = Result<(), String>> + Send + 'static,
    {
        Self(Arc::new(move || Box::pin(pass())))
    }

    pub(super) async fn pass(&self) -> Result<(), NotPassed> {
        (self.0)().await.map_err(NotPassed)
    }
}

/// A request that its relay did not let through.
#[derive(Debug)]
pub(super) struct NotPassed(String);

impl fmt::Display for NotPassed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for NotPassed {}

/// Why a request was not let through, if that is what became of it.
#[must_use]
pub fn why_not_passed(error: &kube::Error) -> Option<&str> {
    let kube::Error::Service(error) = error else {
        return None;
    };
    chain(error.as_ref()).find_map(|error| error.downcast_ref::<NotPassed>().map(|NotPassed(why)| why.as_str()))
}

/// Whether the server surely has done nothing of a request: no connection was to be had, the request still waited for its turn on
/// one that ended, or the server says itself that it has not looked at it. Go's own client sends such a request again.
#[must_use]
pub fn was_never_done(error: &kube::Error) -> bool {
    let kube::Error::Service(error) = error else {
        return false;
    };
    chain(error.as_ref()).any(|error| {
        let connects = error
            .downcast_ref()
            .is_some_and(hyper_util::client::legacy::Error::is_connect);
        // hyper calls so only what it has not begun to send.
        let waited = error.downcast_ref().is_some_and(hyper::Error::is_canceled);
        connects || waited || error.downcast_ref().is_some_and(was_not_looked_at)
    })
}

/// Whether a server that goes says that a stream came after the last that it has looked at (RFC 9113, 6.8), or that it has
/// refused the stream alone, as it was (8.7). Streams before the last one end with their connection, and with another error.
fn was_not_looked_at(error: &h2::Error) -> bool {
    let reason = if error.is_go_away() {
        h2::Reason::NO_ERROR
    } else {
        h2::Reason::REFUSED_STREAM
    };
    error.is_remote() && error.reason() == Some(reason)
}

fn chain<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'e (dyn Error + 'static)| (*error).source())
}
