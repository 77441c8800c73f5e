//! The end state that every run reaches, and in what one differs from another.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::{
    mesh::{Member, Mesh},
    scenario::{FROM, Scenario, TO},
};
use crate::product::{journals, two_revisions};

/// Differences that are told at most.
const TOLD: usize = 10;

/// All of a mesh that an upgrade decides, each part by its name: values and manifests of helm's releases, specifications of
/// what runs, webhooks, and phase and steps of each journal. Left out is what differs from run to run though all is well:
/// revision numbers and times, the certificates of istiods, and the ports of the test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EndState(BTreeMap<String, Value>);

impl EndState {
    /// Sees that another is the same.
    pub(super) fn is(&self, other: &Self) -> Result<()> {
        let mut told = Vec::new();
        for name in self
            .0
            .keys()
            .chain(other.0.keys().filter(|name| !self.0.contains_key(*name)))
        {
            let (expected, found) = (self.0.get(name), other.0.get(name));
            differences(name, expected, found, &mut told);
        }
        let count = told.len();
        told.truncate(TOLD);
        ensure!(
            told.is_empty(),
            "{count} differences from the usual end state:\n{}",
            told.join("\n")
        );
        Ok(())
    }
}

fn differences(at: &str, expected: Option<&Value>, found: Option<&Value>, told: &mut Vec<String>) {
    match (expected, found) {
        (one, other) if one == other => {}
        (Some(Value::Object(one)), Some(Value::Object(other))) => {
            for key in one.keys().chain(other.keys().filter(|key| !one.contains_key(*key))) {
                differences(&format!("{at}/{key}"), one.get(key), other.get(key), told);
            }
        }
        (Some(Value::Array(one)), Some(Value::Array(other))) if one.len() == other.len() => {
            for (index, (one, other)) in one.iter().zip(other).enumerate() {
                differences(&format!("{at}/{index}"), Some(one), Some(other), told);
            }
        }
        (one, other) => {
            let say = |value: Option<&Value>| value.map_or_else(|| "nothing".to_owned(), Value::to_string);
            told.push(format!("{at}: usually {}, now {}", say(one), say(other)));
        }
    }
}

impl Mesh {
    /// Sees that it has arrived.
    pub(super) fn arrived(&self) -> Result<()> {
        let phases = "jsonpath={.items[*].status.phase}";
        let journals = self.home().kubectl(&["get", "meshupgrades", "-o", phases])?;
        let expected = self.scenario.journals().iter().copied();
        ensure!(journals.ok()?.split_whitespace().eq(expected), "{journals}");
        for member in &self.members {
            member.istio.wait_serving(&member.cluster, self.scenario.ends_at())?;
            nothing_is_left(member)?;
            releases_have_arrived(member, self.scenario)?;
        }
        match self.scenario {
            // What runs is left to its owners.
            Scenario::CanaryBeside | Scenario::SailRevisions => two_revisions::wait_for_proxies(self.home(), FROM)?,
            Scenario::CanaryRemoval => {
                two_revisions::wait_for_proxies(self.home(), TO)?;
                let old = ["get", "deployments", "-A", "-l", "istio.io/rev=1-30-3", "-o", "name"];
                let old = self.home().kubectl(&old)?;
                ensure!(old.ok()?.is_empty(), "{old}");
            }
            _ => {}
        }
        if self.scenario.is_canary() {
            two_revisions::tags_lead_to_the_new_revision(self.home())?;
        }
        if let Some(bringer) = &self.bringer {
            bringer.is_at_the_target()?;
        }
        Ok(())
    }

    /// What it has arrived at.
    pub(super) fn end_state(&self) -> Result<EndState> {
        let mut parts = BTreeMap::new();
        for member in &self.members {
            let place = member.cluster.name();
            for release in self.scenario.releases() {
                let get = |what| member.cluster.helm(&["get", what, release, "-n", "istio-system"]);
                parts.insert(
                    format!("{place}: values of {release}"),
                    json!(lines(get("values")?.ok()?)),
                );
                parts.insert(
                    format!("{place}: manifest of {release}"),
                    json!(lines(get("manifest")?.ok()?)),
                );
            }
            for object in list(
                member,
                "deployments,daemonsets,horizontalpodautoscalers,poddisruptionbudgets",
            )? {
                let spec = object.get("spec").cloned().unwrap_or_default();
                parts.insert(format!("{place}: {}", named(&object)), spec);
            }
            for mut object in list(member, "mutatingwebhookconfigurations,validatingwebhookconfigurations")? {
                // The guard's own says nothing of an upgrade's end.
                if named(&object).contains(shared::names::WEBHOOK) {
                    continue;
                }
                let mut webhooks = object.get_mut("webhooks").map(Value::take).unwrap_or_default();
                for webhook in webhooks.as_array_mut().into_iter().flatten() {
                    if let Some(client) = webhook.get_mut("clientConfig").and_then(Value::as_object_mut) {
                        client.remove("caBundle");
                    }
                }
                parts.insert(format!("{place}: {}", named(&object)), webhooks);
            }
        }
        for (number, journal) in journals(self.home())?.iter().enumerate() {
            let steps = journal.pointer("/status/steps").and_then(Value::as_array);
            let of = |step: &Value, field: &str| step.get(field).cloned().unwrap_or_default();
            let steps = steps.into_iter().flatten();
            let steps: Vec<Value> = steps.map(|step| json!([of(step, "id"), of(step, "state")])).collect();
            let phase = journal.pointer("/status/phase").cloned().unwrap_or_default();
            parts.insert(format!("journal {number}"), json!({"phase": phase, "steps": steps}));
        }
        let parts = parts.into_iter().map(|(name, part)| (name, without_ports(part)));
        Ok(EndState(parts.collect()))
    }

    /// What their owners told helm, which no upgrade changes.
    pub(super) fn values(&self) -> Result<BTreeMap<String, String>> {
        let mut all = BTreeMap::new();
        for member in &self.members {
            for release in self.scenario.releases() {
                let values = member.cluster.helm(&["get", "values", release, "-n", "istio-system"])?;
                all.insert(format!("{}/{release}", member.cluster.name()), values.ok()?.to_owned());
            }
        }
        Ok(all)
    }

    /// Helm's releases that a killed helm has left in the middle.
    pub(super) fn pending(&self) -> Result<Vec<String>> {
        let list = ["list", "--pending", "-n", "istio-system", "--short"];
        let mut all = Vec::new();
        for member in &self.members {
            let pending = member.cluster.helm(&list)?;
            all.extend(pending.ok()?.lines().map(str::to_owned));
        }
        Ok(all)
    }
}

fn nothing_is_left(member: &Member) -> Result<()> {
    let kinds = "meshfreezes,validatingadmissionpolicies,validatingadmissionpolicybindings";
    let left = member.cluster.kubectl(&["get", kinds, "-o", "name"])?;
    ensure!(
        !left.ok()?.contains("mesh-freeze") && !left.stdout.contains("meshfreezes"),
        "{left}"
    );
    let ours = "app.kubernetes.io/part-of=mesh-upgrade";
    let pods = member
        .cluster
        .kubectl(&["get", "pods", "-A", "-l", ours, "-o", "name"])?;
    ensure!(pods.ok()?.trim().is_empty(), "pods of ours are left: {pods}");
    Ok(())
}

fn releases_have_arrived(member: &Member, scenario: Scenario) -> Result<()> {
    let releases = two_revisions::releases(&member.cluster)?;
    ensure!(releases == scenario.releases(), "the releases are {releases:?}");
    for release in releases {
        let history = ["history", &release, "-n", "istio-system", "-o", "json"];
        let history = member.cluster.helm(&history)?.json()?;
        let newest = history.as_array().and_then(|revisions| revisions.last());
        let newest = newest.context("a revision")?;
        let text = |key: &str| newest.get(key).and_then(Value::as_str).unwrap_or_default();
        let stays = scenario.old_release() == Some(release.as_str());
        let version = if stays { FROM } else { scenario.ends_at() };
        ensure!(
            text("status") == "deployed" && text("chart").ends_with(version),
            "{release} ended as {newest}"
        );
    }
    Ok(())
}

/// Objects of the control plane's namespace, or of none.
fn list(member: &Member, kinds: &str) -> Result<Vec<Value>> {
    let found = member
        .cluster
        .kubectl(&["get", kinds, "-n", "istio-system", "-o", "json"])?;
    let items = found.json()?.get_mut("items").map(Value::take);
    Ok(items.and_then(|items| items.as_array().cloned()).unwrap_or_default())
}

fn named(object: &Value) -> String {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    format!("{} {}", text("/kind"), text("/metadata/name"))
}

fn lines(text: &str) -> Vec<&str> {
    text.lines().collect()
}

/// Each mesh of a test has ports of its own.
fn without_ports(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(without_ports_in(&text)),
        Value::Array(items) => items.into_iter().map(without_ports).collect(),
        Value::Object(fields) => fields
            .into_iter()
            .map(|(key, field)| (key, without_ports(field)))
            .collect(),
        other => other,
    }
}

fn without_ports_in(text: &str) -> String {
    let mut parts = text.split("localhost:");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        plain.push_str("localhost:PORT");
        plain.push_str(part.trim_start_matches(|letter: char| letter.is_ascii_digit()));
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_named_and_ports_do_not() {
        let state = |parts: Value| EndState(BTreeMap::from([("istiod".to_owned(), without_ports(parts))]));
        let usual = state(json!({"replicas": 1, "args": ["a", "--url=https://localhost:4711/inject"]}));
        usual
            .is(&state(
                json!({"replicas": 1, "args": ["a", "--url=https://localhost:8080/inject"]}),
            ))
            .unwrap();
        let other = usual.is(&state(
            json!({"replicas": 2, "args": ["a", "--url=https://localhost:1/validate"]}),
        ));
        let other = other.unwrap_err().to_string();
        assert!(
            other.contains("2 differences") && other.contains("istiod/replicas: usually 1, now 2"),
            "{other}"
        );
        assert!(other.contains("istiod/args/1: usually"), "{other}");
        let gone = EndState(BTreeMap::new());
        assert!(usual.is(&gone).unwrap_err().to_string().contains("now nothing"));
        assert!(gone.is(&usual).unwrap_err().to_string().contains("usually nothing"));
    }
}
