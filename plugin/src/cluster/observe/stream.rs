//! Lists that are read as protobuf while they arrive.

use super::{
    ask::{Asker, PROTOBUF},
    protobuf::{self, Broken, Extent, Fields},
};
use crate::cluster::error::ClusterError;
use http::Response;
use http_body_util::BodyExt as _;
use kube::client::Body;
use std::future::Future;

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
    whole(asker, what, first_page(asker, what, path, item).await?)
}

/// The same of a list of tens of megabytes, beside which others are read.
///
/// # Errors
/// When the list cannot be had in time, or is not whole.
pub(super) async fn each_apart(
    asker: Asker<'_>,
    what: &str,
    path: &str,
    item: impl FnMut(Fields<'_>),
) -> Result<(), ClusterError> {
    let response = asker.get_apart(what, path, PROTOBUF);
    whole(asker, what, read(asker, what, response, item).await?)
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
    read(asker, what, asker.get(what, path, PROTOBUF), item).await
}

async fn read(
    asker: Asker<'_>,
    what: &str,
    response: impl Future<Output = Result<Response<Body>, ClusterError>>,
    item: impl FnMut(Fields<'_>),
) -> Result<Extent, ClusterError> {
    let read = async {
        match protobuf::each_item(response.await?.into_body().into_data_stream(), item).await {
            Ok(extent) => Ok(extent),
            Err(Broken::Transport(error)) => Err(asker.cluster.error(what, &kube::Error::Service(error))),
            Err(error) => Err(broken(asker, what, &error)),
        }
    };
    match tokio::time::timeout(asker.deadline, read).await {
        Ok(read) => read,
        Err(_) => Err(asker.late(what)),
    }
}

/// Only who asks for pages is given them.
fn whole(asker: Asker<'_>, what: &str, extent: Extent) -> Result<(), ClusterError> {
    match extent {
        Extent::Whole => Ok(()),
        Extent::FirstPage => Err(broken(asker, what, &"it goes on with another page")),
    }
}

fn broken(asker: Asker<'_>, what: &str, reason: &impl ToString) -> ClusterError {
    ClusterError::Protocol {
        server: asker.cluster.server(),
        what: what.to_owned(),
        reason: reason.to_string(),
    }
}
