//! What is asked of a server that answers by path.

use super::{
    super::{ClusterFlags, ObserveOptions, observe::leads, observe_members},
    TOKEN, at, serve,
};
use serde_json::{Value, json};
use std::{
    io::{Read as _, Write as _},
    sync::mpsc,
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
    let found = leads(&cluster, &ObserveOptions::default()).await.unwrap();
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

const CATALOG: &str = r#"
extends: embedded
flavors:
  - sources:
      images: docker.io/istio
      charts: https://blob.istio.io/istio-release/charts
    releases:
      - minor: "1.31"
        newestPatch: 1.31.3
        released: 2026-08-31
        endOfLife: {date: 2027-04-30, kind: estimate}
        kubernetes: ["1.35", "1.36"]
"#;

#[tokio::test]
async fn what_the_clusters_own_catalog_names_is_looked_for_at_once() {
    for (text, own) in [(CATALOG, true), ("nonsense", false)] {
        let (port, asked) = answering(move |path| {
            let answer = match path.split('?').next() {
                Some("/version") => version(),
                Some("/api/v1/namespaces/mesh-upgrade-system/configmaps/mesh-upgrade-catalog") => {
                    json!({"data": {"catalog.yaml": text}})
                }
                _ => json!({"apiVersion": "v1", "kind": "List", "metadata": {"name": "kube-system", "uid": "1"},
                    "items": []}),
            };
            Some(answer.to_string().into_bytes())
        });
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config");
        let document = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "east",
            "clusters": [{"name": "c", "cluster": {"server": format!("http://127.0.0.1:{port}")}}],
            "users": [{"name": "u", "user": {"token": TOKEN}}],
            "contexts": [{"name": "east", "context": {"cluster": "c", "user": "u"}}],
        });
        std::fs::write(&path, document.to_string()).unwrap();
        let flags = ClusterFlags {
            kubeconfig: Some(path),
            ..ClusterFlags::default()
        };
        let options = ObserveOptions {
            own_catalog: true,
            ..ObserveOptions::default()
        };
        let members = observe_members(&flags, &[], &options).await.unwrap();
        let origin = members
            .catalog
            .map(|catalog| catalog.origin.clone())
            .unwrap_or_default();
        assert_eq!(
            origin.contains("ConfigMap mesh-upgrade-system/mesh-upgrade-catalog"),
            own,
            "{text}: {origin}"
        );
        let read = asked.try_iter().filter(|path| path.contains("mesh-upgrade-catalog"));
        assert_eq!(read.count(), 1);
    }
}
