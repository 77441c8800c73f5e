//! HTTP/2 wherever the server speaks it, so that all questions to it share one connection; HTTP/1.1 for what upgrades a
//! connection, as port-forwards do, which HTTP/2 as API servers speak it does not know, and for answers of tens of megabytes,
//! which cost an API server a quarter more where they are cut into frames.

use super::stats::Meter;
use futures::future::{Either, select};
use http::{Request, Response, Uri, header};
use hyper::body::Incoming;
use hyper_rustls::{FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder};
use hyper_timeout::TimeoutConnector;
use hyper_util::{
    client::legacy::{
        Client, Error,
        connect::{Connected, Connection, capture_connection},
    },
    rt::{TokioExecutor, TokioTimer},
};
use kube::{
    Config,
    client::{Body, ConfigExt as _, RustlsTlsError},
};
use rustls::ClientConfig;
use std::{
    future::Future,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{sync::Semaphore, time::timeout};
use tower::{BoxError, Service};

/// How long other requests wait for the first connection: a server that is slow, or not there, is not waited for twice.
const HEAD_START: Duration = Duration::from_secs(1);

/// A connection on which requests wait is tried after so long without a word from the server. One that dies without a sign
/// would else not be noticed while anything is written to it, which the renewal of a Lease does all the time; both times
/// together are shorter than a Lease stands still before its holder counts as gone.
const PING_AFTER: Duration = Duration::from_secs(5);
/// How long the server has for the answer.
const PONG_WITHIN: Duration = Duration::from_secs(5);

/// Marks a request whose answer is so long that a connection of its own is worth the handshake.
#[derive(Clone, Copy)]
pub(super) struct OwnConnection;

/// The two ways to one server. Clones share connections.
#[derive(Clone)]
pub(super) struct Versions<C> {
    newest: Client<TimeoutConnector<HttpsConnector<C>>, Body>,
    /// HTTP/1.1, a connection for each request that runs.
    own: Client<TimeoutConnector<HttpsConnector<C>>, Body>,
    /// Held by the request that opens the first connection, and closed when that stands or could not be had. Whether the
    /// server speaks HTTP/2 is known only then: requests that did not wait would each have opened one of their own.
    opening: Arc<Semaphore>,
    meter: Arc<Meter>,
}

impl<C> Versions<C>
where
    C: Service<Uri> + Clone + Send + Sync + 'static,
    C::Response: Connection + hyper::rt::Read + hyper::rt::Write + Send + Unpin + 'static,
    C::Future: Send + 'static,
    C::Error: Into<BoxError>,
{
    /// Over `connector`, with TLS and the timeouts of the configuration.
    pub(super) fn new(config: &Config, connector: C, meter: &Arc<Meter>) -> Result<Self, kube::Error> {
        let tls = config.rustls_client_config()?;
        Ok(Self {
            newest: client(config, tls.clone(), true, connector.clone())?,
            own: client(config, tls, false, connector)?,
            opening: Arc::new(Semaphore::new(1)),
            meter: Arc::clone(meter),
        })
    }

    /// Sends a request over the newest version. The first opens the connection, alone.
    async fn send(self, mut request: Request<Body>) -> Result<Response<Incoming>, Error> {
        let Ok(Ok(_alone)) = timeout(HEAD_START, self.opening.acquire()).await else {
            return self.newest.request(request).await;
        };
        let mut connection = capture_connection(&mut request);
        let stands = pin!(async move {
            let connection = connection.wait_for_connection_metadata().await;
            connection.as_ref().is_some_and(Connected::is_negotiated_h2)
        });
        match select(stands, self.newest.request(request)).await {
            Either::Left((shared, answer)) => {
                if shared {
                    self.meter.shares_a_connection();
                }
                self.opening.close();
                answer.await
            }
            Either::Right((answer, _)) => {
                self.opening.close();
                answer
            }
        }
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
    let mut client = Client::builder(TokioExecutor::new());
    client.timer(TokioTimer::new());
    client
        .http2_keep_alive_interval(PING_AFTER)
        .http2_keep_alive_timeout(PONG_WITHIN);
    Ok(client.build(connector))
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
    type Response = Response<Incoming>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Incoming>, Error>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let own = request.extensions().get::<OwnConnection>().is_some();
        if own || request.headers().contains_key(header::UPGRADE) {
            Box::pin(self.own.request(request))
        } else {
            Box::pin(self.clone().send(request))
        }
    }
}
