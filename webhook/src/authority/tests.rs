//! Real keys and certificates through a whole rotation, verified as a client does.

use super::{secret::Stored, *};
use crate::tls;
use rustls::{
    RootCertStore,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier as _},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject as _},
};
use std::collections::BTreeSet;

const HOST: &str = "mesh-upgrade-webhook.mesh-upgrade-system.svc";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn hosts(list: &[&str]) -> BTreeSet<String> {
    list.iter().map(|host| (*host).to_owned()).collect()
}

/// The Secret after a merge patch, as the API server would make it.
fn patched(secret: &Secret, patch: &Value) -> Secret {
    let mut object = json!(secret);
    let data = object.as_object_mut().unwrap().entry("data").or_insert(json!({}));
    for (key, value) in patch["data"].as_object().unwrap() {
        if value.is_null() {
            data.as_object_mut().unwrap().remove(key);
        } else {
            data[key] = value.clone();
        }
    }
    serde_json::from_value(object).unwrap()
}

/// Whether a client that trusts the bundle takes the certificate for the host.
fn verifies(stored: &Stored, bundle: &str, host: &str, now: Timestamp) -> bool {
    let mut roots = RootCertStore::empty();
    for root in CertificateDer::pem_slice_iter(bundle.as_bytes()) {
        roots.add(root.unwrap()).unwrap();
    }
    let leaf = CertificateDer::from_pem_slice(&stored.current.as_ref().unwrap().certificate).unwrap();
    let verifier = WebPkiServerVerifier::builder(Arc::new(roots)).build().unwrap();
    let name = ServerName::try_from(host.to_owned()).unwrap();
    let now = UnixTime::since_unix_epoch(Duration::from_secs(now.as_second().try_into().unwrap()));
    verifier.verify_server_cert(&leaf, &[], &name, &[], now).is_ok()
}

fn issued(secret: &Secret, list: &[&str], now: Timestamp) -> Secret {
    let made = issue::make(&hosts(list), SignedDuration::from_hours(24), now).unwrap();
    patched(secret, &secret::issue(secret, &made))
}

fn promoted(secret: &Secret, now: Timestamp) -> Secret {
    patched(secret, &secret::promote(secret, secret::read(secret), now).unwrap())
}

#[test]
fn a_whole_rotation_verifies_at_every_moment() {
    tls::install_crypto();
    let start = at("2026-11-24T10:20:30Z");
    let secret = promoted(&issued(&Secret::default(), &[HOST], start), start);
    let first = secret::read(&secret);
    assert_eq!(
        first.state.current.as_ref().unwrap().not_after,
        at("2026-11-25T10:20:30Z")
    );
    assert_eq!(first.state.current.as_ref().unwrap().hosts, hosts(&[HOST]));
    assert!(verifies(&first, &first.state.bundle(start), HOST, start));
    assert!(!verifies(&first, &first.state.bundle(start), "localhost", start));

    let later = at("2026-11-25T02:30:00Z");
    let secret = issued(&secret, &[HOST], later);
    let both = secret::read(&secret);
    assert_eq!(both.current, first.current, "the next one is not served yet");
    assert!(!verifies(
        &first,
        &both.state.next.as_ref().unwrap().authority,
        HOST,
        later
    ));
    let bundle = both.state.bundle(later);
    assert!(verifies(&both, &bundle, HOST, later));

    let secret = promoted(&secret, later);
    let second = secret::read(&secret);
    assert_ne!(second.current, first.current);
    assert_eq!((second.state.next.is_none(), second.state.previous.len()), (true, 1));
    // Both are trusted: the one that is served, and the one that a late replica serves.
    assert_eq!(second.state.bundle(later), bundle_of(&[&second, &first]));
    assert!(verifies(&first, &second.state.bundle(later), HOST, later));
    assert!(verifies(&second, &second.state.bundle(later), HOST, later));

    let end = at("2026-11-25T10:20:31Z");
    let secret = patched(&secret, &secret::forget(&secret, second, end));
    let last = secret::read(&secret);
    assert!(last.state.previous.is_empty());
    assert!(verifies(&last, &last.state.bundle(end), HOST, end));
    assert!(!verifies(&first, &last.state.bundle(end), HOST, end));
}

fn bundle_of(all: &[&Stored]) -> String {
    all.iter()
        .map(|stored| stored.state.current.as_ref().unwrap().authority.as_str())
        .collect()
}

#[test]
fn addresses_are_hosts_too() {
    tls::install_crypto();
    let now = at("2026-11-24T00:00:00Z");
    let list = ["127.0.0.1", "::1", "localhost"];
    let stored = secret::read(&promoted(&issued(&Secret::default(), &list, now), now));
    assert_eq!(stored.state.current.as_ref().unwrap().hosts, hosts(&list));
    for host in list {
        assert!(verifies(&stored, &stored.state.bundle(now), host, now), "{host}");
    }
}

#[test]
fn what_is_damaged_is_made_anew_and_its_authority_stays_trusted() {
    tls::install_crypto();
    let now = at("2026-11-24T00:00:00Z");
    let good = promoted(&issued(&Secret::default(), &[HOST], now), now);
    let other = promoted(&issued(&Secret::default(), &[HOST], now), now);
    let authority = secret::read(&good).state.current.unwrap().authority;
    for damaged in ["tls.crt", "tls.key"] {
        for value in [
            json!(""),
            json!(ByteString(b"no PEM".to_vec())),
            json!(other)["data"][damaged].clone(),
        ] {
            let stored = secret::read(&patched(&good, &json!({"data": {damaged: value}})));
            assert!(
                stored.current.is_none() && stored.state.current.is_none(),
                "{damaged} {value}"
            );
            assert_eq!(stored.state.previous[0].pem, authority);
        }
    }
    // An authority that has not signed the certificate.
    let swapped = json!({"data": {"ca.crt": json!(other)["data"]["ca.crt"]}});
    assert!(secret::read(&patched(&good, &swapped)).current.is_none());
    assert!(secret::read(&Secret::default()).current.is_none());
}

#[test]
fn a_patch_is_for_the_very_object_that_was_read() {
    let mut secret = Secret::default();
    secret.metadata.resource_version = Some("41".to_owned());
    secret.metadata.uid = Some("8d6a".to_owned());
    let made = issue::make(
        &hosts(&[HOST]),
        SignedDuration::from_hours(1),
        at("2026-11-24T00:00:00Z"),
    )
    .unwrap();
    let patch = secret::issue(&secret, &made);
    assert_eq!(patch["metadata"], json!({"uid": "8d6a", "resourceVersion": "41"}));
}
