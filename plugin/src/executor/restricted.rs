//! Security contexts that the Pod Security level `restricted` lets pass: pods of this tool's own have to be taken wherever a
//! mesh runs.

use serde_json::{Value, json};

/// Of a pod. No user of its own: a platform such as OpenShift gives another.
pub(super) fn of_pod() -> Value {
    json!({ "runAsNonRoot": true, "seccompProfile": { "type": "RuntimeDefault" } })
}

/// Of each of its containers.
pub(super) fn of_container() -> Value {
    json!({ "allowPrivilegeEscalation": false, "capabilities": { "drop": ["ALL"] } })
}
