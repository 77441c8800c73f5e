//! The servers that are measured: the webhook in a real cluster, its own server without rules, and the peer, frozen and
//! not.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use serde_json::json;

use super::peer;
use crate::{
    harness::{Cluster, ClusterOptions, free_port, wait_until},
    load::{Server, Shape, resident_of, review},
    product::{Built, build_programs},
};

const DEADLINE: Duration = Duration::from_secs(30);
/// Looking more often would cost the webhook what is measured.
const LOOK: Duration = Duration::from_millis(2);

/// A server as a process, which ends with this value.
#[derive(Debug)]
pub(super) struct Running {
    name: &'static str,
    child: Child,
    server: Server,
    has_rules: bool,
}

impl Running {
    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    pub(super) fn server(&self) -> &Server {
        &self.server
    }

    pub(super) fn has_rules(&self) -> bool {
        self.has_rules
    }

    pub(super) fn process(&self) -> Result<u32> {
        Ok(self.child.id())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How the webhook came up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start {
    /// From its start until its caches were filled.
    pub(super) caches: Duration,
    /// From then until it was ready.
    pub(super) ready: Duration,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Servers {
    webhook: Running,
    bare: Running,
    peers: [Running; 2],
    start: Start,
    at_rest: [u64; 3],
    cluster: Cluster,
    _certificate: tempfile::TempDir,
}

impl Servers {
    pub(super) fn start() -> Result<Self> {
        let built = build_programs(&["--release", "--example", "bare"])?;
        let peer = peer::program()?;
        let certificate = tempfile::tempdir()?;
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
        std::fs::write(certificate.path().join("tls.crt"), made.cert.pem())?;
        std::fs::write(certificate.path().join("tls.key"), made.signing_key.serialize_pem())?;
        let tls = certificate.path();

        let cluster = Cluster::start(ClusterOptions::named("figures"))?;
        let crds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests/crds");
        cluster.kubectl(&["apply", "-f", &crds.display().to_string()])?.ok()?;
        cluster.wait_until_established()?;
        cluster.apply_stdin(ISTIOD)?.ok()?;

        let (webhook, start) = start_webhook(&built, &cluster, tls)?;
        let port = free_port()?;
        let mut command = Command::new(built.program("bare")?);
        command.arg(port.to_string()).arg(tls);
        let bare = run("bare server", command, port, tls, false)?;
        let peers = [false, true].map(|frozen| {
            let port = free_port()?;
            let mut command = Command::new(&peer);
            command
                .args(["--port", &port.to_string(), &format!("--frozen={frozen}"), "--tls-dir"])
                .arg(tls);
            run("controller-runtime", command, port, tls, true)
        });
        let [idle, frozen] = peers;
        let peers = [idle?, frozen?];
        let mut at_rest = [0; 3];
        for (one, kib) in [&webhook, &bare, &peers[0]].into_iter().zip(&mut at_rest) {
            *kib = resident_of(one.process()?)?;
        }
        Ok(Self {
            webhook,
            bare,
            peers,
            start,
            at_rest,
            cluster,
            _certificate: certificate,
        })
    }

    pub(super) fn webhook(&self) -> &Running {
        &self.webhook
    }

    pub(super) fn bare(&self) -> &Running {
        &self.bare
    }

    pub(super) fn peer(&self, frozen: bool) -> &Running {
        let [idle, when_frozen] = &self.peers;
        if frozen { when_frozen } else { idle }
    }

    pub(super) fn at_rest_kib(&self) -> [u64; 3] {
        self.at_rest
    }

    pub(super) fn start_of_webhook(&self) -> Start {
        self.start
    }

    /// Freezes the mesh or not, and waits until the webhook knows.
    pub(super) fn freeze(&mut self, frozen: bool) -> Result<()> {
        if frozen {
            self.cluster.apply_stdin(&freeze().to_string())?.ok()?;
        } else {
            self.cluster.kubectl(&["delete", "meshfreezes", "--all"])?.ok()?;
        }
        // Below this size the review changes nothing that counts.
        let probe = review(Shape::Changed, 5 << 10);
        wait_until("the webhook to know", DEADLINE, || {
            let mut client = self.webhook.server.connect()?;
            let (_, answer) = client.post("/validate", &probe)?;
            let allowed = String::from_utf8_lossy(answer).contains("\"allowed\":true");
            Ok((allowed != frozen).then_some(()))
        })
    }
}

fn start_webhook(built: &Built, cluster: &Cluster, tls: &Path) -> Result<(Running, Start)> {
    let (port, health) = (free_port()?, free_port()?);
    let mut command = Command::new(built.program("mesh-upgrade-webhook")?);
    command
        .args([
            "--bind",
            "127.0.0.1",
            "--port",
            &port.to_string(),
            "--health-port",
            &health.to_string(),
        ])
        .arg("--tls-dir")
        .arg(tls)
        .arg("--kubeconfig")
        .arg(cluster.kubeconfig())
        .env_clear()
        .stdin(Stdio::null())
        .stderr(Stdio::piped());
    let began = Instant::now();
    let mut child = command.spawn().context("start the webhook")?;
    let log = child.stderr.take().context("the webhook's log")?;
    let (filled, when) = mpsc::channel();
    // Read to its end, so that the webhook never waits for its log; nobody may be listening any more.
    std::thread::spawn(move || {
        for line in BufReader::new(log).lines().map_while(Result::ok) {
            if line.contains("caches filled") {
                let _ = filled.send(Instant::now());
            }
        }
    });
    let running = Running {
        name: "webhook",
        child,
        server: Server::trusting(port, &tls.join("tls.crt"))?,
        has_rules: true,
    };
    while !is_ready(health) {
        ensure!(began.elapsed() < DEADLINE, "the webhook does not become ready");
        std::thread::sleep(LOOK);
    }
    let ready = Instant::now();
    let filled = when.recv_timeout(DEADLINE).context("the caches were not filled")?;
    let start = Start {
        caches: filled.duration_since(began),
        ready: ready.saturating_duration_since(filled),
    };
    Ok((running, start))
}

fn is_ready(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else {
        return false;
    };
    let mut answer = String::new();
    stream
        .write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .is_ok()
        && stream.read_to_string(&mut answer).is_ok()
        && answer.starts_with("HTTP/1.1 200")
}

fn run(name: &'static str, mut command: Command, port: u16, tls: &Path, has_rules: bool) -> Result<Running> {
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("start {name}"))?;
    let running = Running {
        name,
        child,
        server: Server::trusting(port, &tls.join("tls.crt"))?,
        has_rules,
    };
    wait_until(name, DEADLINE, || {
        Ok(TcpStream::connect(running.server.address()).is_ok().then_some(()))
    })?;
    Ok(running)
}

/// A control plane to compare with; nobody runs it.
const ISTIOD: &str = "\
apiVersion: v1
kind: Namespace
metadata: {name: istio-system}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: istiod, namespace: istio-system, labels: {app: istiod}}
spec:
  replicas: 0
  selector: {matchLabels: {app: istiod}}
  template:
    metadata: {labels: {app: istiod, istio: pilot}}
    spec: {containers: [{name: discovery, image: 'docker.io/istio/pilot:1.30.3'}]}
";

/// The freeze that the peer has built in.
fn freeze() -> serde_json::Value {
    json!({"apiVersion": "meshupgrade.io/v1alpha1", "kind": "MeshFreeze", "metadata": {"name": "default"}, "spec": {
        "mesh": "default", "upgrade": "default-1", "from": "1.30.3", "to": "1.31.0", "holder": "alice", "epoch": 3,
        "since": "2026-01-01T00:00:00Z", "scope": {"istioNamespaces": ["istio-system"],
            "configMaps": [{"namespace": "istio-system", "name": "istio"}],
            "workloads": [{"kind": "Deployment", "namespace": "istio-system", "name": "istiod"}],
            "helmReleases": [{"namespace": "istio-system", "name": "istiod"},
                {"namespace": "istio-system", "name": "istio-base"}],
            "istiodUsers": ["system:serviceaccount:istio-system:istiod"]}}})
}
