//! The pairs as they stand in the Secret, and the patches that change it.

use super::issue::Made;
use crate::tls::{self, Pair};
use k8s_openapi::{ByteString, api::core::v1::Secret, jiff::Timestamp};
use rustls::{
    RootCertStore,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier as _},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject as _},
};
use serde_json::{Map, Value, json};
use shared::guard::certificates::{self, Authority, State};
use std::{collections::BTreeSet, sync::Arc, time::Duration};

/// Keys of one pair in the Secret.
struct Keys {
    certificate: &'static str,
    key: &'static str,
    authority: &'static str,
}

const CURRENT: Keys = Keys {
    certificate: "tls.crt",
    key: "tls.key",
    authority: "ca.crt",
};
const NEXT: Keys = Keys {
    certificate: "next-tls.crt",
    key: "next-tls.key",
    authority: "next-ca.crt",
};
/// Key of the former authorities, one after the other.
const PREVIOUS: &str = "previous-ca.crt";

/// What the Secret says, and what is to be served.
#[derive(Debug, Default)]
pub(super) struct Stored {
    pub(super) state: State,
    pub(super) current: Option<Pair>,
    /// Contents of the next pair, to be moved.
    next: Option<[ByteString; 3]>,
}

/// Reads the Secret; what is damaged there counts as absent.
pub(super) fn read(secret: &Secret) -> Stored {
    let of = |key: &str| secret.data.as_ref().and_then(|data| data.get(key));
    let contents = |keys: &Keys| -> Option<[ByteString; 3]> {
        Some([
            of(keys.certificate)?.clone(),
            of(keys.key)?.clone(),
            of(keys.authority)?.clone(),
        ])
    };
    let current = contents(&CURRENT);
    let next = contents(&NEXT);
    let known = current.as_ref().and_then(pair);
    let mut previous = of(PREVIOUS).map(authorities).unwrap_or_default();
    if known.is_none() {
        // A replica may still serve what has been damaged since.
        previous.extend(of(CURRENT.authority).map(authorities).unwrap_or_default());
    }
    let state = State {
        current: known,
        next: next.as_ref().and_then(pair),
        previous,
    };
    let served = |[certificate, key, _]: [ByteString; 3]| Pair {
        certificate: certificate.0,
        key: key.0,
    };
    Stored {
        current: current.filter(|_| state.current.is_some()).map(served),
        next: next.filter(|_| state.next.is_some()),
        state,
    }
}

/// A pair that can be served and that its authority has signed for each of its hosts.
fn pair([certificate, key, authority]: &[ByteString; 3]) -> Option<certificates::Pair> {
    let served = Pair {
        certificate: certificate.0.clone(),
        key: key.0.clone(),
    };
    served.load().ok()?;
    let leaf = CertificateDer::from_pem_slice(&certificate.0).ok()?;
    let root = CertificateDer::from_pem_slice(&authority.0).ok()?;
    let hosts = tls::hosts(&leaf)?;
    let not_after = tls::validity(&leaf)
        .ok()?
        .not_after
        .min(tls::validity(&root).ok()?.not_after);
    let mut roots = RootCertStore::empty();
    roots.add(root).ok()?;
    let verifier = WebPkiServerVerifier::builder(Arc::new(roots)).build().ok()?;
    // Whether it is valid now is asked elsewhere.
    let at = UnixTime::since_unix_epoch(Duration::from_secs(not_after.try_into().ok()?));
    let signed_for = |host: &String| {
        let name = ServerName::try_from(host.as_str()).ok()?;
        verifier.verify_server_cert(&leaf, &[], &name, &[], at).ok()
    };
    let all = !hosts.is_empty() && hosts.iter().all(|host| signed_for(host).is_some());
    Some(certificates::Pair {
        authority: String::from_utf8(authority.0.clone()).ok()?,
        hosts,
        not_after: Timestamp::from_second(not_after).ok()?,
    })
    .filter(|_| all)
}

fn authorities(bundle: &ByteString) -> Vec<Authority> {
    let readable = String::from_utf8_lossy(&bundle.0);
    let blocks = readable.split_inclusive("-----END CERTIFICATE-----").map(str::trim);
    let read = |pem: &str| {
        let der = CertificateDer::from_pem_slice(pem.as_bytes()).ok()?;
        Some(Authority {
            pem: format!("{pem}\n"),
            not_after: Timestamp::from_second(tls::validity(&der).ok()?.not_after).ok()?,
        })
    };
    blocks.filter_map(read).collect()
}

/// Stores a next pair.
pub(super) fn issue(read: &Secret, made: &Made) -> Value {
    let data = [
        (NEXT.certificate, &made.certificate),
        (NEXT.key, &made.key),
        (NEXT.authority, &made.authority),
    ];
    let encoded = |pem: &str| json!(ByteString(pem.as_bytes().to_vec()));
    patch(read, data.map(|(key, pem)| (key, encoded(pem))))
}

/// Moves the next pair to the current one's place.
pub(super) fn promote(read: &Secret, stored: Stored, now: Timestamp) -> Option<Value> {
    let [certificate, key, authority] = stored.next?;
    let state = stored.state.promoted(now);
    Some(patch(
        read,
        [
            (CURRENT.certificate, json!(certificate)),
            (CURRENT.key, json!(key)),
            (CURRENT.authority, json!(authority)),
            (NEXT.certificate, Value::Null),
            (NEXT.key, Value::Null),
            (NEXT.authority, Value::Null),
            (PREVIOUS, joined(&state)),
        ],
    ))
}

/// Takes out former authorities that have expired.
pub(super) fn forget(read: &Secret, stored: Stored, now: Timestamp) -> Value {
    patch(read, [(PREVIOUS, joined(&stored.state.without_expired(now)))])
}

fn joined(state: &State) -> Value {
    let all: String = state.previous.iter().map(|authority| authority.pem.as_str()).collect();
    if all.is_empty() {
        Value::Null
    } else {
        json!(ByteString(all.into_bytes()))
    }
}

/// A merge patch that the API server refuses when the Secret is not the one that was read.
fn patch<const N: usize>(read: &Secret, data: [(&str, Value); N]) -> Value {
    let data: Map<String, Value> = data.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    json!({
        "metadata": {"uid": read.metadata.uid, "resourceVersion": read.metadata.resource_version},
        "data": data,
    })
}

/// Hosts as a set, for messages.
pub(super) fn shown(hosts: &BTreeSet<String>) -> String {
    Vec::from_iter(hosts.iter().map(String::as_str)).join(", ")
}
