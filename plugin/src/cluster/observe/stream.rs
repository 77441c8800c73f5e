//! Lists that are read as protobuf while they arrive.

use super::{
    ask::Asker,
    protobuf::{self, Broken, Fields},
};
use crate::cluster::error::ClusterError;
use http_body_util::BodyExt as _;

/// Hands each item of a list to `item` as it arrives; `what` completes "not allowed to …".
///
/// # Errors
/// When the list cannot be had in time, or is not whole.
pub(super) async fn each(
    asker: Asker<'_>,
    what: &str,
    path: &str,
    item: impl FnMut(Fields<'_>),
) -> Result<(), ClusterError> {
    match tokio::time::timeout(asker.deadline, fetch(asker, what, path, item)).await {
        Ok(read) => read,
        Err(_) => Err(asker.late(what)),
    }
}

async fn fetch(asker: Asker<'_>, what: &str, path: &str, item: impl FnMut(Fields<'_>)) -> Result<(), ClusterError> {
    let response = asker.get(what, path, "application/vnd.kubernetes.protobuf").await?;
    match protobuf::each_item(response.into_body().into_data_stream(), item).await {
        Ok(()) => Ok(()),
        Err(Broken::Transport(error)) => Err(asker.cluster.error(what, &kube::Error::Service(error))),
        Err(broken) => Err(ClusterError::Protocol {
            server: asker.cluster.server(),
            what: what.to_owned(),
            reason: broken.to_string(),
        }),
    }
}
