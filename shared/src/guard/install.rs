//! Everything that `guard install` puts into a cluster, as values in the order in which they are applied.

/// How the API server reaches the webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebhookClient {
    /// Through the guard's Service.
    Service,
    /// At a URL, as `https://127.0.0.1:8443`; for API servers that reach no Service.
    Url(String),
}

/// What to install.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstallOptions {
    /// Only the first barrier: no Deployment, no Service, no ValidatingWebhookConfiguration.
    pub policy_only: bool,
    /// Image of the webhook.
    pub image: String,
    /// How the API server reaches the webhook.
    pub client: WebhookClient,
    /// PEM certificate of the authority that signed the webhook's.
    pub ca_bundle: String,
    /// Pods of the webhook.
    pub replicas: i32,
}

/// The objects, each with apiVersion and kind, in the order in which they are applied.
#[must_use]
pub fn objects(options: &InstallOptions) -> Vec<serde_json::Value> {
    let _ = options;
    Vec::new()
}
