//! Stand-ins for API servers, for faults that a real one cannot be made to show at will.

use std::io::Read as _;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context as _, Result, anyhow};
use base64::Engine as _;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

/// A server that accepts connections and never says a word, and how many it has accepted. Its thread ends with the process.
pub fn stand_in_that_hangs() -> Result<(Value, Arc<AtomicUsize>)> {
    let listener = TcpListener::bind("127.0.0.1:0").context("listen for the hanging stand-in")?;
    let server = format!("https://{}", listener.local_addr()?);
    let accepted = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&accepted);
    std::thread::spawn(move || {
        // Held open: a closed connection would be an answer.
        let mut held: Vec<TcpStream> = Vec::new();
        for stream in listener.incoming().flatten() {
            counted.fetch_add(1, Ordering::SeqCst);
            held.push(stream);
        }
    });
    let cluster = json!({"server": server, "insecure-skip-tls-verify": true});
    Ok((cluster, accepted))
}

/// An address where nobody listens.
pub fn stand_in_that_refuses() -> Result<Value> {
    let listener = TcpListener::bind("127.0.0.1:0").context("find a free port")?;
    Ok(json!({"server": format!("https://{}", listener.local_addr()?)}))
}

/// A server whose certificate ended in 2020.
pub fn stand_in_with_an_expired_certificate() -> Result<Value> {
    let listener = TcpListener::bind("127.0.0.1:0").context("listen for the expired stand-in")?;
    let (config, authority) = certificate(2020)?;
    let server = format!("https://{}", listener.local_addr()?);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            if let Ok(connection) = ServerConnection::new(Arc::clone(&config)) {
                // The client hangs up in the middle of the handshake.
                let _ = StreamOwned::new(connection, stream).read(&mut [0; 1024]);
            }
        }
    });
    Ok(json!({"server": server, "certificate-authority-data": authority}))
}

/// A TLS server's settings and its authority, as a kubeconfig has it; the certificate ends in a year.
fn certificate(until: i32) -> Result<(Arc<ServerConfig>, String)> {
    rustls::crypto::ring::default_provider().install_default().ok();
    let mut parameters = rcgen::CertificateParams::new(["127.0.0.1".to_owned(), "localhost".to_owned()])?;
    parameters.not_after = rcgen::date_time_ymd(until, 1, 1);
    let key = rcgen::KeyPair::generate()?;
    let certificate = parameters.self_signed(&key)?;
    let private = PrivateKeyDer::try_from(key.serialize_der()).map_err(|error| anyhow!("{error}"))?;
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)?;
    let authority = base64::engine::general_purpose::STANDARD.encode(certificate.pem());
    Ok((Arc::new(config), authority))
}
