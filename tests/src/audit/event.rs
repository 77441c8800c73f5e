//! One finished request, as the audit log records it at level Metadata.

use std::{collections::BTreeMap, fmt, path::Path};

use anyhow::{Context, Result};
use serde::Deserialize;
use shared::{guard::WEBHOOK_DOMAIN, names};

pub(super) const POLICIES: &str = "validatingadmissionpolicies";
pub(super) const BINDINGS: &str = "validatingadmissionpolicybindings";

/// What of an upgrade a write is to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The mesh itself.
    Mesh,
    /// The record of a freeze.
    Record,
    /// The journal, and whatever else is of this tool's kinds.
    Journal,
}

/// A finished request. Times are as they are written, in microseconds and UTC, so that their text has their order.
#[derive(Clone, Debug)]
pub struct Event {
    /// When it came.
    pub received: String,
    /// When it was answered.
    pub answered: String,
    /// `create`, `update`, `patch`, `delete`, `deletecollection`, or a verb that reads.
    pub verb: String,
    /// Who it counts for: the impersonated user where there is one.
    pub user: String,
    /// `User-Agent` of the program that asked.
    pub agent: String,
    /// Values of the extra that carries an epoch.
    pub epochs: Vec<String>,
    /// Whether it carries the extra of a canary.
    pub is_canary: bool,
    /// API group; empty for core.
    pub group: String,
    /// Resource, with a subresource after a slash.
    pub resource: String,
    /// Namespace, if any.
    pub namespace: String,
    /// Name; of a list there is none.
    pub name: String,
    /// Whether nothing was to be stored.
    pub dry_run: bool,
    /// Status code of the answer.
    pub code: u16,
    /// Message of a refusal.
    pub message: String,
}

impl Event {
    /// Whether it would change something.
    #[must_use]
    pub fn is_write(&self) -> bool {
        matches!(
            self.verb.as_str(),
            "create" | "update" | "patch" | "delete" | "deletecollection"
        )
    }

    /// What it is to; nothing for what stands beside: reviews, Events, the Lease that an epoch comes from, pods that pull
    /// images, and the guard's own objects of a group that no guard is asked about.
    #[must_use]
    pub fn part(&self) -> Option<Part> {
        match (&*self.group, &*self.resource) {
            ("coordination.k8s.io" | "events.k8s.io" | "authorization.k8s.io" | "authentication.k8s.io", _)
            | ("", "pods" | "events")
            | ("admissionregistration.k8s.io", POLICIES | BINDINGS) => None,
            ("admissionregistration.k8s.io", _) if self.name == names::WEBHOOK => None,
            (names::GROUP, resource) if resource.starts_with("meshfreezes") => Some(Part::Record),
            (names::GROUP, _) => Some(Part::Journal),
            _ => Some(Part::Mesh),
        }
    }

    /// Whether it was let through.
    #[must_use]
    pub fn passed(&self) -> bool {
        (200..300).contains(&self.code)
    }

    /// Whether the guard refused it: the freeze policy, the policy of our own objects, or the webhook.
    #[must_use]
    pub fn is_refused_by_the_guard(&self) -> bool {
        let ours = |before: &str| self.message.contains(before);
        !self.passed()
            && (ours("ValidatingAdmissionPolicy 'mesh-freeze-")
                || ours(&format!("ValidatingAdmissionPolicy '{}'", names::OWN_OBJECTS_POLICY))
                || ours(&format!("{WEBHOOK_DOMAIN}\" denied the request")))
    }

    /// What it does, as `patch apps/deployments/scale`.
    #[must_use]
    pub fn what(&self) -> String {
        let slash = if self.group.is_empty() { "" } else { "/" };
        format!("{} {}{slash}{}", self.verb, self.group, self.resource)
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dry = if self.dry_run { ", dry run" } else { "" };
        write!(
            f,
            "{} {} {} {}/{} by {}{dry}: {} {}",
            self.received,
            self.answered,
            self.what(),
            self.namespace,
            self.name,
            self.user,
            self.code,
            self.message
        )
    }
}

/// Every finished request in a log, in the order of their answers. A last line that is still being written is left out.
///
/// # Errors
/// When the log cannot be read, or a line in it is no event.
pub fn read(log: &Path) -> Result<Vec<Event>> {
    let text = std::fs::read_to_string(log).with_context(|| format!("read {}", log.display()))?;
    let whole = text.rfind('\n').and_then(|end| text.get(..end)).unwrap_or_default();
    let lines = whole.lines().filter(|line| !line.is_empty());
    lines
        .map(|line| serde_json::from_str::<Line>(line).with_context(|| format!("an audit event: {line}")))
        .filter(|line| line.as_ref().map_or(true, |line| line.stage == "ResponseComplete"))
        .map(|line| Ok(line?.event()))
        .collect()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    stage: String,
    #[serde(rename = "requestURI")]
    request_uri: String,
    verb: String,
    user: User,
    #[serde(default)]
    user_agent: String,
    #[serde(default)]
    impersonated_user: Option<User>,
    #[serde(default)]
    object_ref: Option<ObjectRef>,
    #[serde(default)]
    response_status: Option<Status>,
    request_received_timestamp: String,
    stage_timestamp: String,
}

#[derive(Deserialize)]
struct User {
    #[serde(default)]
    username: String,
    #[serde(default)]
    extra: BTreeMap<String, Vec<String>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ObjectRef {
    api_group: String,
    resource: String,
    subresource: String,
    namespace: String,
    name: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Status {
    code: u16,
    message: String,
}

impl Line {
    fn event(self) -> Event {
        let mut user = self.impersonated_user.unwrap_or(self.user);
        let object = self.object_ref.unwrap_or_default();
        let status = self.response_status.unwrap_or_default();
        let mut resource = object.resource;
        if !object.subresource.is_empty() {
            resource = format!("{resource}/{}", object.subresource);
        }
        Event {
            received: self.request_received_timestamp,
            answered: self.stage_timestamp,
            verb: self.verb,
            is_canary: user.extra.contains_key(names::EXTRA_PROBE),
            epochs: user.extra.remove(names::EXTRA_EPOCH).unwrap_or_default(),
            user: user.username,
            agent: self.user_agent,
            group: object.api_group,
            resource,
            namespace: object.namespace,
            name: object.name,
            dry_run: self.request_uri.contains("dryRun="),
            code: status.code,
            message: status.message,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_beside_the_mesh_is_no_part_of_an_upgrade() {
        const REGISTRATION: &str = "admissionregistration.k8s.io";
        let guard = "validatingwebhookconfigurations";
        for (group, resource, name, expected) in [
            ("networking.istio.io", "virtualservices", "", Some(Part::Mesh)),
            ("apps", "deployments/scale", "istiod", Some(Part::Mesh)),
            ("", "secrets", "", Some(Part::Mesh)),
            (REGISTRATION, guard, "istio-validator", Some(Part::Mesh)),
            (names::GROUP, "meshfreezes/status", "", Some(Part::Record)),
            (names::GROUP, "meshupgrades", "", Some(Part::Journal)),
            (REGISTRATION, guard, names::WEBHOOK, None),
            (REGISTRATION, POLICIES, "mesh-freeze-default-1", None),
            (REGISTRATION, BINDINGS, "mesh-freeze-default-1", None),
            ("coordination.k8s.io", "leases", "", None),
            ("", "pods", "", None),
            ("", "events", "", None),
        ] {
            let line = serde_json::json!({"stage": "ResponseComplete", "requestURI": "/", "verb": "patch", "user": {},
                "objectRef": {"apiGroup": group, "resource": resource, "name": name},
                "requestReceivedTimestamp": "", "stageTimestamp": ""});
            let event = serde_json::from_value::<Line>(line).unwrap().event();
            assert_eq!(event.part(), expected, "{group}/{resource} {name}");
        }
    }
}
