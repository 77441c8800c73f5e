//! The guard on versions, frozen or not: no skip, no downgrade but what an owner allowed, no other flavor, and nothing
//! unreadable over what was known, whatever tool makes the change.
//!
//! One file for each family of objects that say a version; what a change amounts to is judged in one place for all.

mod change;
mod helm;
mod known;
mod operators;
pub mod recorded;
mod way_back;
mod workloads;

pub use known::{Unrecorded, unrecorded};
pub use operators::{OPERATOR_KINDS, OperatorKind};

use super::{
    decide::{Facts, Verdict},
    review::Request,
    table::Operation,
};
use k8s_openapi::jiff::Timestamp;

/// Judges a request by the versions before and after it.
pub(super) fn judge(request: &Request<'_>, facts: &Facts, now: Timestamp) -> Verdict {
    if request.operation == Operation::Delete || !request.subresource.is_empty() {
        return Verdict::Allow;
    }
    match (&*request.group, &*request.resource) {
        ("apps", "deployments" | "daemonsets") => workloads::judge(request, facts, now),
        ("", "secrets" | "configmaps") => helm::judge(request, facts, now),
        _ => match operators::kind(request) {
            Some(kind) => operators::judge(kind, request, facts, now),
            None => Verdict::Allow,
        },
    }
}
