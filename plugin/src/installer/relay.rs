//! A relay on this machine through which an engine reaches the API server as the driver.
//!
//! Each of its requests is passed on by this program's own client, which impersonates: istioctl drops the impersonation of a
//! kubeconfig, and no engine's kubeconfig has to hold anybody's credentials. The relay ends with this program, so that what a
//! killed driver has left running can write no more; and nothing that it writes passes while it is held, or to what no guard
//! is asked about while another may drive.

use super::Change;
use crate::{
    cluster::{PrivateKubeconfig, Relayed, was_never_sent, why_not_passed},
    executor::{Tenure, writing_client},
};
use http::{
    HeaderMap, HeaderName, Method, Request, Response, StatusCode, Uri,
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
use std::{convert::Infallible, net::Ipv4Addr, path::PathBuf, sync::Arc, time::Duration};
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

/// How long a server may be away before an engine is told so, as long as its own client would wait for a connection: helm gives
/// a step up at the first write that fails.
const REACHED_WITHIN: Duration = Duration::from_secs(30);
/// Pause before a connection is tried again.
const CONNECT_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// Pause after a connection that could not be accepted.
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(50);

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

/// Where a request is that changes what no guard is asked about (Kubernetes,
/// `rules.IsExemptAdmissionConfigurationResource`).
const UNGUARDED: &str = "/apis/admissionregistration.k8s.io/";

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
        Self::listen(client, passes, &change.cluster.name).await
    }

    /// Listens on this machine alone, for whoever knows the secret in the private kubeconfig: other people of the same
    /// machine do not.
    async fn listen(client: Client, passes: Passes, cluster: &str) -> Result<Self, String> {
        let failed = |error: &dyn std::fmt::Display| format!("cannot relay to the API server: {error}");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let listener = listener.await.map_err(|error| failed(&error))?;
        let port = listener.local_addr().map_err(|error| failed(&error))?.port();
        let secret: Arc<str> = secret()
            .ok_or_else(|| failed(&"no random numbers are to be had"))?
            .into();
        let server = format!("http://127.0.0.1:{port}/{secret}");
        let kubeconfig = PrivateKubeconfig::of_server(&server, cluster).map_err(|error| failed(&error))?;
        let accepting = tokio::spawn(accept(listener, client, passes, Arc::clone(&secret)));
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
    async fn pass(mut self, method: &Method, path: &str) -> Result<(), String> {
        if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
            return Ok(());
        }
        loop {
            if let Some(tenure) = self.tenure.as_ref().filter(|_| path.starts_with(UNGUARDED)) {
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
async fn accept(listener: TcpListener, client: Client, passes: Passes, secret: Arc<str>) {
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
        let (client, passes, secret) = (client.clone(), passes.clone(), Arc::clone(&secret));
        connections.spawn(async move {
            let service = service_fn(move |request| {
                let (client, passes, secret) = (client.clone(), passes.clone(), Arc::clone(&secret));
                async move { Ok::<_, Infallible>(answer(&client, passes, &secret, request).await) }
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

async fn answer(client: &Client, passes: Passes, secret: &str, request: Request<Incoming>) -> Response<Body> {
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
    let (method, path) = (parts.method.clone(), uri.path().to_owned());
    parts.extensions.insert(Relayed::new(move || {
        let (passes, method, path) = (passes.clone(), method.clone(), path.clone());
        async move { passes.pass(&method, &path).await }
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
        if !was_never_sent(&error) || away.get_or_insert_with(Instant::now).elapsed() > REACHED_WITHIN {
            return refusal(StatusCode::BAD_GATEWAY, &error.to_string());
        }
        tokio::time::sleep(CONNECT_AGAIN_AFTER).await;
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
    use crate::{clock::passed, cluster::tests::at, installer::Hold};
    use http::HeaderValue;
    use kube::Api;
    use std::sync::Mutex;

    /// A real server, and a relay to it by this program's own client.
    async fn relay(server: u16, hold: &Hold, tenure: Option<Tenure>) -> Relay {
        let passes = Passes {
            held: hold.watched(),
            tenure,
        };
        Relay::listen(client(server).await, passes, "east").await.unwrap()
    }

    async fn client(port: u16) -> Client {
        at(&format!("http://127.0.0.1:{port}")).await.client
    }

    /// An API server whose Lease somebody holds, and that notes what it was asked.
    async fn server_of(holder: &'static str, seen: &Arc<Mutex<Vec<String>>>) -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        serve(listener, holder, Arc::clone(seen));
        port
    }

    fn serve(listener: TcpListener, holder: &'static str, seen: Arc<Mutex<Vec<String>>>) {
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let seen = Arc::clone(&seen);
                let service = service_fn(move |request: Request<Incoming>| {
                    seen.lock()
                        .unwrap()
                        .push(format!("{} {}", request.method(), request.uri()));
                    let lease = json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
                        "metadata": {"name": "mesh", "resourceVersion": "1"}, "spec": {"holderIdentity": holder}});
                    async move { Ok::<_, Infallible>(Response::new(Body::from(lease.to_string().into_bytes()))) }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
    }

    fn address(relay: &Relay) -> Uri {
        let text = std::fs::read_to_string(relay.kubeconfig()).unwrap();
        let mut words = text.split('"');
        words.find(|word| word.starts_with("http://")).unwrap().parse().unwrap()
    }

    /// What a program is answered, if it is.
    async fn ask(url: Uri, method: Method, path: String) -> Option<(u16, String)> {
        let stream = tokio::net::TcpStream::connect(url.authority().unwrap().as_str());
        let io = TokioIo::new(stream.await.ok()?);
        let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.ok()?;
        tokio::spawn(connection);
        let request = Request::builder().method(method).uri(path).header(HOST, "x");
        let answer = sender.send_request(request.body(Body::empty()).unwrap()).await.ok()?;
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.ok()?.to_bytes();
        Some((status, String::from_utf8_lossy(&body).into_owned()))
    }

    #[tokio::test]
    async fn what_no_guard_is_asked_about_passes_only_while_the_lease_is_surely_held() {
        let webhook = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/istiod";
        let service = "/api/v1/namespaces/istio-system/services/istiod";
        let (lease, long_ago) = (
            "/apis/coordination.k8s.io/v1/namespaces/mesh-upgrade-system/leases/mesh",
            Duration::ZERO,
        );
        let (get, put) = (format!("GET {lease}"), format!("PUT {lease}?"));
        let patch = |path: &str| format!("PATCH {path}");
        for (holder, since, path, code, expected) in [
            ("me", passed(), webhook, 200, vec![patch(webhook)]),
            ("me", long_ago, webhook, 200, vec![get.clone(), put, patch(webhook)]),
            ("another", long_ago, webhook, 403, vec![get]),
            // Of these the API server compares the epoch.
            ("another", long_ago, service, 200, vec![patch(service)]),
        ] {
            let seen: Arc<Mutex<Vec<String>>> = Arc::default();
            let server = server_of(holder, &seen).await;
            let leases = Api::namespaced(client(server).await, shared::names::NAMESPACE);
            let tenure = Tenure::new(leases, "mesh".to_owned(), "me".to_owned(), since);
            let hold = Hold::default();
            let relay = relay(server, &hold, Some(tenure)).await;
            let path = format!("/{}{path}", relay.secret());
            let (status, body) = ask(address(&relay), Method::PATCH, path).await.unwrap();
            assert_eq!(status, code, "{body}");
            assert_eq!(
                code == 403,
                body.contains("somebody else has taken this upgrade over"),
                "{body}"
            );
            assert_eq!(*seen.lock().unwrap(), expected);
        }
    }

    #[tokio::test]
    async fn a_server_that_is_away_for_a_moment_is_waited_for() {
        let away = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address_of_it = away.local_addr().unwrap();
        drop(away);
        let hold = Hold::default();
        let relay = relay(address_of_it.port(), &hold, None).await;
        let path = format!("/{}/api/v1/pods", relay.secret());
        let written = ask(address(&relay), Method::POST, path);
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let (written, ()) = tokio::join!(written, async {
            tokio::time::sleep(CONNECT_AGAIN_AFTER / 2).await;
            serve(TcpListener::bind(address_of_it).await.unwrap(), "me", Arc::clone(&seen));
        });
        assert_eq!(written.unwrap().0, 200);
        assert_eq!(*seen.lock().unwrap(), ["POST /api/v1/pods"], "it is sent once");
    }

    #[tokio::test]
    async fn nothing_is_written_while_the_engine_is_held() {
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let hold = Hold::default();
        let relay = relay(server_of("me", &seen).await, &hold, None).await;
        let url = address(&relay);
        let path = format!("/{}/api/v1/pods", relay.secret());
        hold.hold();
        let mut written = Box::pin(ask(url.clone(), Method::POST, path.clone()));
        let read = ask(url.clone(), Method::GET, path.clone());
        tokio::select! {
            _ = &mut written => panic!("it is held"),
            read = read => assert!(read.is_some()),
        }
        assert_eq!(*seen.lock().unwrap(), ["GET /api/v1/pods"]);
        hold.let_go();
        assert_eq!(written.await.unwrap().0, 200);
        hold.hold();
        let written = ask(url, Method::POST, path);
        let (written, ()) = tokio::join!(written, async { drop(hold) });
        assert_eq!(written.unwrap().0, 403, "the step has ended");
    }

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
        let hold = Hold::default();
        let relay = relay(server_of("me", &seen).await, &hold, None).await;
        let text = std::fs::read_to_string(relay.kubeconfig()).unwrap();
        assert!(text.contains(relay.secret()));
        let url = address(&relay);
        let ask = |path: String| ask(url.clone(), Method::GET, path);
        let path = format!("/{}/api/v1/pods?watch=0", relay.secret());
        assert_eq!(ask(path.clone()).await.unwrap().0, 200);
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
