//! Asking one API server: every question with a deadline, and Secrets without the client library's logging.

use crate::cluster::{client::Cluster, error::ClusterError};
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use k8s_openapi::jiff::{Timestamp, fmt::rfc2822};
use kube::{client::Body, core::Status};
use serde::de::DeserializeOwned;
use std::{future::Future, time::Duration};

/// Longest answer that is read whole: an object has at most some 1.5 MiB, base64 makes it a third longer.
const MAX_ANSWER: usize = 8 << 20;

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
        match self.ask(what, request).await {
            Ok(answer) => Ok(Some(answer)),
            Err(ClusterError::Api { code: 404, .. }) => Ok(None),
            Err(error) => Err(error),
        }
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
        let request = Request::get(path)
            .body(Body::empty())
            .map_err(|error| failed(&kube::Error::HttpError(error)))?;
        let response = self
            .cluster
            .client
            .send(request)
            .await
            .map_err(|error| failed(&error))?;
        let status = response.status();
        let date = response.headers().get(header::DATE).and_then(|date| date.to_str().ok());
        let date = date.and_then(|date| rfc2822::parse(date).ok().map(|date| date.timestamp()));
        let body = Limited::new(response.into_body(), MAX_ANSWER)
            .collect()
            .await
            .map_err(|error| failed(&kube::Error::Service(error)))?
            .to_bytes();
        if status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        if status.is_success() {
            let parsed = serde_json::from_slice(&body);
            return parsed
                .map(|fields| Some((fields, date)))
                .map_err(|error| failed(&kube::Error::SerdeError(error)));
        }
        let mut refused: Status = serde_json::from_slice(&body).unwrap_or_default();
        refused.code = status.as_u16();
        Err(failed(&kube::Error::Api(Box::new(refused))))
    }

    fn late(self, what: &str) -> ClusterError {
        ClusterError::Timeout {
            server: self.cluster.server(),
            what: what.to_owned(),
        }
    }
}
