//! One request as somebody.

use std::path::Path;

use anyhow::{Context, Result};
use http::{Method, Request};
use http_body_util::BodyExt as _;
use kube::{
    Client, Config,
    client::Body,
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::Value;

/// Who asks, by impersonation. Rights are not in question: everybody is in `system:masters`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// User name.
    pub user: &'static str,
    /// Value of the extra that carries an epoch.
    pub epoch: Option<&'static str>,
}

impl Identity {
    /// Somebody without an epoch.
    #[must_use]
    pub const fn of(user: &'static str) -> Self {
        Self { user, epoch: None }
    }
}

/// Makes requests of an API server.
#[derive(Clone)]
pub struct Caller {
    client: Client,
}

impl Caller {
    /// With an administrator's kubeconfig.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn new(kubeconfig: &Path) -> Result<Self> {
        let kubeconfig = Kubeconfig::read_from(kubeconfig)?;
        let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
        config.proxy_url = None;
        Ok(Self {
            client: Client::try_from(config)?,
        })
    }

    /// Makes a request and returns the status and the body.
    ///
    /// # Errors
    /// When the API server does not answer.
    pub async fn call(&self, who: Identity, method: &str, path: &str, body: &Value) -> Result<(u16, Value)> {
        let content = match (method, path.contains("fieldManager=")) {
            ("PATCH", true) => "application/apply-patch+yaml",
            ("PATCH", false) => "application/merge-patch+json",
            _ => "application/json",
        };
        let mut request = Request::builder()
            .method(Method::from_bytes(method.as_bytes())?)
            .uri(path)
            .header("Content-Type", content)
            .header("Impersonate-User", who.user)
            .header("Impersonate-Group", "system:masters");
        if let Some(epoch) = who.epoch {
            request = request.header("Impersonate-Extra-meshupgrade.io%2Fepoch", epoch);
        }
        let bytes = if body.is_null() {
            Vec::new()
        } else {
            serde_json::to_vec(body)?
        };
        let response = self
            .client
            .send(request.body(Body::from(bytes))?)
            .await
            .context("call")?;
        let status = response.status().as_u16();
        let answer = response.into_body().collect().await?.to_bytes();
        Ok((status, serde_json::from_slice(&answer).unwrap_or_default()))
    }
}
