//! A stand-in for a sidecar's agent: it speaks xDS to the real istiod as Envoy's ADS does, and registers its workload.
//! There is no Envoy in it; what istiod does for it and writes to the cluster is istiod's own.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures::{StreamExt as _, stream};
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

/// Of `envoy/service/discovery/v3/discovery.proto`, what is needed to ask.
#[derive(Clone, PartialEq, prost::Message)]
struct DiscoveryRequest {
    #[prost(message, optional, tag = "2")]
    node: Option<Node>,
    #[prost(string, tag = "4")]
    type_url: String,
}

/// Of the answer, what tells that it is one.
#[derive(Clone, PartialEq, prost::Message)]
struct DiscoveryResponse {
    #[prost(string, tag = "4")]
    type_url: String,
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
        };
        let port = cluster.istiod_port("secureGrpc")?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let connected = connect(port, root.ok()?.to_owned(), token.ok()?.trim().to_owned(), request);
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
async fn connect(port: u16, root: String, token: String, request: DiscoveryRequest) -> Result<()> {
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
    // Never ended by this side: a proxy asks once and listens.
    let mut asked = tonic::Request::new(stream::iter([request]).chain(stream::pending()));
    let bearer: MetadataValue<_> = format!("Bearer {token}").parse()?;
    asked.metadata_mut().insert("authorization", bearer);
    let codec = ProstCodec::<DiscoveryRequest, DiscoveryResponse>::default();
    let answer = grpc
        .streaming(asked, PathAndQuery::from_static(STREAM), codec)
        .await
        .context("open the stream")?;
    let mut answers = answer.into_inner();
    let first = answers.message().await.context("istiod refused the proxy")?;
    let kind = first.context("istiod ended the stream")?.type_url;
    ensure!(kind == CLUSTERS, "istiod answered with {kind}");
    tokio::spawn(async move { while let Ok(Some(_)) = answers.message().await {} });
    Ok(())
}
