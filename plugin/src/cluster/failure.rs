//! From the client library's errors to ours: which of the many failures it was, with nothing secret carried over.

use super::error::ClusterError;
use http_body_util::LengthLimitError;
use kube::{
    client::AuthError,
    config::{KubeconfigError, LoadDataError},
};
use std::{error::Error, io, path::Path};

/// A file that was read but is no kubeconfig.
pub(super) fn invalid(path: &Path, error: &KubeconfigError) -> ClusterError {
    ClusterError::KubeconfigInvalid {
        path: path.to_owned(),
        reason: kubeconfig_reason(error),
    }
}

/// A context that leads to something unusable.
pub(super) fn context(path: &Path, context: &str, error: &KubeconfigError) -> ClusterError {
    match error {
        KubeconfigError::Parse(_) | KubeconfigError::KindMismatch | KubeconfigError::ApiVersionMismatch => {
            invalid(path, error)
        }
        _ => ClusterError::ContextUnusable {
            context: context.to_owned(),
            reason: kubeconfig_reason(error),
        },
    }
}

/// A client that could not be built.
pub(super) fn unusable(context: &str, error: &kube::Error) -> ClusterError {
    let context = context.to_owned();
    match error {
        kube::Error::Auth(error) => ClusterError::Credentials {
            context,
            reason: auth_reason(error),
        },
        kube::Error::InferKubeconfig(error) => ClusterError::Credentials {
            context,
            reason: kubeconfig_reason(error),
        },
        kube::Error::ProxyProtocolUnsupported { proxy_url } => ClusterError::ContextUnusable {
            context,
            reason: format!(
                "its proxy's scheme {:?} is not supported: use http, https or socks5",
                proxy_url.scheme_str().unwrap_or_default()
            ),
        },
        kube::Error::RustlsTls(_) => ClusterError::Credentials {
            context,
            reason: "its certificates or its key are not usable for TLS".to_owned(),
        },
        _ => ClusterError::ContextUnusable {
            context,
            reason: "no client can be built from it".to_owned(),
        },
    }
}

/// A request that failed; `what` as in "not allowed to …".
pub(super) fn explain(context: &str, server: &str, what: &str, error: &kube::Error) -> ClusterError {
    let (server, what) = (server.to_owned(), what.to_owned());
    match error {
        kube::Error::Api(status) => match status.code {
            401 => ClusterError::Unauthorized {
                server,
                context: context.to_owned(),
            },
            403 => ClusterError::Forbidden {
                what,
                message: one_line(&status.message),
            },
            code => ClusterError::Api {
                server,
                what,
                code,
                message: one_line(&status.message),
            },
        },
        kube::Error::Auth(error) => ClusterError::Credentials {
            context: context.to_owned(),
            reason: auth_reason(error),
        },
        kube::Error::SerdeError(error) => ClusterError::Protocol {
            server,
            what,
            // The position only: the rest may quote the answer, and an answer may be a Secret.
            reason: format!(
                "its answer ends or changes shape at line {} column {}",
                error.line(),
                error.column()
            ),
        },
        kube::Error::Service(error) => transport(context, server, what, error.as_ref()),
        other => transport(context, server, what, other),
    }
}

fn transport(context: &str, server: String, what: String, error: &(dyn Error + 'static)) -> ClusterError {
    let mut connecting = false;
    let mut last = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<AuthError>() {
            return ClusterError::Credentials {
                context: context.to_owned(),
                reason: auth_reason(error),
            };
        }
        if let Some(error) = error.downcast_ref::<rustls::Error>() {
            return tls(server, error);
        }
        if error.is::<LengthLimitError>() {
            let mib = super::bounds::LONGEST >> 20;
            return ClusterError::TooLong { server, what, mib };
        }
        // The connection was tried, and nothing came back.
        if error
            .downcast_ref::<hyper::Error>()
            .is_some_and(hyper::Error::is_timeout)
        {
            return ClusterError::Timeout { server, what };
        }
        if let Some(error) = error.downcast_ref::<hyper_util::client::legacy::Error>() {
            connecting |= error.is_connect();
        }
        if let Some(error) = error.downcast_ref::<io::Error>() {
            match error.kind() {
                io::ErrorKind::ConnectionRefused => return ClusterError::Refused { server },
                io::ErrorKind::TimedOut => return ClusterError::Timeout { server, what },
                _ => {}
            }
            // An io::Error hides what it wraps from source().
            if let Some(inner) = error.get_ref() {
                last = inner.to_string();
                next = Some(inner);
                continue;
            }
        }
        last = error.to_string();
        next = error.source();
    }
    if connecting {
        ClusterError::Unreachable {
            server,
            reason: one_line(&last),
        }
    } else {
        ClusterError::Protocol {
            server,
            what,
            reason: one_line(&last),
        }
    }
}

fn tls(server: String, error: &rustls::Error) -> ClusterError {
    use rustls::{CertificateError, Error as Tls};
    let reason = match error {
        Tls::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            return ClusterError::CertificateExpired { server };
        }
        Tls::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
            "its certificate is signed by an authority that the kubeconfig does not trust".to_owned()
        }
        Tls::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => "its certificate is not made out to that name".to_owned(),
        other => one_line(&other.to_string()),
    };
    ClusterError::Tls { server, reason }
}

fn kubeconfig_reason(error: &KubeconfigError) -> String {
    match error {
        // The parser's own message quotes the file around the fault, and tokens may stand there.
        KubeconfigError::Parse(error) => match error.location() {
            Some(at) => format!("not the expected YAML at line {} column {}", at.line(), at.column()),
            None => "not the expected YAML".to_owned(),
        },
        KubeconfigError::LoadContext(name) => format!("there is no context {name:?}"),
        KubeconfigError::LoadClusterOfContext(name) => format!("its cluster {name:?} is not in the kubeconfig"),
        KubeconfigError::MissingClusterUrl => "its cluster has no server".to_owned(),
        KubeconfigError::ParseClusterUrl(_) => "its cluster's server is not a URL".to_owned(),
        KubeconfigError::ParseProxyUrl(_) => "its proxy-url, or HTTPS_PROXY, is not a URL".to_owned(),
        KubeconfigError::LoadCertificateAuthority(error) => data_reason("certificate-authority", error),
        KubeconfigError::LoadClientCertificate(error) => data_reason("client-certificate", error),
        KubeconfigError::LoadClientKey(error) => data_reason("client-key", error),
        KubeconfigError::ParseCertificates(_) => "its certificate-authority is not PEM".to_owned(),
        KubeconfigError::KindMismatch => "its files have different kinds".to_owned(),
        KubeconfigError::ApiVersionMismatch => "its files have different API versions".to_owned(),
        _ => "it cannot be used".to_owned(),
    }
}

fn data_reason(field: &str, error: &LoadDataError) -> String {
    match error {
        LoadDataError::DecodeBase64(_) => format!("its {field}-data is not base64"),
        LoadDataError::ReadFile(error, path) => format!("its {field} {} cannot be read: {error}", path.display()),
        LoadDataError::NoBase64DataOrFile => format!("its {field} is missing"),
    }
}

/// What became of the credentials; a plugin's output may be the credential itself and is left out.
fn auth_reason(error: &AuthError) -> String {
    match error {
        AuthError::AuthExecStart(error) => format!("its credential plugin cannot be started: {error}"),
        AuthError::AuthExecRun { out, .. } => format!("its credential plugin failed: {}", out.status),
        AuthError::AuthExecParse(_) | AuthError::ExecPluginFailed => {
            "its credential plugin printed no credential".to_owned()
        }
        AuthError::MissingCommand => "its credential plugin has no command".to_owned(),
        AuthError::ReadTokenFile(error, path) => {
            format!("its token file {} cannot be read: {error}", path.display())
        }
        AuthError::InvalidBasicAuth(_) | AuthError::InvalidBearerToken(_) => {
            "its token or password has characters that HTTP does not allow".to_owned()
        }
        _ => "its credentials cannot be used".to_owned(),
    }
}

/// Keeps a server's words on one line and short: they end up in tables and terminals.
fn one_line(text: &str) -> String {
    const LONGEST: usize = 400;
    one_line_of(text, LONGEST)
}

/// The same of so many characters.
pub(crate) fn one_line_of(text: &str, longest: usize) -> String {
    let clean: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(longest)
        .collect();
    clean.trim().to_owned()
}
