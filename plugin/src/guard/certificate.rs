//! The webhook's certificate authority and serving certificate, kept in one Secret so that all replicas agree.

use crate::error::CommandError;
use k8s_openapi::{
    ByteString,
    api::core::v1::Secret,
    jiff::{SignedDuration, Timestamp},
};
use kube::{
    Api,
    api::{ObjectMeta, Patch, PatchParams},
};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use shared::names;
use std::collections::BTreeMap;

/// The authority outlives many serving certificates; `guard install` renews both when it is run again.
const AUTHORITY_DAYS: i64 = 3650;
const SERVING_DAYS: i64 = 365;
/// A serving certificate is renewed by `guard install` in its last third.
const RENEW_BEFORE_DAYS: i64 = 120;
/// Clocks of API servers may be behind ours.
const BACKDATED_HOURS: i64 = 1;

/// Annotation that remembers when the serving certificate ends.
const NOT_AFTER: &str = "meshupgrade.io/not-after";
/// Annotation that remembers the host that the certificate is for.
const HOST: &str = "meshupgrade.io/host";

/// Makes sure that a serving certificate for `host` stands in the Secret. Returns the authority's certificate (PEM).
///
/// # Errors
/// When the Secret cannot be read or written.
pub async fn ensure(client: &kube::Client, host: &str, now: Timestamp) -> Result<String, CommandError> {
    let secrets: Api<Secret> = Api::namespaced(client.clone(), names::NAMESPACE);
    let failed = |what: &str, error: &kube::Error| {
        let message = crate::error::api_message(error);
        CommandError::error(format!(
            "cannot {what} Secret {}/{}: {message}",
            names::NAMESPACE,
            names::WEBHOOK
        ))
    };
    let existing = secrets
        .get_opt(names::WEBHOOK)
        .await
        .map_err(|error| failed("read", &error))?;
    if let Some(authority) = existing.as_ref().and_then(|secret| usable(secret, host, now)) {
        return Ok(authority);
    }
    let made = make(host, now).map_err(|error| CommandError::error(format!("cannot make a certificate: {error}")))?;
    let secret = secret_of(&made, host, now);
    let params = PatchParams::apply(names::FIELD_MANAGER).force();
    secrets
        .patch(names::WEBHOOK, &params, &Patch::Apply(&secret))
        .await
        .map_err(|error| failed("write", &error))?;
    Ok(made.authority)
}

/// The authority of a certificate that still has time and is for this host.
fn usable(secret: &Secret, host: &str, now: Timestamp) -> Option<String> {
    let annotations = secret.metadata.annotations.as_ref()?;
    let not_after: Timestamp = annotations.get(NOT_AFTER)?.parse().ok()?;
    let fresh = now
        .checked_add(days(RENEW_BEFORE_DAYS))
        .is_ok_and(|limit| limit < not_after);
    if !fresh || annotations.get(HOST).map(String::as_str) != Some(host) {
        return None;
    }
    let data = secret.data.as_ref()?;
    let whole = ["tls.crt", "tls.key"]
        .iter()
        .all(|key| data.get(*key).is_some_and(|value| !value.0.is_empty()));
    let authority = String::from_utf8(data.get("ca.crt")?.0.clone()).ok()?;
    (whole && authority.contains("BEGIN CERTIFICATE")).then_some(authority)
}

struct Made {
    authority: String,
    certificate: String,
    key: String,
}

fn make(host: &str, now: Timestamp) -> Result<Made, rcgen::Error> {
    let authority_key = KeyPair::generate()?;
    let mut authority = CertificateParams::default();
    authority
        .distinguished_name
        .push(DnType::CommonName, "mesh-upgrade guard");
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    set_validity(&mut authority, now, AUTHORITY_DAYS);
    let authority_certificate = authority.self_signed(&authority_key)?;

    let key = KeyPair::generate()?;
    let mut serving = CertificateParams::new(vec![host.to_owned()])?;
    serving.distinguished_name.push(DnType::CommonName, names::WEBHOOK);
    serving.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    serving.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    set_validity(&mut serving, now, SERVING_DAYS);
    let issuer = Issuer::new(authority, authority_key);
    let certificate = serving.signed_by(&key, &issuer)?;
    Ok(Made {
        authority: authority_certificate.pem(),
        certificate: certificate.pem(),
        key: key.serialize_pem(),
    })
}

fn days(count: i64) -> SignedDuration {
    SignedDuration::from_hours(count.saturating_mul(24))
}

fn set_validity(params: &mut CertificateParams, now: Timestamp, length: i64) {
    let at = |moment: Timestamp| {
        let moment = moment.to_zoned(k8s_openapi::jiff::tz::TimeZone::UTC);
        rcgen::date_time_ymd(
            moment.year().into(),
            moment.month().unsigned_abs(),
            moment.day().unsigned_abs(),
        )
    };
    let start = now
        .checked_sub(SignedDuration::from_hours(BACKDATED_HOURS))
        .unwrap_or(now);
    params.not_before = at(start);
    params.not_after = at(now.checked_add(days(length)).unwrap_or(now));
}

fn secret_of(made: &Made, host: &str, now: Timestamp) -> Secret {
    let not_after = now.checked_add(days(SERVING_DAYS)).unwrap_or(now);
    let data = [
        ("ca.crt", &made.authority),
        ("tls.crt", &made.certificate),
        ("tls.key", &made.key),
    ];
    Secret {
        metadata: ObjectMeta {
            name: Some(names::WEBHOOK.to_owned()),
            namespace: Some(names::NAMESPACE.to_owned()),
            labels: Some([(names::LABEL_PART_OF.to_owned(), names::PART_OF.to_owned())].into()),
            annotations: Some(BTreeMap::from([
                (NOT_AFTER.to_owned(), not_after.to_string()),
                (HOST.to_owned(), host.to_owned()),
            ])),
            ..ObjectMeta::default()
        },
        type_: Some("kubernetes.io/tls".to_owned()),
        data: Some(
            data.into_iter()
                .map(|(key, pem)| (key.to_owned(), ByteString(pem.clone().into_bytes())))
                .collect(),
        ),
        ..Secret::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST_NAME: &str = "mesh-upgrade-webhook.mesh-upgrade-system.svc";

    #[test]
    fn a_fresh_certificate_is_kept_and_an_old_one_is_not() {
        let now: Timestamp = "2026-11-24T00:00:00Z".parse().unwrap();
        let made = make(HOST_NAME, now).unwrap();
        let secret = secret_of(&made, HOST_NAME, now);
        assert_eq!(usable(&secret, HOST_NAME, now), Some(made.authority));
        assert_eq!(usable(&secret, "localhost", now), None, "another host");
        let late: Timestamp = "2027-09-01T00:00:00Z".parse().unwrap();
        assert_eq!(usable(&secret, HOST_NAME, late), None, "in its last third");
        assert_eq!(usable(&Secret::default(), HOST_NAME, now), None);
    }
}
