//! What connecting makes of servers that do not listen, do not answer, are not trusted or refuse.

mod by_path_tests;
mod silent_tests;

use super::{
    Cluster, ClusterError, ClusterFlags, ClusterStats, ObserveOptions, Relayed, client::AT_ONCE, connect,
    connector::Proxies, observe, observe_members, whoami,
};
use rustls::{ServerConfig, ServerConnection, StreamOwned, pki_types::PrivateKeyDer};
use serde_json::{Value, json};
use shared::inventory::ClusterState;
use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, mpsc},
    time::Duration,
};

const TOKEN: &str = "s3cr3t-t0k3n";
/// What answers at all does so long before, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(30);

/// A cluster behind a kubeconfig whose cluster entry is `entry`.
async fn cluster(entry: Value, user: Value, flags: ClusterFlags) -> Result<Cluster, ClusterError> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config");
    let document = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "east",
        "clusters": [{"name": "c", "cluster": entry}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "east", "context": {"cluster": "c", "user": "u"}}],
    });
    std::fs::write(&path, document.to_string()).unwrap();
    connect(&ClusterFlags {
        kubeconfig: Some(path),
        request_timeout: flags.request_timeout.or(Some(PATIENCE)),
        ..flags
    })
    .await
}

pub(crate) async fn at(server: &str) -> Cluster {
    let entry = json!({"server": server});
    cluster(entry, json!({"token": TOKEN}), ClusterFlags::default())
        .await
        .unwrap()
}

/// A server that handles one connection at a time with `handle`.
fn serve(mut handle: impl FnMut(TcpStream) + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || listener.incoming().flatten().for_each(&mut handle));
    port
}

/// A server that hangs up after the first request of each connection, and what was asked.
fn noting() -> (u16, mpsc::Receiver<String>) {
    let (sender, requests) = mpsc::channel();
    let port = serve(move |mut stream| {
        let mut request = [0; 4096];
        let read = stream.read(&mut request).unwrap();
        sender
            .send(String::from_utf8_lossy(&request[..read]).into_owned())
            .unwrap();
    });
    (port, requests)
}

fn answering(status: &'static str, body: &'static str) -> u16 {
    serve(move |mut stream| {
        let _request = stream.read(&mut [0; 4096]).unwrap();
        let length = body.len();
        write!(
            stream,
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .unwrap();
    })
}

/// What a TLS server with a certificate that ends in `until` goes by, and its authority, as the kubeconfig has it.
fn tls(name: &str, until: i32) -> (ServerConfig, String) {
    rustls::crypto::ring::default_provider().install_default().ok();
    let mut parameters = rcgen::CertificateParams::new([name.to_owned()]).unwrap();
    parameters.not_after = rcgen::date_time_ymd(until, 1, 1);
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = parameters.self_signed(&key).unwrap();
    let authority = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, certificate.pem());
    let private = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)
        .unwrap();
    (config, authority)
}

/// Such a server, which hangs up after the first request; returns its port and its authority.
fn tls_server(name: &str, until: i32) -> (u16, String) {
    let (config, authority) = tls(name, until);
    let config = Arc::new(config);
    let port = serve(move |stream| {
        let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
        let _request = StreamOwned::new(connection, stream).read(&mut [0; 4096]);
    });
    (port, authority)
}

async fn failure(cluster: &Cluster) -> ClusterError {
    let error = whoami(cluster).await.unwrap_err();
    let printed = format!("{error} {error:?} {:?} {cluster:?}", error.hint());
    assert!(!printed.contains(TOKEN), "{printed}");
    error
}

#[tokio::test]
async fn tells_the_ways_of_not_answering_apart() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = failure(&at(&format!("https://127.0.0.1:{closed}")).await).await;
    assert!(
        matches!(&error, ClusterError::Refused { server } if *server == format!("127.0.0.1:{closed}")),
        "{error}"
    );

    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let entry = json!({"server": format!("http://127.0.0.1:{port}")});
    let impatient = ClusterFlags {
        request_timeout: Some(Duration::from_millis(300)),
        ..ClusterFlags::default()
    };
    let silent_one = cluster(entry, json!({"token": TOKEN}), impatient).await.unwrap();
    let error = failure(&silent_one).await;
    assert!(matches!(error, ClusterError::Timeout { .. }), "{error}");

    // Loopback's broadcast address: nobody is asked for a name, and the system says at once that no way leads there.
    let error = failure(&at("https://127.255.255.255:6443").await).await;
    assert!(matches!(error, ClusterError::Unreachable { .. }), "{error}");

    let port = serve(|mut stream| {
        stream.write_all(b"SSH-2.0-OpenSSH_9.9\r\n").unwrap();
    });
    let error = failure(&at(&format!("http://127.0.0.1:{port}")).await).await;
    assert!(matches!(error, ClusterError::Protocol { .. }), "{error}");
}

#[tokio::test]
async fn tells_the_ways_of_not_being_trusted_apart() {
    let over = |port: u16, authority: &str| {
        let entry = json!({"server": format!("https://127.0.0.1:{port}"), "certificate-authority-data": authority});
        cluster(entry, json!({"token": TOKEN}), ClusterFlags::default())
    };
    let (expired, authority) = tls_server("127.0.0.1", 2020);
    let error = failure(&over(expired, &authority).await.unwrap()).await;
    assert!(matches!(error, ClusterError::CertificateExpired { .. }), "{error}");

    let (untrusted, _) = tls_server("127.0.0.1", 2999);
    let error = failure(&over(untrusted, &authority).await.unwrap()).await;
    assert!(
        matches!(&error, ClusterError::Tls { reason, .. } if reason.contains("authority")),
        "{error}"
    );

    let (misnamed, authority) = tls_server("elsewhere.example", 2999);
    let error = failure(&over(misnamed, &authority).await.unwrap()).await;
    assert!(
        matches!(&error, ClusterError::Tls { reason, .. } if reason.contains("name")),
        "{error}"
    );
}

#[tokio::test]
async fn tells_the_ways_of_being_refused_apart() {
    let status =
        r#"{"kind":"Status","status":"Failure","message":"nodes is forbidden","reason":"Forbidden","code":403}"#;
    let cluster = at(&format!("http://127.0.0.1:{}", answering("403 Forbidden", status))).await;
    let error = failure(&cluster).await;
    assert_eq!(error.to_string(), "not allowed to ask who you are: nodes is forbidden");
    assert!(error.hint().unwrap().contains("mesh-upgrade-operator"));

    let status = r#"{"kind":"Status","status":"Failure","message":"Unauthorized","reason":"Unauthorized","code":401}"#;
    let error = failure(&at(&format!("http://127.0.0.1:{}", answering("401 Unauthorized", status))).await).await;
    assert!(
        matches!(&error, ClusterError::Unauthorized { context, .. } if context == "east"),
        "{error}"
    );

    let port = answering("200 OK", r#"{"kind":"SelfSubjectReview","status":"s3cr3t-t0k3n"}"#);
    let error = failure(&at(&format!("http://127.0.0.1:{port}")).await).await;
    assert!(matches!(error, ClusterError::Protocol { .. }), "{error}");
}

#[tokio::test]
async fn a_cluster_that_cannot_be_read_is_unknown() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let cluster = at(&format!("https://127.0.0.1:{closed}")).await;
    let seen = observe(&cluster, &ObserveOptions::default()).await;
    assert_eq!(seen.name, "east");
    let ClusterState::Unknown { reason } = seen.state else {
        panic!("it was observed")
    };
    assert_eq!(
        reason,
        format!("nothing listens at 127.0.0.1:{closed}: connection refused")
    );
}

#[tokio::test]
async fn a_failing_credential_plugin_is_named_without_its_output() {
    for (command, expected) in [
        (
            json!({"command": "sh", "args": ["-c", format!("echo {TOKEN}; exit 3")]}),
            "exit status: 3",
        ),
        (
            json!({"command": "sh", "args": ["-c", format!("echo {TOKEN}")]}),
            "printed no credential",
        ),
        (json!({"command": "/no/such/plugin"}), "cannot be started"),
    ] {
        let mut exec = command;
        exec["apiVersion"] = json!("client.authentication.k8s.io/v1");
        exec["interactiveMode"] = json!("Never");
        let entry = json!({"server": "https://127.0.0.1:1"});
        let error = cluster(entry, json!({"exec": exec}), ClusterFlags::default())
            .await
            .unwrap_err();
        assert!(matches!(error, ClusterError::Credentials { .. }), "{error}");
        assert!(error.to_string().contains(expected), "{error}");
        assert!(!format!("{error} {error:?}").contains(TOKEN), "{error:?}");
    }
}

#[tokio::test]
async fn a_credential_plugin_that_gives_a_token_runs_once() {
    let directory = tempfile::tempdir().unwrap();
    let runs = directory.path().join("runs");
    let credential = json!({"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
        "status": {"token": TOKEN}});
    let script = format!("echo run >> {}; echo '{credential}'", runs.display());
    let exec = json!({"apiVersion": "client.authentication.k8s.io/v1", "command": "sh", "args": ["-c", script],
        "interactiveMode": "Never"});
    let entry = json!({"server": "https://127.0.0.1:1"});
    cluster(entry, json!({"exec": exec}), ClusterFlags::default())
        .await
        .unwrap();
    assert_eq!(std::fs::read_to_string(&runs).unwrap(), "run\n");
}

#[tokio::test]
async fn impersonation_does_not_nest() {
    let entry = json!({"server": "https://127.0.0.1:1"});
    let flags = ClusterFlags {
        as_user: Some("jane".to_owned()),
        ..ClusterFlags::default()
    };
    let jane = cluster(entry.clone(), json!({"token": TOKEN}), flags).await.unwrap();
    let by_file = cluster(entry, json!({"token": TOKEN, "as": "jane"}), ClusterFlags::default())
        .await
        .unwrap();
    for cluster in [jane, by_file] {
        let error = cluster.impersonating(&[]).unwrap_err();
        assert!(
            matches!(&error, ClusterError::ImpersonationNests { user, .. } if user == "jane"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn the_driver_its_epoch_and_this_program_go_out_as_headers() {
    let (port, requests) = noting();
    let driver = at(&format!("http://127.0.0.1:{port}"))
        .await
        .impersonating(&[("meshupgrade.io/epoch", "7")])
        .unwrap();
    failure(&driver).await;
    let request = requests.recv().unwrap().to_ascii_lowercase();
    for header in [
        "impersonate-user: system:serviceaccount:mesh-upgrade-system:mesh-upgrade-driver\r\n",
        "impersonate-extra-meshupgrade.io%2fepoch: 7\r\n",
        "authorization: bearer s3cr3t-t0k3n\r\n",
        concat!("user-agent: kubectl-mesh_upgrade/v", env!("CARGO_PKG_VERSION"), "\r\n"),
    ] {
        assert!(request.contains(header), "{request}");
    }
}

#[tokio::test]
async fn another_program_says_itself_who_it_is() {
    let (port, requests) = noting();
    let cluster = at(&format!("http://127.0.0.1:{port}")).await;
    let of_helm = cluster.for_another_program().unwrap().impersonating(&[]).unwrap();
    let request = http::Request::get("/api").header("user-agent", "Helm/4.0.0");
    let request = request.body(kube::client::Body::empty()).unwrap();
    of_helm.client.send(request).await.unwrap_err();
    let request = requests.recv().unwrap().to_ascii_lowercase();
    assert_eq!(request.matches("user-agent: ").count(), 1, "{request}");
    assert!(
        request.contains("user-agent: helm/4.0.0\r\n") && request.contains("impersonate-user: "),
        "{request}"
    );
}

#[tokio::test]
async fn another_program_takes_no_turn_of_ours() {
    let (sender, arrived) = mpsc::channel();
    let mut hanging = Vec::new();
    let port = serve(move |mut stream| {
        let mut request = [0; 4096];
        let read = stream.read(&mut request).unwrap();
        if request[..read].starts_with(b"GET /hangs") {
            hanging.push(stream);
            sender.send(()).unwrap();
        } else {
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").unwrap();
        }
    });
    let cluster = at(&format!("http://127.0.0.1:{port}")).await;
    let ask = |path: &str, relayed: bool| {
        let mut request = http::Request::get(path).body(kube::client::Body::empty()).unwrap();
        if relayed {
            request.extensions_mut().insert(Relayed::new(async || Ok(())));
        }
        let client = cluster.client.clone();
        async move { client.send(request).await }
    };
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..AT_ONCE {
        waiting.spawn(ask("/hangs", false));
    }
    tokio::task::spawn_blocking(move || (0..AT_ONCE).for_each(|_| arrived.recv().unwrap()))
        .await
        .unwrap();
    assert_eq!(ask("/answers", true).await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_proxy_of_the_kubeconfig_is_used() {
    let (port, requests) = noting();
    let entry = json!({"server": "https://east.example:6443", "proxy-url": format!("http://me:pw@127.0.0.1:{port}")});
    let east = cluster(entry, json!({"token": TOKEN}), ClusterFlags::default())
        .await
        .unwrap();
    failure(&east).await;
    let request = requests.recv().unwrap();
    assert!(
        request.starts_with("CONNECT east.example:6443 HTTP/1.1\r\n"),
        "{request}"
    );
    assert!(
        request
            .to_ascii_lowercase()
            .contains("proxy-authorization: basic bwu6chc="),
        "{request}"
    );
    assert!(!request.contains(TOKEN), "the proxy must not see the token: {request}");
}

#[tokio::test]
async fn calls_and_bytes_are_counted() {
    let body = r#"{"kind":"Status","code":403,"message":"no"}"#;
    let cluster = at(&format!("http://127.0.0.1:{}", answering("403 Forbidden", body))).await;
    // Whoever acts as the driver is counted with the rest.
    let driver = cluster.impersonating(&[]).unwrap();
    for asked in [&cluster, &driver, &cluster] {
        assert!(matches!(failure(asked).await, ClusterError::Forbidden { .. }));
    }
    let stats = ClusterStats::new("east", Some(&cluster.meter), Duration::from_millis(7));
    assert_eq!((stats.calls, stats.bytes), (3, 3 * body.len() as u64));
    assert_eq!((stats.cluster.as_str(), stats.milliseconds), ("east", 7));
}

#[tokio::test]
async fn a_credential_plugin_that_hangs_makes_its_cluster_unknown_and_no_other_wait() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config");
    let port = answering("403 Forbidden", r#"{"kind":"Status","code":403,"message":"no"}"#);
    let server = json!({"server": format!("http://127.0.0.1:{port}")});
    let exec = json!({"apiVersion": "client.authentication.k8s.io/v1", "command": "sleep", "args": ["4"],
        "interactiveMode": "Never"});
    let document = json!({
        "apiVersion": "v1", "kind": "Config",
        "clusters": [{"name": "c", "cluster": server}],
        "users": [{"name": "waits", "user": {"exec": exec}}, {"name": "u", "user": {"token": TOKEN}}],
        "contexts": [{"name": "east", "context": {"cluster": "c", "user": "waits"}},
            {"name": "west", "context": {"cluster": "c", "user": "u"}}],
    });
    std::fs::write(&path, document.to_string()).unwrap();
    let flags = ClusterFlags {
        kubeconfig: Some(path),
        ..ClusterFlags::default()
    };
    let options = ObserveOptions {
        deadline: Duration::from_secs(2),
        ..ObserveOptions::default()
    };
    let members = observe_members(&flags, &["east".to_owned(), "west".to_owned()], &options)
        .await
        .unwrap();
    let reason = |index: usize| match &members.inventory.clusters[index].state {
        ClusterState::Unknown { reason } => reason.as_str(),
        ClusterState::Observed(_) => "observed",
    };
    assert!(
        reason(0).ends_with("its credential plugin did not end in time"),
        "{}",
        reason(0)
    );
    assert!(reason(1).starts_with("not allowed to"), "{}", reason(1));
    assert_eq!(
        members.clusters.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(),
        ["west"]
    );
}

#[test]
fn proxies_of_the_environment_spare_this_machine_and_no_proxy() {
    let proxies = Proxies {
        http: String::new(),
        https: "me:pw@proxy.example:3128".to_owned(),
        no: "10.0.0.0/8,.internal".to_owned(),
    };
    for (server, proxied) in [
        ("https://east.example:6443", true),
        ("http://east.example:6443", false),
        ("https://localhost:6443", false),
        ("https://127.0.0.1:6443", false),
        ("https://[::1]:6443", false),
        ("https://10.1.2.3:6443", false),
        ("https://api.internal", false),
    ] {
        let found = proxies.for_server(&server.parse().unwrap());
        let expected = proxied.then(|| "http://me:pw@proxy.example:3128/".parse().unwrap());
        assert_eq!(found, expected, "{server}");
    }
}
