//! One request as somebody.

use std::{path::Path, time::Duration};

use anyhow::{Context, Result, ensure};
use http::{Method, Request};
use http_body_util::BodyExt as _;
use kube::{
    Client, Config,
    client::Body,
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::Value;
use tokio::{runtime::Runtime, time::timeout};

/// How long a thread waits for one answer; an API server gives up before that by itself where it can.
const ANSWER_DEADLINE: Duration = Duration::from_secs(60);

/// Every write of an upgrade is made as this account.
pub(super) const DRIVER: &str = "system:serviceaccount:mesh-upgrade-system:mesh-upgrade-driver";

/// Who asks, by impersonation. Rights are not in question: everybody is in `system:masters`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// User name.
    pub user: &'static str,
    /// Value of the extra that carries an epoch.
    pub epoch: Option<i64>,
}

impl Identity {
    /// Somebody without an epoch.
    #[must_use]
    pub const fn of(user: &'static str) -> Self {
        Self { user, epoch: None }
    }

    /// The driver with an epoch.
    #[must_use]
    pub const fn driver(epoch: i64) -> Self {
        Self {
            user: DRIVER,
            epoch: Some(epoch),
        }
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

/// The same for a thread that waits for each answer. A kubectl for each request would keep a processor busy where
/// something is asked again and again.
pub struct BlockingCaller {
    runtime: Runtime,
    caller: Caller,
    who: Identity,
}

impl BlockingCaller {
    /// Somebody, with an administrator's kubeconfig.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn new(kubeconfig: &Path, who: Identity) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let caller = runtime.block_on(Caller::new(kubeconfig))?;
        Ok(Self { runtime, caller, who })
    }

    /// Makes a request and returns the status and the body.
    ///
    /// # Errors
    /// When the API server does not answer, or not in time.
    pub fn call(&self, method: &str, path: &str, body: &Value) -> Result<(u16, Value)> {
        let called = self.caller.call(self.who, method, path, body);
        let answer = self.runtime.block_on(async { timeout(ANSWER_DEADLINE, called).await });
        answer.with_context(|| format!("{method} {path}: no answer within {ANSWER_DEADLINE:?}"))?
    }

    /// Reads an object or a list.
    ///
    /// # Errors
    /// When it is not there.
    pub fn read(&self, path: &str) -> Result<Value> {
        let (status, body) = self.call("GET", path, &Value::Null)?;
        ensure!(status == 200, "GET {path}: {status} {body}");
        Ok(body)
    }
}
