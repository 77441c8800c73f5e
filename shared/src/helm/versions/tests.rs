//! Releases as charts and people make them, and as nobody should.

use super::*;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};
use std::io::Write as _;

fn stored(json: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(json).unwrap();
    STANDARD.encode(encoder.finish().unwrap()).into_bytes()
}

fn read_one(chart: &str, version: &str, values: &Value, config: &Value) -> Option<(String, VersionSource)> {
    let release = json!({"name": "x", "version": 1, "info": {"status": "deployed"}, "config": config,
        "chart": {"metadata": {"name": chart, "version": version, "appVersion": version}, "values": values}});
    let read = decode_versions(&stored(release.to_string().as_bytes())).unwrap()?;
    let version = read
        .version
        .map_or_else(|_| "unreadable".to_owned(), |version| version.to_string());
    Some((version, read.source))
}

#[test]
fn the_tag_that_runs_is_the_version() {
    use VersionSource::{Chart, Tag};
    let hidden = |tag: &str| json!({"_internal_defaults_do_not_set": {"tag": "", "global": {"tag": tag}}});
    let vendor = || json!({"_internal_defaults_do_not_set": {"tag": "1.31.1", "global": {"tag": "1.31.0"}}});
    for (what, chart, values, config, expected) in [
        (
            "the chart's default",
            "istiod",
            hidden("1.31.0"),
            json!({}),
            ("1.31.0", Tag),
        ),
        ("none at all", "istiod", json!({}), json!(null), ("1.31.0", Chart)),
        (
            "a global tag",
            "istiod",
            hidden("1.31.0"),
            json!({"global": {"tag": "1.33.0"}}),
            ("1.33.0", Tag),
        ),
        (
            "a tag",
            "cni",
            hidden("1.31.0"),
            json!({"tag": "1.30.3", "global": {"tag": "1.33.0"}}),
            ("1.30.3", Tag),
        ),
        (
            "a default of the chart",
            "cni",
            vendor(),
            json!({"global": {"tag": "1.33.0"}}),
            ("1.31.1", Tag),
        ),
        (
            "ztunnel's global tag",
            "ztunnel",
            vendor(),
            json!({"global": {"tag": "1.33.0"}}),
            ("1.33.0", Tag),
        ),
        (
            "an old chart",
            "istiod",
            json!({"pilot": {"tag": ""}, "global": {"tag": "1.22.1"}}),
            json!({}),
            ("1.22.1", Tag),
        ),
        (
            "both names",
            "istiod",
            json!({}),
            json!({"tag": "1.1.1", "pilot": {"tag": "1.30.9"}}),
            ("1.30.9", Tag),
        ),
        (
            "its old place",
            "istiod",
            hidden("1.31.0"),
            json!({"pilot": {"tag": "1.30.9"}}),
            ("1.30.9", Tag),
        ),
        (
            "another chart's",
            "istiod",
            hidden("1.31.0"),
            json!({"cni": {"tag": "1.20.0"}}),
            ("1.31.0", Tag),
        ),
        (
            "an image",
            "istiod",
            hidden("1.31.0"),
            json!({"pilot": {"image": "r:5/p:1.32.0-x"}}),
            ("1.32.0-x", Tag),
        ),
        (
            "the image's name",
            "istiod",
            hidden("1.31.0"),
            json!({"image": "pilot"}),
            ("1.31.0", Tag),
        ),
        (
            "a digest behind it",
            "ztunnel",
            json!({}),
            json!({"tag": "1.31.0@sha256:00"}),
            ("1.31.0", Tag),
        ),
        (
            "no version",
            "ztunnel",
            hidden("1.31.0"),
            json!({"tag": "latest"}),
            ("unreadable", Tag),
        ),
        (
            "a number",
            "ztunnel",
            json!({}),
            json!({"tag": 1.31}),
            ("unreadable", Tag),
        ),
        (
            "a vendor's images",
            "istiod",
            hidden("1.31.0-mspider"),
            json!({}),
            ("1.31.0-mspider", Tag),
        ),
        (
            "odd shapes",
            "istiod",
            json!([1]),
            json!({"tag": {"a": [1]}, "pilot": "x", "global": 7}),
            ("1.31.0", Chart),
        ),
        (
            "a gateway has none",
            "gateway",
            json!({}),
            json!({"tag": "9.9.9"}),
            ("1.31.0", Chart),
        ),
    ] {
        let (version, source) = read_one(chart, "1.31.0", &values, &config).unwrap();
        assert_eq!((version.as_str(), source), expected, "{what}");
    }
    assert_eq!(read_one("checkout", "1.31.0", &json!({}), &json!({})), None);
}

#[test]
fn the_chart_says_its_version_once_or_twice() {
    let metadata = |version: &str, app_version: Option<&str>| Metadata {
        name: String::new(),
        version: version.to_owned(),
        app_version: app_version.map(str::to_owned),
    };
    for (version, app_version, expected) in [
        ("1.31.0", Some("1.31.0"), Some("1.31.0")),
        ("5.0.2", Some("1.31.0"), Some("1.31.0")),
        ("1.31.0-mspider", Some("1.31.0"), Some("1.31.0-mspider")),
        ("1.31.0", Some("1.31.0-mspider"), Some("1.31.0-mspider")),
        ("1.31.0", Some("latest"), Some("1.31.0")),
        ("1.31.0", None, Some("1.31.0")),
        ("1.31.0+0123456789ab", None, Some("1.31.0")),
        ("nightly", None, None),
    ] {
        let read = metadata(version, app_version).version();
        assert_eq!(read.ok().map(|read| read.to_string()).as_deref(), expected, "{version}");
    }
}

#[test]
fn what_the_decoder_refuses_is_refused() {
    let release = |config: &str| {
        let text = format!(r#"{{"chart":{{"metadata":{{"name":"istiod","version":"1.31.0"}}}},"config":{config}}}"#);
        decode_versions(&stored(text.as_bytes()))
    };
    assert!(release("{}").is_ok());
    let bomb = format!("{{\"a\":\"{}\"}}", " ".repeat(33 << 20));
    assert_eq!(release(&bomb).unwrap_err(), ReleaseError::TooLarge);
    let deep = format!("{{\"tag\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(release(&deep).is_ok(), "what is skipped needs no stack");
    for (what, config) in [
        ("two tags", r#"{"tag":"1.31.0","tag":"1.33.0"}"#),
        ("unfinished", r#"{"tag":"1.31.0""#),
        ("hidden twice", r#"{"global":{"tag":"a"},"global":{"tag":"b"}}"#),
    ] {
        assert!(
            matches!(release(config), Err(ReleaseError::NotARelease { .. })),
            "{what}"
        );
    }
    assert_eq!(decode_versions(b"").unwrap_err(), ReleaseError::NotGzip);
    assert!(matches!(
        decode_versions(&vec![b'A'; 3 << 20]),
        Err(ReleaseError::TooLong(_))
    ));
}
