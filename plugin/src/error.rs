//! Errors of commands: a kind that decides the exit code, one message, and hints for what to do next.

use std::fmt;

/// What a finished command tells the shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done, or nothing to do.
    Done,
    /// Something failed.
    Error,
    /// The plan has changes; only with `--detailed-exitcode`.
    PlanHasChanges,
    /// Blocked by a finding.
    Blocked,
    /// Warnings, with `--fail-on warning`.
    Warnings,
    /// Somebody else holds the upgrade.
    Held,
    /// Wrong usage.
    Usage,
    /// What brings our custom resources or the guard waited in vain, for the API server or the guard's pods. Of an upgrade that
    /// waits in vain, an error tells what for.
    Deadline,
}

impl Exit {
    /// All of them, for the reference.
    pub const ALL: [Self; 8] = [
        Self::Done,
        Self::Error,
        Self::PlanHasChanges,
        Self::Blocked,
        Self::Warnings,
        Self::Held,
        Self::Usage,
        Self::Deadline,
    ];

    /// The exit code.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Error => 1,
            Self::PlanHasChanges => 2,
            Self::Blocked => 3,
            Self::Warnings => 4,
            Self::Held => 5,
            Self::Usage => 64,
            Self::Deadline => 124,
        }
    }

    /// What it means, for the reference.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done, or nothing to do",
            Self::Error => "error",
            Self::PlanHasChanges => "the plan has changes (only with --detailed-exitcode)",
            Self::Blocked => "blocked by a finding",
            Self::Warnings => "warnings, with --fail-on warning",
            Self::Held => "somebody else holds the upgrade",
            Self::Usage => "wrong usage",
            Self::Deadline => "guard install, adopt or apply --unguarded waited in vain",
        }
    }
}

/// Why a command ended without doing what it was asked.
#[derive(Debug)]
pub struct CommandError {
    /// Decides the exit code.
    pub exit: Exit,
    message: String,
    hints: Vec<String>,
    declined: bool,
}

impl CommandError {
    /// An error of a kind.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
            hints: Vec::new(),
            declined: false,
        }
    }

    /// Something failed.
    pub fn error(message: impl Into<String>) -> Self {
        Self::new(Exit::Error, message)
    }

    /// The person was asked and said no.
    pub fn declined(message: impl Into<String>) -> Self {
        Self {
            declined: true,
            ..Self::error(message)
        }
    }

    /// Whether the person said no, so that nothing failed.
    #[must_use]
    pub fn is_declined(&self) -> bool {
        self.declined
    }

    /// The command was called wrongly.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// A finding stands in the way.
    pub fn blocked(message: impl Into<String>) -> Self {
        Self::new(Exit::Blocked, message)
    }

    /// Adds what the person can do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// What the person can do about it.
    #[must_use]
    pub fn hints(&self) -> &[String] {
        &self.hints
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for CommandError {}

impl From<crate::cluster::ClusterError> for CommandError {
    fn from(error: crate::cluster::ClusterError) -> Self {
        let hint = error.hint();
        let converted = Self::error(error.to_string());
        match hint {
            Some(hint) => converted.hint(hint),
            None => converted,
        }
    }
}

impl From<crate::cluster::MembersError> for CommandError {
    fn from(error: crate::cluster::MembersError) -> Self {
        match error {
            crate::cluster::MembersError::Cluster(error) => error.into(),
            error @ crate::cluster::MembersError::Name(_) => {
                Self::error(error.to_string()).hint("give each cluster one name: kubectl edit mesh MESH")
            }
        }
    }
}

/// Longest message of an API server that is told. The guard's own words come last in it, behind the names of an object, a
/// policy and its binding.
const LONGEST: usize = 4096;

/// One line for an error of the API: the server's own message, without the client's wrapping. Webhooks and remote API servers
/// may say anything.
#[must_use]
pub fn api_message(error: &kube::Error) -> String {
    let message = match error {
        kube::Error::Api(status) => status.message.clone(),
        // The position only: the rest may quote the answer, and an answer may be a Secret, or hold a release's values.
        kube::Error::SerdeError(error) => format!(
            "its answer ends or changes shape at line {} column {}",
            error.line(),
            error.column()
        ),
        // The client's own words say little: what broke stands at the end of the chain.
        other => {
            let mut text = other.to_string();
            let sources = std::iter::successors(std::error::Error::source(other), |error| error.source());
            for source in sources.map(ToString::to_string) {
                if !text.contains(&source) {
                    text = format!("{text}: {source}");
                }
            }
            text
        }
    };
    crate::cluster::one_line_of(&message, LONGEST)
}

/// HTTP status of an error of the API, 0 when it never got that far.
#[must_use]
pub fn api_code(error: &kube::Error) -> u16 {
    match error {
        kube::Error::Api(status) => status.code,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_api_server_says_is_one_line() {
        let said = |message: &str| {
            api_message(&kube::Error::Api(Box::new(kube::core::Status {
                message: message.to_owned(),
                ..kube::core::Status::default()
            })))
        };
        assert_eq!(
            said("denied\n\u{1b}[2JMU101 \u{9b}31mfine"),
            "denied  [2JMU101  31mfine"
        );
        assert_eq!(said(&"x".repeat(1 << 20)).len(), LONGEST);
    }

    #[test]
    fn an_answer_that_cannot_be_read_is_not_quoted() {
        let error = serde_json::from_str::<u8>(r#" "hunter2""#).unwrap_err();
        assert!(error.to_string().contains("hunter2"));
        assert_eq!(
            api_message(&kube::Error::SerdeError(error)),
            "its answer ends or changes shape at line 1 column 10"
        );
    }
}
