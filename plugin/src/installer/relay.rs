//! A relay on this machine through which an engine reaches the API server as the driver.
//!
//! istioctl drops the impersonation of a kubeconfig, and has no flag for extras, so that no epoch would arrive. Each of
//! its requests is passed on by this program's own client, which impersonates, and ends with this program: what a killed
//! driver has left running can write no more.

use crate::cluster::PrivateKubeconfig;
use http::{
    HeaderMap, HeaderName, Request, Response, StatusCode, Uri,
    header::{
        ACCEPT_ENCODING, AUTHORIZATION, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, TE, TRAILER, TRANSFER_ENCODING,
        UPGRADE,
    },
};
use http_body_util::{BodyExt as _, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use kube::{Client, client::Body};
use serde_json::json;
use std::{convert::Infallible, net::Ipv4Addr, path::PathBuf, sync::Arc};
use tokio::{
    net::TcpListener,
    task::{AbortHandle, JoinSet},
};

/// Longest request that is passed on: the API server's own limit, and some room.
const LONGEST: usize = 8 << 20;

/// Bytes of the secret.
const SECRET: usize = 32;

/// Headers that belong to one connection, or that this program's own client sets.
const OWN: [HeaderName; 9] = [
    ACCEPT_ENCODING,
    AUTHORIZATION,
    CONNECTION,
    CONTENT_LENGTH,
    HOST,
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
    /// Listens on this machine alone, for whoever knows the secret in the private kubeconfig: other people of the same
    /// machine do not.
    ///
    /// # Errors
    /// When it cannot listen, or its kubeconfig cannot be written.
    pub async fn start(client: Client) -> Result<Self, String> {
        let failed = |error: &dyn std::fmt::Display| format!("cannot relay to the API server: {error}");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let listener = listener.await.map_err(|error| failed(&error))?;
        let port = listener.local_addr().map_err(|error| failed(&error))?.port();
        let secret: Arc<str> = secret()
            .ok_or_else(|| failed(&"no random numbers are to be had"))?
            .into();
        let server = format!("http://127.0.0.1:{port}/{secret}");
        let kubeconfig = PrivateKubeconfig::of_server(&server).map_err(|error| failed(&error))?;
        let accepting = tokio::spawn(accept(listener, client, Arc::clone(&secret)));
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

/// Serves connections; all of them are a part of this, and end with it.
async fn accept(listener: TcpListener, client: Client, secret: Arc<str>) {
    let mut connections = JoinSet::new();
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::debug!(%error, "the relay accepts no more connections");
                    return;
                }
            },
            Some(_) = connections.join_next() => continue,
        };
        stream.set_nodelay(true).ok();
        let (client, secret) = (client.clone(), Arc::clone(&secret));
        connections.spawn(async move {
            let service = service_fn(move |request| {
                let (client, secret) = (client.clone(), Arc::clone(&secret));
                async move { Ok::<_, Infallible>(answer(&client, &secret, request).await) }
            });
            let served = http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), service);
            // An engine that goes away is no news.
            if let Err(error) = served.await {
                tracing::debug!(%error, "a connection of the relay has ended");
            }
        });
    }
}

async fn answer(client: &Client, secret: &str, request: Request<Incoming>) -> Response<Body> {
    let (mut parts, body) = request.into_parts();
    let Some(uri) = passed_on(&parts.uri, secret) else {
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
    parts.uri = uri;
    parts.headers = headers_passed_on(parts.headers);
    match client.send(Request::from_parts(parts, Body::from(body))).await {
        Ok(mut answer) => {
            for own in [CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING] {
                answer.headers_mut().remove(own);
            }
            answer
        }
        Err(error) => refusal(StatusCode::BAD_GATEWAY, &error.to_string()),
    }
}

/// The path at the API server, for a request that knows the secret.
fn passed_on(uri: &Uri, secret: &str) -> Option<Uri> {
    let path = uri.path_and_query()?.as_str();
    let rest = path.strip_prefix('/')?.strip_prefix(secret)?;
    rest.starts_with('/').then(|| rest.parse().ok()).flatten()
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
mod tests {
    use super::*;
    use http::HeaderValue;
    use std::sync::Mutex;

    #[test]
    fn only_whoever_knows_the_secret_is_passed_on() {
        for (path, expected) in [
            ("/s3cret/api/v1/pods?limit=5", Some("/api/v1/pods?limit=5")),
            ("/s3cret/", Some("/")),
            ("/s3cret", None),
            ("/s3cretapi", None),
            ("/api/v1/pods", None),
            ("/other/api/v1/pods", None),
            ("//s3cret/api", None),
        ] {
            let found = passed_on(&path.parse().unwrap(), "s3cret").map(|uri| uri.to_string());
            assert_eq!(found.as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn nobody_brings_an_identity_of_their_own() {
        let mut headers = HeaderMap::new();
        for name in [
            "impersonate-user",
            "impersonate-group",
            "impersonate-extra-meshupgrade.io%2fepoch",
            "authorization",
            "connection",
            "user-agent",
            "content-type",
        ] {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static("x"));
        }
        let passed = headers_passed_on(headers);
        let mut names: Vec<&str> = passed.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["content-type", "user-agent"]);
    }

    #[tokio::test]
    async fn requests_come_through_and_end_with_the_relay() {
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let of_server = Arc::clone(&seen);
        let server = tower::service_fn(move |request: Request<Body>| {
            of_server
                .lock()
                .unwrap()
                .push(format!("{} {}", request.method(), request.uri()));
            async { Ok::<_, tower::BoxError>(Response::new(Body::from(b"pods".to_vec()))) }
        });
        let relay = Relay::start(Client::new(server, "default")).await.unwrap();
        let text = std::fs::read_to_string(relay.kubeconfig()).unwrap();
        assert!(text.contains(relay.secret()));
        let url = text
            .split('"')
            .find(|word| word.starts_with("http://"))
            .unwrap()
            .to_owned();
        let ask = |path: String| {
            let url: Uri = url.parse().unwrap();
            async move {
                let stream = tokio::net::TcpStream::connect(url.authority().unwrap().as_str())
                    .await
                    .ok()?;
                let (mut sender, connection) =
                    hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.ok()?;
                tokio::spawn(connection);
                let request = Request::get(path).header(HOST, "x").body(Body::empty()).unwrap();
                let answer = sender.send_request(request).await.ok()?;
                let status = answer.status().as_u16();
                let body = answer.into_body().collect().await.ok()?.to_bytes();
                Some((status, String::from_utf8_lossy(&body).into_owned()))
            }
        };
        let path = format!("/{}/api/v1/pods?watch=0", relay.secret());
        assert_eq!(ask(path.clone()).await, Some((200, "pods".to_owned())));
        let (status, body) = ask("/api/v1/pods".to_owned()).await.unwrap();
        assert!(
            status == 403 && body.contains("a relay for one program"),
            "{status} {body}"
        );
        assert_eq!(*seen.lock().unwrap(), ["GET /api/v1/pods?watch=0"]);
        drop(relay);
        while ask(path.clone()).await.is_some() {
            tokio::task::yield_now().await;
        }
    }
}
