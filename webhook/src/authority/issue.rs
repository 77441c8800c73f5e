//! Makes an authority and the one certificate that it ever signs; its key is dropped here.

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use shared::names;
use std::{collections::BTreeSet, time::Duration};

/// Clocks of API servers and of other replicas may be behind ours.
const BACKDATED: SignedDuration = SignedDuration::from_hours(1);

/// Three PEM texts that belong together.
pub(super) struct Made {
    pub(super) authority: String,
    pub(super) certificate: String,
    pub(super) key: String,
}

/// A pair for these hosts, valid for so long from now.
pub(super) fn make(hosts: &BTreeSet<String>, lifetime: SignedDuration, now: Timestamp) -> Result<Made, rcgen::Error> {
    let authority_key = KeyPair::generate()?;
    let mut authority = CertificateParams::default();
    // Named apart, so that a client finds the right one of two by its name.
    let name = format!("mesh-upgrade guard {}", now.strftime("%Y-%m-%dT%H:%M:%S%.fZ"));
    authority.distinguished_name.push(DnType::CommonName, name);
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    set_validity(&mut authority, lifetime, now);
    let authority_certificate = authority.self_signed(&authority_key)?;

    let key = KeyPair::generate()?;
    let mut serving = CertificateParams::new(Vec::from_iter(hosts.iter().cloned()))?;
    serving.distinguished_name.push(DnType::CommonName, names::WEBHOOK);
    serving.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    serving.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    serving.use_authority_key_identifier_extension = true;
    set_validity(&mut serving, lifetime, now);
    let certificate = serving.signed_by(&key, &Issuer::new(authority, authority_key))?;
    Ok(Made {
        authority: authority_certificate.pem(),
        certificate: certificate.pem(),
        key: key.serialize_pem(),
    })
}

fn set_validity(params: &mut CertificateParams, lifetime: SignedDuration, now: Timestamp) {
    // rcgen's type of a moment is made of whole days; seconds are added to the first of them.
    let at = |moment: Timestamp| {
        let seconds = u64::try_from(moment.as_second()).unwrap_or_default();
        date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds)
    };
    params.not_before = at(now.checked_sub(BACKDATED).unwrap_or(now));
    params.not_after = at(now.checked_add(lifetime).unwrap_or(now));
}
