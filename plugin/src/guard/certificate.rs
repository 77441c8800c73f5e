//! What the webhook configuration says of the webhook's certificates, for people: which authorities it trusts, and until
//! when. The certificates themselves are the business of the webhook, or of cert-manager.

use crate::{
    cluster::Cluster,
    error::{CommandError, api_code, api_message},
};
use k8s_openapi::{api::admissionregistration::v1::ValidatingWebhookConfiguration, jiff::Timestamp};
use kube::Api;
use shared::names;
use x509_parser::pem::Pem;

/// Whether API servers can trust the webhook now: the result in a sentence, good or bad.
///
/// # Errors
/// When the configuration cannot be read.
pub async fn trust(cluster: &Cluster, now: Timestamp) -> Result<Result<String, String>, CommandError> {
    let configurations: Api<ValidatingWebhookConfiguration> = Api::all(cluster.client.clone());
    match configurations.get(names::WEBHOOK).await {
        Ok(configuration) => Ok(judge(&configuration, now)),
        Err(error) if api_code(&error) == 404 => Ok(Err("the webhook configuration is missing".to_owned())),
        Err(error) => Err(CommandError::error(format!(
            "cannot read ValidatingWebhookConfiguration {}: {}",
            names::WEBHOOK,
            api_message(&error)
        ))),
    }
}

/// The webhook that is worst off speaks for all.
fn judge(configuration: &ValidatingWebhookConfiguration, now: Timestamp) -> Result<String, String> {
    let mut last: Option<Timestamp> = None;
    for webhook in configuration.webhooks.iter().flatten() {
        let bundle = webhook.client_config.ca_bundle.as_ref();
        let bundle = bundle.map_or(&[][..], |bundle| bundle.0.as_slice());
        let until = Pem::iter_from_buffer(bundle)
            .filter_map(|pem| {
                let pem = pem.ok()?;
                let seconds = pem.parse_x509().ok()?.validity().not_after.timestamp();
                Timestamp::from_second(seconds).ok()
            })
            .max()
            .ok_or_else(|| format!("{} trusts no authority yet: is the webhook running?", webhook.name))?;
        if until < now {
            return Err(format!(
                "the authorities that {} trusts have expired: {until}",
                webhook.name
            ));
        }
        last = Some(last.map_or(until, |last| last.min(until)));
    }
    last.map(|until| format!("trusted until {until}"))
        .ok_or_else(|| "the webhook configuration has no webhooks".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::ByteString;
    use shared::guard::{asked::Coverage, install::WebhookClient, rules::webhook_configuration};

    fn authority(year: i32) -> String {
        let mut parameters = rcgen::CertificateParams::new([]).unwrap();
        parameters.not_after = rcgen::date_time_ymd(year, 1, 1);
        parameters
            .self_signed(&rcgen::KeyPair::generate().unwrap())
            .unwrap()
            .pem()
    }

    #[test]
    fn the_last_authority_counts_and_the_worst_webhook() {
        let now: Timestamp = "2026-11-24T00:00:00Z".parse().unwrap();
        let judged = |bundle: &str, of_first: &str| {
            let mut configuration = webhook_configuration(&WebhookClient::Service, &Coverage::default());
            for (index, webhook) in configuration.webhooks.iter_mut().flatten().enumerate() {
                let bundle = if index == 0 { of_first } else { bundle };
                webhook.client_config.ca_bundle = Some(ByteString(bundle.as_bytes().to_vec()));
            }
            judge(&configuration, now)
        };
        let (old, new) = (authority(2026), authority(2027));
        let both = format!("{old}{new}");
        assert_eq!(
            judged(&both, &both),
            Ok("trusted until 2027-01-01T00:00:00Z".to_owned())
        );
        assert!(judged(&both, &old).unwrap_err().contains("have expired: 2026-01-01"));
        assert!(judged(&both, "").unwrap_err().contains("no authority"));
        assert!(judged(&both, "no PEM").unwrap_err().contains("no authority"));
        assert!(judge(&ValidatingWebhookConfiguration::default(), now).is_err());
    }
}
