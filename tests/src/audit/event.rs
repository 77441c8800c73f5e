//! One finished request, as the audit log records it at level Metadata.

use std::{collections::BTreeMap, fmt, path::Path};

use anyhow::{Context, Result};
use serde::Deserialize;
use shared::{guard::WEBHOOK_DOMAIN, names};

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
    /// Name, if it was in the path.
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
