//! What a cluster says about others: clusters that its Mesh objects list, and kubeconfigs that its istiods were given.

use super::{AGAIN_AFTER, ObserveOptions, ask::Asker, catalog, guard, kubernetes_version, pages};
use crate::cluster::{client::Cluster, error::ClusterError, remote_secret};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures::future::join_all;
use k8s_openapi::api::apps::v1::Deployment;
use kube::{Api, api::ListParams};
use serde::Deserialize;
use shared::{inventory::MeshRecord, members::RemoteSecret, version::KubernetesVersion};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

/// Label that Istio's istiods look for; its slash and equals sign are escaped in a query.
const SELECTOR: &str = "labelSelector=istio%2FmultiCluster%3Dtrue";

/// Secret of an external control plane with the kubeconfig of the cluster that holds its configuration, and its key; as
/// `istioctl create-remote-secret --type=config` writes it and Istio's chart mounts it.
const CONFIGURATION: &str = "istio-kubeconfig";
const CONFIGURATION_KEY: &str = "config";
/// Annotation with the name of a Secret's cluster.
const CLUSTER_NAME: &str = "networking.istio.io/cluster";

/// What a cluster leads to.
#[derive(Default)]
pub(in crate::cluster) struct Leads {
    /// Its Mesh objects.
    pub meshes: Vec<MeshRecord>,
    /// What was read on the way and need not be asked again.
    pub known: Known,
    /// Kubeconfigs of its istiods.
    pub secrets: Vec<Lead>,
    /// Text of the catalog that it brings, where that was asked for and may be read.
    pub catalog: Option<String>,
    /// What could not be read, each in a sentence.
    pub unreadable: Vec<String>,
}

/// Answers that an observation of the same cluster needs as well.
#[derive(Clone, Default)]
pub(in crate::cluster) struct Known {
    pub kubernetes: Option<KubernetesVersion>,
    /// `None` where they may not be read.
    pub meshes: Option<Vec<MeshRecord>>,
}

/// One kubeconfig of a Secret. Not to be printed: it holds credentials.
pub(in crate::cluster) struct Lead {
    /// Where it stands and what it is called.
    pub secret: RemoteSecret,
    /// The kubeconfig as it stands there, not to be trusted.
    pub kubeconfig: Vec<u8>,
}

/// Reads what a cluster leads to, and the catalog that it brings if that counts.
///
/// # Errors
/// When the cluster cannot be reached, or does not know the caller. What is only forbidden is said in the result.
pub(in crate::cluster) async fn leads(cluster: &Cluster, options: &ObserveOptions) -> Result<Leads, ClusterError> {
    let deadline = options.deadline;
    let asker = Asker { cluster, deadline };
    let started = Instant::now();
    loop {
        match read(asker, options.own_catalog).await {
            // As in an observation: a server that has just started says so for a moment.
            Err(ClusterError::Api { code: 429 | 503, .. }) if started.elapsed() < deadline => {
                tokio::time::sleep(AGAIN_AFTER).await;
            }
            read => return read,
        }
    }
}

async fn read(asker: Asker<'_>, with_catalog: bool) -> Result<Leads, ClusterError> {
    let catalog = async {
        if with_catalog {
            // Why it cannot be read is told by whoever needs it.
            catalog::text(asker).await.unwrap_or_default()
        } else {
            None
        }
    };
    let (kubernetes, meshes, namespaces, catalog) = futures::join!(
        kubernetes_version(asker),
        guard::meshes(asker),
        namespaces(asker),
        catalog
    );
    let mut leads = Leads {
        catalog,
        ..Leads::default()
    };
    leads.known = Known {
        kubernetes: Some(kubernetes?),
        meshes: meshes.as_ref().ok().cloned(),
    };
    leads.meshes = told("Mesh objects", meshes, &mut leads.unreadable)?;
    let mut namespaces = told("control planes", namespaces, &mut leads.unreadable)?;
    namespaces.extend(leads.meshes.iter().map(|mesh| mesh.istio_namespace.clone()));
    // Only a Secret beside an istiod is one that istiod reads: elsewhere anybody may have made it, and so large that
    // nothing could be read for it.
    let beside_istiod = namespaces.iter().map(|namespace| secrets(asker, namespace));
    for secrets in join_all(beside_istiod).await {
        let secrets = told("kubeconfigs of remote clusters", secrets, &mut leads.unreadable)?;
        leads.secrets.extend(secrets.into_iter().flat_map(Secret::leads));
    }
    Ok(leads)
}

/// What was read, or nothing and why where only this was refused.
fn told<T: Default>(
    what: &str,
    read: Result<T, ClusterError>,
    unreadable: &mut Vec<String>,
) -> Result<T, ClusterError> {
    match read {
        Err(error @ ClusterError::Forbidden { .. }) => {
            unreadable.push(format!("{what}: {error}"));
            Ok(T::default())
        }
        read => read,
    }
}

async fn namespaces(asker: Asker<'_>) -> Result<BTreeSet<String>, ClusterError> {
    let deployments: Api<Deployment> = Api::all(asker.cluster.client.clone());
    let istiods = ListParams::default().labels("app=istiod");
    let found = asker.list_metadata("list Deployments", &deployments, &istiods).await?;
    Ok(found.items.iter().filter_map(kube::ResourceExt::namespace).collect())
}

async fn secrets(asker: Asker<'_>, namespace: &str) -> Result<Vec<Secret>, ClusterError> {
    let path = format!("/api/v1/namespaces/{namespace}/secrets?{SELECTOR}");
    let mut found = Vec::new();
    pages::each(asker, "list the Secrets of remote clusters", &path, |secret| {
        found.push(secret);
    })
    .await?;
    Ok(found)
}

#[derive(Deserialize)]
struct Secret {
    metadata: Metadata,
    #[serde(default)]
    data: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
    namespace: String,
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
}

impl Secret {
    /// Each key is a cluster's name, and its value a kubeconfig; but for the one Secret that leads istiod to its own
    /// configuration, which names the cluster in an annotation.
    fn leads(self) -> impl Iterator<Item = Lead> {
        let Metadata {
            name,
            namespace,
            annotations,
        } = self.metadata;
        let configured = annotations.and_then(|mut annotations| annotations.remove(CLUSTER_NAME));
        self.data.unwrap_or_default().into_iter().map(move |(key, kubeconfig)| {
            let configures = name == CONFIGURATION && key == CONFIGURATION_KEY;
            let cluster = configured.clone().filter(|_| configures).unwrap_or(key);
            // What is no base64 the API server would not have taken; were it so, the kubeconfig is unusable.
            let kubeconfig = STANDARD.decode(kubeconfig).unwrap_or_default();
            Lead {
                secret: RemoteSecret {
                    namespace: namespace.clone(),
                    name: name.clone(),
                    cluster,
                    server: remote_secret::server(&kubeconfig),
                    configures,
                },
                kubeconfig,
            }
        })
    }
}
