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

/// Whether a request surely was not sent, since no connection was to be had.
#[must_use]
pub fn was_never_sent(error: &kube::Error) -> bool {
    let kube::Error::Service(error) = error else {
        return false;
    };
    let connects =
        |error: &(dyn Error + 'static)| error.downcast_ref().map(hyper_util::client::legacy::Error::is_connect);
    chain(error.as_ref()).find_map(connects).unwrap_or(false)
}

fn chain<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'e (dyn Error + 'static)| (*error).source())
}
