//! A relay on this machine through which an engine reaches the API server as the driver.
//!
//! Each of its requests is passed on by this program's own client, which impersonates: istioctl drops the impersonation of a
//! kubeconfig, and no engine's kubeconfig has to hold anybody's credentials. The relay ends with this program, so that what a
//! killed driver has left running can write no more; and nothing that it writes passes while it is held, or while another may
//! drive: not everything is refused by the guard, and not at every moment (after a thaw, and until a takeover is proved).

use super::Change;
use crate::{
    cluster::{PrivateKubeconfig, Relayed, was_never_done, why_not_passed},
    executor::{Tenure, fault::PATIENCE, writing_client},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::{
    HeaderMap, HeaderName, Method, Request, Response, StatusCode, Uri,
    header::{
        ACCEPT_ENCODING, AUTHORIZATION, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, PROXY_AUTHORIZATION, TE,
        TRAILER, TRANSFER_ENCODING, UPGRADE,
    },
};
use http_body_util::{BodyExt as _, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use kube::{Client, client::Body};
use serde_json::json;
use std::{
    convert::Infallible,
    net::Ipv4Addr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;
use tokio::{
    net::TcpListener,
    sync::watch,
    task::{AbortHandle, JoinSet},
};

/// Longest request that is passed on: the API server's own limit, and some room.
const LONGEST: usize = 8 << 20;

/// Bytes of the secret.
const SECRET: usize = 32;

/// Pause before what was not sent is tried again.
const SEND_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// Pause after a connection that could not be accepted.
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(50);

/// Connections that are kept for further requests. Behind a proxy client-go opens others for each kind that it writes, and keeps
/// them; some systems let a program have no more than 256 open files.
const KEPT: usize = 64;

/// How long a connection may show no secret: whoever is on this machine can open some, and files are few.
const KNOWN_WITHIN: Duration = Duration::from_secs(30);

/// The relay's name for itself, which its secret is the password of.
const NAME: &str = "relay";

/// Headers that belong to one connection, or that this program's own client sets.
const OWN: [HeaderName; 10] = [
    ACCEPT_ENCODING,
    AUTHORIZATION,
    CONNECTION,
    CONTENT_LENGTH,
    HOST,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// A relay that listens; it ends, with all its connections, when this is dropped.
pub struct Relay {
    kubeconfig: PrivateKubeconfig,
    secret: Arc<str>,
    listening: AbortHandle,
}

impl Relay {
    /// Leads to a change's cluster, with the rights of its writer.
    ///
    /// # Errors
    /// When it cannot listen, or its kubeconfig cannot be written.
    pub async fn start(change: &Change<'_>) -> Result<Self, String> {
        let cluster = change
            .cluster
            .for_another_program()
            .map_err(|error| error.to_string())?;
        let client = writing_client(&cluster, change.writer)?;
        let passes = Passes {
            held: change.hold.watched(),
            tenure: change.tenure.cloned(),
        };
        let server = change.cluster.address_behind_a_relay();
        Self::listen(client, passes, &change.cluster.name, &server).await
    }

    /// Listens on this machine alone, as a proxy to the server for whoever knows the secret in the private kubeconfig: other
    /// people of the same machine do not. As a proxy's password it is no part of what is asked for, of which engines write
    /// folders and messages.
    async fn listen(client: Client, passes: Passes, cluster: &str, server: &str) -> Result<Self, String> {
        let failed = |error: &dyn std::fmt::Display| format!("cannot relay to the API server: {error}");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let listener = listener.await.map_err(|error| failed(&error))?;
        let port = listener.local_addr().map_err(|error| failed(&error))?.port();
        let secret: Arc<str> = secret()
            .ok_or_else(|| failed(&"no random numbers are to be had"))?
            .into();
        let proxy = format!("http://{NAME}:{secret}@127.0.0.1:{port}");
        let kubeconfig = PrivateKubeconfig::of_proxied(server, &proxy, cluster).map_err(|error| failed(&error))?;
        let door = Door::of(server, &secret).map_err(|error| failed(&error))?;
        let accepting = tokio::spawn(accept(listener, client, passes, door));
        Ok(Self {
            kubeconfig,
            secret,
            listening: accepting.abort_handle(),
        })
    }

    /// The kubeconfig that leads here.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        self.kubeconfig.path()
    }

    /// What must not be shown.
    #[must_use]
    pub fn secret(&self) -> &str {
        &self.secret
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

fn secret() -> Option<String> {
    let mut bytes = [0; SECRET];
    let random = rustls::crypto::ring::default_provider().secure_random;
    random.fill(&mut bytes).ok()?;
    Some(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// What is passed on at all.
#[derive(Clone)]
struct Door {
    /// What an engine shows to its proxy.
    credentials: Arc<str>,
    /// Where the server's own paths begin, as behind Rancher's proxy.
    base: Arc<str>,
}

impl Door {
    fn of(server: &str, secret: &str) -> Result<Self, http::uri::InvalidUri> {
        let server: Uri = server.parse()?;
        let pair = BASE64_STANDARD.encode(format!("{NAME}:{secret}"));
        Ok(Self {
            credentials: format!("Basic {pair}").into(),
            base: server.path().trim_end_matches('/').into(),
        })
    }

    /// The path at the API server, for a request that knows the secret.
    fn passed_on(&self, uri: &Uri, headers: &HeaderMap) -> Option<Uri> {
        let shown = headers.get(PROXY_AUTHORIZATION)?.as_bytes();
        let path = uri.path_and_query()?.as_str();
        let rest = path.strip_prefix(&*self.base)?;
        let known = shown == self.credentials.as_bytes() && rest.starts_with('/');
        known.then(|| rest.parse().ok()).flatten()
    }
}

/// When what is asked for is passed on.
#[derive(Clone)]
struct Passes {
    /// Whether the engine is held.
    held: watch::Receiver<bool>,
    /// The driver's.
    tenure: Option<Tenure>,
}

impl Passes {
    /// Waits until it may be, which is at once for what only reads.
    async fn pass(mut self, method: &Method) -> Result<(), String> {
        if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
            return Ok(());
        }
        loop {
            if let Some(tenure) = &self.tenure {
                tenure.sure().await?;
            }
            if !*self.held.borrow() {
                return Ok(());
            }
            // What had been asked for as the engine was stopped.
            if self.held.wait_for(|held| !held).await.is_err() {
                return Err("the step has ended".to_owned());
            }
        }
    }
}

/// Serves connections; all of them are a part of this, and end with it.
async fn accept(listener: TcpListener, client: Client, passes: Passes, door: Door) {
    let mut connections = JoinSet::new();
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Too many open files, or somebody who has gone again: it passes.
                    tracing::debug!(%error, "the relay could not accept a connection");
                    tokio::time::sleep(ACCEPT_AGAIN_AFTER).await;
                    continue;
                }
            },
            Some(_) = connections.join_next() => continue,
        };
        stream.set_nodelay(true).ok();
        let (client, passes, door) = (client.clone(), passes.clone(), door.clone());
        let kept = connections.len() < KEPT;
        connections.spawn(async move {
            let known = AtomicBool::new(false);
            let service = service_fn(|request: Request<Incoming>| {
                let (client, passes, door) = (client.clone(), passes.clone(), door.clone());
                if door.passed_on(request.uri(), request.headers()).is_some() {
                    known.store(true, Ordering::Relaxed);
                }
                async move { Ok::<_, Infallible>(answer(&client, passes, &door, request).await) }
            });
            let served = http1::Builder::new()
                .keep_alive(kept)
                // It would close a connection that is idle, too, and an engine that was held writes into that as it goes on.
                .header_read_timeout(None::<Duration>)
                .serve_connection(TokioIo::new(stream), service);
            let stays_unknown = async {
                tokio::time::sleep(KNOWN_WITHIN).await;
                if known.load(Ordering::Relaxed) {
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                // An engine that goes away is no news.
                ended = served => if let Err(error) = ended {
                    tracing::debug!(%error, "a connection of the relay has ended");
                },
                () = stays_unknown => {}
            }
        });
    }
}

async fn answer(client: &Client, passes: Passes, door: &Door, request: Request<Incoming>) -> Response<Body> {
    let (mut parts, body) = request.into_parts();
    let Some(uri) = door.passed_on(&parts.uri, &parts.headers) else {
        return refusal(StatusCode::FORBIDDEN, "this is a relay for one program");
    };
    if parts.headers.contains_key(UPGRADE) {
        return refusal(StatusCode::FORBIDDEN, "streams are not relayed");
    }
    let body = match Limited::new(body, LONGEST).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => return refusal(StatusCode::PAYLOAD_TOO_LARGE, &error.to_string()),
    };
    tracing::debug!(method = %parts.method, %uri, "relayed");
    let method = parts.method.clone();
    parts.extensions.insert(Relayed::new(move || {
        let (passes, method) = (passes.clone(), method.clone());
        async move { passes.pass(&method).await }
    }));
    parts.uri = uri;
    parts.headers = headers_passed_on(parts.headers);
    let mut away: Option<Instant> = None;
    loop {
        let request = Request::from_parts(parts.clone(), Body::from(body.clone()));
        let error = match client.send(request).await {
            Ok(mut answer) => {
                for own in [CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING] {
                    answer.headers_mut().remove(own);
                }
                return answer;
            }
            Err(error) => error,
        };
        if let Some(why) = why_not_passed(&error) {
            return refusal(StatusCode::FORBIDDEN, why);
        }
        // A server that is away for a moment is waited for as anywhere: helm gives a step up at the first request that fails. Each
        // try asks anew whether it may pass. What changes nothing, or nothing the second time, may have been done already.
        let is_unanswered = matches!(error, kube::Error::Service(_) | kube::Error::HyperError(_));
        let again = was_never_done(&error) || is_unanswered && may_be_done_twice(&parts);
        if !again || away.get_or_insert_with(Instant::now).elapsed() > PATIENCE {
            return refusal(StatusCode::BAD_GATEWAY, &error.to_string());
        }
        tokio::time::sleep(SEND_AGAIN_AFTER).await;
    }
}

/// Whether a request comes to the same when it is done again: one that reads, or a server-side apply.
fn may_be_done_twice(request: &http::request::Parts) -> bool {
    let content = request.headers.get(CONTENT_TYPE);
    let applies = content.is_some_and(|content| content.as_bytes().starts_with(b"application/apply-patch"));
    [Method::GET, Method::HEAD].contains(&request.method) || request.method == Method::PATCH && applies
}

/// The headers of the API server's request: without those of the connection, and without anybody's identity.
fn headers_passed_on(mut headers: HeaderMap) -> HeaderMap {
    for own in OWN {
        headers.remove(own);
    }
    let identities: Vec<HeaderName> = headers
        .keys()
        .filter(|name| name.as_str().starts_with("impersonate-"))
        .cloned()
        .collect();
    for identity in identities {
        headers.remove(identity);
    }
    headers
}

/// As the API server would say it.
fn refusal(code: StatusCode, message: &str) -> Response<Body> {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": code.as_u16(),
        "reason": code.canonical_reason().unwrap_or_default().replace(' ', ""), "message": message,
    });
    let mut answer = Response::new(Body::from(status.to_string().into_bytes()));
    *answer.status_mut() = code;
    let json = http::HeaderValue::from_static("application/json");
    answer.headers_mut().insert(CONTENT_TYPE, json);
    answer
}

#[cfg(test)]
mod lost_tests;
#[cfg(test)]
mod tests;
