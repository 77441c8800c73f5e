//! What is asked of a server that answers by path.

use super::{super::observe::leads, TOKEN, at, serve};
use serde_json::{Value, json};
use std::{
    io::{Read as _, Write as _},
    sync::mpsc,
    time::Duration,
};

/// A server that answers each path and query with what `answer` makes of it, `None` for "not found", and tells of it.
pub(super) fn answering(answer: impl Fn(&str) -> Option<Vec<u8>> + Send + 'static) -> (u16, mpsc::Receiver<String>) {
    let (sender, asked) = mpsc::channel();
    let port = serve(move |mut stream| {
        let mut request = [0; 4096];
        let read = stream.read(&mut request).unwrap();
        let request = String::from_utf8_lossy(&request[..read]).into_owned();
        let Some(path) = request.split(' ').nth(1) else {
            return;
        };
        sender.send(path.to_owned()).ok();
        let (status, body) = match answer(path) {
            Some(body) => ("200 OK", body),
            None => ("404 Not Found", br#"{"kind":"Status","code":404}"#.to_vec()),
        };
        let length = body.len();
        write!(
            stream,
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
        )
        .ok();
        // Whoever has read enough hangs up.
        stream.write_all(&body).ok();
    });
    (port, asked)
}

pub(super) fn version() -> Value {
    json!({"major": "1", "minor": "36", "gitVersion": "v1.36.3", "gitCommit": "", "gitTreeState": "", "buildDate": "",
        "goVersion": "", "compiler": "", "platform": ""})
}

#[tokio::test]
async fn kubeconfigs_are_read_beside_istiod_alone_and_in_pages_that_fit() {
    let (port, asked) = answering(|path| {
        let (resource, query) = path.split_once('?').unwrap_or((path, ""));
        let answer = match resource {
            "/version" => version(),
            "/apis/apps/v1/deployments" => json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadataList",
                "metadata": {}, "items": [{"metadata": {"name": "istiod", "namespace": "istio-system"}}]}),
            // What any tenant may have made, and a page with large ones.
            "/api/v1/secrets" => return Some(vec![b' '; 9 << 20]),
            "/api/v1/namespaces/istio-system/secrets" if query.contains("limit=250") => {
                return Some(vec![b' '; 9 << 20]);
            }
            "/api/v1/namespaces/istio-system/secrets" => json!({"metadata": {}, "items": [
                {"metadata": {"name": "istio-remote-secret-west", "namespace": "istio-system"},
                    "data": {"west": TOKEN}}]}),
            _ => return None,
        };
        Some(answer.to_string().into_bytes())
    });
    let cluster = at(&format!("http://127.0.0.1:{port}")).await;
    let found = leads(&cluster, Duration::from_secs(20)).await.unwrap();
    assert_eq!(found.secrets.len(), 1);
    assert_eq!(found.secrets[0].secret.cluster, "west");
    assert!(found.unreadable.is_empty(), "{:?}", found.unreadable);
    let secrets: Vec<String> = asked.try_iter().filter(|path| path.contains("secrets")).collect();
    assert_eq!(secrets.len(), 2, "{secrets:?}");
    assert!(
        secrets
            .iter()
            .all(|path| path.starts_with("/api/v1/namespaces/istio-system/"))
    );
}
