//! Servers that fall silent.

use super::{TOKEN, cluster, serve, tls};
use crate::cluster::{ClusterError, ClusterFlags};
use http::Request;
use kube::client::Body;
use rustls::{ServerConnection, StreamOwned};
use serde_json::json;
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
