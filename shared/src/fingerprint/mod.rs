//! What no guard is asked about: fingerprints of the mesh's and the guard's webhook configurations and admission
//! policies, and what a later look at them means.
//!
//! Other people's webhooks are none of our business: they come and go with their own tools, and each would be a false
//! alarm.

mod judge;
mod normal;
mod picture;

pub use judge::{
    Change, What, as_beside, as_going, as_taking_over, describe, judge, judge_freeze, rebase, seen_again, taken_over,
};
pub use normal::{fingerprint, with_ca_bundles_of};
pub use picture::Picture;

use crate::{
    api::{ExemptKind, Fingerprint, FreezeScope},
    gitops, istioctl, names,
};
use std::collections::BTreeMap;

/// Whose an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner {
    /// Istio's: injectors, revision tags, validators and its own policies.
    Mesh,
    /// The guard's, and there at all times.
    Guard,
    /// The policy or binding of one freeze.
    Freeze,
}

/// Beginnings of the names that Istio's charts and istioctl give, and no others.
const ISTIO_PREFIXES: &[&str] = &[
    "istio-sidecar-injector",
    "istio-revision-tag-",
    "istio-validator",
    "istiod-default-validator",
    "stable-channel-policy",
    "stable-channel-default-policy",
];

/// Labels that Istio puts on its injectors, tags and validators, whatever they are called.
const ISTIO_LABELS: &[&str] = &["istio.io/rev", "istio.io/tag"];

/// Whose an object is by its name, or failing that its labels; `None` for somebody else's.
#[must_use]
pub fn owner(kind: ExemptKind, name: &str, labels: &BTreeMap<String, String>) -> Option<Owner> {
    use ExemptKind::{
        ValidatingAdmissionPolicy as Policy, ValidatingAdmissionPolicyBinding as Binding,
        ValidatingWebhookConfiguration as Webhook,
    };
    if matches!(kind, Policy | Binding) && name.starts_with(names::FREEZE_POLICY_PREFIX) {
        return Some(Owner::Freeze);
    }
    let is_guards = match kind {
        Policy | Binding => name == names::OWN_OBJECTS_POLICY,
        Webhook => name == names::WEBHOOK,
        _ => false,
    };
    if is_guards
        || labels
            .get(names::LABEL_PART_OF)
            .is_some_and(|part| part == names::PART_OF)
    {
        return Some(Owner::Guard);
    }
    let is_istios = ISTIO_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        || ISTIO_LABELS.iter().any(|label| labels.contains_key(*label));
    is_istios.then_some(Owner::Mesh)
}

/// Whether a fingerprint without an owner belongs to the mesh all the same: its release is one of the mesh's.
fn is_of_scope(fingerprint: &Fingerprint, scope: &FreezeScope) -> bool {
    let release = fingerprint.release.as_ref();
    release.is_some_and(|release| {
        let mut installations = scope.istioctl.iter();
        let mut applications = scope.applications.iter();
        scope.helm_releases.contains(release)
            || installations.any(|one| istioctl::as_release(one) == *release)
            || gitops::mark_of(release).is_some_and(|mark| applications.any(|one| one == mark))
    })
}

#[cfg(test)]
mod judge_tests;
#[cfg(test)]
mod tests;
