//! What istiod's pods say themselves, asked through port-forwards at port 15014.

use super::{ask::Asker, version};
use crate::cluster::error::ClusterError;
use bytes::Bytes;
use futures::{
    FutureExt, StreamExt as _, TryStreamExt as _,
    future::BoxFuture,
    stream::{self, BoxStream},
};
use http::{Request, header};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, ResourceExt as _, api::ListParams};
use shared::connections::{self, Istiod};

/// Port at which istiod tells about itself.
const PORT: u16 = 15014;
/// A question to one istiod, and the longest answer.
struct Question {
    path: &'static str,
    longest: usize,
}

/// Some 60 bytes.
const VERSION: Question = Question {
    path: "/version",
    longest: 4 << 10,
};
/// Some hundred kilobytes in a large mesh.
const METRICS: Question = Question {
    path: "/metrics",
    longest: 16 << 20,
};
/// Pods that are asked at the same time: each question is a connection of its own through the API server.
const AT_ONCE: usize = 16;

/// A ready pod of istiod and the control plane it belongs to.
pub(super) struct IstiodPod {
    pub namespace: String,
    pub revision: String,
    pub name: String,
}

/// The ready pods of all control planes.
pub(super) async fn pods(asker: Asker<'_>) -> Result<Vec<IstiodPod>, ClusterError> {
    let api: Api<Pod> = Api::all(asker.cluster.client.clone());
    let selector = ListParams::default().labels("app=istiod");
    let found = asker.list("list the Pods of istiod", &api, &selector).await?;
    let ready = found.items.into_iter().filter(is_ready);
    Ok(ready
        .map(|pod| IstiodPod {
            namespace: pod.namespace().unwrap_or_default(),
            revision: super::workloads::revision(pod.labels()),
            name: pod.name_any(),
        })
        .collect())
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod
        .status
        .as_ref()
        .and_then(|status| status.conditions.as_deref())
        .unwrap_or_default();
    pod.metadata.deletion_timestamp.is_none()
        && conditions
            .iter()
            .any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// Versions that the pods of one control plane report, and what could not be asked.
pub(super) async fn versions(
    asker: Asker<'_>,
    pods: &[IstiodPod],
    namespace: &str,
    revision: &str,
) -> (Vec<String>, Vec<String>) {
    let own = pods
        .iter()
        .filter(|pod| pod.namespace == namespace && pod.revision == revision);
    let answers: Vec<_> = of_each(own, |pod| async move {
        let answer = told(asker, pod, &VERSION).await;
        let answer = answer.map(|body| version::reported(&body));
        answer.map_err(|reason| format!("version of pod {}/{}: {reason}", pod.namespace, pod.name))
    })
    .collect()
    .await;
    let mut versions = Vec::new();
    let mut failures = Vec::new();
    for answer in answers {
        match answer {
            Ok(version) => versions.push(version),
            Err(reason) => failures.push(reason),
        }
    }
    (versions, failures)
}

/// The answers of all pods, a few of them asked at a time.
fn of_each<'p, T: Send + 'p, F: Future<Output = T> + Send + 'p>(
    pods: impl Iterator<Item = &'p IstiodPod>,
    ask: impl FnMut(&'p IstiodPod) -> F,
) -> BoxStream<'p, T> {
    // Kept by themselves: with iterator and closure beside them, the compiler does not see that they may change threads.
    let asking: Vec<BoxFuture<'p, T>> = pods.map(ask).map(FutureExt::boxed).collect();
    stream::iter(asking).buffered(AT_ONCE).boxed()
}

/// What the istiods of some namespaces count, each by itself.
///
/// # Errors
/// When one does not answer, or another namespace's istiods are in the cluster: whose a pod's proxy is cannot be told then.
pub(super) async fn metrics(asker: Asker<'_>, namespaces: &[String]) -> Result<Vec<Istiod>, String> {
    let pods = pods(asker).await.map_err(|error| error.to_string())?;
    if let Some(other) = pods.iter().find(|pod| !namespaces.contains(&pod.namespace)) {
        return Err(format!(
            "cluster {} has another mesh's istiod in namespace {}, too",
            asker.cluster.name, other.namespace
        ));
    }
    counted(asker, pods.iter()).await
}

/// The same of the istiods of one revision.
///
/// # Errors
/// When one does not answer.
pub(super) async fn metrics_of(asker: Asker<'_>, namespace: &str, revision: &str) -> Result<Vec<Istiod>, String> {
    let pods = pods(asker).await.map_err(|error| error.to_string())?;
    let own = pods.iter();
    let own = own.filter(|pod| pod.namespace == namespace && pod.revision == revision);
    counted(asker, own).await
}

async fn counted<'p>(asker: Asker<'p>, pods: impl Iterator<Item = &'p IstiodPod>) -> Result<Vec<Istiod>, String> {
    let counted = of_each(pods, |pod| async move {
        let name = format!("{}/{}", pod.namespace, pod.name);
        let counted = told(asker, pod, &METRICS).await;
        let counted = counted.and_then(|body| connections::of_metrics(&name, &body));
        counted.map_err(|reason| format!("metrics of pod {}/{}: {reason}", pod.namespace, pod.name))
    });
    counted.try_collect().await
}

async fn told(asker: Asker<'_>, pod: &IstiodPod, question: &Question) -> Result<String, String> {
    match tokio::time::timeout(asker.deadline, forwarded(asker, pod, question)).await {
        Ok(answer) => answer,
        Err(_) => Err("it did not answer in time".to_owned()),
    }
}

async fn forwarded(asker: Asker<'_>, pod: &IstiodPod, question: &Question) -> Result<String, String> {
    let api: Api<Pod> = Api::namespaced(asker.cluster.client.clone(), &pod.namespace);
    let mut forward = api
        .portforward(&pod.name, &[PORT])
        .await
        .map_err(|error| asker.cluster.error("forward a port to istiod", &error).to_string())?;
    let stream = forward.take_stream(PORT).ok_or("the port-forward has no stream")?;
    let answer = get(stream, question).await;
    // Read only after the request has failed: raced against it, the kubelet's message is lost.
    let answer = match answer {
        Ok(body) => Ok(body),
        Err(error) => match forward.take_error(PORT) {
            Some(message) => Err(message.await.unwrap_or(error)),
            None => Err(error),
        },
    };
    forward.abort();
    answer
}

/// One request over the forwarded stream. Its end may never be seen, so the answer's own length counts.
async fn get<S>(stream: S, question: &Question) -> Result<String, String>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| error.to_string())?;
    let connection = tokio::spawn(connection);
    let request = Request::get(question.path)
        .header(header::HOST, "localhost")
        .header(header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|error| error.to_string())?;
    let answer = async {
        let response = sender.send_request(request).await.map_err(|error| error.to_string())?;
        let status = response.status();
        if !status.is_success() {
            return Err(format!("istiod answered {status}"));
        }
        let body = Limited::new(response.into_body(), question.longest)
            .collect()
            .await
            .map_err(|error| error.to_string())?;
        Ok(String::from_utf8_lossy(&body.to_bytes()).into_owned())
    }
    .await;
    connection.abort();
    answer
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    /// A pod that answers and then keeps the stream open, as a port-forward that never sees the end does.
    async fn answer(response: impl Into<String>) -> Result<String, String> {
        let (near, mut far) = tokio::io::duplex(64 << 10);
        let response = response.into();
        let pod = tokio::spawn(async move {
            let mut request = [0; 1024];
            let read = far.read(&mut request).await.unwrap();
            assert!(request[..read].starts_with(b"GET /version HTTP/1.1\r\n"));
            far.write_all(response.as_bytes()).await.unwrap();
            std::future::pending::<()>().await;
        });
        let answer = tokio::time::timeout(std::time::Duration::from_secs(2), get(near, &VERSION)).await;
        pod.abort();
        answer.expect("it must not wait for the end of the stream")
    }

    #[tokio::test]
    async fn every_istiod_is_asked_a_few_at_a_time() {
        let pods: Vec<IstiodPod> = (1..=AT_ONCE + 1)
            .map(|number| IstiodPod {
                namespace: "istio-system".to_owned(),
                revision: "default".to_owned(),
                name: format!("istiod-{number}"),
            })
            .collect();
        let (asked, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let answers: Vec<&str> = of_each(pods.iter(), |pod| {
            let (asked, most) = (&asked, &most);
            async move {
                most.fetch_max(asked.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
                tokio::task::yield_now().await;
                asked.fetch_sub(1, Ordering::Relaxed);
                pod.name.as_str()
            }
        })
        .collect()
        .await;
        assert_eq!(answers.len(), AT_ONCE + 1);
        assert_eq!(answers.last(), Some(&"istiod-17"));
        assert_eq!(most.into_inner(), AT_ONCE);
    }

    #[tokio::test]
    async fn an_answer_ends_by_its_length() {
        let body = answer("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n1.31.0-unknown-Clean").await;
        assert_eq!(body.as_deref(), Ok("1.31.0-unknown-Clean"));
    }

    #[tokio::test]
    async fn errors_and_floods_are_no_versions() {
        let error = answer("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
            .await
            .unwrap_err();
        assert!(error.contains("503"), "{error}");
        let flood = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n{}",
            "x".repeat(VERSION.longest + 1)
        );
        assert!(answer(flood).await.is_err());
        assert!(answer("nonsense\r\n\r\n").await.is_err());
    }
}
