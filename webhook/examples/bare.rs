//! The webhook's server with a handler that reads a review's bytes and allows it unread: what the webhook is measured
//! beside (`cargo figures`), to tell the cost of the rules from that of TLS and HTTP.
//!
//! Usage: `bare PORT TLS_DIRECTORY`

use anyhow::Context as _;
use axum::{body::Bytes, http::header, routing::post};
use axum_server::{Handle, tls_rustls::RustlsConfig};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use std::{net::TcpListener, path::PathBuf, sync::Arc};

/// As long as an answer of the webhook that allows.
const ALLOWED: &str = r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{"uid":"705ab4f5-6393-11e8-b7cc-42010a800002","allowed":true}}"#;

fn main() -> anyhow::Result<()> {
    webhook::tls::install_crypto();
    let mut arguments = std::env::args().skip(1);
    let port: u16 = arguments.next().context("PORT")?.parse()?;
    let directory = PathBuf::from(arguments.next().context("TLS_DIRECTORY")?);
    let chain = CertificateDer::pem_file_iter(directory.join("tls.crt"))?.collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_file(directory.join("tls.key"))?;
    let mut tls = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    let answer = post(|body: Bytes| async move {
        drop(body);
        ([(header::CONTENT_TYPE, "application/json")], ALLOWED)
    });
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    let served = webhook::serve_reviews(
        listener,
        RustlsConfig::from_config(Arc::new(tls)),
        webhook::limited(answer),
        Arc::default(),
        Handle::new(),
    );
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(served)?;
    Ok(())
}
