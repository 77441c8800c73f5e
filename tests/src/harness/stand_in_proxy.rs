//! A stand-in for a sidecar's agent: it speaks xDS to the real istiod as Envoy's ADS does, and registers its workload.
//! There is no Envoy in it; what istiod does for it and writes to the cluster is istiod's own.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures::channel::mpsc::unbounded;
use http::uri::PathAndQuery;
use prost_types::{Struct, Value, value::Kind};
use tokio::runtime::Runtime;
use tonic::{
    client::Grpc,
    metadata::MetadataValue,
    transport::{Certificate, Channel, ClientTlsConfig},
};
use tonic_prost::ProstCodec;

use super::cluster::Cluster;

const DEADLINE: Duration = Duration::from_secs(30);
/// `envoy/service/discovery/v3/ads.proto`.
const STREAM: &str = "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources";
/// What every proxy asks for first.
const CLUSTERS: &str = "type.googleapis.com/envoy.config.cluster.v3.Cluster";
/// And next.
const LISTENERS: &str = "type.googleapis.com/envoy.config.listener.v3.Listener";
/// `INVALID_ARGUMENT` of `google/rpc/code.proto`.
const INVALID_ARGUMENT: i32 = 3;

/// Of `envoy/service/discovery/v3/discovery.proto`, what is needed to ask.
#[derive(Clone, PartialEq, prost::Message)]
struct DiscoveryRequest {
    #[prost(message, optional, tag = "2")]
    node: Option<Node>,
    #[prost(string, tag = "4")]
    type_url: String,
    /// Of the answer that this is about.
    #[prost(string, tag = "5")]
    response_nonce: String,
    /// Why that answer is not taken.
    #[prost(message, optional, tag = "6")]
    error_detail: Option<Status>,
}

/// Of `google/rpc/status.proto`.
#[derive(Clone, PartialEq, prost::Message)]
struct Status {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

/// Of the answer, what tells that it is one, and which.
#[derive(Clone, PartialEq, prost::Message)]
struct DiscoveryResponse {
    #[prost(string, tag = "4")]
    type_url: String,
    #[prost(string, tag = "5")]
    nonce: String,
}

/// Of `envoy/config/core/v3/base.proto`.
#[derive(Clone, PartialEq, prost::Message)]
struct Node {
    #[prost(string, tag = "1")]
    id: String,
    #[prost(message, optional, tag = "3")]
    metadata: Option<Struct>,
}

/// A connected proxy; it disconnects when this value goes.
#[derive(Debug)]
pub struct StandInProxy {
    // The connection lives in it.
    _runtime: Runtime,
}

impl StandInProxy {
    /// Connects as a virtual machine of this WorkloadGroup, with a token of the namespace's service account `default`,
    /// and waits until istiod answers.
    ///
    /// # Errors
    /// When istiod refuses it or does not answer in time.
    pub fn of_workload_group(cluster: &Cluster, namespace: &str, group: &str, address: &str) -> Result<Self> {
        Self::connected(cluster, namespace, group, address, false)
    }

    /// The same of one that does not take what istiod sends first, and waits until istiod has read that.
    ///
    /// # Errors
    /// As above.
    pub fn rejecting(cluster: &Cluster, namespace: &str, group: &str, address: &str) -> Result<Self> {
        Self::connected(cluster, namespace, group, address, true)
    }

    fn connected(cluster: &Cluster, namespace: &str, group: &str, address: &str, rejects: bool) -> Result<Self> {
        let inside = format!("--namespace={namespace}");
        let token = cluster.kubectl(&["create", "token", "default", &inside, "--audience=istio-ca"])?;
        let root = "--output=jsonpath={.data.root-cert\\.pem}";
        let root = cluster.kubectl(&["get", "configmap", "istio-ca-root-cert", &inside, root])?;
        let metadata = [
            ("AUTO_REGISTER_GROUP", group),
            ("CLUSTER_ID", "Kubernetes"),
            ("NAMESPACE", namespace),
            ("SERVICE_ACCOUNT", "default"),
        ];
        let request = DiscoveryRequest {
            node: Some(Node {
                id: format!("sidecar~{address}~{group}.{namespace}~{namespace}.svc.cluster.local"),
                metadata: Some(texts(&metadata)),
            }),
            type_url: CLUSTERS.to_owned(),
            ..DiscoveryRequest::default()
        };
        let port = cluster.istiod_port("secureGrpc")?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let connected = connect(
            port,
            root.ok()?.to_owned(),
            token.ok()?.trim().to_owned(),
            request,
            rejects,
        );
        runtime
            .block_on(async { tokio::time::timeout(DEADLINE, connected).await })
            .context("istiod did not answer the proxy in time")??;
        Ok(Self { _runtime: runtime })
    }
}

fn texts(fields: &[(&str, &str)]) -> Struct {
    let text = |value: &str| Value {
        kind: Some(Kind::StringValue(value.to_owned())),
    };
    Struct {
        fields: fields
            .iter()
            .map(|(key, value)| ((*key).to_owned(), text(value)))
            .collect(),
    }
}

/// Opens the stream, waits for the first answer, and leaves the rest to a task that reads on.
async fn connect(port: u16, root: String, token: String, request: DiscoveryRequest, rejects: bool) -> Result<()> {
    let tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(root))
        .domain_name("istiod.istio-system.svc");
    let channel = Channel::from_shared(format!("https://localhost:{port}"))?
        .tls_config(tls)?
        .connect()
        .await
        .context("connect to istiod")?;
    let mut grpc = Grpc::new(channel);
    grpc.ready().await?;
    // Never ended by this side: a proxy asks and listens.
    let (asks, asking) = unbounded();
    asks.unbounded_send(request)?;
    let mut asked = tonic::Request::new(asking);
    let bearer: MetadataValue<_> = format!("Bearer {token}").parse()?;
    asked.metadata_mut().insert("authorization", bearer);
    let codec = ProstCodec::<DiscoveryRequest, DiscoveryResponse>::default();
    let answer = grpc
        .streaming(asked, PathAndQuery::from_static(STREAM), codec)
        .await
        .context("open the stream")?;
    let mut answers = answer.into_inner();
    let first = answers.message().await.context("istiod refused the proxy")?;
    let first = first.context("istiod ended the stream")?;
    ensure!(first.type_url == CLUSTERS, "istiod answered with {}", first.type_url);
    if rejects {
        asks.unbounded_send(DiscoveryRequest {
            type_url: CLUSTERS.to_owned(),
            response_nonce: first.nonce,
            error_detail: Some(Status {
                code: INVALID_ARGUMENT,
                message: "a stand-in takes no clusters".to_owned(),
            }),
            ..DiscoveryRequest::default()
        })?;
        asks.unbounded_send(DiscoveryRequest {
            type_url: LISTENERS.to_owned(),
            ..DiscoveryRequest::default()
        })?;
        // One stream's requests are read one after the other.
        while answers.message().await?.context("istiod ended the stream")?.type_url != LISTENERS {}
    }
    tokio::spawn(async move {
        let _asks = asks;
        while let Ok(Some(_)) = answers.message().await {}
    });
    Ok(())
}
