//! HTTP/2 wherever the server speaks it, so that all questions to it share one connection; HTTP/1.1 for what upgrades a
//! connection, as port-forwards do, which HTTP/2 as API servers speak it does not know.

use http::{Request, Uri, header};
use hyper_rustls::{FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder};
use hyper_timeout::TimeoutConnector;
use hyper_util::{
    client::legacy::{Client, Error, ResponseFuture, connect::Connection},
    rt::TokioExecutor,
};
use kube::{
    Config,
    client::{Body, ConfigExt as _, RustlsTlsError},
};
use rustls::ClientConfig;
use std::task::{Context, Poll};
use tower::{BoxError, Service};

/// The two ways to one server. Clones share connections.
#[derive(Clone)]
pub(super) struct Versions<C> {
    newest: Client<TimeoutConnector<HttpsConnector<C>>, Body>,
    upgradable: Client<TimeoutConnector<HttpsConnector<C>>, Body>,
}

impl<C> Versions<C>
where
    C: Service<Uri> + Clone + Send + Sync + 'static,
    C::Response: Connection + hyper::rt::Read + hyper::rt::Write + Send + Unpin + 'static,
    C::Future: Send + 'static,
    C::Error: Into<BoxError>,
{
    /// Over `connector`, with TLS and the timeouts of the configuration.
    pub(super) fn new(config: &Config, connector: C) -> Result<Self, kube::Error> {
        let tls = config.rustls_client_config()?;
        Ok(Self {
            newest: client(config, tls.clone(), true, connector.clone())?,
            upgradable: client(config, tls, false, connector)?,
        })
    }
}

fn client<C>(
    config: &Config,
    tls: ClientConfig,
    newest: bool,
    connector: C,
) -> Result<Client<TimeoutConnector<HttpsConnector<C>>, Body>, kube::Error>
where
    C: Service<Uri> + Clone + Send + Sync + 'static,
    C::Response: Connection + hyper::rt::Read + hyper::rt::Write + Send + Unpin + 'static,
    C::Future: Send + 'static,
    C::Error: Into<BoxError>,
{
    let mut connector = TimeoutConnector::new(https(config, tls, newest, connector)?);
    connector.set_connect_timeout(config.connect_timeout);
    connector.set_read_timeout(config.read_timeout);
    connector.set_write_timeout(config.write_timeout);
    connector.set_reset_reader_on_write(config.reset_reader_on_write);
    Ok(Client::builder(TokioExecutor::new()).build(connector))
}

fn https<C>(config: &Config, tls: ClientConfig, newest: bool, connector: C) -> Result<HttpsConnector<C>, kube::Error> {
    let mut builder = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http();
    if let Some(name) = &config.tls_server_name {
        let name = name.clone().try_into();
        let name = name.map_err(|error| kube::Error::RustlsTls(RustlsTlsError::InvalidServerName(error)))?;
        builder = builder.with_server_name_resolver(FixedServerNameResolver::new(name));
    }
    Ok(if newest {
        builder.enable_all_versions().wrap_connector(connector)
    } else {
        builder.enable_http1().wrap_connector(connector)
    })
}

impl<C> Service<Request<Body>> for Versions<C>
where
    C: Service<Uri> + Clone + Send + Sync + 'static,
    C::Response: Connection + hyper::rt::Read + hyper::rt::Write + Send + Unpin + 'static,
    C::Future: Send + 'static,
    C::Error: Into<BoxError>,
{
    type Response = <Client<TimeoutConnector<HttpsConnector<C>>, Body> as Service<Request<Body>>>::Response;
    type Error = Error;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        if request.headers().contains_key(header::UPGRADE) {
            self.upgradable.request(request)
        } else {
            self.newest.request(request)
        }
    }
}
