//! Lists that are read as protobuf while they arrive.

use super::{
    ask::{Asker, PROTOBUF},
    protobuf::{self, Broken, Extent, Fields},
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
    match first_page(asker, what, path, item).await? {
        Extent::Whole => Ok(()),
        // Only who asks for pages is given them.
        Extent::FirstPage => Err(broken(asker, what, &"it goes on with another page")),
    }
}

/// The same of a path with a limit: a list that has more than that is not handed out, and so told.
///
/// # Errors
/// When the page cannot be had in time, or is not whole.
pub(super) async fn first_page(
    asker: Asker<'_>,
    what: &str,
    path: &str,
    item: impl FnMut(Fields<'_>),
) -> Result<Extent, ClusterError> {
    match tokio::time::timeout(asker.deadline, fetch(asker, what, path, item)).await {
        Ok(read) => read,
        Err(_) => Err(asker.late(what)),
    }
}

async fn fetch(asker: Asker<'_>, what: &str, path: &str, item: impl FnMut(Fields<'_>)) -> Result<Extent, ClusterError> {
    let response = asker.get(what, path, PROTOBUF).await?;
    match protobuf::each_item(response.into_body().into_data_stream(), item).await {
        Ok(extent) => Ok(extent),
        Err(Broken::Transport(error)) => Err(asker.cluster.error(what, &kube::Error::Service(error))),
        Err(error) => Err(broken(asker, what, &error)),
    }
}

fn broken(asker: Asker<'_>, what: &str, reason: &impl ToString) -> ClusterError {
    ClusterError::Protocol {
        server: asker.cluster.server(),
        what: what.to_owned(),
        reason: reason.to_string(),
    }
}
