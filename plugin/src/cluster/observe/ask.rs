//! Asking one API server: every question with a deadline, and Secrets without the client library's logging.

use super::protobuf;
use crate::cluster::{bounds::Streamed, client::Cluster, error::ClusterError, http_versions::OwnConnection, lists};
use bytes::Bytes;
use http::{Request, Response, header, request};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use k8s_openapi::jiff::{Timestamp, fmt::rfc2822};
use kube::{
    Api, Resource,
    api::ListParams,
    client::Body,
    core::{ObjectList, PartialObjectMeta, Status},
};
use serde::de::DeserializeOwned;
use std::{fmt::Debug, future::Future, time::Duration};

/// Longest answer that is read whole: an object has at most some 1.5 MiB, base64 makes it a third longer. A page that is
/// longer is asked for in smaller ones, see [`super::pages`].
const MAX_ANSWER: usize = 8 << 20;
/// How objects are asked for that are walked on the wire.
pub(super) const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";
/// Longest refusal that is read.
const MAX_REFUSAL: usize = 64 << 10;

/// Asks one cluster, each question with the same deadline.
#[derive(Clone, Copy)]
pub(super) struct Asker<'a> {
    pub cluster: &'a Cluster,
    pub deadline: Duration,
}

impl Asker<'_> {
    /// The answer to one request; `what` completes "not allowed to …".
    pub(super) async fn ask<T>(
        self,
        what: &str,
        request: impl Future<Output = Result<T, kube::Error>>,
    ) -> Result<T, ClusterError> {
        match tokio::time::timeout(self.deadline, request).await {
            Ok(answer) => answer.map_err(|error| self.cluster.error(what, &error)),
            Err(_) => Err(self.late(what)),
        }
    }

    /// The answer to one request for something that may not be there.
    pub(super) async fn ask_optional<T>(
        self,
        what: &str,
        request: impl Future<Output = Result<T, kube::Error>>,
    ) -> Result<Option<T>, ClusterError> {
        there(self.ask(what, request).await)
    }

    /// The objects of a list.
    pub(super) async fn list<K>(
        self,
        what: &str,
        api: &Api<K>,
        params: &ListParams,
    ) -> Result<ObjectList<K>, ClusterError>
    where
        K: Resource + Clone + DeserializeOwned,
    {
        self.ask(what, lists::list(api, params)).await
    }

    /// The same with nothing but their metadata.
    pub(super) async fn list_metadata<K>(
        self,
        what: &str,
        api: &Api<K>,
        params: &ListParams,
    ) -> Result<ObjectList<PartialObjectMeta<K>>, ClusterError>
    where
        K: Resource<DynamicType = ()> + Clone + Debug,
    {
        self.ask(what, lists::list_metadata(api, params)).await
    }

    /// Reads only some fields of an object, or nothing when there is none. kube's own `get` would log the whole body
    /// where it cannot be parsed, and this body may be a Secret.
    pub(super) async fn fields<T: DeserializeOwned>(self, what: &str, path: &str) -> Result<Option<T>, ClusterError> {
        Ok(self.dated_fields(what, path).await?.map(|(fields, _)| fields))
    }

    /// The same with the moment of the answer by the server's own clock, where it tells one.
    pub(super) async fn dated_fields<T: DeserializeOwned>(
        self,
        what: &str,
        path: &str,
    ) -> Result<Option<(T, Option<Timestamp>)>, ClusterError> {
        match tokio::time::timeout(self.deadline, self.fetch(what, path)).await {
            Ok(answer) => answer,
            Err(_) => Err(self.late(what)),
        }
    }

    async fn fetch<T: DeserializeOwned>(
        self,
        what: &str,
        path: &str,
    ) -> Result<Option<(T, Option<Timestamp>)>, ClusterError> {
        let failed = |error: &kube::Error| self.cluster.error(what, error);
        let Some(response) = there(self.get(what, path, "application/json").await)? else {
            return Ok(None);
        };
        let date = response.headers().get(header::DATE).and_then(|date| date.to_str().ok());
        let date = date.and_then(|date| rfc2822::parse(date).ok().map(|date| date.timestamp()));
        let body = self.whole(what, response).await?;
        let parsed = serde_json::from_slice(&body);
        parsed
            .map(|fields| Some((fields, date)))
            .map_err(|error| failed(&kube::Error::SerdeError(error)))
    }

    /// An object whose content is compressed already, as the protobuf message that holds it as it is; nothing when there is
    /// none. In JSON it would be base64, and gzip would undo no more than that, at a price for both sides.
    pub(super) async fn packed(self, what: &str, path: &str) -> Result<Option<Bytes>, ClusterError> {
        let read = async {
            let request = Request::get(path).header(header::ACCEPT_ENCODING, "identity");
            match there(self.send(what, request, PROTOBUF).await)? {
                Some(response) => self.whole(what, response).await.map(Some),
                None => Ok(None),
            }
        };
        match tokio::time::timeout(self.deadline, read).await {
            Ok(answer) => answer,
            Err(_) => Err(self.late(what)),
        }
    }

    async fn whole(self, what: &str, response: Response<Body>) -> Result<Bytes, ClusterError> {
        let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await;
        let body = body.map_err(|error| {
            if error.is::<LengthLimitError>() {
                return ClusterError::TooLong {
                    server: self.cluster.server(),
                    what: what.to_owned(),
                    mib: MAX_ANSWER >> 20,
                };
            }
            self.cluster.error(what, &kube::Error::Service(error))
        })?;
        Ok(body.to_bytes())
    }

    /// The answer to a GET, whose body may still be arriving; a refusal is an error in the API server's words.
    pub(super) async fn get(
        self,
        what: &str,
        path: &str,
        accept: &'static str,
    ) -> Result<Response<Body>, ClusterError> {
        self.send(what, Request::get(path), accept).await
    }

    /// The same where the answer is tens of megabytes long.
    pub(super) async fn get_apart(
        self,
        what: &str,
        path: &str,
        accept: &'static str,
    ) -> Result<Response<Body>, ClusterError> {
        self.send(what, Request::get(path).extension(OwnConnection), accept)
            .await
    }

    async fn send(
        self,
        what: &str,
        request: request::Builder,
        accept: &'static str,
    ) -> Result<Response<Body>, ClusterError> {
        let failed = |error: &kube::Error| self.cluster.error(what, error);
        let request = request
            .header(header::ACCEPT, accept)
            .extension(Streamed)
            .body(Body::empty())
            .map_err(|error| failed(&kube::Error::HttpError(error)))?;
        let response = self
            .cluster
            .client
            .send(request)
            .await
            .map_err(|error| failed(&error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let body = Limited::new(response.into_body(), MAX_REFUSAL)
            .collect()
            .await
            .map_err(|error| failed(&kube::Error::Service(error)))?
            .to_bytes();
        let mut refusal = refusal(&body);
        refusal.code = status.as_u16();
        Err(failed(&kube::Error::Api(Box::new(refusal))))
    }

    pub(super) fn late(self, what: &str) -> ClusterError {
        ClusterError::Timeout {
            server: self.cluster.server(),
            what: what.to_owned(),
        }
    }
}

/// What was asked for, unless there is none.
fn there<T>(answer: Result<T, ClusterError>) -> Result<Option<T>, ClusterError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(ClusterError::Api { code: 404, .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A refusal, which is protobuf where that was asked for; a proxy in between may speak JSON nevertheless.
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
