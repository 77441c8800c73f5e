//! The catalog that a cluster brings: one ConfigMap in the guard's namespace.

use super::{ObserveOptions, ask::Asker};
use crate::cluster::{client::Cluster, error::ClusterError};
use serde::Deserialize;
use shared::{catalog, names};

/// Text of the cluster's own catalog; `None` when it has none.
///
/// # Errors
/// When the cluster does not answer, does not allow it, or the ConfigMap has no catalog in it.
pub async fn catalog_text(cluster: &Cluster) -> Result<Option<String>, ClusterError> {
    let deadline = ObserveOptions::default().deadline;
    text(Asker { cluster, deadline }).await
}

pub(super) async fn text(asker: Asker<'_>) -> Result<Option<String>, ClusterError> {
    #[derive(Deserialize)]
    struct ConfigMap {
        #[serde(default)]
        data: Data,
    }
    #[derive(Default, Deserialize)]
    struct Data {
        #[serde(rename = "catalog.yaml")]
        catalog: Option<String>,
    }
    let what = "get the catalog's ConfigMap";
    let path = format!(
        "/api/v1/namespaces/{}/configmaps/{}",
        names::NAMESPACE,
        catalog::CONFIG_MAP
    );
    let Some(found) = asker.fields::<ConfigMap>(what, &path).await? else {
        return Ok(None);
    };
    found.data.catalog.map(Some).ok_or_else(|| ClusterError::Protocol {
        server: asker.cluster.server(),
        what: what.to_owned(),
        reason: format!(
            "ConfigMap {}/{} has no key {}",
            names::NAMESPACE,
            catalog::CONFIG_MAP,
            catalog::CONFIG_MAP_KEY
        ),
    })
}
