//! A proxy in front of an API server for what a network and an overloaded server do: it holds a request, so that a test
//! can act at exactly that moment, answers in the server's place, loses an answer, is slow, or is cut off.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{CONTENT_TYPE, HeaderName, RETRY_AFTER, UPGRADE, USER_AGENT};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::cluster::Cluster;
use super::wait::wait_until;

/// A request as the proxy saw it.
#[derive(Debug, Clone)]
pub struct Seen {
    /// HTTP method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// `User-Agent` of the program that asked.
    pub agent: String,
}

/// What is done to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Treatment {
    /// It goes through.
    Pass,
    /// It waits until [`Proxy::let_go`].
    Hold(Moment),
    /// It never arrives; this status is its answer, with this many seconds of `Retry-After` if any.
    Answer(u16, Option<u32>),
    /// It is done, and the connection ends before its answer.
    LoseAnswer,
    /// It never arrives, and the connection ends.
    Cut,
    /// It is done after this time.
    Delay(Duration),
}

/// When a request is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Before the API server hears of it.
    Before,
    /// After the API server has done it, before its answer is passed on.
    After,
}

/// Says of each request what is done to it; `None` for one that does not count.
type Treat = dyn Fn(&Seen) -> Option<Treatment> + Send + Sync;

struct State {
    upstream: SocketAddr,
    connector: TlsConnector,
    treat: Box<Treat>,
    held: watch::Sender<bool>,
    let_go: watch::Sender<bool>,
    seen: Mutex<Vec<Seen>>,
}

/// The proxy; it ends when this value is dropped.
pub struct Proxy {
    kubeconfig: tempfile::NamedTempFile,
    server: String,
    state: Arc<State>,
    // Dropped last: its drop ends every connection.
    _runtime: tokio::runtime::Runtime,
}

impl Proxy {
    /// Starts a proxy for one person in a cluster. It counts the requests of a kind, from 1, and holds the n-th if told.
    ///
    /// # Errors
    /// When it cannot listen, or the person's kubeconfig is not as the harness writes it.
    pub fn holding(
        cluster: &Cluster,
        user: &str,
        hold: Option<(usize, Moment)>,
        kind: impl Fn(&Seen) -> bool + Send + Sync + 'static,
    ) -> Result<Self> {
        let counted = AtomicUsize::new(0);
        Self::start(cluster, user, move |seen| {
            kind(seen).then(|| {
                let number = counted.fetch_add(1, Ordering::SeqCst) + 1;
                match hold {
                    Some((nth, moment)) if nth == number => Treatment::Hold(moment),
                    Some(_) | None => Treatment::Pass,
                }
            })
        })
    }

    /// Starts a proxy for one person in a cluster, which does to each request what it is told; `None` for those that do
    /// not count.
    ///
    /// # Errors
    /// When it cannot listen, or the person's kubeconfig is not as the harness writes it.
    pub fn start(
        cluster: &Cluster,
        user: &str,
        treat: impl Fn(&Seen) -> Option<Treatment> + Send + Sync + 'static,
    ) -> Result<Self> {
        let original = read_kubeconfig(cluster, user)?;
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?;
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0)))?;
        let port = listener.local_addr()?.port();
        let acceptor = acceptor(&made.cert.pem(), &made.signing_key.serialize_pem())?;
        let state = Arc::new(State {
            upstream: original.server,
            connector: connector(&original.authority)?,
            treat: Box::new(treat),
            held: watch::Sender::new(false),
            let_go: watch::Sender::new(false),
            seen: Mutex::new(Vec::new()),
        });
        runtime.spawn(accept(listener, acceptor, Arc::clone(&state)));
        let kubeconfig = write_kubeconfig(cluster, &original.token, port, &made.cert.pem())?;
        Ok(Self {
            kubeconfig,
            server: format!("https://localhost:{port}"),
            state,
            _runtime: runtime,
        })
    }

    /// The person's kubeconfig, with the proxy for the API server.
    #[must_use]
    pub fn kubeconfig(&self) -> &Path {
        self.kubeconfig.path()
    }

    /// The address that the kubeconfig names.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Whether the request to be held is held, or was.
    #[must_use]
    pub fn is_reached(&self) -> bool {
        *self.state.held.borrow()
    }

    /// Waits until the request is held.
    ///
    /// # Errors
    /// When it is not within the deadline.
    pub fn wait_until_reached(&self, deadline: Duration) -> Result<()> {
        wait_until("a request to be held", deadline, || Ok(self.is_reached().then_some(())))
    }

    /// Lets the held request go on.
    pub fn let_go(&self) {
        self.state.let_go.send_replace(true);
    }

    /// The requests that were counted, in the order they came.
    #[must_use]
    pub fn counted(&self) -> Vec<Seen> {
        self.state.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

struct Original {
    server: SocketAddr,
    authority: Vec<u8>,
    token: String,
}

fn read_kubeconfig(cluster: &Cluster, user: &str) -> Result<Original> {
    let view = ["config", "view", "--raw", "--flatten", "--minify", "-o", "json"];
    let config = cluster.kubectl_with(user, &view, None)?.json()?;
    let text = |pointer: &str| {
        config
            .pointer(pointer)
            .and_then(Value::as_str)
            .with_context(|| format!("{pointer} in the kubeconfig of {user}"))
    };
    let server = text("/clusters/0/cluster/server")?.trim_start_matches("https://");
    Ok(Original {
        server: server
            .replace("localhost", "127.0.0.1")
            .parse()
            .context("the server's address")?,
        authority: STANDARD.decode(text("/clusters/0/cluster/certificate-authority-data")?)?,
        token: text("/users/0/user/token")?.to_owned(),
    })
}

fn write_kubeconfig(cluster: &Cluster, token: &str, port: u16, authority: &str) -> Result<tempfile::NamedTempFile> {
    let name = cluster.name();
    let kubeconfig = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": name,
        "clusters": [{ "name": name, "cluster": {
            "server": format!("https://localhost:{port}"), "certificate-authority-data": STANDARD.encode(authority),
        } }],
        "users": [{ "name": "user", "user": { "token": token } }],
        "contexts": [{ "name": name, "context": { "cluster": name, "user": "user" } }],
    });
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), kubeconfig.to_string())?;
    Ok(file)
}

fn acceptor(certificate: &str, key: &str) -> Result<TlsAcceptor> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(certificate.as_bytes())?],
            PrivateKeyDer::from_pem_slice(key.as_bytes())?,
        )?;
    // One request at a time on a connection, so that holding one holds no other.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn connector(authority: &[u8]) -> Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(authority) {
        roots.add(certificate?)?;
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, state: Arc<State>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, state) = (acceptor.clone(), Arc::clone(&state));
        tokio::spawn(async move {
            stream.set_nodelay(true).ok();
            let Ok(stream) = acceptor.accept(stream).await else {
                return;
            };
            let upstream = Arc::new(tokio::sync::Mutex::new(None));
            let service = service_fn(|request| serve(Arc::clone(&state), Arc::clone(&upstream), request));
            // A client that goes away is no news: that is what tests do.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .with_upgrades()
                .await;
        });
    }
}

/// The connection to the API server that belongs to one of a client's.
type Upstream = Arc<tokio::sync::Mutex<Option<SendRequest<Incoming>>>>;
type Answer = Response<http_body_util::combinators::BoxBody<bytes::Bytes, hyper::Error>>;

/// An error ends the connection without an answer.
async fn serve(state: Arc<State>, upstream: Upstream, request: Request<Incoming>) -> Result<Answer> {
    let treatment = state.treatment(&request);
    match treatment {
        Treatment::Hold(Moment::Before) => state.hold().await,
        Treatment::Answer(status, retry_after) => {
            // Read whole first: a client that is still sending a large object hears of a closed connection only.
            http_body_util::BodyExt::collect(request.into_body()).await?;
            return refusal(StatusCode::from_u16(status)?, retry_after);
        }
        Treatment::Cut => bail!("cut off"),
        Treatment::Delay(time) => tokio::time::sleep(time).await,
        Treatment::Hold(Moment::After) | Treatment::LoseAnswer | Treatment::Pass => {}
    }
    let answer = forward(&state, &upstream, request).await;
    match treatment {
        Treatment::Hold(Moment::After) => state.hold().await,
        Treatment::LoseAnswer => bail!("lost after {:?}", answer.map(|answer| answer.status())),
        _ => {}
    }
    // As from a load balancer whose server is away.
    answer.or_else(|_| refusal(StatusCode::BAD_GATEWAY, None))
}

/// What an overloaded API server, or what stands before it, says.
fn refusal(status: StatusCode, retry_after: Option<u32>) -> Result<Answer> {
    use http_body_util::{BodyExt, Full};
    let reason = match status {
        StatusCode::TOO_MANY_REQUESTS => "TooManyRequests",
        StatusCode::SERVICE_UNAVAILABLE => "ServiceUnavailable",
        _ => "InternalError",
    };
    let body = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": status.as_u16(),
        "reason": reason, "message": "by the test's proxy",
    });
    let body = Full::new(bytes::Bytes::from(body.to_string())).map_err(|never| match never {});
    let mut answer = Response::builder()
        .status(status)
        .header(CONTENT_TYPE, "application/json");
    if let Some(seconds) = retry_after {
        answer = answer.header(RETRY_AFTER, seconds);
    }
    Ok(answer.body(body.boxed())?)
}

impl State {
    /// Counts a request, and says what is done to it.
    fn treatment(&self, request: &Request<Incoming>) -> Treatment {
        let header = |name: HeaderName| request.headers().get(name).and_then(|value| value.to_str().ok());
        let seen = Seen {
            method: request.method().to_string(),
            path: request.uri().to_string(),
            agent: header(USER_AGENT).unwrap_or_default().to_owned(),
        };
        let Some(treatment) = (self.treat)(&seen) else {
            return Treatment::Pass;
        };
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).push(seen);
        treatment
    }

    async fn hold(&self) {
        self.held.send_replace(true);
        // The sender lives as long as this state.
        let _ = self.let_go.subscribe().wait_for(|let_go| *let_go).await;
    }
}

async fn forward(state: &State, upstream: &Upstream, mut request: Request<Incoming>) -> Result<Answer> {
    use http_body_util::BodyExt;
    let mut connection = upstream.lock().await;
    if connection.as_ref().is_none_or(SendRequest::is_closed) {
        *connection = Some(connect(state).await?);
    }
    let sender = connection.as_mut().context("a connection")?;
    sender.ready().await?;
    let upgrading = request
        .headers()
        .contains_key(UPGRADE)
        .then(|| hyper::upgrade::on(&mut request));
    let mut answer = sender.send_request(request).await?;
    if let (Some(client), StatusCode::SWITCHING_PROTOCOLS) = (upgrading, answer.status()) {
        let server = hyper::upgrade::on(&mut answer);
        tokio::spawn(async move {
            if let (Ok(client), Ok(server)) = (client.await, server.await) {
                let _ = tokio::io::copy_bidirectional(&mut TokioIo::new(client), &mut TokioIo::new(server)).await;
            }
        });
    }
    Ok(answer.map(BodyExt::boxed))
}

async fn connect(state: &State) -> Result<SendRequest<Incoming>> {
    let stream = TcpStream::connect(state.upstream).await?;
    stream.set_nodelay(true)?;
    // The harness's certificates name it so.
    let name = ServerName::try_from("localhost")?;
    let stream = state.connector.connect(name, stream).await?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection.with_upgrades());
    Ok(sender)
}
