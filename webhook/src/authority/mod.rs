//! The webhook's own authority: performs what [`shared::guard::certificates`] says, on the Secret and on the webhook
//! configuration, and hands over the pair to serve.
//!
//! The pair is read from the API server, not from a volume: the webhook has to read the Secret in any case, hears of a
//! new pair within seconds where a kubelet takes minutes, and works the same outside of the cluster.

mod issue;
mod secret;

use crate::{metrics::Metrics, tls::Pair};
use k8s_openapi::{
    ByteString,
    api::{admissionregistration::v1::ValidatingWebhookConfiguration, core::v1::Secret},
    jiff::{SignedDuration, Timestamp},
};
use kube::{
    Api, Client,
    api::{Patch, PatchParams},
};
use serde_json::{Value, json};
use shared::{
    guard::certificates::{self, Published, Step, Times},
    names,
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

const SECRET: &str = "Secret mesh-upgrade-system/mesh-upgrade-webhook-certificates";
const CONFIGURATION: &str = "ValidatingWebhookConfiguration mesh-upgrade-webhook";

/// Steps that follow each other at once; a rotation has fewer.
const MAX_STEPS: usize = 8;
const MIN_PAUSE: Duration = Duration::from_secs(1);
const MAX_PAUSE: Duration = Duration::from_secs(10);

/// Why there is no pair of the authority's.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// An object that cannot be read or written.
    #[error("cannot {verb} {what}: kubectl mesh-upgrade guard install grants that and makes what is missing")]
    Api {
        /// What was tried.
        verb: &'static str,
        /// On what.
        what: &'static str,
        /// Why it failed.
        source: Box<kube::Error>,
    },
    /// A pair that could not be made.
    #[error("cannot make a certificate for {hosts}")]
    Make {
        /// Hosts it was for.
        hosts: String,
        /// Why.
        source: rcgen::Error,
    },
    /// No pair yet.
    #[error("no certificate in the Secret yet; is the webhook configuration there?")]
    Nothing,
}

/// One replica's part in the rotation.
pub(crate) struct Authority {
    secrets: Api<Secret>,
    configurations: Api<ValidatingWebhookConfiguration>,
    times: Times,
    /// The configuration as it was seen last, and since when.
    seen: Option<(Option<String>, Instant)>,
    metrics: Arc<Metrics>,
}

impl Authority {
    pub(crate) fn new(client: Client, times: Times, metrics: Arc<Metrics>) -> Self {
        Self {
            secrets: Api::namespaced(client.clone(), names::NAMESPACE),
            configurations: Api::all(client),
            times,
            seen: None,
            metrics,
        }
    }

    /// How long to pause between two turns.
    pub(crate) fn pause(&self) -> Duration {
        let settle = Duration::try_from(self.times.settle()).unwrap_or_default();
        (settle / 6).clamp(MIN_PAUSE, MAX_PAUSE)
    }

    /// Goes on with the rotation as far as it can, and returns the pair to serve. A step that fails is tried again in
    /// the next turn; the pair in the Secret is served all the same.
    pub(crate) async fn turn(&mut self) -> Result<Pair, AuthorityError> {
        let mut served = None;
        for _ in 0..MAX_STEPS {
            // The configuration before the Secret: see the rule in `shared`.
            let configuration = self.configurations.get_opt(names::WEBHOOK).await;
            let configuration = configuration.map_err(|error| api_error("read", CONFIGURATION, error))?;
            let secret = self.secrets.get(names::CERTIFICATES).await;
            let secret = secret.map_err(|error| api_error("read", SECRET, error))?;
            let stored = secret::read(&secret);
            served = stored.current.clone();
            let Some(configuration) = configuration else { break };
            let now = Timestamp::now();
            let published = Published::read(&configuration, self.unchanged_for(&configuration));
            let step = certificates::next(&stored.state, &published, &self.times, now);
            let name = match &step {
                Step::Wait(_) => break,
                Step::Issue(_) => "issue",
                Step::Publish(_) => "publish",
                Step::Promote => "promote",
                Step::Forget => "forget",
            };
            let performed = match step {
                Step::Wait(_) => break,
                Step::Issue(hosts) => {
                    let made = issue::make(&hosts, self.times.lifetime(), now);
                    let made = made.map_err(|source| AuthorityError::Make {
                        hosts: secret::shown(&hosts),
                        source,
                    })?;
                    self.write_secret(secret::issue(&secret, &made)).await
                }
                Step::Publish(bundle) => self.publish(&configuration, &bundle).await,
                Step::Promote => match secret::promote(&secret, stored, now) {
                    Some(patch) => self.write_secret(patch).await,
                    None => Ok(()),
                },
                Step::Forget => self.write_secret(secret::forget(&secret, stored, now)).await,
            };
            match performed {
                Ok(()) => {
                    self.metrics.count_certificate_step(name);
                    tracing::info!(step = name, "certificate rotation");
                }
                Err(AuthorityError::Api { source, .. }) if is_conflict(&source) => {
                    tracing::info!(step = name, "another replica was faster; reading again");
                }
                Err(error) => {
                    tracing::warn!(error = ?error, step = name, "certificate rotation is stuck; trying again");
                    break;
                }
            }
        }
        served.ok_or(AuthorityError::Nothing)
    }

    /// How long the configuration has been the same, by this process's own clock that never jumps.
    fn unchanged_for(&mut self, configuration: &ValidatingWebhookConfiguration) -> SignedDuration {
        let version = &configuration.metadata.resource_version;
        let since = match &self.seen {
            Some((seen, since)) if seen == version => *since,
            _ => Instant::now(),
        };
        self.seen = Some((version.clone(), since));
        SignedDuration::try_from(since.elapsed()).unwrap_or(SignedDuration::ZERO)
    }

    async fn write_secret(&self, patch: Value) -> Result<(), AuthorityError> {
        match self
            .secrets
            .patch(names::CERTIFICATES, &params(), &Patch::Merge(&patch))
            .await
        {
            Ok(_) => Ok(()),
            Err(error) => Err(api_error("write", SECRET, error)),
        }
    }

    /// Writes the bundle and nothing else into the configuration that was read.
    async fn publish(
        &self,
        configuration: &ValidatingWebhookConfiguration,
        bundle: &str,
    ) -> Result<(), AuthorityError> {
        let bundle = ByteString(bundle.as_bytes().to_vec());
        let webhooks = configuration.webhooks.iter().flatten();
        let webhooks: Vec<Value> = webhooks
            .map(|webhook| json!({"name": webhook.name, "clientConfig": {"caBundle": bundle}}))
            .collect();
        let read = &configuration.metadata;
        let patch = json!({
            "metadata": {"uid": read.uid, "resourceVersion": read.resource_version},
            "webhooks": webhooks,
        });
        match self
            .configurations
            .patch(names::WEBHOOK, &params(), &Patch::Strategic(&patch))
            .await
        {
            Ok(_) => Ok(()),
            Err(error) => Err(api_error("write", CONFIGURATION, error)),
        }
    }
}

fn params() -> PatchParams {
    PatchParams {
        field_manager: Some(names::WEBHOOK.to_owned()),
        ..PatchParams::default()
    }
}

fn api_error(verb: &'static str, what: &'static str, source: kube::Error) -> AuthorityError {
    AuthorityError::Api {
        verb,
        what,
        source: Box::new(source),
    }
}

fn is_conflict(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 409)
}

#[cfg(test)]
mod tests;
