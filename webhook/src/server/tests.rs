//! The router as the API server meets it.

use super::*;
use crate::{metrics::Metrics, way_back::ways_back};
use axum::{
    body::{Body, Bytes},
    http::{Request, Response},
};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use shared::{
    api::{FreezeScope, MeshFreezeSpec},
    guard::{Facts, decide::Freeze},
};
use std::{
    io::{self, Write},
    sync::{Mutex, PoisonError},
};
use tokio::sync::watch;
use tower::ServiceExt as _;

pub(super) fn reviews(frozen: bool) -> Reviews {
    let freeze = Freeze {
        spec: MeshFreezeSpec {
            mesh: "default".to_owned(),
            upgrade: "default-1".to_owned(),
            home: None,
            from: "1.30.3".to_owned(),
            to: "1.31.0".to_owned(),
            holder: "alice".to_owned(),
            epoch: 3,
            since: serde_json::from_value(json!("2026-01-01T00:00:00Z")).unwrap(),
            scope: FreezeScope::default(),
            unlock: None,
        },
        phase: None,
    };
    let facts = Facts {
        freezes: if frozen { vec![freeze] } else { Vec::new() },
        ..Facts::default()
    };
    let (sender, facts) = watch::channel(Arc::new(facts));
    // The receiver keeps the last value without its sender.
    drop(sender);
    Reviews {
        facts,
        metrics: Arc::new(Metrics::default()),
        ways_back: ways_back().0,
        synced: Arc::new(AtomicBool::new(true)),
    }
}

pub(super) fn review() -> Value {
    json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
        "uid": "705ab4f5-6393-11e8-b7cc-42010a800002", "operation": "CREATE",
        "resource": {"group": "networking.istio.io", "version": "v1", "resource": "virtualservices"},
        "namespace": "shop", "name": "cart", "userInfo": {"username": "bob"},
        "object": {"metadata": {"name": "cart"}, "spec": {"password": "geheim"}}}})
}

async fn send(reviews: &Reviews, body: impl Into<Body>) -> (StatusCode, Bytes) {
    let request = Request::post(rules::PATH).body(body.into()).unwrap();
    let response: Response<Body> = router(reviews.clone()).oneshot(request).await.unwrap();
    let status = response.status();
    (status, response.into_body().collect().await.unwrap().to_bytes())
}

#[tokio::test]
async fn a_refusal_is_a_valid_review_with_code_reason_and_message() {
    let reviews = reviews(true);
    let (status, body) = send(&reviews, review().to_string()).await;
    assert_eq!(status, StatusCode::OK);
    let answer: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(answer["apiVersion"], "admission.k8s.io/v1");
    assert_eq!(answer["kind"], "AdmissionReview");
    let response = &answer["response"];
    assert_eq!(response["uid"], "705ab4f5-6393-11e8-b7cc-42010a800002");
    assert_eq!(response["allowed"], false);
    assert_eq!(response["status"]["code"], 403);
    assert_eq!(response["status"]["reason"], "Forbidden");
    assert!(
        response["status"]["message"]
            .as_str()
            .unwrap()
            .starts_with("MG001 mesh-frozen: mesh \"default\"")
    );
    assert_eq!(response["auditAnnotations"]["code"], "MG001");
    assert!(!body.windows(6).any(|window| window == b"geheim"));
    assert!(
        reviews
            .metrics
            .text()
            .contains("reviews_total{decision=\"deny\",code=\"MG001\"} 1")
    );
}

#[tokio::test]
async fn an_open_mesh_is_allowed() {
    let (status, body) = send(&reviews(false), review().to_string()).await;
    let answer: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((status, &answer["response"]["allowed"]), (StatusCode::OK, &json!(true)));
    assert_eq!(answer["response"].get("status"), None);
}

#[tokio::test]
async fn an_unreadable_version_is_a_warning() {
    let mut review = review();
    review["request"]["resource"] = json!({"group": "apps", "version": "v1", "resource": "deployments"});
    review["request"]["object"]["spec"] = json!({"template": {"metadata": {"labels": {"app": "istiod"}},
        "spec": {"containers": [{"name": "discovery", "image": "istio/pilot:latest"}]}}});
    let (_, body) = send(&reviews(false), review.to_string()).await;
    let answer: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(answer["response"]["allowed"], true);
    assert!(answer["response"]["warnings"][0].as_str().unwrap().starts_with("MG005"));
}

#[tokio::test]
async fn what_is_no_review_is_never_allowed() {
    let reviews = reviews(false);
    let mut other = review();
    other["kind"] = json!("Status");
    for body in [String::new(), "{".to_owned(), "null".to_owned(), other.to_string()] {
        let (status, answer) = send(&reviews, body.clone()).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
        assert!(!answer.windows(7).any(|window| window == b"allowed"), "{body}");
    }
    assert!(reviews.metrics.text().contains("decision=\"unreadable\",code=\"\"} 4"));
}

#[tokio::test]
async fn the_longest_review_passes_and_one_byte_more_does_not() {
    let mut padded = review().to_string();
    padded.extend(std::iter::repeat_n(' ', MAX_REVIEW - padded.len()));
    assert_eq!(send(&reviews(false), padded.clone()).await.0, StatusCode::OK);
    padded.push(' ');
    assert_eq!(send(&reviews(false), padded).await.0, StatusCode::PAYLOAD_TOO_LARGE);
}

/// Go's encoder writes `<` in six bytes, so that two objects of the API server's limit arrive six times as long.
#[tokio::test]
async fn two_objects_at_the_limit_whose_every_byte_is_escaped_are_judged() {
    let escaped = "\\u003c".repeat(3 << 20);
    let mut review = review();
    review["request"]["operation"] = json!("UPDATE");
    review["request"]["object"]["spec"] = json!({"note": "NEW"});
    review["request"]["oldObject"] = json!({"metadata": {"name": "cart"}, "spec": {"note": "OLD"}});
    let body = review.to_string();
    let body = body.replace("NEW", &escaped).replace("OLD", &escaped[6..]);
    assert!(body.len() > 36 << 20);
    let (status, answer) = send(&reviews(true), body).await;
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!(
        (status, &answer["response"]["allowed"]),
        (StatusCode::OK, &json!(false))
    );
}

/// With no facts everything would be allowed.
#[tokio::test]
async fn nothing_is_answered_before_the_caches_are_filled() {
    let reviews = reviews(true);
    reviews.synced.store(false, Ordering::Relaxed);
    let (status, answer) = send(&reviews, review().to_string()).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(!answer.windows(7).any(|window| window == b"allowed"));
    reviews.synced.store(true, Ordering::Relaxed);
    assert_eq!(send(&reviews, review().to_string()).await.0, StatusCode::OK);
}

/// The clock stands, since a build for tests takes seconds for so many bytes.
#[tokio::test(start_paused = true)]
async fn the_largest_review_is_answered() {
    let mut largest = review().to_string();
    largest.extend(std::iter::repeat_n(' ', MAX_REVIEW - largest.len()));
    assert_eq!(send(&reviews(true), largest.clone()).await.0, StatusCode::OK);
    largest.push(' ');
    assert_eq!(send(&reviews(true), largest).await.0, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn only_posts_to_the_one_path_are_answered() {
    for (method, path, expected) in [
        ("GET", rules::PATH, StatusCode::METHOD_NOT_ALLOWED),
        ("POST", "/", StatusCode::NOT_FOUND),
    ] {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        let response = router(reviews(false)).oneshot(request).await.unwrap();
        assert_eq!(response.status(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_ends_is_given_up_and_too_many_at_once_are_refused_fast() {
    let router = router(reviews(false));
    let silent = || {
        let body = Body::from_stream(futures::stream::pending::<Result<Bytes, std::io::Error>>());
        router.clone().oneshot(Request::post(rules::PATH).body(body).unwrap())
    };
    let held: Vec<_> = (0..MAX_CONCURRENT).map(|_| tokio::spawn(silent())).collect();
    // One turn of the scheduler does not reach all of them.
    for _ in 0..MAX_CONCURRENT {
        tokio::task::yield_now().await;
    }
    let request = Request::post(rules::PATH)
        .body(Body::from(review().to_string()))
        .unwrap();
    let before = tokio::time::Instant::now();
    let refused = router.clone().oneshot(request).await.unwrap();
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(before.elapsed(), Duration::ZERO);
    for one in held {
        assert_eq!(one.await.unwrap().unwrap().status(), StatusCode::REQUEST_TIMEOUT);
    }
}

/// What is logged, kept for looking at.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn every_denial_is_logged_with_its_reason_and_no_object_ever() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let mut release = review();
    release["request"]["resource"] = json!({"group": "", "version": "v1", "resource": "secrets"});
    release["request"]["object"] = json!({"metadata": {"name": "sh.helm.release.v1.istiod.v2", "namespace": "shop",
        "labels": {"owner": "helm", "name": "istiod"}, "annotations": {"note": "geheim"}},
        "type": "helm.sh/release.v1", "data": {"release": "Z2VoZWlt", "password": "geheim"}});
    // Texts where the rules expect objects: an error that quotes them would tell them.
    let mut torn = review();
    torn["request"]["object"] = json!("geheim");
    let mut twisted = review();
    twisted["request"]["object"]["metadata"] = json!("geheim");
    for body in [review(), release, torn, twisted] {
        send(&reviews(true), body.to_string()).await;
        send(&reviews(false), body.to_string()).await;
    }
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let denied = lines.iter().find(|line| line["fields"]["decision"] == "deny").unwrap();
    assert_eq!(denied["fields"]["code"], "MG001");
    assert!(
        denied["fields"]["reason"]
            .as_str()
            .unwrap()
            .contains("is being upgraded"),
        "{denied}"
    );
    assert!(!text.contains("geheim") && !text.contains("Z2VoZWlt"), "{text}");
}

#[tokio::test]
async fn decisions_and_their_durations_are_measured() {
    let reviews = reviews(true);
    send(&reviews, review().to_string()).await;
    let text = reviews.metrics.text();
    assert!(
        text.contains("mesh_upgrade_webhook_review_duration_seconds_count 1"),
        "{text}"
    );
    assert!(
        text.contains("reviews_total{decision=\"deny\",code=\"MG001\"} 1"),
        "{text}"
    );
}
