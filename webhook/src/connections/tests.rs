//! Limits as clients meet them, over real sockets.

use super::*;
use axum::{Router, body::Bytes, routing::post};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const LIMITS: Limits = Limits {
    newcomers: 4,
    regulars: 2,
    in_work: 2,
    bytes: 1 << 20,
};
const REVIEW: &[u8] = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}";
const SLOW: &[u8] = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{";

async fn serve() -> SocketAddr {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().route("/", post(|body: Bytes| async move { body }));
    let server = axum_server::from_tcp(listener)
        .unwrap()
        .acceptor(LimitedAcceptor::new(LIMITS))
        .http1_only();
    tokio::spawn(server.serve(router.into_make_service()));
    address
}

async fn connect(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.unwrap()
}

/// Whether a request is answered on this connection.
async fn is_served(stream: &mut TcpStream) -> bool {
    let mut answer = [0; 256];
    stream.write_all(REVIEW).await.is_ok()
        && matches!(stream.read(&mut answer).await, Ok(read) if answer[..read].starts_with(b"HTTP/1.1 200"))
}

/// Waits until the server closes this one.
async fn closed(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    // A reset is an end as well.
    drop(stream.read_to_end(&mut rest).await);
}

#[tokio::test]
async fn silent_connections_lock_nobody_out() {
    let address = serve().await;
    let mut kept = connect(address).await;
    assert!(is_served(&mut kept).await);
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(connect(address).await);
    }
    for one in silent.iter_mut().take(16) {
        closed(one).await;
    }
    let mut late = connect(address).await;
    assert!(is_served(&mut late).await);
    assert!(is_served(&mut kept).await, "what served before still does");
}

#[tokio::test]
async fn connections_that_were_served_once_and_are_kept_lock_nobody_out() {
    let address = serve().await;
    let mut hoarded = Vec::new();
    for _ in 0..10 {
        let mut one = connect(address).await;
        assert!(is_served(&mut one).await);
        hoarded.push(one);
    }
    for one in hoarded.iter_mut().take(8) {
        closed(one).await;
    }
    let mut late = connect(address).await;
    assert!(is_served(&mut late).await);
}

#[tokio::test]
async fn requests_that_never_end_lock_nobody_out() {
    let address = serve().await;
    let mut slow = Vec::new();
    for _ in 0..3 {
        let mut one = connect(address).await;
        one.write_all(SLOW).await.unwrap();
        slow.push(one);
        let mut good = connect(address).await;
        assert!(is_served(&mut good).await);
    }
    closed(&mut slow[0]).await;
}

#[tokio::test]
async fn a_request_too_large_for_all_of_them_goes() {
    let address = serve().await;
    let mut one = connect(address).await;
    let head = format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", 2 << 20);
    one.write_all(head.as_bytes()).await.unwrap();
    // The server may close while this still writes.
    drop(one.write_all(&vec![b' '; (1 << 20) + (64 << 10)]).await);
    closed(&mut one).await;
    let mut good = connect(address).await;
    assert!(is_served(&mut good).await);
}
