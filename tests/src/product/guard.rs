//! The guard in a test cluster: installed by the plugin, with the real webhook as a process beside the API server.

use std::{
    net::TcpListener,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;
use shared::names;

use super::{Binaries, mesh_upgrade};
use crate::harness::{Cluster, wait_until};

/// How long a webhook may take to fill its caches.
const READY_DEADLINE: Duration = Duration::from_secs(20);

/// A guard whose webhook runs as a process until this value is dropped.
#[derive(Debug)]
pub struct Guard {
    dir: tempfile::TempDir,
    port: u16,
    health_port: u16,
    webhook: Option<Child>,
}

impl Guard {
    /// Installs the guard with `kubectl mesh-upgrade guard install` and starts its webhook, as its own ServiceAccount.
    ///
    /// # Errors
    /// When a command fails or the webhook does not become ready.
    pub fn install(cluster: &Cluster) -> Result<Self> {
        let mut guard = Self {
            dir: tempfile::tempdir()?,
            port: free_port()?,
            health_port: free_port()?,
            webhook: None,
        };
        let url = format!("https://localhost:{}", guard.port);
        mesh_upgrade(cluster, &["guard", "install", "--webhook-url", &url])?.ok()?;
        guard.write_certificate(cluster)?;
        guard.write_kubeconfig(cluster)?;
        guard.start()?;
        Ok(guard)
    }

    /// Starts the webhook after [`Self::kill`].
    ///
    /// # Errors
    /// When it does not become ready.
    pub fn start(&mut self) -> Result<()> {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.log())?;
        // Ended by the closing of its standard input, which the kernel does for a test that dies in whatever way.
        let mut command = Command::new("/bin/sh");
        command
            .args([
                "-c",
                r#""$@" & webhook=$!; /bin/cat >/dev/null; kill -9 $webhook; wait"#,
                "webhook",
            ])
            .arg(Binaries::get()?.webhook())
            .args(["--bind", "127.0.0.1", "--port", &self.port.to_string()])
            .args(["--health-port", &self.health_port.to_string()])
            .arg("--tls-dir")
            .arg(self.dir.path())
            .arg("--kubeconfig")
            .arg(self.dir.path().join("kubeconfig"))
            .env_clear()
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log);
        self.webhook = Some(command.spawn().context("start the webhook")?);
        wait_until("the webhook to be ready", READY_DEADLINE, || {
            Ok(self.is_ready().then_some(()))
        })
        .with_context(|| std::fs::read_to_string(self.log()).unwrap_or_default())
    }

    fn is_ready(&self) -> bool {
        use std::io::{Read as _, Write as _};
        let Ok(mut stream) = std::net::TcpStream::connect(("127.0.0.1", self.health_port)) else {
            return false;
        };
        let request = "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        let mut answer = String::new();
        stream.write_all(request.as_bytes()).is_ok()
            && stream.read_to_string(&mut answer).is_ok()
            && answer.starts_with("HTTP/1.1 200")
    }

    /// Kills the webhook with SIGKILL, as a lost node would.
    pub fn kill(&mut self) {
        if let Some(mut webhook) = self.webhook.take() {
            drop(webhook.stdin.take());
            webhook.wait().ok();
        }
    }

    /// What the webhook logs.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.dir.path().join("webhook.log")
    }

    fn write_certificate(&self, cluster: &Cluster) -> Result<()> {
        let secret = cluster
            .kubectl(&["get", "secret", names::WEBHOOK, "-n", names::NAMESPACE, "-o", "json"])?
            .json()?;
        for file in ["tls.crt", "tls.key"] {
            let encoded = secret
                .pointer(&format!("/data/{}", file.replace('/', "~1")))
                .and_then(|value| value.as_str());
            let pem = STANDARD.decode(encoded.with_context(|| format!("{file} in the webhook's Secret"))?)?;
            std::fs::write(self.dir.path().join(file), pem)?;
        }
        Ok(())
    }

    /// The webhook acts with its own rights, so that a missing one is found here.
    fn write_kubeconfig(&self, cluster: &Cluster) -> Result<()> {
        let account = names::WEBHOOK_SERVICE_ACCOUNT;
        let token = cluster.kubectl(&["create", "token", account, "-n", names::NAMESPACE, "--duration", "2h"])?;
        let admin = cluster
            .kubectl(&["config", "view", "--raw", "--flatten", "--minify", "-o", "json"])?
            .json()?;
        let kubeconfig = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "webhook",
            "clusters": [{ "name": "cluster", "cluster": admin.pointer("/clusters/0/cluster") }],
            "users": [{ "name": "webhook", "user": { "token": token.ok()? } }],
            "contexts": [{ "name": "webhook", "context": { "cluster": "cluster", "user": "webhook" } }],
        });
        std::fs::write(self.dir.path().join("kubeconfig"), kubeconfig.to_string())?;
        Ok(())
    }

    /// Folder with the webhook's certificate, kubeconfig and log.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A port that was free a moment ago.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
