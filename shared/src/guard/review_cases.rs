//! Reviews as they come and as they must not.

use super::{
    matching::is_unchanged,
    review::{MAX_REVIEW, ReviewError, Str, parse},
    table::Operation,
};
use std::borrow::Cow;

const GOOD: &str = r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{
    "uid":"705ab4f5","kind":{"group":"","version":"v1","kind":"ConfigMap"},
    "resource":{"group":"","version":"v1","resource":"configmaps"},"name":"istio","namespace":"istio-system",
    "operation":"UPDATE","userInfo":{"username":"a\"b","groups":["x"],"extra":{"meshupgrade.io/epoch":["7"]}},
    "object":{"metadata":{"name":"istio","annotations":{"meta.helm.sh/release-name":"istiod"}},"data":{"a":"b"}},
    "oldObject":{"metadata":{"name":"istio"}},"dryRun":true,"options":null}}"#;

#[test]
fn reads_what_the_rules_need() {
    let request = parse(GOOD.as_bytes()).unwrap();
    assert_eq!(&*request.uid, "705ab4f5");
    assert_eq!(&*request.username, "a\"b");
    assert_eq!(request.epochs, [Str(Cow::Borrowed("7"))]);
    assert!(request.dry_run && request.probes.is_empty() && request.subresource.is_empty());
    assert_eq!(request.operation, Operation::Update);
    assert_eq!(request.object_name(), "istio");
    let annotations = request.object.as_ref().unwrap().metadata.annotations.as_ref().unwrap();
    assert_eq!(annotations.release_name.as_deref(), Some("istiod"));
    assert_eq!(request.object.as_ref().unwrap().data.unwrap().get(), r#"{"a":"b"}"#);
}

/// As long as a review may be: compared one with another, they would keep the webhook busy for minutes.
#[test]
fn half_a_million_finalizers_are_judged_at_once() {
    let finalizers = |numbers: &mut dyn Iterator<Item = u32>| -> String {
        let quoted: Vec<String> = numbers.map(|number| format!("\"{number:x}\"")).collect();
        format!("\"finalizers\":[{}]}}", quoted.join(","))
    };
    let most = 400_000;
    let review = GOOD
        .replacen("\"metadata\":{\"name\":\"istio\",\"annotations\":{\"meta.helm.sh/release-name\":\"istiod\"}},\"data\":{\"a\":\"b\"}}",
            &format!("\"metadata\":{{\"name\":\"istio\",{}}}", finalizers(&mut (0..most))), 1)
        .replacen("\"metadata\":{\"name\":\"istio\"}",
            &format!("\"metadata\":{{\"name\":\"istio\",{}", finalizers(&mut (0..most).rev())), 1);
    assert!(review.len() < MAX_REVIEW, "{}", review.len());
    let request = parse(review.as_bytes()).unwrap();
    assert!(is_unchanged(&request));
}

#[test]
fn strings_without_escapes_are_borrowed() {
    let request = parse(GOOD.as_bytes()).unwrap();
    assert!(matches!(request.namespace.0, Cow::Borrowed(_)));
    assert!(matches!(request.epochs[0].0, Cow::Borrowed(_)));
    assert!(matches!(request.username.0, Cow::Owned(_)));
}

#[test]
fn every_truncation_is_refused() {
    for end in 0..GOOD.len() {
        assert!(parse(&GOOD.as_bytes()[..end]).is_err(), "at {end}");
    }
}

#[test]
fn wrong_input_is_refused() {
    for (what, from, to) in [
        ("another kind", "AdmissionReview", "SubjectAccessReview"),
        ("another version", "admission.k8s.io/v1", "admission.k8s.io/v1beta1"),
        ("an unknown operation", "\"UPDATE\"", "\"CONNECT\""),
        ("a small letter", "\"UPDATE\"", "\"update\""),
        ("two users", "\"dryRun\":true", "\"userInfo\":{\"username\":\"driver\"}"),
        ("two operations", "\"dryRun\":true", "\"operation\":\"DELETE\""),
        ("two objects", "\"dryRun\":true", "\"object\":{\"metadata\":{}}"),
        ("two epochs", "[\"7\"]", "[\"6\"],\"meshupgrade.io/epoch\":[\"7\"]"),
        (
            "two names",
            "\"metadata\":{\"name\":\"istio\"}",
            "\"metadata\":{\"name\":\"a\",\"name\":\"istio\"}",
        ),
        ("a lone surrogate", "a\\\"b", "\\ud800"),
        ("an epoch that is no list", "[\"7\"]", "\"7\""),
        ("an epoch that is a number", "[\"7\"]", "[7]"),
        ("no uid", "\"705ab4f5\"", "\"\""),
        (
            "an update without its old object",
            "\"oldObject\":{\"metadata\":{\"name\":\"istio\"}},",
            "",
        ),
        (
            "an object that is null",
            "\"oldObject\":{\"metadata\":{\"name\":\"istio\"}}",
            "\"oldObject\":null",
        ),
        (
            "an object that is a list",
            "\"oldObject\":{\"metadata\":{\"name\":\"istio\"}}",
            "\"oldObject\":[]",
        ),
        (
            "an object without metadata",
            "\"oldObject\":{\"metadata\":{\"name\":\"istio\"}}",
            "\"oldObject\":{}",
        ),
        (
            "a name that is a number",
            "\"metadata\":{\"name\":\"istio\"}",
            "\"metadata\":{\"name\":1}",
        ),
        ("no request", "\"request\"", "\"response\""),
    ] {
        assert!(GOOD.contains(from), "{what}");
        let body = GOOD.replacen(from, to, 1);
        assert!(parse(body.as_bytes()).is_err(), "{what}: {body}");
    }
    assert!(parse(format!("{GOOD}x").as_bytes()).is_err(), "trailing bytes");
    assert!(parse(b"").is_err());
    assert!(parse(b"null").is_err());
    assert!(parse(b"[]").is_err());
    assert!(matches!(parse(&vec![b' '; MAX_REVIEW + 1]), Err(ReviewError::TooLong)));
}

#[test]
fn bytes_that_are_not_utf8_are_refused_even_where_nothing_is_read() {
    let mut body = GOOD.as_bytes().to_vec();
    let at = GOOD.find("\"a\":\"b\"").unwrap();
    body[at + 1] = 0xff;
    assert!(matches!(parse(&body), Err(ReviewError::NotUtf8(_))));
}

#[test]
fn deep_nesting_in_what_is_skipped_needs_no_stack() {
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    let body = GOOD.replacen("{\"a\":\"b\"}", &deep, 1);
    assert!(parse(body.as_bytes()).is_ok());
    let in_kept = GOOD.replacen("[\"7\"]", &deep, 1);
    assert!(parse(in_kept.as_bytes()).is_err());
}

#[test]
fn a_deleted_collection_is_named_by_its_objects() {
    let body = GOOD
        .replacen("\"name\":\"istio\",\"namespace\"", "\"name\":\"\",\"namespace\"", 1)
        .replacen("\"UPDATE\"", "\"DELETE\"", 1)
        .replacen("\"object\":", "\"ignored\":", 1);
    assert_eq!(parse(body.as_bytes()).unwrap().object_name(), "istio");
}
