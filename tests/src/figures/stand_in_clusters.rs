//! A hundred stand-ins for clusters: each is an HTTPS server with an address and a UID of its own, which repeats what one
//! real API server answers and takes as long as a distant one. They show what asking many clusters costs the one who
//! asks; a hundred real API servers do not fit on one machine.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use base64::Engine as _;
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, header, uri::PathAndQuery};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use kube::{Client, client::Body};
use rustls::pki_types::PrivateKeyDer;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// Headers that make answers differ, and are repeated to the real API server.
const TOLD: [HeaderName; 2] = [header::ACCEPT, header::CONTENT_TYPE];
const IMPERSONATED: HeaderName = HeaderName::from_static("impersonate-user");

/// An API server gzips what is longer, with the fastest level, for whoever takes it (k8s.io/apiserver,
/// `pkg/endpoints/handlers/responsewriters/writers.go`). Our client undoes that, so it is done again, once.
const GZIPPED_FROM: usize = 128 << 10;

/// What is asked, as far as the answer depends on it.
type Question = (String, Vec<Option<String>>, Bytes);

struct Answer {
    status: StatusCode,
    kind: Option<HeaderValue>,
    body: Bytes,
    is_gzipped: bool,
    /// Whether each stand-in says something of its own in it.
    is_each_ones: bool,
}

struct Repeated {
    real: Client,
    uid: String,
    /// The mesh ID that each stand-in puts its own number into.
    mesh_id: Option<String>,
    latency: Duration,
    answers: Mutex<HashMap<Question, Arc<Answer>>>,
}

/// Running stand-ins; they end when this is dropped.
pub(super) struct StandInClusters {
    document: Value,
    _runtime: tokio::runtime::Runtime,
}

impl StandInClusters {
    /// Starts some, named `m0`, `m1`, …; each answer takes at least `latency`. Where a mesh ID that ends with three digits
    /// is given, each is a mesh of its own.
    pub(super) fn start(
        kubeconfig: &Path,
        uid: &str,
        mesh_id: Option<&str>,
        count: usize,
        latency: Duration,
    ) -> Result<Self> {
        rustls::crypto::ring::default_provider().install_default().ok();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?;
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).map_err(|error| anyhow!("{error}"))?;
        let mut config = rustls::ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let authority = base64::engine::general_purpose::STANDARD.encode(made.cert.pem());
        let repeated = Arc::new(Repeated {
            real: runtime.block_on(super::population::client(kubeconfig))?,
            uid: uid.to_owned(),
            mesh_id: mesh_id.map(str::to_owned),
            latency,
            answers: Mutex::default(),
        });
        let mut document = json!({"apiVersion": "v1", "kind": "Config", "current-context": "m0",
            "clusters": [], "users": [{"name": "somebody", "user": {"token": "stand-in"}}], "contexts": []});
        for number in 0..count {
            let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
            let name = format!("m{number}");
            let entries = [
                (
                    "clusters",
                    json!({"name": name, "cluster": {"server": format!("https://{}", listener.local_addr()?),
                    "certificate-authority-data": authority}}),
                ),
                (
                    "contexts",
                    json!({"name": name, "context": {"cluster": name, "user": "somebody"}}),
                ),
            ];
            for (list, entry) in entries {
                let list = document.get_mut(list).and_then(Value::as_array_mut);
                list.context("a list of the kubeconfig")?.push(entry);
            }
            runtime.spawn(accept(listener, acceptor.clone(), Arc::clone(&repeated), number));
        }
        Ok(Self {
            document,
            _runtime: runtime,
        })
    }

    /// Writes a kubeconfig with all of them.
    pub(super) fn write(&self, path: &Path) -> Result<()> {
        std::fs::write(path, self.document.to_string()).context("write the kubeconfig of the stand-ins")
    }
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, repeated: Arc<Repeated>, number: usize) {
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, repeated) = (acceptor.clone(), Arc::clone(&repeated));
        tokio::spawn(async move {
            stream.set_nodelay(true).ok();
            let Ok(stream) = acceptor.accept(stream).await else {
                return;
            };
            let service = service_fn(move |request| answer(Arc::clone(&repeated), number, request));
            // A client that goes away is no news.
            let _ = auto::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn answer(
    repeated: Arc<Repeated>,
    number: usize,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (answer, ()) = futures::join!(repeated.ask(request), tokio::time::sleep(repeated.latency));
    let mut response = Response::new(Full::default());
    match answer {
        Ok(answer) => {
            *response.status_mut() = answer.status;
            if let Some(kind) = &answer.kind {
                response.headers_mut().insert(header::CONTENT_TYPE, kind.clone());
            }
            if answer.is_gzipped {
                let gzip = HeaderValue::from_static("gzip");
                response.headers_mut().insert(header::CONTENT_ENCODING, gzip);
            }
            *response.body_mut() = Full::new(if answer.is_each_ones {
                repeated.own(&answer.body, number)
            } else {
                answer.body.clone()
            });
        }
        Err(_) => *response.status_mut() = StatusCode::BAD_GATEWAY,
    }
    Ok(response)
}

fn gzip(body: &[u8]) -> Result<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body)?;
    Ok(encoder.finish()?.into())
}

impl Repeated {
    /// What the real one says of itself, and how a cluster of this number says it.
    fn words(&self, number: usize) -> Vec<(&str, String)> {
        let mut words = vec![(self.uid.as_str(), format!("{number:08x}-0000-4000-8000-000000000000"))];
        let id = self.mesh_id.as_deref();
        words.extend(id.and_then(|id| Some((id, format!("{}{number:03}", id.strip_suffix("000")?)))));
        words
    }

    /// What the real one says, as a cluster of this number would say it.
    fn own(&self, body: &Bytes, number: usize) -> Bytes {
        let text = String::from_utf8_lossy(body).into_owned();
        let words = self.words(number);
        let own = words.iter().fold(text, |text, (told, own)| text.replace(told, own));
        Bytes::from(own)
    }

    fn is_each_ones(&self, body: &[u8]) -> bool {
        let text = std::str::from_utf8(body);
        text.is_ok_and(|text| self.words(0).iter().any(|(told, _)| text.contains(told)))
    }

    async fn ask(&self, request: Request<Incoming>) -> Result<Arc<Answer>> {
        let (parts, body) = request.into_parts();
        let header = |name: &HeaderName| Some(parts.headers.get(name)?.to_str().ok()?.to_owned());
        let told: Vec<Option<String>> = TOLD.iter().chain([&IMPERSONATED]).map(header).collect();
        let takes_gzip = header(&header::ACCEPT_ENCODING).is_some_and(|taken| taken.contains("gzip"));
        let body = body.collect().await?.to_bytes();
        // HTTP/2 tells the server's name as well, which is another one for each stand-in.
        let path = parts.uri.path_and_query().map_or("/", PathAndQuery::as_str);
        let question = (format!("{} {path}", parts.method), told, body);
        let known = self
            .answers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&question)
            .cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        // A port-forward is no answer that could be repeated.
        let answer = if parts.headers.contains_key(header::UPGRADE) {
            Answer {
                status: StatusCode::NOT_FOUND,
                kind: None,
                body: Bytes::new(),
                is_gzipped: false,
                is_each_ones: false,
            }
        } else {
            let mut asked = Request::builder().method(parts.method.clone()).uri(path);
            for name in TOLD.iter().chain([&IMPERSONATED]) {
                if let Some(value) = parts.headers.get(name) {
                    asked = asked.header(name, value);
                }
            }
            let response = self.real.send(asked.body(Body::from(question.2.to_vec()))?).await?;
            let (head, body) = response.into_parts();
            let body = body.collect().await.map_err(|error| anyhow!("{error}"))?.to_bytes();
            let is_each_ones = self.is_each_ones(&body);
            let is_gzipped = body.len() > GZIPPED_FROM && takes_gzip && !is_each_ones;
            Answer {
                status: head.status,
                kind: head.headers.get(header::CONTENT_TYPE).cloned(),
                body: if is_gzipped { gzip(&body)? } else { body },
                is_gzipped,
                is_each_ones,
            }
        };
        let answer = Arc::new(answer);
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.insert(question, Arc::clone(&answer));
        Ok(answer)
    }
}
