//! Verdicts as AdmissionReviews. The API server takes a wrong uid, kind or version for a failed call.

use serde::Serialize;
use shared::guard::{Ruling, Verdict, codes::Code};
use std::collections::BTreeMap;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Review<'a> {
    api_version: &'static str,
    kind: &'static str,
    response: Response<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response<'a> {
    uid: &'a str,
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    audit_annotations: BTreeMap<&'static str, &'a str>,
}

#[derive(Serialize)]
struct Status<'a> {
    status: &'static str,
    code: u16,
    reason: &'static str,
    message: &'a str,
}

/// Key of the audit annotation with the code; the API server puts the webhook's name before it.
const AUDIT_CODE: &str = "code";
/// Key of the audit annotation that tells in full how a way back was used.
const AUDIT_DOWNGRADE: &str = "downgrade";

/// The review that answers the request of this uid.
pub(crate) fn render(uid: &str, verdict: &Verdict) -> Result<Vec<u8>, serde_json::Error> {
    let audit = |code: Code| -> BTreeMap<&'static str, &str> { BTreeMap::from([(AUDIT_CODE, code.as_str())]) };
    let response = match verdict {
        Verdict::Allow => Response {
            uid,
            allowed: true,
            status: None,
            warnings: Vec::new(),
            audit_annotations: BTreeMap::new(),
        },
        Verdict::Warn(Ruling {
            code,
            message,
            allowed_for,
        }) => {
            let mut audit_annotations = audit(*code);
            if allowed_for.is_some() {
                audit_annotations.insert(AUDIT_DOWNGRADE, message);
            }
            Response {
                uid,
                allowed: true,
                status: None,
                warnings: vec![message],
                audit_annotations,
            }
        }
        Verdict::Deny(Ruling { code, message, .. }) => Response {
            uid,
            allowed: false,
            status: Some(Status {
                status: "Failure",
                code: 403,
                reason: "Forbidden",
                message,
            }),
            warnings: Vec::new(),
            audit_annotations: audit(*code),
        },
    };
    serde_json::to_vec(&Review {
        api_version: "admission.k8s.io/v1",
        kind: "AdmissionReview",
        response,
    })
}
