//! Why a cluster could not be reached or read, and what to do next; never with a token or certificate in it.

use std::{io, path::PathBuf};

/// Why a cluster could not be reached or read.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// No kubeconfig where one was expected.
    #[error("no kubeconfig at {path}")]
    KubeconfigMissing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The kubeconfig is there but cannot be read.
    #[error("cannot read the kubeconfig {path}: {source}")]
    KubeconfigUnreadable {
        /// Its path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is no kubeconfig, or its parts contradict each other.
    #[error("{path} is not a valid kubeconfig: {reason}")]
    KubeconfigInvalid {
        /// Its path.
        path: PathBuf,
        /// What is wrong, without any of its contents.
        reason: String,
    },
    /// Neither `--context` nor the kubeconfig says which cluster is meant.
    #[error("the kubeconfig names no current context")]
    NoCurrentContext {
        /// Contexts that there are.
        available: Vec<String>,
    },
    /// There is no such context.
    #[error("the kubeconfig has no context {context:?}")]
    ContextNotFound {
        /// The one asked for.
        context: String,
        /// Contexts that there are.
        available: Vec<String>,
    },
    /// The context leads to something that is not there or cannot be used.
    #[error("context {context:?} cannot be used: {reason}")]
    ContextUnusable {
        /// Name of the context.
        context: String,
        /// What is wrong, without secrets.
        reason: String,
    },
    /// The credentials of the context's user cannot be used, or its plugin failed.
    #[error("context {context:?}: {reason}")]
    Credentials {
        /// Name of the context.
        context: String,
        /// What is wrong, without secrets.
        reason: String,
    },
    /// Somebody else is impersonated already.
    #[error("context {context:?} already acts as {user:?}, and impersonation does not nest")]
    ImpersonationNests {
        /// Name of the context.
        context: String,
        /// Who is impersonated.
        user: String,
    },
    /// Nobody listens at the server's address.
    #[error("nothing listens at {server}: connection refused")]
    Refused {
        /// Host and port of the API server.
        server: String,
    },
    /// The server's name cannot be resolved, or no way leads to its address.
    #[error("cannot connect to {server}: {reason}")]
    Unreachable {
        /// Host and port of the API server.
        server: String,
        /// What the system said.
        reason: String,
    },
    /// The server did not answer in time.
    #[error("{server} did not answer in time while asked to {what}")]
    Timeout {
        /// Host and port of the API server.
        server: String,
        /// What was asked, as `list Deployments`.
        what: String,
    },
    /// The server's certificate has expired.
    #[error("the certificate of {server} has expired")]
    CertificateExpired {
        /// Host and port of the API server.
        server: String,
    },
    /// The server's certificate is not trusted, or TLS failed otherwise.
    #[error("no secure connection to {server}: {reason}")]
    Tls {
        /// Host and port of the API server.
        server: String,
        /// What TLS said.
        reason: String,
    },
    /// The server does not know the caller.
    #[error("{server} does not accept the credentials of context {context:?}")]
    Unauthorized {
        /// Host and port of the API server.
        server: String,
        /// Name of the context.
        context: String,
    },
    /// The caller may not do this.
    #[error("not allowed to {what}: {message}")]
    Forbidden {
        /// What was asked, as `list Deployments`.
        what: String,
        /// What the API server said.
        message: String,
    },
    /// Any other refusal of the API server.
    #[error("{server} refused to {what}: {message}")]
    Api {
        /// Host and port of the API server.
        server: String,
        /// What was asked, as `list Deployments`.
        what: String,
        /// HTTP status.
        code: u16,
        /// What the API server said.
        message: String,
    },
    /// The answer could not be understood, or the connection broke.
    #[error("{server} gave no usable answer when asked to {what}: {reason}")]
    Protocol {
        /// Host and port of the API server.
        server: String,
        /// What was asked, as `list Deployments`.
        what: String,
        /// What went wrong.
        reason: String,
    },
    /// An answer, or a single object in it, is longer than what is read.
    #[error("{server} answered with more than {mib} MiB when asked to {what}")]
    TooLong {
        /// Host and port of the API server.
        server: String,
        /// What was asked, as `list Deployments`.
        what: String,
        /// Longest answer that is read.
        mib: usize,
    },
    /// The private kubeconfig could not be written.
    #[error("cannot write a private kubeconfig into {path}: {source}")]
    PrivateFile {
        /// Directory for temporary files.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl ClusterError {
    /// What to do next, if there is something particular to do.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Self::KubeconfigMissing { .. } => "name one with --kubeconfig FILE or KUBECONFIG".to_owned(),
            Self::KubeconfigUnreadable { path, .. } => format!("check its permissions: ls -l {}", path.display()),
            Self::KubeconfigInvalid { path, .. } => {
                format!(
                    "see what kubectl makes of it: kubectl config view --kubeconfig {}",
                    path.display()
                )
            }
            Self::NoCurrentContext { available } | Self::ContextNotFound { available, .. } => choose(available),
            Self::ContextUnusable { .. } => "see it with: kubectl config view --minify --context NAME".to_owned(),
            Self::Credentials { .. } | Self::Unauthorized { .. } => {
                "log in again, then see whether this works: kubectl auth whoami".to_owned()
            }
            Self::ImpersonationNests { .. } => {
                "run it without --as, as a user who may impersonate the driver; --as works for reading".to_owned()
            }
            Self::Refused { .. } | Self::Unreachable { .. } => {
                "check that the cluster runs and that you are in its network: kubectl cluster-info".to_owned()
            }
            Self::Timeout { .. } => "check the way to the cluster, or give it longer with --request-timeout".to_owned(),
            Self::CertificateExpired { .. } => {
                "renew the API server's certificate; kubeadm: kubeadm certs check-expiration".to_owned()
            }
            Self::Tls { .. } => {
                "compare certificate-authority and tls-server-name of the kubeconfig with the server".to_owned()
            }
            Self::Forbidden { what, .. } => format!(
                "ask for the right to {what}; the ClusterRole mesh-upgrade-operator has all that check reads, and comes with: \
                 kubectl mesh-upgrade guard install"
            ),
            Self::Api { .. } | Self::Protocol { .. } | Self::TooLong { .. } | Self::PrivateFile { .. } => return None,
        };
        Some(text)
    }
}

fn choose(available: &[String]) -> String {
    const SHOWN: usize = 10;
    if available.is_empty() {
        return "the kubeconfig has no contexts at all".to_owned();
    }
    let names = available.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    let more = available.len().saturating_sub(SHOWN);
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    format!("choose one with --context: {names}{more}")
}
