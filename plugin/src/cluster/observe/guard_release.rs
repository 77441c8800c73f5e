//! Of which release the guard is that stands in a cluster.

use super::ask::Asker;
use crate::cluster::{client::Cluster, error::ClusterError};
use serde::Deserialize;
use shared::names;
use std::{collections::BTreeMap, time::Duration};

/// The guard as far as it tells its release.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GuardRelease {
    /// The release of its policies; empty where they do not tell.
    pub release: String,
    /// The image of its webhook, where that runs in the cluster.
    pub webhook_image: Option<String>,
}

/// The release of the guard; `None` where there is none.
///
/// # Errors
/// When the cluster does not answer or does not allow it.
pub async fn guard_release(cluster: &Cluster, deadline: Duration) -> Result<Option<GuardRelease>, ClusterError> {
    #[derive(Deserialize)]
    struct Policy {
        metadata: Metadata,
    }
    #[derive(Deserialize)]
    struct Metadata {
        #[serde(default)]
        labels: BTreeMap<String, String>,
    }
    let asker = Asker { cluster, deadline };
    let policy = format!(
        "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/{}",
        names::OWN_OBJECTS_POLICY
    );
    let deployment = format!(
        "/apis/apps/v1/namespaces/{}/deployments/{}",
        names::NAMESPACE,
        names::WEBHOOK
    );
    let (policy, deployment) = futures::join!(
        asker.fields::<Policy>("get the guard's policy", &policy),
        asker.fields::<serde_json::Value>("get the webhook's Deployment", &deployment),
    );
    let Some(policy) = policy? else { return Ok(None) };
    // Only told beside the release; who may not read it learns the rest.
    let image = deployment.ok().flatten().and_then(|deployment| {
        let image = deployment.pointer("/spec/template/spec/containers/0/image")?;
        Some(image.as_str()?.to_owned())
    });
    let release = policy.metadata.labels.get(names::LABEL_VERSION);
    Ok(Some(GuardRelease {
        release: release.cloned().unwrap_or_default(),
        webhook_image: image,
    }))
}
