//! The way to an API server: TCP without Nagle's delay and read ahead, a proxy where one is set, TLS, HTTP/2, timeouts, gzip,
//! credentials.
//!
//! It is built by hand because kube's own connector never sets `TCP_NODELAY` (each new connection then waits some
//! 45 ms for a delayed acknowledgement), takes a proxy from the environment without asking `NO_PROXY`, and speaks
//! HTTP/1.1 only: some forty questions at once would then be as many handshakes.

use super::{
    bounds::{Beginning, Bounded, silence},
    http_versions::Versions,
    read_ahead::read_ahead,
    retry::Again,
    stats::{Meter, Metered},
};
use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::{BodyExt as _, combinators::UnsyncBoxBody};
use hyper_util::client::{
    legacy::connect::{
        Connection, HttpConnector,
        proxy::{SocksV5, Tunnel},
    },
    proxy::matcher::{Intercept, Matcher},
};
use kube::{
    Config,
    client::{Body, ConfigExt as _, middleware::AuthLayer},
};
use std::{net::IpAddr, sync::Arc, time::Duration};
use tower::{BoxError, Service, ServiceBuilder, retry::RetryLayer, util::BoxCloneSyncService};
use tower_http::{
    ServiceExt as _,
    decompression::{DecompressionBody, DecompressionLayer},
};

/// How long connecting may take, TLS included.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the kernel may keep trying to deliver what was handed to it: a network that heals must not bring a write that
/// another driver has overtaken meanwhile. Only Linux can be told.
pub const DELIVERED_WITHIN: Duration = Duration::from_secs(5);
/// How long the server may be silent on a connection; see [`silence`] for one request.
pub(super) const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// Sends requests with the caller's credentials; clones share connections.
pub(super) type Transport = BoxCloneSyncService<Request<Body>, Response<UnsyncBoxBody<Bytes, BoxError>>, BoxError>;

/// A body as it leaves the decompression.
type Decompressed = DecompressionBody<UnsyncBoxBody<Bytes, hyper::Error>>;

/// Builds the transport of a cluster. Runs the credential plugin, if there is one, so it may block.
pub(super) fn transport(config: &Config, meter: &Arc<Meter>) -> Result<Transport, kube::Error> {
    let auth = config.auth_layer()?;
    // A plugin that gave a token has no certificate to give: TLS would run it once more to find out.
    let mut config = config.clone();
    if auth.is_some() {
        config.auth_info.exec = None;
    }
    connect(&config, auth, meter)
}

fn connect(config: &Config, auth: Option<AuthLayer>, meter: &Arc<Meter>) -> Result<Transport, kube::Error> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    #[cfg(target_os = "linux")]
    tcp.set_tcp_user_timeout(Some(DELIVERED_WITHIN));
    let tcp = tower::ServiceExt::<Uri>::map_response(tcp, read_ahead);
    let Some(url) = &config.proxy_url else {
        return stack(config, auth, meter, tcp);
    };
    // A matcher that always matches: it parses credentials out of the proxy's URL.
    let proxy = Matcher::builder()
        .all(url.to_string())
        .build()
        .intercept(&config.cluster_url);
    let unsupported = || kube::Error::ProxyProtocolUnsupported {
        proxy_url: Box::new(url.clone()),
    };
    let proxy = proxy.ok_or_else(unsupported)?;
    match url.scheme_str() {
        Some("http") => stack(config, auth, meter, tunnel(&proxy, tcp)),
        Some("https") => {
            let tls = config.rustls_https_connector_with_connector(tcp)?;
            stack(config, auth, meter, tunnel(&proxy, tls))
        }
        Some("socks5" | "socks5h") => {
            let mut socks = SocksV5::new(proxy.uri().clone(), tcp).local_dns(false);
            if let Some((user, password)) = proxy.raw_auth() {
                socks = socks.with_auth(user.to_owned(), password.to_owned());
            }
            stack(config, auth, meter, socks)
        }
        _ => Err(unsupported()),
    }
}

/// The environment's proxies, as kubectl and every other Go program reads them.
pub(super) struct Proxies {
    /// For servers at `http://`.
    pub http: String,
    /// For servers at `https://`.
    pub https: String,
    /// Hosts that are reached directly.
    pub no: String,
}

impl Proxies {
    /// Reads `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`, each also in lower case.
    pub(super) fn from_environment() -> Self {
        let variable = |name: &str| {
            let upper = std::env::var(name).ok().filter(|value| !value.is_empty());
            upper
                .or_else(|| std::env::var(name.to_ascii_lowercase()).ok())
                .unwrap_or_default()
        };
        Self {
            http: variable("HTTP_PROXY"),
            https: variable("HTTPS_PROXY"),
            no: variable("NO_PROXY"),
        }
    }

    /// The proxy for a server, if one is set. Nothing on this machine is reached through a proxy.
    pub(super) fn for_server(&self, server: &Uri) -> Option<Uri> {
        let host = server.host()?.trim_start_matches('[').trim_end_matches(']');
        if host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback()) {
            return None;
        }
        let matcher = Matcher::builder()
            .http(self.http.as_str())
            .https(self.https.as_str())
            .no(self.no.as_str())
            .build();
        matcher.intercept(server)?;
        // The matcher's own URL has lost the credentials and the default scheme is `http`.
        let raw = if server.scheme_str() == Some("http") {
            &self.http
        } else {
            &self.https
        };
        let url = if raw.contains("://") {
            raw.clone()
        } else {
            format!("http://{raw}")
        };
        url.parse().ok()
    }
}

fn tunnel<C>(proxy: &Intercept, connector: C) -> Tunnel<C> {
    let tunnel = Tunnel::new(proxy.uri().clone(), connector);
    match proxy.basic_auth() {
        Some(auth) => tunnel.with_auth(auth.clone()),
        None => tunnel,
    }
}

fn stack<C>(
    config: &Config,
    auth: Option<AuthLayer>,
    meter: &Arc<Meter>,
    connector: C,
) -> Result<Transport, kube::Error>
where
    C: Service<Uri> + Clone + Send + Sync + 'static,
    C::Response: Connection + hyper::rt::Read + hyper::rt::Write + Send + Unpin + 'static,
    C::Future: Send + 'static,
    C::Error: Into<BoxError> + Send + Sync + std::error::Error + 'static,
{
    let client = Versions::new(config, connector, meter)?;
    let within = silence(config.read_timeout.unwrap_or(READ_TIMEOUT));
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .layer(DecompressionLayer::new().gzip(!config.disable_compression))
        .layer(RetryLayer::new(Again::default()))
        .option_layer(auth)
        .layer_fn(|inner| Metered {
            inner,
            meter: Arc::clone(meter),
        })
        .layer_fn(|inner| Beginning { inner, within })
        .map_err(BoxError::from)
        .service(client);
    let inner = service.map_response_body(|body: Decompressed| body.map_err(BoxError::from).boxed_unsync());
    Ok(BoxCloneSyncService::new(Bounded { inner, within }))
}
