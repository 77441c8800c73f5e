//! Recognises, in the API server's own words, which barrier refused a request: proof needs more than our code.

use super::codes::Code;
use crate::names::FREEZE_POLICY_PREFIX;

/// How the names of all our webhooks end; the API server quotes the name in a refusal.
pub const WEBHOOK_DOMAIN: &str = "guard.meshupgrade.io";

/// Whether `message` says that the freeze policy of this name refused the request because the mesh is frozen.
///
/// The API server writes `ValidatingAdmissionPolicy 'NAME' with binding 'BINDING' denied request: MESSAGE`. A refusal
/// by RBAC, a schema, another policy, or an evaluation error of this one is no proof.
#[must_use]
pub fn is_refused_by_policy(message: &str, policy: &str) -> bool {
    let head = format!("ValidatingAdmissionPolicy '{policy}' with binding '");
    message
        .split_once(&head)
        .and_then(|(_, rest)| rest.split_once("' denied request: "))
        .is_some_and(|(binding, rest)| !binding.contains('\'') && Code::at_start_of(rest) == Some(Code::MeshFrozen))
}

/// Whether `message` says that our webhook refused the request because the mesh is frozen.
///
/// The API server writes `admission webhook "NAME" denied the request: MESSAGE`; a webhook that could not be called
/// reads `failed calling webhook` and is no proof.
#[must_use]
pub fn is_refused_by_webhook(message: &str) -> bool {
    webhook_refusal(message) == Some(Code::MeshFrozen)
}

/// Whether `message` says that a freeze refused the request: the policy of whichever mesh and epoch, even where it could
/// not be evaluated, or our webhook. Whoever wants to know that a mesh is open asks this.
#[must_use]
pub fn is_refused_by_a_freeze(message: &str) -> bool {
    is_refused_by_webhook(message) || refusing_policy(message).is_some_and(is_of_a_freeze)
}

/// The policy that refused the request and is no freeze's. Of several that refuse the API server names one, so that nobody
/// knows what a freeze would have said.
#[must_use]
pub fn foreign_policy(message: &str) -> Option<&str> {
    refusing_policy(message).filter(|policy| !is_of_a_freeze(policy))
}

fn is_of_a_freeze(policy: &str) -> bool {
    policy.starts_with(FREEZE_POLICY_PREFIX)
}

/// Whether a refusal, by its reason and its message, came after whatever admits: quotas are asked last, and whether there is
/// such an object already is seen when it is to be stored.
#[must_use]
pub fn is_past_admission(reason: &str, message: &str) -> bool {
    let is_quotas =
        message.contains("is forbidden: exceeded quota: ") || message.contains("is forbidden: failed quota: ");
    reason == "AlreadyExists" || is_quotas
}

/// Whether `message` says that whoever asked may not do this at all, so that no admission was asked: neither a policy nor a
/// webhook.
///
/// The API server writes `RESOURCE is forbidden: User "NAME" cannot VERB resource …`; what a policy, a quota or a webhook
/// refuses is forbidden in other words.
#[must_use]
pub fn is_refused_by_rbac(message: &str) -> bool {
    message.split_once(" is forbidden: ").is_some_and(|(what, rest)| {
        !what.contains("denied") && rest.starts_with("User \"") && rest.contains("\" cannot ")
    })
}

fn refusing_policy(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once("ValidatingAdmissionPolicy '")?;
    let (policy, rest) = rest.split_once("' with binding '")?;
    let (binding, _) = rest.split_once("' denied request: ")?;
    (!policy.contains('\'') && !binding.contains('\'')).then_some(policy)
}

/// Whether a `Warning` header says that the policy of this name, bound to warn, would have refused the request because
/// the mesh is frozen.
///
/// The API server writes `299 - "Validation failed for ValidatingAdmissionPolicy 'NAME' with binding 'BINDING': MESSAGE"`.
#[must_use]
pub fn is_warned_by_policy(header: &str, policy: &str) -> bool {
    let head = format!("\"Validation failed for ValidatingAdmissionPolicy '{policy}' with binding '");
    header
        .split_once(&head)
        .and_then(|(_, rest)| rest.split_once("': "))
        .is_some_and(|(binding, rest)| !binding.contains('\'') && Code::at_start_of(rest) == Some(Code::MeshFrozen))
}

/// The freeze policy that refused the request because the mesh is frozen, of whichever mesh and epoch.
#[must_use]
pub fn refusing_freeze(message: &str) -> Option<&str> {
    refusing_policy(message).filter(|policy| is_refused_by_policy(message, policy) && is_of_a_freeze(policy))
}

/// The freeze policy, bound to warn, whose `Warning` header this is, of whichever mesh and epoch.
#[must_use]
pub fn warning_freeze(header: &str) -> Option<&str> {
    let (_, rest) = header.split_once("\"Validation failed for ValidatingAdmissionPolicy '")?;
    let (policy, _) = rest.split_once("' with binding '")?;
    Some(policy).filter(|policy| is_warned_by_policy(header, policy) && is_of_a_freeze(policy))
}

/// Whether a `Warning` header is our webhook's, about a frozen mesh. The API server does not say whose a warning is.
#[must_use]
pub fn is_warned_by_webhook(header: &str) -> bool {
    header
        .split_once(" \"")
        .is_some_and(|(_, text)| Code::at_start_of(text) == Some(Code::MeshFrozen))
}

/// The code with which our webhook refused a request, if `message` says that it did.
#[must_use]
pub fn webhook_refusal(message: &str) -> Option<Code> {
    let (_, rest) = message.split_once("admission webhook \"")?;
    let (name, rest) = rest.split_once("\" denied the request: ")?;
    let ours = name
        .strip_suffix(WEBHOOK_DOMAIN)
        .is_some_and(|head| head.ends_with('.') && !head.contains(['"', ' ']));
    if ours { Code::at_start_of(rest) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BY_POLICY: &str = "configmaps \"mesh-upgrade-canary\" is forbidden: ValidatingAdmissionPolicy \
        'mesh-freeze-default-3' with binding 'mesh-freeze-default-3' denied request: MG001 mesh-frozen: mesh \
        \"default\" is being upgraded";
    const BY_WEBHOOK: &str = "admission webhook \"helm.guard.meshupgrade.io\" denied the request: MG001 mesh-frozen: x";

    #[test]
    fn tells_the_policy_from_the_webhook() {
        assert!(is_refused_by_policy(BY_POLICY, "mesh-freeze-default-3"));
        assert!(!is_refused_by_webhook(BY_POLICY));
        assert!(is_refused_by_webhook(BY_WEBHOOK));
        assert!(!is_refused_by_policy(BY_WEBHOOK, "mesh-freeze-default-3"));
    }

    #[test]
    fn who_may_not_even_ask_is_told_from_who_is_refused() {
        for (message, expected) in [
            (
                "meshfreezes.meshupgrade.io is forbidden: User \"bob\" cannot create resource \"meshfreezes\" in API group \
                 \"meshupgrade.io\" at the cluster scope",
                true,
            ),
            (
                "deployments.apps is forbidden: User \"bob\" cannot create resource \"deployments\" in API group \"apps\" in \
                 the namespace \"istio-system\": requires one of [\"container.deployments.create\"] permission(s).",
                true,
            ),
            (BY_POLICY, false),
            (BY_WEBHOOK, false),
            (
                "meshfreezes.meshupgrade.io \"mesh-upgrade-canary\" is forbidden: ValidatingAdmissionPolicy 'x' with binding \
                 'x' denied request: User \"bob\" cannot do that",
                false,
            ),
            (
                "admission webhook \"x.example\" denied the request: it is forbidden: User \"bob\" cannot do that",
                false,
            ),
            ("pods \"x\" is forbidden: exceeded quota: q", false),
        ] {
            assert_eq!(is_refused_by_rbac(message), expected, "{message}");
        }
    }

    #[test]
    fn other_refusals_are_no_proof() {
        for message in [
            "configmaps is forbidden: User \"alice\" cannot create resource \"configmaps\"",
            "ValidatingAdmissionPolicy 'mesh-freeze-default-3' with binding 'b' denied request: expression 'x' \
             resulted in error: no such key: extra",
            "ValidatingAdmissionPolicy 'other' with binding 'b' denied request: MG001 mesh-frozen: x",
            "ValidatingAdmissionPolicy 'mesh-freeze-default-3' with binding 'b' denied request: MG002 skip-version: x",
            "Internal error occurred: failed calling webhook \"helm.guard.meshupgrade.io\": MG001",
            "admission webhook \"evil.example\" denied the request: MG001 mesh-frozen: x",
            "admission webhook \"evilguard.meshupgrade.io\" denied the request: MG001 mesh-frozen: x",
            "admission webhook \"helm.guard.meshupgrade.io\" denied the request: no MG001",
        ] {
            assert!(!is_refused_by_policy(message, "mesh-freeze-default-3"), "{message}");
            assert!(!is_refused_by_webhook(message), "{message}");
        }
    }

    #[test]
    fn a_freeze_is_told_from_what_others_refuse() {
        let by = |policy: &str, says: &str| {
            format!("x is forbidden: ValidatingAdmissionPolicy '{policy}' with binding 'b' denied request: {says}")
        };
        for (message, frozen, foreign) in [
            (BY_POLICY.to_owned(), true, None),
            (BY_WEBHOOK.to_owned(), true, None),
            (by("mesh-freeze-other-9", "MG001 mesh-frozen: x"), true, None),
            (
                by("mesh-freeze-default-3", "expression 'x' resulted in error: y"),
                true,
                None,
            ),
            (
                by("needs-a-team", "no label team, see MG001"),
                false,
                Some("needs-a-team"),
            ),
            ("x is forbidden: exceeded quota: few".to_owned(), false, None),
            (
                "admission webhook \"evil.example\" denied the request: MG001 x".to_owned(),
                false,
                None,
            ),
        ] {
            assert_eq!(is_refused_by_a_freeze(&message), frozen, "{message}");
            assert_eq!(foreign_policy(&message), foreign, "{message}");
        }
    }

    #[test]
    fn a_warning_tells_whose_it_is() {
        let policy = "299 - \"Validation failed for ValidatingAdmissionPolicy 'mesh-freeze-default-3-warn' with binding \
            'mesh-freeze-default-3-warn': MG001 mesh-frozen: mesh \\\"default\\\" is being upgraded\"";
        let webhook = "299 - \"MG001 mesh-frozen: mesh \\\"default\\\" is being upgraded\"";
        assert!(is_warned_by_policy(policy, "mesh-freeze-default-3-warn") && !is_warned_by_webhook(policy));
        assert!(is_warned_by_webhook(webhook) && !is_warned_by_policy(webhook, "mesh-freeze-default-3-warn"));
        assert!(!is_warned_by_policy(policy, "mesh-freeze-default-3"));
        assert!(!is_warned_by_webhook("299 - \"MG005 unreadable-version: x\""));
    }

    #[test]
    fn the_freeze_that_says_so_is_named() {
        let by = |policy: &str, says: &str| {
            format!("x is forbidden: ValidatingAdmissionPolicy '{policy}' with binding 'b' denied request: {says}")
        };
        for (message, freeze) in [
            (BY_POLICY.to_owned(), Some("mesh-freeze-default-3")),
            (
                by("mesh-freeze-other-9", "MG001 mesh-frozen: x"),
                Some("mesh-freeze-other-9"),
            ),
            (by("mesh-freeze-default-3", "expression 'x' resulted in error: y"), None),
            (by("needs-a-team", "MG001 mesh-frozen: x"), None),
            (BY_WEBHOOK.to_owned(), None),
        ] {
            assert_eq!(refusing_freeze(&message), freeze, "{message}");
        }
        let warning = |policy: &str, says: &str| {
            format!("299 - \"Validation failed for ValidatingAdmissionPolicy '{policy}' with binding 'b': {says}\"")
        };
        for (header, freeze) in [
            (
                warning("mesh-freeze-default-3-warn", "MG001 mesh-frozen: x"),
                Some("mesh-freeze-default-3-warn"),
            ),
            (
                warning("mesh-freeze-default-3-warn", "expression 'x' resulted in error: y"),
                None,
            ),
            (warning("needs-a-team", "MG001 mesh-frozen: x"), None),
            ("299 - \"MG001 mesh-frozen: x\"".to_owned(), None),
        ] {
            assert_eq!(warning_freeze(&header), freeze, "{header}");
        }
    }

    #[test]
    fn the_epoch_is_part_of_the_proof() {
        assert!(!is_refused_by_policy(BY_POLICY, "mesh-freeze-default-4"));
        assert!(!is_refused_by_policy(BY_POLICY, "mesh-freeze-default"));
    }
}
