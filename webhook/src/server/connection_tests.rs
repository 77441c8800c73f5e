//! The server over real TLS: what is slow, silent or too large, a certificate that changes, and the end.

use super::{
    tests::{review, reviews},
    *,
};
use crate::tls::{self, Pair};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// The server's own limits are five seconds.
const DEADLINE: Duration = Duration::from_secs(20);

/// A certificate for localhost, which is its own authority.
fn pair() -> Pair {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    Pair {
        certificate: made.cert.pem().into_bytes(),
        key: made.signing_key.serialize_pem().into_bytes(),
    }
}

struct Served {
    address: SocketAddr,
    certificate: RustlsConfig,
    leaving: Arc<AtomicBool>,
    handle: Handle<SocketAddr>,
    ended: tokio::task::JoinHandle<std::io::Result<()>>,
}

async fn serve(pair: &Pair) -> Served {
    tls::install_crypto();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let certificate = RustlsConfig::from_config(pair.load().unwrap().0);
    let (leaving, handle) = (Arc::new(AtomicBool::new(false)), Handle::new());
    let served = serve_reviews(
        listener,
        certificate.clone(),
        router(reviews(true)),
        Arc::clone(&leaving),
        handle.clone(),
    );
    Served {
        address,
        certificate,
        leaving,
        handle,
        ended: tokio::spawn(served),
    }
}

async fn connect(address: SocketAddr, trusted: &Pair) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(&trusted.certificate).unwrap())
        .unwrap();
    let config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let tcp = TcpStream::connect(address).await?;
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, tcp).await
}

fn head(length: usize) -> String {
    format!(
        "POST {} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n",
        rules::PATH
    )
}

fn whole(body: &str) -> String {
    format!("{}{body}", head(body.len()))
}

/// One answer, whose end is told by its length.
async fn answer(stream: &mut TlsStream<TcpStream>) -> String {
    let mut text = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let read = String::from_utf8_lossy(&text).to_lowercase();
        if let Some((head, body)) = read.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return read;
            }
        }
        let count = timeout(DEADLINE, stream.read(&mut piece))
            .await
            .expect("an answer")
            .unwrap();
        assert!(count > 0, "closed after {read:?}");
        text.extend_from_slice(&piece[..count]);
    }
}

/// What comes until the connection is closed, in whatever way.
async fn rest(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> String {
    let mut text = Vec::new();
    let read = timeout(DEADLINE, stream.read_to_end(&mut text)).await;
    drop(read.expect("the connection to be closed"));
    String::from_utf8_lossy(&text).into_owned()
}

#[tokio::test]
async fn whoever_is_silent_or_slow_is_given_up() {
    let pair = pair();
    let served = serve(&pair).await;
    let no_handshake = async {
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        assert_eq!(rest(&mut stream).await, "");
    };
    let no_request = async {
        let mut stream = connect(served.address, &pair).await.unwrap();
        assert_eq!(rest(&mut stream).await, "");
    };
    let half_a_header = async {
        let mut stream = connect(served.address, &pair).await.unwrap();
        stream
            .write_all(b"POST /validate HTTP/1.1\r\nHost: local")
            .await
            .unwrap();
        let answer = rest(&mut stream).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
    };
    let half_a_body = async {
        let mut stream = connect(served.address, &pair).await.unwrap();
        stream.write_all(head(100).as_bytes()).await.unwrap();
        stream.write_all(b"{\"apiVersion\"").await.unwrap();
        assert!(answer(&mut stream).await.starts_with("http/1.1 408"));
    };
    let good = async {
        let mut stream = connect(served.address, &pair).await.unwrap();
        stream.write_all(whole(&review().to_string()).as_bytes()).await.unwrap();
        let answer = answer(&mut stream).await;
        assert!(
            answer.starts_with("http/1.1 200") && answer.contains("mg001"),
            "{answer}"
        );
    };
    tokio::join!(no_handshake, no_request, half_a_header, half_a_body, good);
    served.handle.shutdown();
}

#[tokio::test]
async fn what_is_too_large_is_refused() {
    let pair = pair();
    let served = serve(&pair).await;
    let mut stream = connect(served.address, &pair).await.unwrap();
    let header = format!(
        "GET / HTTP/1.1\r\nHost: localhost\r\nX-Large: {}\r\n\r\n",
        "x".repeat(64 << 10)
    );
    stream.write_all(header.as_bytes()).await.ok();
    assert!(answer(&mut stream).await.starts_with("http/1.1 431"));

    let mut stream = connect(served.address, &pair).await.unwrap();
    stream.write_all(head(MAX_REVIEW + 1).as_bytes()).await.unwrap();
    assert!(answer(&mut stream).await.starts_with("http/1.1 413"));
    served.handle.shutdown();
}

#[tokio::test]
async fn a_new_certificate_is_for_new_connections_and_old_ones_go_on() {
    let (old, new) = (pair(), pair());
    let served = serve(&old).await;
    let mut kept = connect(served.address, &old).await.unwrap();
    let request = whole(&review().to_string());
    kept.write_all(request.as_bytes()).await.unwrap();
    assert!(answer(&mut kept).await.starts_with("http/1.1 200"));

    served.certificate.reload_from_config(new.load().unwrap().0);
    assert!(connect(served.address, &old).await.is_err());
    connect(served.address, &new).await.unwrap();
    kept.write_all(request.as_bytes()).await.unwrap();
    assert!(answer(&mut kept).await.starts_with("http/1.1 200"));
    served.handle.shutdown();
}

#[tokio::test]
async fn the_end_is_announced_and_what_is_under_way_is_answered() {
    let pair = pair();
    let served = serve(&pair).await;
    let request = whole(&review().to_string());
    let mut kept = connect(served.address, &pair).await.unwrap();
    kept.write_all(request.as_bytes()).await.unwrap();
    assert!(!answer(&mut kept).await.contains("connection: close"));

    served.leaving.store(true, Ordering::Relaxed);
    kept.write_all(request.as_bytes()).await.unwrap();
    assert!(answer(&mut kept).await.contains("connection: close"));
    assert_eq!(rest(&mut kept).await, "");

    // New connections are still taken, and a review that is half sent when the server ends is answered.
    let mut late = connect(served.address, &pair).await.unwrap();
    let body = review().to_string();
    let expecting = head(body.len()).replace("\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n");
    late.write_all(expecting.as_bytes()).await.unwrap();
    assert!(
        answer(&mut late).await.starts_with("http/1.1 100"),
        "it waits for the body"
    );
    served.handle.graceful_shutdown(Some(DEADLINE));
    late.write_all(body.as_bytes()).await.unwrap();
    assert!(answer(&mut late).await.starts_with("http/1.1 200"));
    timeout(DEADLINE, served.ended)
        .await
        .expect("the server to end")
        .unwrap()
        .unwrap();
}
