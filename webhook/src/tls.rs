//! The serving certificate: taken from the webhook's own authority or from a directory, and again whenever it changes.
//!
//! Contents are compared, not events watched: a Secret's volume changes by the swap of a symlink, of which a watch on
//! the file itself sees only the end of the old one.

use crate::{
    authority::{Authority, AuthorityError},
    metrics::Metrics,
};
use axum_server::tls_rustls::RustlsConfig;
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use std::{
    collections::BTreeSet,
    io,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::sync::watch;
use x509_parser::extensions::GeneralName;

/// How often the directory is looked at.
const POLL: Duration = Duration::from_secs(5);

/// Chooses ring for all of rustls; a second call changes nothing.
pub fn install_crypto() {
    drop(rustls::crypto::ring::default_provider().install_default());
}

/// From when to when a certificate is valid, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// First second.
    pub not_before: i64,
    /// Last second.
    pub not_after: i64,
}

/// Why a certificate cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file that cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file without what it should hold.
    #[error("{file} is not a PEM {expected}")]
    Pem {
        /// Which.
        file: &'static str,
        /// What was expected.
        expected: &'static str,
    },
    /// A certificate whose dates cannot be read.
    #[error("tls.crt holds no X.509 certificate")]
    X509,
    /// A key that is not the certificate's, or of an unknown kind.
    #[error("tls.crt and tls.key cannot be served together")]
    Pair(#[source] rustls::Error),
    /// The authority's pair that is not there.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
}

/// A certificate and its key, both PEM.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) certificate: Vec<u8>,
    pub(crate) key: Vec<u8>,
}

impl std::fmt::Debug for Pair {
    /// A key never reaches a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pair").finish_non_exhaustive()
    }
}

impl Pair {
    async fn read(directory: &Path) -> Result<Self, TlsError> {
        let file = |name: &str| {
            let path = directory.join(name);
            async move {
                tokio::fs::read(&path)
                    .await
                    .map_err(|source| TlsError::Read { path, source })
            }
        };
        Ok(Self {
            certificate: file("tls.crt").await?,
            key: file("tls.key").await?,
        })
    }

    pub(crate) fn load(&self) -> Result<(Arc<ServerConfig>, Validity), TlsError> {
        let chain = CertificateDer::pem_slice_iter(&self.certificate)
            .collect::<Result<Vec<_>, _>>()
            .ok()
            .filter(|chain| !chain.is_empty())
            .ok_or(TlsError::Pem {
                file: "tls.crt",
                expected: "certificate",
            })?;
        let validity = validity(chain.first().ok_or(TlsError::X509)?)?;
        let key = PrivateKeyDer::from_pem_slice(&self.key).map_err(|_| TlsError::Pem {
            file: "tls.key",
            expected: "private key",
        })?;
        let mut config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(TlsError::Pair)?;
        // API servers call webhooks over HTTP/1.1 only; offering more would end in a closed connection.
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok((Arc::new(config), validity))
    }
}

/// When a certificate is valid.
pub(crate) fn validity(certificate: &CertificateDer<'_>) -> Result<Validity, TlsError> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).map_err(|_| TlsError::X509)?;
    Ok(Validity {
        not_before: parsed.validity().not_before.timestamp(),
        not_after: parsed.validity().not_after.timestamp(),
    })
}

/// Names and addresses that a certificate is for; `None` when they cannot be read.
pub(crate) fn hosts(certificate: &CertificateDer<'_>) -> Option<BTreeSet<String>> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    let names = parsed.subject_alternative_name().ok()??;
    let shown = names.value.general_names.iter().filter_map(|name| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(octets) => {
            let address = match octets.len() {
                4 => <[u8; 4]>::try_from(*octets).ok().map(IpAddr::from),
                _ => <[u8; 16]>::try_from(*octets).ok().map(IpAddr::from),
            };
            address.map(|address| address.to_string())
        }
        _ => None,
    });
    Some(shown.collect())
}

/// Where the pair comes from.
pub(crate) enum Source {
    /// The webhook's own authority.
    Authority(Box<Authority>),
    /// A directory with tls.crt and tls.key, which others write.
    Directory(PathBuf),
}

impl Source {
    async fn pair(&mut self) -> Result<Pair, TlsError> {
        match self {
            Self::Authority(authority) => Ok(authority.turn().await?),
            Self::Directory(directory) => Pair::read(directory).await,
        }
    }

    fn pause(&self) -> Duration {
        match self {
            Self::Authority(authority) => authority.pause(),
            Self::Directory(_) => POLL,
        }
    }
}

/// The certificate that is served, and where it comes from.
pub(crate) struct Certificate {
    source: Source,
    last: Pair,
    served: RustlsConfig,
    validity: watch::Sender<Option<Validity>>,
    metrics: Arc<Metrics>,
}

impl Certificate {
    /// Waits until there is a pair that can be served.
    pub(crate) async fn first(
        mut source: Source,
        validity: watch::Sender<Option<Validity>>,
        metrics: Arc<Metrics>,
    ) -> Self {
        loop {
            let loaded = match source.pair().await {
                Ok(pair) => pair.load().map(|loaded| (pair, loaded)),
                Err(error) => Err(error),
            };
            match loaded {
                Ok((last, (config, dates))) => {
                    let certificate = Self {
                        source,
                        last,
                        served: RustlsConfig::from_config(config),
                        validity,
                        metrics,
                    };
                    certificate.announce(dates);
                    return certificate;
                }
                Err(error) => tracing::warn!(error = ?error, "no certificate yet; waiting"),
            }
            tokio::time::sleep(source.pause()).await;
        }
    }

    /// What the server serves; it follows every reload.
    pub(crate) fn served(&self) -> RustlsConfig {
        self.served.clone()
    }

    /// Follows the source for ever.
    pub(crate) async fn follow(mut self) {
        loop {
            tokio::time::sleep(self.source.pause()).await;
            match self.reload().await {
                Ok(true) => tracing::info!("certificate reloaded"),
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(error = ?error, "no new certificate can be used; the old one stays");
                }
            }
        }
    }

    /// Serves what the source has now if it changed; the old pair stays when the new one is bad.
    async fn reload(&mut self) -> Result<bool, TlsError> {
        let pair = self.source.pair().await?;
        if pair == self.last {
            return Ok(false);
        }
        let (config, dates) = pair.load()?;
        self.served.reload_from_config(config);
        self.last = pair;
        self.announce(dates);
        Ok(true)
    }

    fn announce(&self, validity: Validity) {
        self.metrics.set_certificate_expiry(validity.not_after);
        self.validity.send_replace(Some(validity));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::symlink};

    fn pair(name: &str) -> Pair {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        Pair {
            certificate: made.cert.pem().into_bytes(),
            key: made.signing_key.serialize_pem().into_bytes(),
        }
    }

    /// Writes a pair as the kubelet does: a new directory, then `..data` swapped to it.
    fn publish(root: &Path, version: &str, pair: &Pair) {
        let directory = root.join(version);
        fs::create_dir(&directory).unwrap();
        fs::write(directory.join("tls.crt"), &pair.certificate).unwrap();
        fs::write(directory.join("tls.key"), &pair.key).unwrap();
        symlink(version, root.join("..new")).unwrap();
        fs::rename(root.join("..new"), root.join("..data")).unwrap();
        for file in ["tls.crt", "tls.key"] {
            if !root.join(file).exists() {
                symlink(format!("..data/{file}"), root.join(file)).unwrap();
            }
        }
    }

    #[tokio::test]
    async fn follows_the_swap_of_the_symlink_and_keeps_the_old_pair_over_a_bad_one() {
        install_crypto();
        let root = tempfile::tempdir().unwrap();
        let (validity, seen) = watch::channel(None);
        let metrics = Arc::new(Metrics::default());
        let mut source = Source::Directory(root.path().to_owned());
        assert!(source.pair().await.is_err(), "nothing is there");

        publish(root.path(), "1", &pair("one"));
        let mut certificate = Certificate::first(source, validity, metrics).await;
        assert!(seen.borrow().is_some());
        assert!(!certificate.reload().await.unwrap(), "nothing has changed");

        let before = certificate.served.get_inner();
        publish(root.path(), "2", &pair("two"));
        assert!(certificate.reload().await.unwrap());
        let after = certificate.served.get_inner();
        assert!(!Arc::ptr_eq(&before, &after));
        assert_eq!(after.alpn_protocols, [b"http/1.1".to_vec()]);

        let mixed = Pair {
            certificate: pair("three").certificate,
            key: pair("four").key,
        };
        publish(root.path(), "3", &mixed);
        assert!(matches!(certificate.reload().await, Err(TlsError::Pair(_))));
        let empty = Pair {
            certificate: Vec::new(),
            key: Vec::new(),
        };
        publish(root.path(), "4", &empty);
        assert!(matches!(certificate.reload().await, Err(TlsError::Pem { .. })));
        assert!(Arc::ptr_eq(&after, &certificate.served.get_inner()));

        publish(root.path(), "5", &pair("five"));
        assert!(certificate.reload().await.unwrap());
    }
}
