//! The relay between a program and a server, which are both played here.

use super::*;
use crate::{clock::passed, cluster::tests::at, installer::Hold};
use http::HeaderValue;
use kube::Api;
use std::sync::Mutex;

/// Where the engine thinks that it is.
pub(super) const SERVER: &str = "http://10.0.0.1:6443/k8s/clusters/c-1";

/// A real server, and a relay to it by this program's own client.
async fn relay(server: u16, hold: &Hold, tenure: Option<Tenure>) -> Relay {
    let passes = Passes {
        held: hold.watched(),
        tenure,
    };
    Relay::listen(client(server).await, passes, "east", SERVER)
        .await
        .unwrap()
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

/// The proxy that the private kubeconfig names.
pub(super) fn proxy(relay: &Relay) -> Uri {
    let text = std::fs::read_to_string(relay.kubeconfig()).unwrap();
    let kubeconfig: serde_json::Value = serde_json::from_str(&text).unwrap();
    let proxy = &kubeconfig["clusters"][0]["cluster"]["proxy-url"];
    proxy.as_str().unwrap().parse().unwrap()
}

/// A connection to a proxy, as long as it is served.
async fn connected(proxy: &Uri) -> Option<hyper::client::conn::http1::SendRequest<Body>> {
    let (_, address) = proxy.authority().unwrap().as_str().split_once('@').unwrap();
    let io = TokioIo::new(tokio::net::TcpStream::connect(address).await.ok()?);
    let (sender, connection) = hyper::client::conn::http1::handshake(io).await.ok()?;
    tokio::spawn(connection);
    Some(sender)
}

/// A request as a program sends it to the proxy, with what its address holds.
fn request(proxy: &Uri, method: Method, path: &str) -> Request<Body> {
    let (shown, _) = proxy.authority().unwrap().as_str().split_once('@').unwrap();
    Request::builder()
        .method(method)
        .uri(format!("{SERVER}{path}"))
        .header(HOST, "10.0.0.1:6443")
        .header(PROXY_AUTHORIZATION, format!("Basic {}", BASE64_STANDARD.encode(shown)))
        .body(Body::empty())
        .unwrap()
}

/// What a program is answered, if it is.
pub(super) async fn ask(proxy: Uri, method: Method, path: &'static str) -> Option<(u16, String)> {
    let request = request(&proxy, method, path);
    let answer = connected(&proxy).await?.send_request(request).await.ok()?;
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.ok()?.to_bytes();
    Some((status, String::from_utf8_lossy(&body).into_owned()))
}

#[tokio::test]
async fn what_changes_anything_passes_only_while_the_lease_is_surely_held() {
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
        ("another", long_ago, webhook, 403, vec![get.clone()]),
        // Of these the API server compares the epoch, as long as a freeze stands.
        ("another", long_ago, service, 403, vec![get.clone()]),
        ("me", passed(), service, 200, vec![patch(service)]),
    ] {
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let server = server_of(holder, &seen).await;
        let leases = Api::namespaced(client(server).await, shared::names::NAMESPACE);
        let tenure = Tenure::new(leases, "mesh".to_owned(), "me".to_owned(), since);
        let hold = Hold::default();
        let relay = relay(server, &hold, Some(tenure)).await;
        let (status, body) = ask(proxy(&relay), Method::PATCH, path).await.unwrap();
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
async fn of_two_that_must_be_sure_at_once_one_renews() {
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let server = server_of("me", &seen).await;
    let leases = Api::namespaced(client(server).await, shared::names::NAMESPACE);
    let tenure = Tenure::new(leases, "mesh".to_owned(), "me".to_owned(), Duration::ZERO);
    let hold = Hold::default();
    let relay = relay(server, &hold, Some(tenure)).await;
    let path = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/istiod";
    let one = ask(proxy(&relay), Method::PATCH, path);
    let other = ask(proxy(&relay), Method::PATCH, path);
    let (one, other) = tokio::join!(one, other);
    assert_eq!((one.unwrap().0, other.unwrap().0), (200, 200));
    let put = |request: &&String| request.starts_with("PUT");
    assert_eq!(seen.lock().unwrap().iter().filter(put).count(), 1);
}

#[tokio::test]
async fn a_server_that_is_away_for_a_moment_is_waited_for() {
    let away = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address_of_it = away.local_addr().unwrap();
    drop(away);
    let hold = Hold::default();
    let relay = relay(address_of_it.port(), &hold, None).await;
    let written = ask(proxy(&relay), Method::POST, "/api/v1/pods");
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let (written, ()) = tokio::join!(written, async {
        tokio::time::sleep(SEND_AGAIN_AFTER / 2).await;
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
    let (proxy, path) = (proxy(&relay), "/api/v1/pods");
    hold.hold();
    let mut written = Box::pin(ask(proxy.clone(), Method::POST, path));
    let read = ask(proxy.clone(), Method::GET, path);
    tokio::select! {
        _ = &mut written => panic!("it is held"),
        read = read => assert!(read.is_some()),
    }
    assert_eq!(*seen.lock().unwrap(), ["GET /api/v1/pods"]);
    hold.let_go();
    assert_eq!(written.await.unwrap().0, 200);
    hold.hold();
    let written = ask(proxy, Method::POST, path);
    let (written, ()) = tokio::join!(written, async { drop(hold) });
    assert_eq!(written.unwrap().0, 403, "the step has ended");
}

#[test]
fn only_whoever_knows_the_secret_is_passed_on() {
    let right = format!("Basic {}", BASE64_STANDARD.encode("relay:s3cret"));
    let wrong = format!("Basic {}", BASE64_STANDARD.encode("relay:other"));
    let (under, plain) = ("https://rancher/k8s/clusters/c-1/", "http://10.0.0.1:6443");
    for (server, path, shown, expected) in [
        (
            plain,
            "http://10.0.0.1:6443/api/v1/pods?limit=5",
            Some(&right),
            Some("/api/v1/pods?limit=5"),
        ),
        (plain, "http://10.0.0.1:6443/", Some(&right), Some("/")),
        (plain, "/api/v1/pods", Some(&right), Some("/api/v1/pods")),
        (plain, "/api/v1/pods", Some(&wrong), None),
        (plain, "/api/v1/pods", None, None),
        (under, "http://rancher/k8s/clusters/c-1/api", Some(&right), Some("/api")),
        (under, "http://rancher/k8s/clusters/c-10/api", Some(&right), None),
        (under, "http://rancher/k8s/clusters/c-1", Some(&right), None),
        (under, "http://rancher/api", Some(&right), None),
    ] {
        let mut headers = HeaderMap::new();
        if let Some(shown) = shown {
            headers.insert(PROXY_AUTHORIZATION, shown.parse().unwrap());
        }
        let door = Door::of(server, "s3cret").unwrap();
        let found = door
            .passed_on(&path.parse().unwrap(), &headers)
            .map(|uri| uri.to_string());
        assert_eq!(found.as_deref(), expected, "{server} {path} {shown:?}");
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
        "proxy-authorization",
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
    assert!(
        text.contains(&format!("\"server\":\"{SERVER}\"")),
        "without the secret: {text}"
    );
    let known = proxy(&relay);
    assert!(known.to_string().contains(relay.secret()));
    let unknown: Uri = known.to_string().replace(relay.secret(), "other").parse().unwrap();
    let path = "/api/v1/pods?watch=0";
    assert_eq!(ask(known.clone(), Method::GET, path).await.unwrap().0, 200);
    let (status, body) = ask(unknown, Method::GET, path).await.unwrap();
    assert!(
        status == 403 && body.contains("a relay for one program"),
        "{status} {body}"
    );
    assert_eq!(*seen.lock().unwrap(), ["GET /api/v1/pods?watch=0"]);
    drop(relay);
    while ask(known.clone(), Method::GET, path).await.is_some() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_connection_is_kept_however_long_its_engine_is_held() {
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let hold = Hold::default();
    let relay = relay(server_of("me", &seen).await, &hold, None).await;
    let proxy = proxy(&relay);
    let mut connection = connected(&proxy).await.unwrap();
    let mut ask = async || {
        connection.ready().await.unwrap();
        let answer = connection
            .send_request(request(&proxy, Method::POST, "/api/v1/pods"))
            .await;
        answer.unwrap().into_body().collect().await.unwrap();
    };
    ask().await;
    tokio::time::pause();
    tokio::time::sleep(Duration::from_secs(600)).await;
    tokio::time::resume();
    ask().await;
    assert_eq!(seen.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn beyond_many_connections_none_is_kept() {
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let hold = Hold::default();
    let relay = relay(server_of("me", &seen).await, &hold, None).await;
    let proxy = proxy(&relay);
    let mut kept = Vec::new();
    for number in 0..KEPT + 2 {
        let mut connection = connected(&proxy).await.unwrap();
        let answer = connection
            .send_request(request(&proxy, Method::GET, "/api/v1/pods"))
            .await
            .unwrap();
        let closes = answer.headers().get(CONNECTION).is_some_and(|value| value == "close");
        assert_eq!(closes, number >= KEPT, "{number}");
        answer.into_body().collect().await.unwrap();
        kept.push(connection);
    }
}
