//! The guard in a test cluster: installed by the plugin, with the real webhook as a process beside the API server.

use std::{
    ffi::OsString,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use shared::names;

use super::{Binaries, mesh_upgrade};
use crate::harness::{Cluster, Contexts, free_port, wait_until};

/// How long a webhook may take to fill its caches.
const READY_DEADLINE: Duration = Duration::from_secs(60);
/// How long it may take for an answer about itself.
const ANSWER_DEADLINE: Duration = Duration::from_secs(10);

const WEBHOOK_PROGRAM: &str = "mesh-upgrade-webhook";

/// A guard whose webhook runs as a process until this value is dropped.
#[derive(Debug)]
pub struct Guard {
    dir: tempfile::TempDir,
    port: u16,
    health_port: u16,
    flags: Vec<String>,
    /// What starts the webhook; the built one itself when empty.
    start_with: Vec<OsString>,
    webhook: Option<Child>,
}

impl Guard {
    /// Installs the guard with `kubectl mesh-upgrade guard install` and starts its webhook, as its own ServiceAccount.
    ///
    /// # Errors
    /// When a command fails or the webhook does not become ready.
    pub fn install(cluster: &Cluster) -> Result<Self> {
        Self::install_with(cluster, &[])
    }

    /// The same, with more flags for the webhook.
    ///
    /// # Errors
    /// When a command fails or the webhook does not become ready.
    pub fn install_with(cluster: &Cluster, flags: &[&str]) -> Result<Self> {
        let mut guard = Self::new()?;
        guard.flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
        guard.put_up(cluster)
    }

    /// The same, with the webhook started by a command that is given its flags; `command` is told the folder that the
    /// kubeconfig lies in.
    ///
    /// # Errors
    /// When a command fails or the webhook does not become ready.
    pub fn install_started_with(cluster: &Cluster, command: impl FnOnce(&Path) -> Vec<OsString>) -> Result<Self> {
        let mut guard = Self::new()?;
        guard.start_with = command(guard.dir.path());
        guard.put_up(cluster)
    }

    /// Starts the webhook of a guard that somebody has installed as for any cluster, and has it called here: the pods of
    /// the test clusters run no programs, and their Services lead nowhere.
    ///
    /// # Errors
    /// When no guard is installed or the webhook does not become ready.
    pub fn serve(cluster: &Cluster) -> Result<Self> {
        let mut guard = Self::new()?;
        let configuration = ["validatingwebhookconfiguration", names::WEBHOOK];
        let found = cluster.kubectl(&[&["get"], &configuration[..], &["-o", "json"]].concat())?;
        let webhooks = found.json()?;
        let webhooks = webhooks
            .get("webhooks")
            .and_then(Value::as_array)
            .context("no webhooks")?;
        let mut patch = Vec::new();
        for (index, webhook) in webhooks.iter().enumerate() {
            let client = format!("/webhooks/{index}/clientConfig");
            let path = webhook.pointer("/clientConfig/service/path").and_then(Value::as_str);
            let url = format!("https://localhost:{}{}", guard.port, path.unwrap_or_default());
            patch.push(json!({"op": "remove", "path": format!("{client}/service")}));
            patch.push(json!({"op": "add", "path": format!("{client}/url"), "value": url}));
        }
        let patch = Value::from(patch).to_string();
        let flags = ["--type=json", "-p", &patch];
        cluster
            .kubectl(&[&["patch"], &configuration[..], &flags].concat())?
            .ok()?;
        guard.write_kubeconfig(cluster)?;
        guard.start()?;
        guard.wait_until_asked(cluster)?;
        Ok(guard)
    }

    fn new() -> Result<Self> {
        Ok(Self {
            dir: tempfile::tempdir()?,
            port: free_port()?,
            health_port: free_port()?,
            flags: Vec::new(),
            start_with: Vec::new(),
            webhook: None,
        })
    }

    fn put_up(mut self, cluster: &Cluster) -> Result<Self> {
        let guard = &mut self;
        let url = format!("https://localhost:{}", guard.port);
        mesh_upgrade(cluster, &["guard", "install", "--webhook-url", &url])?.ok()?;
        guard.write_kubeconfig(cluster)?;
        guard.start()?;
        guard.wait_until_asked(cluster)?;
        Ok(self)
    }

    /// Another replica of the same guard on ports of its own: the API server never calls it, but it takes its part in
    /// everything that replicas share.
    ///
    /// # Errors
    /// When it does not become ready.
    pub fn replica(&self) -> Result<Self> {
        let mut replica = Self::new()?;
        replica.flags.clone_from(&self.flags);
        std::fs::copy(self.kubeconfig(), replica.kubeconfig())?;
        replica.start()?;
        Ok(replica)
    }

    /// Ends the webhook and starts it anew with other flags; it need not become ready.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn restart_with(&mut self, flags: &[&str]) -> Result<()> {
        self.kill();
        self.flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
        self.spawn()?;
        wait_until("the webhook to answer", READY_DEADLINE, || self.readiness().map(Some)).map(drop)
    }

    fn kubeconfig(&self) -> PathBuf {
        self.dir.path().join("kubeconfig")
    }

    /// The webhook has just written its authority into its configuration: an API server reads that a moment later.
    fn wait_until_asked(&self, cluster: &Cluster) -> Result<()> {
        let canary = [
            "create",
            "deployment",
            "asked",
            "--image=example/app:1",
            "--dry-run=server",
        ];
        wait_until("the API server to trust the webhook", READY_DEADLINE, || {
            cluster.kubectl(&canary)?.ok()?;
            Ok((self.metric("mesh_upgrade_webhook_reviews_total")? > 0.0).then_some(()))
        })
        .with_context(|| std::fs::read_to_string(self.log()).unwrap_or_default())
    }

    /// Sum of the webhook's samples whose line begins so.
    ///
    /// # Errors
    /// When the webhook does not answer.
    pub fn metric(&self, beginning: &str) -> Result<f64> {
        let text = self.get("/metrics")?;
        let samples = text.lines().filter(|line| line.starts_with(beginning));
        Ok(samples
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum())
    }

    /// What the webhook says of its readiness, with the status line.
    ///
    /// # Errors
    /// When the webhook does not answer.
    pub fn readiness(&self) -> Result<String> {
        self.get("/readyz")
    }

    /// Starts the webhook after [`Self::kill`].
    ///
    /// # Errors
    /// When it does not become ready.
    pub fn start(&mut self) -> Result<()> {
        self.spawn()?;
        wait_until("the webhook to be ready", READY_DEADLINE, || {
            Ok(self.is_ready().then_some(()))
        })
        .with_context(|| std::fs::read_to_string(self.log()).unwrap_or_default())
    }

    fn spawn(&mut self) -> Result<()> {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.log())?;
        // Ended by the closing of its standard input, which the kernel does for a test that dies in whatever way.
        let program = match self.start_with.as_slice() {
            [] => vec![Binaries::get()?.webhook().into_os_string()],
            given => given.to_vec(),
        };
        let mut command = Command::new("/bin/sh");
        command
            .args([
                "-c",
                r#""$@" & webhook=$!; /bin/cat >/dev/null; kill -9 $webhook; wait"#,
                "webhook",
            ])
            .args(program)
            .args(["--bind", "127.0.0.1", "--port", &self.port.to_string()])
            .args(["--health-port", &self.health_port.to_string()])
            .arg("--kubeconfig")
            .arg(self.kubeconfig())
            .args(&self.flags)
            .env_clear()
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log);
        self.webhook = Some(command.spawn().context("start the webhook")?);
        Ok(())
    }

    fn is_ready(&self) -> bool {
        self.readiness().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
    }

    /// How many reviews the webhook has answered, whatever it said.
    ///
    /// # Errors
    /// When it does not tell its metrics.
    pub fn reviews(&self) -> Result<u64> {
        let metrics = self.get("/metrics")?;
        let counters = metrics
            .lines()
            .filter(|line| line.starts_with("mesh_upgrade_webhook_reviews_total"));
        let counts = counters.map(|line| line.rsplit(' ').next().unwrap_or_default().parse::<u64>());
        Ok(counts.sum::<Result<u64, _>>()?)
    }

    fn get(&self, path: &str) -> Result<String> {
        use std::io::{Read as _, Write as _};
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", self.health_port))?;
        // One that is held would be read from without end, whatever deadline the caller looks to.
        stream.set_read_timeout(Some(ANSWER_DEADLINE))?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        let mut answer = String::new();
        stream.write_all(request.as_bytes())?;
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    /// Installs the guard's objects anew, beside the webhook that runs.
    ///
    /// # Errors
    /// When the command fails.
    pub fn reinstall(&self, cluster: &Cluster) -> Result<()> {
        let url = format!("https://localhost:{}", self.port);
        mesh_upgrade(cluster, &["guard", "install", "--webhook-url", &url])?.ok()?;
        self.wait_until_asked(cluster)
    }

    /// Kills the webhook with SIGKILL, as a lost node would.
    pub fn kill(&mut self) {
        if let Some(mut webhook) = self.webhook.take() {
            drop(webhook.stdin.take());
            webhook.wait().ok();
        }
    }

    /// Port of reviews, on loopback.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The webhook's process.
    ///
    /// # Errors
    /// When it does not run.
    pub fn process(&self) -> Result<u32> {
        let shell = self.webhook.as_ref().context("the webhook was killed")?.id();
        let children = std::fs::read_to_string(format!("/proc/{shell}/task/{shell}/children"))?;
        let is_webhook = |process: &&str| {
            std::fs::read_link(format!("/proc/{process}/exe")).is_ok_and(|program| program.ends_with(WEBHOOK_PROGRAM))
        };
        let process = children.split_whitespace().find(is_webhook);
        Ok(process.context("the webhook has ended")?.parse()?)
    }

    /// What the webhook logs.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.dir.path().join("webhook.log")
    }

    /// The webhook acts with its own rights, so that a missing one is found here.
    fn write_kubeconfig(&self, cluster: &Cluster) -> Result<()> {
        let kubeconfig = kubeconfig_of(cluster, names::WEBHOOK_SERVICE_ACCOUNT)?;
        std::fs::write(self.kubeconfig(), kubeconfig.to_string())?;
        Ok(())
    }

    /// Folder with the webhook's kubeconfig and log.
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

/// A kubeconfig that leads into a cluster as one of the ServiceAccounts in the guard's namespace.
///
/// # Errors
/// When there is no such account.
pub fn kubeconfig_of(cluster: &Cluster, account: &str) -> Result<Value> {
    let token = cluster.kubectl(&["create", "token", account, "-n", names::NAMESPACE, "--duration", "12h"])?;
    let admin = Contexts::of(cluster.kubeconfig())?;
    Ok(Contexts::alone(
        "guard",
        &admin.cluster(),
        &json!({ "token": token.ok()? }),
    ))
}
