//! Public certificates that a mesh's trust rests on. Private keys stand in the same Secrets; they are never kept.

use super::super::ask::Asker;
use crate::cluster::error::ClusterError;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use k8s_openapi::jiff::Timestamp;
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use serde::{Deserialize, de::IgnoredAny};
use sha2::{Digest as _, Sha256};
use shared::inventory::{Certificate, CertificateParty, CertificateRole};
use std::fmt::Write as _;
use x509_parser::{certificate::X509Certificate, extensions::ParsedExtension};

/// Certificates of one PEM text that are looked at; a bundle of roots may hold hundreds.
const MAX_OF_ONE: usize = 16;

/// The Secret that people plug their own authority in with, and the one that istiod makes for itself.
const OWN: &str = "cacerts";
const MADE: &str = "istio-ca-secret";

/// The public entries of istiod's Secrets; the names are those of Istio's documents on plugging in certificates.
#[derive(Deserialize)]
struct Secret {
    #[serde(default)]
    data: Option<Public>,
}

#[derive(Default, Deserialize)]
struct Public {
    #[serde(default, rename = "ca-cert.pem")]
    issuer: Option<String>,
    #[serde(default, rename = "cert-chain.pem")]
    chain: Option<String>,
    #[serde(default, rename = "root-cert.pem")]
    root: Option<String>,
    /// The same as cert-manager writes it.
    #[serde(default, rename = "tls.crt")]
    tls_issuer: Option<String>,
    #[serde(default, rename = "ca.crt")]
    tls_root: Option<String>,
    /// Keys are skipped over while the answer is read.
    #[serde(default, rename = "ca-key.pem")]
    _key: Option<IgnoredAny>,
    #[serde(default, rename = "tls.key")]
    _tls_key: Option<IgnoredAny>,
}

impl Public {
    /// What istiod takes out of a Secret: where cacerts has a tls.crt it looks at nothing else of it
    /// (istio/istio, `pilot/pkg/bootstrap/istio_ca.go`).
    fn certificates(self, namespace: &str, name: &str) -> Vec<Certificate> {
        let entries = if name == OWN && self.tls_issuer.is_some() {
            vec![
                ("tls.crt", self.tls_issuer, CertificateRole::Issuer),
                ("ca.crt", self.tls_root, CertificateRole::Root),
            ]
        } else {
            vec![
                ("ca-cert.pem", self.issuer, CertificateRole::Issuer),
                ("cert-chain.pem", self.chain, CertificateRole::Issuer),
                ("root-cert.pem", self.root, CertificateRole::Root),
            ]
        };
        let found = entries.into_iter().flat_map(|(key, text, role)| {
            let pem = text.and_then(|text| STANDARD.decode(text).ok()).unwrap_or_default();
            of_pem(&pem, &format!("Secret {namespace}/{name}, {key}"), role)
        });
        found.collect()
    }
}

#[derive(Deserialize)]
struct ConfigMap {
    #[serde(default)]
    data: Roots,
}

#[derive(Default, Deserialize)]
struct Roots {
    #[serde(default, rename = "root-cert.pem")]
    root: Option<String>,
}

/// Reads the certificates that stand beside a control plane.
pub(super) async fn read(asker: Asker<'_>, namespace: &str) -> Result<Vec<Certificate>, ClusterError> {
    let path = |kind: &str, name: &str| format!("/api/v1/namespaces/{namespace}/{kind}/{name}");
    let (own, made) = (path("secrets", OWN), path("secrets", MADE));
    let root = path("configmaps", "istio-ca-root-cert");
    let authority = async {
        // Where cacerts is there, istiod does not look at the other.
        if let Some(own) = asker.fields::<Secret>("get the Secret cacerts", &own).await? {
            return Ok((OWN, own.data));
        }
        let made = asker.fields::<Secret>("get the Secret istio-ca-secret", &made).await?;
        Ok((MADE, made.and_then(|made| made.data)))
    };
    let root = asker.fields::<ConfigMap>("get the ConfigMap istio-ca-root-cert", &root);
    let ((name, public), root) = futures::try_join!(authority, root)?;
    let mut found = public.unwrap_or_default().certificates(namespace, name);
    let root = root.and_then(|root| root.data.root).unwrap_or_default();
    let place = format!("ConfigMap {namespace}/istio-ca-root-cert");
    found.extend(of_pem(root.as_bytes(), &place, CertificateRole::Root));
    Ok(found)
}

/// The certificates in a PEM text; what is no certificate is passed over.
pub(super) fn of_pem(pem: &[u8], place: &str, role: CertificateRole) -> Vec<Certificate> {
    CertificateDer::pem_slice_iter(pem)
        .take(MAX_OF_ONE)
        .filter_map(|der| {
            let der = der.ok()?;
            let (_, parsed) = x509_parser::parse_x509_certificate(&der).ok()?;
            let not_after = end(parsed.validity().not_after.timestamp())?;
            Some(Certificate {
                place: place.to_owned(),
                role,
                fingerprint: fingerprint(&der),
                subject: subject(&parsed),
                issuer: issuer(&parsed),
                not_after,
            })
        })
        .collect()
}

/// Until when a certificate holds. One without an end says the last second of the year 9999 (RFC 5280, 4.1.2.5), which is
/// beyond what a time is here.
fn end(seconds: i64) -> Option<Timestamp> {
    if seconds > Timestamp::MAX.as_second() {
        return Some(Timestamp::MAX);
    }
    Timestamp::from_second(seconds).ok()
}

fn subject(certificate: &X509Certificate<'_>) -> CertificateParty {
    let key = certificate
        .iter_extensions()
        .find_map(|one| match one.parsed_extension() {
            ParsedExtension::SubjectKeyIdentifier(key) => Some(key.0.to_vec()),
            _ => None,
        });
    CertificateParty {
        name: certificate.subject().as_raw().to_vec(),
        key,
    }
}

fn issuer(certificate: &X509Certificate<'_>) -> CertificateParty {
    let key = certificate
        .iter_extensions()
        .find_map(|one| match one.parsed_extension() {
            ParsedExtension::AuthorityKeyIdentifier(id) => id.key_identifier.as_ref().map(|key| key.0.to_vec()),
            _ => None,
        });
    CertificateParty {
        name: certificate.issuer().as_raw().to_vec(),
        key,
    }
}

fn fingerprint(der: &[u8]) -> String {
    Sha256::digest(der).iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_ends_and_fingerprints_and_passes_over_the_rest() {
        let made = rcgen::generate_simple_self_signed(vec!["istiod.istio-system.svc".to_owned()]).unwrap();
        let pem = format!("garbage\n{}{}", made.signing_key.serialize_pem(), made.cert.pem());
        let found = of_pem(pem.as_bytes(), "here", CertificateRole::Root);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].fingerprint, fingerprint(made.cert.der()));
        assert!(found[0].not_after > Timestamp::UNIX_EPOCH);
        for text in [
            "",
            "x",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        ] {
            assert!(
                of_pem(text.as_bytes(), "here", CertificateRole::Root).is_empty(),
                "{text}"
            );
        }
    }

    #[test]
    fn a_certificate_without_an_end_is_one_too() {
        let mut parameters = rcgen::CertificateParams::default();
        let (last, second) = (253_402_300_799, std::time::Duration::from_secs(1));
        parameters.not_after = rcgen::date_time_ymd(9999, 12, 31) + second * (24 * 60 * 60 - 1);
        let key = rcgen::KeyPair::generate().unwrap();
        let made = parameters.self_signed(&key).unwrap();
        let (_, parsed) = x509_parser::parse_x509_certificate(made.der()).unwrap();
        assert_eq!(parsed.validity().not_after.timestamp(), last);
        let found = of_pem(made.pem().as_bytes(), "here", CertificateRole::Root);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].not_after, Timestamp::MAX);
        assert_eq!(end(0), Some(Timestamp::UNIX_EPOCH));
        assert_eq!(end(i64::MIN), None);
    }

    #[test]
    fn who_signed_a_certificate_is_read() {
        let root = |name: &str| {
            let mut parameters = rcgen::CertificateParams::default();
            parameters.distinguished_name.push(rcgen::DnType::CommonName, name);
            parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
            let key = rcgen::KeyPair::generate().unwrap();
            let pem = parameters.self_signed(&key).unwrap().pem();
            (
                of_pem(pem.as_bytes(), "", CertificateRole::Root).remove(0),
                rcgen::Issuer::new(parameters, key),
            )
        };
        // Renewed under the same name, with another key.
        let ((former, signer), (next, _), (other, _)) = (root("root"), root("root"), root("other"));
        let mut parameters = rcgen::CertificateParams::default();
        parameters.use_authority_key_identifier_extension = true;
        let key = rcgen::KeyPair::generate().unwrap();
        let pem = parameters.signed_by(&key, &signer).unwrap().pem();
        let issuer = of_pem(pem.as_bytes(), "", CertificateRole::Issuer).remove(0).issuer;
        assert!(issuer.key.is_some() && next.subject.key.is_some() && next.subject.name == former.subject.name);
        assert!(issuer.may_be(&former.subject) && !issuer.may_be(&next.subject) && !issuer.may_be(&other.subject));
    }

    #[test]
    fn a_secret_is_read_without_its_key() {
        let text = r#"{"data": {"root-cert.pem": "AAAA", "ca-key.pem": "S0VZ", "other": "x"}}"#;
        let secret: Secret = serde_json::from_str(text).unwrap();
        assert_eq!(secret.data.unwrap().root.as_deref(), Some("AAAA"));
    }

    #[test]
    fn what_cert_manager_writes_is_read_as_istiod_reads_it() {
        let made = rcgen::generate_simple_self_signed(vec!["root".to_owned()]).unwrap();
        let pem = STANDARD.encode(made.cert.pem());
        let places = |name: &str, keys: &[&str]| {
            let data: serde_json::Map<String, serde_json::Value> =
                keys.iter().map(|key| ((*key).to_owned(), pem.clone().into())).collect();
            let secret: Secret = serde_json::from_value(serde_json::json!({ "data": data })).unwrap();
            let found = secret.data.unwrap().certificates("mesh", name);
            let places = found.into_iter().map(|one| {
                let (_, key) = one.place.split_once(", ").unwrap();
                (key.to_owned(), one.role)
            });
            places.collect::<Vec<_>>()
        };
        let tls = ["tls.crt", "ca.crt", "tls.key"];
        let of_tls = [
            ("tls.crt".to_owned(), CertificateRole::Issuer),
            ("ca.crt".to_owned(), CertificateRole::Root),
        ];
        assert_eq!(places(OWN, &tls), of_tls);
        assert_eq!(
            places(OWN, &[&tls[..], &["ca-cert.pem", "root-cert.pem"]].concat()),
            of_tls
        );
        // Without a tls.crt, and in its own Secret, istiod reads the names of its own.
        let of_istiod = [
            ("ca-cert.pem".to_owned(), CertificateRole::Issuer),
            ("root-cert.pem".to_owned(), CertificateRole::Root),
        ];
        let own = ["ca.crt", "ca-cert.pem", "ca-key.pem", "root-cert.pem"];
        assert_eq!(places(OWN, &own), of_istiod);
        assert_eq!(places(MADE, &[&own[..], &["tls.crt"]].concat()), of_istiod);
    }
}
