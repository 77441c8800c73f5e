//! One connection, by hand: a client that pools, retries or upgrades would hide what is measured.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::Path,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};

/// Longest wait for anything.
const DEADLINE: Duration = Duration::from_secs(10);

/// A server of reviews, and how to trust it.
#[derive(Clone, Debug)]
pub struct Server {
    address: SocketAddr,
    tls: Arc<ClientConfig>,
}

impl Server {
    /// On a port of loopback, with a certificate for `localhost` that these authorities issued.
    ///
    /// # Errors
    /// When the PEM holds no certificate.
    pub fn new(port: u16, authorities: &[u8]) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(authorities) {
            roots.add(certificate.context("a certificate authority in PEM")?)?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        // As the API server: no other protocol, and a whole handshake for each connection.
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        tls.resumption = rustls::client::Resumption::disabled();
        Ok(Self {
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            tls: Arc::new(tls),
        })
    }

    /// The same with the authorities in a file.
    ///
    /// # Errors
    /// When it cannot be read, or holds no certificate.
    pub fn trusting(port: u16, file: &Path) -> Result<Self> {
        Self::new(
            port,
            &std::fs::read(file).with_context(|| format!("read {}", file.display()))?,
        )
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A new connection; its handshake is made with the first request.
    ///
    /// # Errors
    /// When the server does not accept.
    pub fn connect(&self) -> Result<Client> {
        let stream = TcpStream::connect_timeout(&self.address, DEADLINE).context("connect")?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(DEADLINE))?;
        stream.set_write_timeout(Some(DEADLINE))?;
        let session = ClientConnection::new(Arc::clone(&self.tls), ServerName::try_from("localhost")?)?;
        Ok(Client {
            stream: StreamOwned::new(session, stream),
            buffer: Vec::with_capacity(4096),
        })
    }
}

/// One connection to a server.
#[derive(Debug)]
pub struct Client {
    stream: StreamOwned<ClientConnection, TcpStream>,
    buffer: Vec<u8>,
}

impl Client {
    /// Posts a review and reads the answer: its status and its body.
    ///
    /// # Errors
    /// When the connection ends, or the answer does not come in time.
    pub fn post(&mut self, path: &str, body: &[u8]) -> Result<(u16, &[u8])> {
        let mut request = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        request.extend_from_slice(body);
        self.stream.write_all(&request).context("send a review")?;
        self.stream.flush()?;
        self.buffer.clear();
        let mut chunk = [0; 4096];
        loop {
            if let Some((status, from, to)) = self.complete()? {
                return Ok((status, self.buffer.get(from..to).unwrap_or_default()));
            }
            let read = self.stream.read(&mut chunk).context("read an answer")?;
            ensure!(read > 0, "the server closed before it had answered");
            self.buffer.extend_from_slice(chunk.get(..read).unwrap_or_default());
        }
    }

    /// Writes these bytes and nothing else, in TLS.
    ///
    /// # Errors
    /// When the connection ends.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.write_all(bytes)?;
        Ok(self.stream.flush()?)
    }

    /// Status, and where the body begins and ends, once all of it is there.
    fn complete(&self) -> Result<Option<(u16, usize, usize)>> {
        let Some(head) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") else {
            return Ok(None);
        };
        let text = std::str::from_utf8(self.buffer.get(..head).unwrap_or_default()).context("an answer's head")?;
        let mut lines = text.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1));
        let length = lines
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        let (Some(status), Some((_, length))) = (status, length) else {
            bail!("an answer without status or length: {text}");
        };
        let from = head.saturating_add(4);
        let to = from.saturating_add(length.trim().parse::<usize>()?);
        Ok((self.buffer.len() >= to).then_some((status.parse()?, from, to)))
    }
}
