//! Reviews that are none, through the router as the API server would send them: each gets an answer that the API server
//! takes for a failed call or for a refusal, and none is ever allowed.
#![expect(clippy::unwrap_used, reason = "a failed expectation in a test is the point")]

use std::sync::{Arc, atomic::AtomicBool};

use axum::{
    body::Body,
    http::{Request, StatusCode},
};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use shared::guard::{
    Facts,
    decide::Freeze,
    review::{self, MAX_REVIEW},
    rules,
};
use tokio::sync::watch;
use tower::ServiceExt as _;
use webhook::{Metrics, Reviews, router, ways_back};

const DEEP: usize = 200_000;

/// A webhook that knows of a frozen mesh.
fn reviews() -> Reviews {
    let spec = serde_json::from_value(json!({
        "mesh": "default", "upgrade": "default-1", "from": "1.30.3", "to": "1.31.0", "holder": "alice", "epoch": 3,
        "since": "2026-01-01T00:00:00Z", "scope": {},
    }))
    .unwrap();
    let facts = Facts {
        freezes: vec![Freeze { spec, phase: None }],
        ..Facts::default()
    };
    let (_, facts) = watch::channel(Arc::new(facts));
    Reviews {
        facts,
        metrics: Arc::new(Metrics::default()),
        ways_back: ways_back().0,
        synced: Arc::new(AtomicBool::new(true)),
    }
}

fn good() -> String {
    json!({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": {
        "uid": "705ab4f5", "operation": "UPDATE", "namespace": "shop", "name": "cart",
        "resource": {"group": "networking.istio.io", "version": "v1", "resource": "virtualservices"},
        "userInfo": {"username": "bob", "groups": ["system:masters"]},
        "object": {"metadata": {"name": "cart"}, "spec": {"hosts": ["new"]}},
        "oldObject": {"metadata": {"name": "cart"}, "spec": {"hosts": ["old"]}},
    }})
    .to_string()
}

async fn send(body: Vec<u8>) -> (StatusCode, Vec<u8>) {
    let request = Request::post(rules::PATH).body(Body::from(body)).unwrap();
    let response = router(reviews()).oneshot(request).await.unwrap();
    let status = response.status();
    (
        status,
        response.into_body().collect().await.unwrap().to_bytes().to_vec(),
    )
}

fn nested(open: &str, close: &str) -> String {
    format!("{}1{}", open.repeat(DEEP), close.repeat(DEEP))
}

fn with(from: &str, to: &str) -> Vec<u8> {
    let good = good();
    assert!(good.contains(from), "{from} in {good}");
    good.replacen(from, to, 1).into_bytes()
}

#[tokio::test]
async fn what_cannot_be_read_is_a_failed_call() {
    let mut not_text = good().into_bytes();
    let at = good().find("new").unwrap();
    not_text[at] = 0xff;
    let mut surrogate = not_text.clone();
    surrogate.splice(at..at + 3, [0xed, 0xa0, 0x80]);
    let spec = r#"{"hosts":["new"]}"#;
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("nothing", Vec::new()),
        ("space", vec![b' '; 1000]),
        ("a byte order mark", [b"\xef\xbb\xbf", good().as_bytes()].concat()),
        ("UTF-16", good().encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("a byte that is no UTF-8", not_text),
        ("a surrogate in UTF-8", surrogate),
        ("two reviews", good().repeat(2).into_bytes()),
        ("a list of reviews", format!("[{}]", good()).into_bytes()),
        ("another kind", with("\"AdmissionReview\"", "\"SubjectAccessReview\"")),
        (
            "another version",
            with("admission.k8s.io/v1", "admission.k8s.io/v1beta1"),
        ),
        ("an answer instead of a question", with("\"request\":", "\"response\":")),
        ("no uid", with("\"uid\":\"705ab4f5\"", "\"id\":\"705ab4f5\"")),
        ("an empty uid", with("705ab4f5", "")),
        ("a uid that is a number", with("\"705ab4f5\"", "7")),
        ("a uid that is null", with("\"705ab4f5\"", "null")),
        ("two uids", with("\"uid\":", "\"uid\":\"x\",\"uid\":")),
        (
            "two users",
            with("\"userInfo\":", "\"userInfo\":{\"username\":\"driver\"},\"userInfo\":"),
        ),
        (
            "two objects",
            with("\"object\":", "\"object\":{\"metadata\":{}},\"object\":"),
        ),
        ("two requests", with("\"request\":", "\"request\":null,\"request\":")),
        ("two kinds", with("\"kind\":", "\"kind\":\"AdmissionReview\",\"kind\":")),
        ("two specifications", with("\"spec\":", "\"spec\":{},\"spec\":")),
        ("an unknown operation", with("UPDATE", "CONNECT")),
        ("an operation in small letters", with("UPDATE", "update")),
        ("an unclosed deep object", with(spec, &"{\"a\":".repeat(DEEP))),
        (
            "a deep label",
            with(
                "\"metadata\":{\"name\":\"cart\"},\"spec\":{\"hosts\":[\"new\"]}",
                &format!(
                    "\"metadata\":{{\"labels\":{{\"owner\":{}}}}},\"spec\":{{}}",
                    nested("[", "]")
                ),
            ),
        ),
        ("a deep user", with("\"bob\"", &nested("{\"a\":", "}"))),
        ("deep without end", "[".repeat(MAX_REVIEW).into_bytes()),
        ("a control character in a string", with("cart", "ca\u{1}rt")),
        ("half an escape", with("bob", "\\u00")),
        ("a lone surrogate in an escape", with("bob", "\\ud800")),
    ];
    for (what, body) in cases {
        let shown = String::from_utf8_lossy(&body[..body.len().min(300)]).into_owned();
        let (status, answer) = send(body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{what}: {shown}");
        assert!(!answer.windows(7).any(|window| window == b"allowed"), "{what}");
        assert!(answer.len() < 500, "{what}: the answer is as long as {}", answer.len());
    }
}

#[tokio::test]
async fn every_truncation_is_a_failed_call() {
    let good = good();
    for end in 0..good.len() {
        assert_eq!(
            send(good.as_bytes()[..end].to_vec()).await.0,
            StatusCode::BAD_REQUEST,
            "at {end}"
        );
    }
}

#[tokio::test]
async fn what_is_only_strange_is_refused_by_the_freeze_as_ever() {
    let spec = r#"{"hosts":["new"]}"#;
    let huge = "x".repeat(MAX_REVIEW - good().len());
    let many: String = (0..100_000).map(|number| format!("\"{number}\":0,")).collect();
    for (what, body) in [
        ("deep lists", with(spec, &nested("[", "]"))),
        ("deep objects", with(spec, &nested("{\"a\":", "}"))),
        ("a string as long as a review may be", with("new", &huge)),
        (
            "a hundred thousand fields",
            with("\"hosts\":[\"new\"]", &format!("{many}\"z\":0")),
        ),
        (
            "a hundred thousand groups",
            with("\"system:masters\"", &format!("{}\"a\"", "\"a\",".repeat(100_000))),
        ),
        ("a number beyond all bounds", with("[\"new\"]", "1e99999")),
        (
            "space without end",
            good().replace(',', &format!(",{}", " ".repeat(100_000))).into_bytes(),
        ),
        (
            "unknown fields",
            with(
                "\"request\":",
                "\"response\":{\"allowed\":true,\"uid\":\"705ab4f5\"},\"request\":",
            ),
        ),
        (
            "another order of fields",
            format!("{{\"x\":0,{}", &good()[1..]).into_bytes(),
        ),
        ("an escaped key", with("\"username\"", "\"user\\u006eame\"")),
        ("a name as long as a book", with("cart", &"n".repeat(1_000_000))),
    ] {
        let (status, answer) = send(body).await;
        assert_eq!(status, StatusCode::OK, "{what}");
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        assert_eq!(answer["response"]["allowed"], false, "{what}");
        assert_eq!(answer["response"]["uid"], "705ab4f5", "{what}");
        assert_eq!(answer["response"]["auditAnnotations"]["code"], "MG001", "{what}");
        let message = answer["response"]["status"]["message"].as_str().unwrap();
        assert!(message.len() < 2000 && !message.contains('\n'), "{what}");
    }
}

#[tokio::test]
async fn one_byte_too_many_is_refused_unread() {
    let mut body = good();
    body.extend(std::iter::repeat_n(' ', MAX_REVIEW + 1 - body.len()));
    assert!(review::parse(body.as_bytes()).is_err());
    assert_eq!(send(body.into_bytes()).await.0, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn the_answer_carries_the_uid_that_was_asked_whatever_it_holds() {
    for uid in ["a\\\"b", "\\u0000", "é😀", "</script>", "x\\ny"] {
        let (status, answer) = send(with("705ab4f5", uid)).await;
        assert_eq!(status, StatusCode::OK, "{uid}");
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        let asked: String = serde_json::from_str(&format!("\"{uid}\"")).unwrap();
        assert_eq!(answer["response"]["uid"], Value::String(asked));
        assert_eq!(answer["kind"], "AdmissionReview");
        assert_eq!(answer["apiVersion"], "admission.k8s.io/v1");
    }
}
