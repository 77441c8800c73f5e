//! Servers that fall silent, or have no end to tell.

use super::{super::observe::observe, TOKEN, at, by_path_tests, cluster, serve, tls};
use crate::cluster::{ClusterError, ClusterFlags, ObserveOptions};
use http::Request;
use kube::client::Body;
use rustls::{ServerConnection, StreamOwned};
use serde_json::json;
use shared::inventory::ClusterState;
use std::{
    io::{Read as _, Write as _},
    sync::Arc,
    time::Duration,
};

/// An HTTP/2 SETTINGS frame without settings: all that the server ever says.
const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];

#[tokio::test]
async fn a_connection_that_dies_without_a_sign_is_noticed_before_the_server_has_been_silent_for_long() {
    let (mut config, authority) = tls("127.0.0.1", 2999);
    config.alpn_protocols = vec![b"h2".to_vec()];
    let config = Arc::new(config);
    let port = serve(move |stream| {
        let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
        let mut stream = StreamOwned::new(connection, stream);
        stream.write_all(&SETTINGS).ok();
        while stream.read(&mut [0; 4096]).is_ok_and(|read| read > 0) {}
    });
    let entry = json!({"server": format!("https://127.0.0.1:{port}"), "certificate-authority-data": authority});
    let flags = ClusterFlags {
        request_timeout: Some(Duration::from_secs(600)),
        ..ClusterFlags::default()
    };
    let east = cluster(entry, json!({"token": TOKEN}), flags).await.unwrap();
    // A write, which is not sent again.
    let asked = east.client.send(Request::post("/").body(Body::empty()).unwrap());
    let answer = tokio::time::timeout(Duration::from_secs(60), asked).await.unwrap();
    let error = east.error("write", &answer.unwrap_err());
    assert!(matches!(error, ClusterError::Timeout { .. }), "{error}");
}

#[tokio::test]
async fn a_list_without_end_makes_its_cluster_unknown() {
    let (port, _asked) = by_path_tests::answering(|path| {
        let answer = match path.split('?').next() {
            Some("/version") => by_path_tests::version(),
            Some("/api/v1/services") => json!({"metadata": {"continue": "more"}, "items": []}),
            _ => json!({"apiVersion": "v1", "kind": "List", "metadata": {"name": "kube-system", "uid": "1"},
                "items": []}),
        };
        Some(answer.to_string().into_bytes())
    });
    let cluster = at(&format!("http://127.0.0.1:{port}")).await;
    let options = ObserveOptions {
        surroundings: true,
        deadline: Duration::from_secs(1),
        ..ObserveOptions::default()
    };
    let observed = tokio::time::timeout(Duration::from_secs(60), observe(&cluster, &options)).await;
    let ClusterState::Unknown { reason } = observed.unwrap().state else {
        panic!("it was observed")
    };
    assert!(reason.ends_with("took longer than 3 s in all"), "{reason}");
}
