//! Reviews: what cannot be read is an error, and what a freeze refuses stays refused whatever stands beside it.

use std::sync::OnceLock;

use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};
use shared::{
    api::{FreezeScope, MeshFreezeSpec},
    guard::{
        Facts, Verdict,
        codes::Code,
        decide,
        decide::Freeze,
        review::{self, Request},
        table,
    },
};

/// Longer than any message that the rules make of text that is not theirs.
const LONGEST_MESSAGE: usize = 2000;

/// A review that a freeze refuses, with places for anything: in the object before and after the change, in its labels,
/// among the user's groups and the options. None of them may turn it into an allowed one.
const REFUSED: &str = r#"{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"705ab4f5","kind":
{"group":"networking.istio.io","version":"v1","kind":"VirtualService"},"resource":{"group":"networking.istio.io","version"
:"v1","resource":"virtualservices"},"name":"cart","namespace":"shop","operation":"UPDATE","options":{"a":<0>},"userInfo":{
"groups":["system:masters",<1>],"username":"bob"},"object":{"metadata":{"name":"cart","labels":{"a":<2>},"uid":"1"},"spec"
:{"hosts":["new"],"a":<3>},"status":{"a":<4>}},"oldObject":{"metadata":{"name":"cart"},"spec":{"hosts":["old"],"a":<5>}},
"dryRun":false}}"#;
const PLACES: usize = 6;

/// Reads an input as a review, and as a part of one.
pub fn run(input: &[u8]) {
    if let Ok(request) = review::parse(input) {
        check(&request, input);
    }
    let place = usize::from(input.first().copied().unwrap_or_default()) % PLACES;
    let raw = input.get(1..).unwrap_or_default();
    stays_refused(&filled(place, raw), false);
    // Here as a string, so that it can be read in any case.
    let text = Value::String(String::from_utf8_lossy(raw).into_owned()).to_string();
    stays_refused(&filled(place, text.as_bytes()), true);
}

fn stays_refused(body: &[u8], readable: bool) {
    match review::parse(body) {
        Ok(request) => {
            let verdict = decide(&request, frozen(), Timestamp::UNIX_EPOCH);
            assert!(
                matches!(&verdict, Verdict::Deny(ruling) if ruling.code == Code::MeshFrozen),
                "{verdict:?}: {}",
                String::from_utf8_lossy(body)
            );
        }
        Err(error) => assert!(!readable, "{error}: {}", String::from_utf8_lossy(body)),
    }
}

/// The refused review with an input in one of its places, and strings in the others.
fn filled(place: usize, input: &[u8]) -> Vec<u8> {
    let mut body = Vec::with_capacity(REFUSED.len().saturating_add(input.len()));
    let mut rest = REFUSED;
    for at in 0..PLACES {
        let Some((before, after)) = rest.split_once(&format!("<{at}>")) else {
            break;
        };
        body.extend_from_slice(before.as_bytes());
        body.extend_from_slice(if at == place { input } else { b"\"\"" });
        rest = after;
    }
    body.extend_from_slice(rest.as_bytes());
    body
}

/// What a review says by another reader than ours, and what must follow from it.
fn check(request: &Request<'_>, input: &[u8]) {
    let verdict = decide(request, frozen(), Timestamp::UNIX_EPOCH);
    for verdict in [&verdict, &decide(request, open(), Timestamp::UNIX_EPOCH)] {
        if let Verdict::Deny(ruling) | Verdict::Warn(ruling) = verdict {
            assert!(!ruling.message.contains('\n') && ruling.message.len() < LONGEST_MESSAGE);
            assert_eq!(Code::at_start_of(&ruling.message), Some(ruling.code));
        }
    }
    // It does not read what ours skips: nesting without end, and numbers beyond all bounds.
    let Ok(value) = serde_json::from_slice::<Value>(input) else {
        return;
    };
    let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    assert_eq!(text("/kind"), "AdmissionReview");
    assert_eq!(text("/apiVersion"), "admission.k8s.io/v1");
    assert_eq!(text("/request/uid"), &*request.uid);
    assert_eq!(text("/request/operation"), request.operation.as_str());
    assert_eq!(text("/request/userInfo/username"), &*request.username);
    assert_eq!(text("/request/resource/group"), &*request.group);
    assert_eq!(text("/request/resource/resource"), &*request.resource);
    assert_eq!(text("/request/subResource"), &*request.subresource);
    assert_eq!(text("/request/namespace"), &*request.namespace);
    let differs = value.pointer("/request/object/spec") != value.pointer("/request/oldObject/spec");
    // Whoever may pass has a name of the system's; istiod's probe is a dry run.
    let foreign = !text("/request/userInfo/username").starts_with("system:")
        && value.pointer("/request/dryRun") != Some(&Value::Bool(true));
    let configuration = table::CONFIGURATION_GROUPS.contains(&text("/request/resource/group"))
        && text("/request/subResource").is_empty();
    if configuration && foreign && (differs || text("/request/operation") != "UPDATE") {
        assert!(
            matches!(&verdict, Verdict::Deny(ruling) if ruling.code == Code::MeshFrozen),
            "{verdict:?}: {value}"
        );
    }
}

fn open() -> &'static Facts {
    static OPEN: OnceLock<Facts> = OnceLock::new();
    OPEN.get_or_init(Facts::default)
}

/// A frozen mesh.
#[must_use]
pub fn frozen() -> &'static Facts {
    static FROZEN: OnceLock<Facts> = OnceLock::new();
    FROZEN.get_or_init(|| {
        let spec: Result<MeshFreezeSpec, _> = serde_json::from_value(json!({
            "mesh": "default", "upgrade": "default-1", "from": "1.30.3", "to": "1.31.0", "holder": "alice", "epoch": 3,
            "since": "2026-01-01T00:00:00Z", "scope": FreezeScope::default(),
        }));
        // A freeze that cannot be made fails every input.
        let freezes = spec.map(|spec| vec![Freeze { spec, phase: None }]).unwrap_or_default();
        Facts {
            freezes,
            ..Facts::default()
        }
    })
}
