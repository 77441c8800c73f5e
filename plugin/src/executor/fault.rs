//! What an effect met, and patience with what passes: an API server that restarts, is overloaded, or loses an answer.

use crate::error::{CommandError, api_code, api_message};
use std::{
    fmt,
    future::Future,
    time::{Duration, Instant},
};

/// An API server that restarts takes a minute and more; what lasts longer is a person's business.
pub const PATIENCE: Duration = Duration::from_secs(120);
/// A server that has just started knows its roles a moment later than it answers.
const PATIENCE_WITH_DENIALS: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_secs(1);

/// Why something could not be done, in a sentence, and whether trying again may help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    message: String,
    kind: Kind,
    not_found: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Trying again may help.
    Passing,
    /// A server that has just started may answer so.
    Denied,
    /// It will be the same the next time.
    Lasting,
}

impl Fault {
    /// One that trying again does not mend.
    pub fn lasting(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            kind: Kind::Lasting,
            not_found: false,
        }
    }

    /// One that trying again may mend.
    pub fn passing(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            kind: Kind::Passing,
            not_found: false,
        }
    }

    /// Whether trying again might still help; after patience with it has ended, it is a person's business.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        self.kind == Kind::Passing
    }

    /// The same, said of a cluster.
    #[must_use]
    pub fn in_cluster(self, name: &str) -> Self {
        Self {
            message: format!("{name}: {}", self.message),
            ..self
        }
    }

    /// Whether the API server knows no such object, or no such kind.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.not_found
    }

    /// What an API call met while it tried to do `what`.
    #[must_use]
    pub fn of_api(what: &str, error: &kube::Error) -> Self {
        let message = api_message(error);
        let ours = message.contains(" MG0") || message.contains(": MG0");
        let kind = match api_code(error) {
            401 | 403 if !ours => Kind::Denied,
            _ if super::is_transient(error) => Kind::Passing,
            _ => Kind::Lasting,
        };
        Self {
            message: format!("cannot {what}: {message}"),
            kind,
            not_found: api_code(error) == 404,
        }
    }

    /// The same of writing what was read before: where somebody else was faster, the next attempt reads it anew.
    #[must_use]
    pub fn of_change(what: &str, error: &kube::Error) -> Self {
        let fault = Self::of_api(what, error);
        let kind = if api_code(error) == 409 {
            Kind::Passing
        } else {
            fault.kind
        };
        Self { kind, ..fault }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

impl From<Fault> for CommandError {
    fn from(fault: Fault) -> Self {
        Self::error(fault.message)
    }
}

/// Tries something that may be done twice, again and again while its faults may pass.
///
/// # Errors
/// The last fault, when it lasts or patience has ended.
pub async fn patiently<T, F, R>(attempt: F) -> Result<T, Fault>
where
    F: FnMut() -> R,
    R: Future<Output = Result<T, Fault>>,
{
    with_pause(PAUSE, attempt).await
}

async fn with_pause<T, F, R>(pause: Duration, mut attempt: F) -> Result<T, Fault>
where
    F: FnMut() -> R,
    R: Future<Output = Result<T, Fault>>,
{
    let started = Instant::now();
    loop {
        let fault = match attempt().await {
            Ok(value) => return Ok(value),
            Err(fault) => fault,
        };
        let patience = match fault.kind {
            Kind::Passing => PATIENCE,
            Kind::Denied => PATIENCE_WITH_DENIALS,
            Kind::Lasting => Duration::ZERO,
        };
        if started.elapsed() >= patience {
            return Err(fault);
        }
        tracing::warn!(%fault, "trying again");
        tokio::time::sleep(pause).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn passing_faults_are_tried_again_and_lasting_ones_are_not() {
        let mut tries = 0;
        let result = with_pause(Duration::ZERO, || {
            tries += 1;
            let result = if tries < 5 {
                Err(Fault::passing("down"))
            } else {
                Ok(tries)
            };
            async move { result }
        });
        assert_eq!(result.await, Ok(5));
        let mut tries = 0;
        let result: Result<(), Fault> = with_pause(Duration::ZERO, || {
            tries += 1;
            async { Err(Fault::lasting("no")) }
        })
        .await;
        assert_eq!((result, tries), (Err(Fault::lasting("no")), 1));
    }
}
