//! Lists that are read as protobuf while they arrive.

use super::{
    ask::Asker,
    protobuf::{self, Broken, Fields},
};
use crate::cluster::error::ClusterError;
use http::{Request, header};
use http_body_util::{BodyExt as _, Limited};
use kube::{client::Body, core::Status};

/// Longest refusal that is read.
const MAX_REFUSAL: usize = 64 << 10;

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
        Err(_) => Err(ClusterError::Timeout {
            server: asker.cluster.server(),
            what: what.to_owned(),
        }),
    }
}

async fn fetch(asker: Asker<'_>, what: &str, path: &str, item: impl FnMut(Fields<'_>)) -> Result<(), ClusterError> {
    let failed = |error: &kube::Error| asker.cluster.error(what, error);
    let request = Request::get(path)
        .header(header::ACCEPT, "application/vnd.kubernetes.protobuf")
        .body(Body::empty())
        .map_err(|error| failed(&kube::Error::HttpError(error)))?;
    let response = asker
        .cluster
        .client
        .send(request)
        .await
        .map_err(|error| failed(&error))?;
    let status = response.status();
    if !status.is_success() {
        let body = Limited::new(response.into_body(), MAX_REFUSAL)
            .collect()
            .await
            .map_err(|error| failed(&kube::Error::Service(error)))?
            .to_bytes();
        let mut refusal = refusal(&body);
        refusal.code = status.as_u16();
        return Err(failed(&kube::Error::Api(Box::new(refusal))));
    }
    let items = response.into_body().into_data_stream();
    match protobuf::each_item(items, item).await {
        Ok(()) => Ok(()),
        Err(Broken::Transport(error)) => Err(failed(&kube::Error::Service(error))),
        Err(broken) => Err(ClusterError::Protocol {
            server: asker.cluster.server(),
            what: what.to_owned(),
            reason: broken.to_string(),
        }),
    }
}

/// A refusal, which is protobuf like the answer that was asked for; a proxy in between may speak JSON.
fn refusal(body: &[u8]) -> Status {
    const MESSAGE: u64 = 3;
    const REASON: u64 = 4;
    match protobuf::unwrapped(body) {
        Some(status) => Status {
            message: status.fields().text(MESSAGE).to_owned(),
            reason: status.fields().text(REASON).to_owned(),
            ..Status::default()
        },
        None => serde_json::from_slice(body).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::protobuf::tests::held, *};

    #[test]
    fn refusals_come_in_either_language() {
        let status = [held(2, "Failure"), held(3, "pods is forbidden"), held(4, "Forbidden")].concat();
        let message = [b"k8s\0".to_vec(), held(1, "v1"), held(2, status)].concat();
        assert_eq!(refusal(&message).message, "pods is forbidden");
        assert_eq!(refusal(br#"{"message":"no"}"#).message, "no");
        assert_eq!(refusal(b"<html>").message, "");
    }
}
