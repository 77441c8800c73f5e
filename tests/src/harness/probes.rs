//! Questions to the real istiod, each asked the way a user's tool would.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::cluster::Cluster;
use super::run::Run;

/// kwok never ends a forwarded stream, so reading needs a limit.
const ANSWER_DEADLINE: Duration = Duration::from_secs(10);

/// A VirtualService that every Istio refuses.
const BAD_VIRTUAL_SERVICE: &str = r"
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: bad}
spec:
  hosts: [reviews]
  http: [{route: [{destination: {host: reviews}, weight: -1}]}]
";

/// A pod that asks for a sidecar.
const MESHED_POD: &str = r#"
apiVersion: v1
kind: Pod
metadata: {name: probe, labels: {sidecar.istio.io/inject: "true"}}
spec: {containers: [{name: app, image: "example/app:1"}]}
"#;

/// Tries to write a VirtualService that Istio's validation must refuse.
pub(super) fn write_bad_virtual_service(cluster: &Cluster) -> Result<Run> {
    cluster.kubectl_with(
        "admin",
        &["create", "--dry-run=server", "--filename", "-"],
        Some(BAD_VIRTUAL_SERVICE),
    )
}

/// The sidecar's image in a pod that is made as a dry run.
pub(super) fn injected_image(cluster: &Cluster) -> Result<String> {
    let create = ["create", "--dry-run=server", "--output=json", "--filename", "-"];
    let pod = cluster.kubectl_with("admin", &create, Some(MESHED_POD))?.json()?;
    // Native sidecars are init containers.
    for list in ["/spec/initContainers", "/spec/containers"] {
        for container in pod.pointer(list).and_then(Value::as_array).into_iter().flatten() {
            if container.get("name").and_then(Value::as_str) == Some("istio-proxy") {
                let image = container.get("image").and_then(Value::as_str);
                return Ok(image.context("the sidecar has no image")?.to_owned());
            }
        }
    }
    bail!("no sidecar was injected")
}

/// What istiod's `/version` says on the fixed loopback port.
pub(super) fn version_on_port(cluster: &Cluster) -> Result<String> {
    get(cluster.istiod_port("monitoring")?, "/version")
}

/// What istiod's `/version` says through `kubectl port-forward` to its pod; of several revisions the newest is asked.
pub(super) fn version_through_port_forward(cluster: &Cluster, namespace: &str) -> Result<String> {
    let mut list = vec!["get", "deployments", "--namespace", namespace, "--selector=app=istiod"];
    list.extend(["--sort-by=.metadata.creationTimestamp", "--output=name"]);
    let found = cluster.kubectl(&list)?;
    let istiod = found.ok()?.lines().last().context("no Deployment of istiod")?;
    let mut command = cluster.command("kubectl")?;
    command.args(["port-forward", "--namespace", namespace, istiod, ":15014"]);
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("start kubectl port-forward")?;
    let mut child = Ended(child);
    // Kept open to the end: kubectl prints more, and would die of a closed pipe.
    let mut said = BufReader::new(child.0.stdout.take().context("kubectl's standard output")?);
    let mut line = String::new();
    said.read_line(&mut line)?;
    // Forwarding from 127.0.0.1:PORT -> 15014
    let port = line
        .split_once("127.0.0.1:")
        .and_then(|(_, rest)| rest.split_whitespace().next());
    let port = port
        .with_context(|| format!("kubectl port-forward said {line:?}"))?
        .parse()?;
    get(port, "/version")
}

/// A child that must not outlive the question.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // It may have ended by itself, which is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// One GET on loopback. Reads as much as Content-Length says and not to the stream's end, which may never come.
fn get(port: u16, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).with_context(|| format!("connect to port {port}"))?;
    stream.set_read_timeout(Some(ANSWER_DEADLINE))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )?;
    let mut reader = BufReader::new(stream);
    let mut status = String::new();
    reader.read_line(&mut status)?;
    if !status.contains(" 200 ") {
        bail!("GET {path} answered {status:?}");
    }
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        match header.trim().split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => length = value.trim().parse()?,
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(String::from_utf8(body)?)
}
