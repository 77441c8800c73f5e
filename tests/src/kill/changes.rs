//! How often an upgrade has changed each component, and which of them a kill may have changed once more.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use shared::names;

use super::{
    mesh::{Member, Mesh},
    scenario::Scenario,
};
use crate::{audit, product::newest};

/// Changes by what was changed: a helm release, or a workload where no release records it; of one cluster among several with
/// its name before it.
pub type Changes = BTreeMap<String, usize>;

/// What the journal said to be under way when a driver was killed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnderWay {
    /// Id of the step.
    pub step: String,
    component: String,
    release: String,
    cluster: Option<String>,
}

impl UnderWay {
    /// Whether a change of this may be its change.
    fn may_change(&self, scenario: Scenario, changed: &str) -> bool {
        let (cluster, changed) = match changed.split_once('/') {
            Some((cluster, changed)) => (Some(cluster), changed),
            None => (None, changed),
        };
        let is_here = self.cluster.as_deref() == cluster;
        if scenario.is_by_helm() {
            return is_here && changed == self.release;
        }
        // A controller names what it brings after its object, or after the component.
        let is_named = |name: &str| !name.is_empty() && changed.contains(name);
        is_here && (is_named(&self.release) || is_named(&self.component))
    }
}

/// The changes beyond those of an upgrade that nobody kills.
///
/// # Errors
/// When something was changed more than once more by one kill, or though nothing of it was under way when one came.
pub(super) fn beyond(
    scenario: Scenario,
    usual: &Changes,
    changes: &Changes,
    kills: &[Vec<UnderWay>],
) -> Result<Changes> {
    let mut beyond = Changes::new();
    for (changed, count) in changes {
        let more = count.saturating_sub(usual.get(changed).copied().unwrap_or_default());
        let explains = |kill: &&Vec<UnderWay>| kill.iter().any(|step| step.may_change(scenario, changed));
        let explained = kills.iter().filter(explains).count();
        ensure!(
            more <= explained,
            "{changed} was changed {more} times more than usual, and {explained} kills came in the middle of its step: {kills:?}"
        );
        if more > 0 {
            beyond.insert(changed.clone(), more);
        }
    }
    for (changed, count) in usual {
        let done = changes.get(changed).copied().unwrap_or_default();
        ensure!(
            !scenario.is_by_helm() || done >= *count,
            "{changed} was changed {done} times, and is usually changed {count} times"
        );
    }
    Ok(beyond)
}

impl Mesh {
    /// The steps that the newest journal says are being performed.
    pub(super) fn under_way(&self) -> Result<Vec<UnderWay>> {
        let Some(journal) = newest(self.home())? else {
            return Ok(Vec::new());
        };
        let list = |pointer: &str| {
            journal
                .pointer(pointer)
                .and_then(Value::as_array)
                .cloned()
                .unwrap_or_default()
        };
        let planned = list("/spec/plan/steps");
        let running = list("/status/steps")
            .into_iter()
            .filter(|step| step.get("state").is_some_and(|state| state == "Running"));
        running
            .map(|step| {
                let id = text(&step, "id");
                let planned = planned.iter().find(|planned| text(planned, "id") == id);
                let planned = planned.with_context(|| format!("{id} is not in the plan"))?;
                let cluster = (self.members.len() > 1).then(|| text(planned, "cluster"));
                Ok(UnderWay {
                    step: id,
                    component: text(planned, "component").to_lowercase(),
                    release: text(planned, "release"),
                    cluster,
                })
            })
            .collect()
    }

    /// How often each component was changed since the upgrade began.
    pub(super) fn changes(&self) -> Result<Changes> {
        let mut all = Changes::new();
        for member in &self.members {
            let changes = match self.scenario {
                Scenario::Istioctl => writes_of_istioctl(member)?,
                Scenario::ArgoCd => generations(member)?,
                Scenario::Flux | Scenario::Sail | Scenario::SailRevisions => revisions(member, self.scenario)?,
                _ => upgrades_by_helm(member)?,
            };
            let several = self.members.len() > 1;
            all.extend(changes.into_iter().map(|(changed, count)| {
                let changed = if several {
                    format!("{}/{changed}", member.cluster.name())
                } else {
                    changed
                };
                (changed, count)
            }));
        }
        Ok(all)
    }
}

/// How often the driver's helm has begun to change each release, from the audit log: a successor deletes the revision that
/// a kill left pending, so that helm's own history does not tell.
fn upgrades_by_helm(member: &Member) -> Result<Changes> {
    let driver = names::driver_user();
    let mut changes = Changes::new();
    for event in audit::read(&member.cluster.audit_log())? {
        let begins = event.user == driver
            && event.verb == "create"
            && event.resource == "secrets"
            && event.passed()
            && !event.dry_run;
        let release = event.name.strip_prefix("sh.helm.release.v1.").filter(|_| begins);
        if let Some((release, _)) = release.and_then(|name| name.rsplit_once(".v")) {
            *changes.entry(release.to_owned()).or_default() += 1;
        }
    }
    Ok(changes)
}

/// Revisions of each release that a controller's helm has made: nobody kills that, and nothing deletes them.
fn revisions(member: &Member, scenario: Scenario) -> Result<Changes> {
    let mut changes = Changes::new();
    for release in scenario.releases() {
        let history = ["history", release, "-n", "istio-system", "-o", "json"];
        let history = member.cluster.helm(&history)?.json()?;
        let count = history.as_array().map(Vec::len).unwrap_or_default();
        changes.insert((*release).to_owned(), count);
    }
    Ok(changes)
}

/// How often istioctl changed istiod as the driver, from the API server's audit log.
fn writes_of_istioctl(member: &Member) -> Result<Changes> {
    let driver = names::driver_user();
    let mut changes = Changes::new();
    for event in audit::read(&member.cluster.audit_log())? {
        let is_write = event.user == driver
            && event.verb == "patch"
            && event.agent.starts_with("istioctl/")
            && event.resource == "deployments"
            && event.name.starts_with("istiod")
            && !event.dry_run;
        if is_write {
            *changes.entry(event.name).or_default() += 1;
        }
    }
    Ok(changes)
}

/// How often what Argo CD brings was changed: it keeps no record of its own, as helm does.
fn generations(member: &Member) -> Result<Changes> {
    let workloads = "jsonpath={range .items[*]}{.metadata.name} {.metadata.generation}{\"\\n\"}{end}";
    let list = ["-n", "istio-system", "get", "deployments,daemonsets", "-o", workloads];
    let list = member.cluster.kubectl(&list)?;
    let generations = list.ok()?.lines().filter_map(|line| line.split_once(' '));
    let counted = generations
        .map(|(name, generation)| -> Result<(String, usize)> { Ok((name.to_owned(), generation.trim().parse()?)) });
    counted.collect()
}

fn text(value: &Value, field: &str) -> String {
    let text = value.get(field).and_then(Value::as_str);
    text.unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(of: &[(&str, usize)]) -> Changes {
        of.iter()
            .map(|(changed, count)| ((*changed).to_owned(), *count))
            .collect()
    }

    fn running(cluster: Option<&str>, component: &str, release: &str) -> Vec<UnderWay> {
        vec![UnderWay {
            step: format!("east/{component}/istio-system/{release}"),
            component: component.to_owned(),
            release: release.to_owned(),
            cluster: cluster.map(str::to_owned),
        }]
    }

    #[test]
    fn a_kill_explains_one_more_change_of_what_was_under_way_and_no_other() {
        let usual = changes(&[("istio-base", 1), ("istiod", 1)]);
        let judged =
            |of: &[(&str, usize)], kills: &[Vec<UnderWay>]| beyond(Scenario::InPlace, &usual, &changes(of), kills);
        let istiod = running(None, "istiod", "istiod");
        let kill = std::slice::from_ref(&istiod);
        assert_eq!(
            judged(&[("istio-base", 1), ("istiod", 1)], &[]).unwrap(),
            Changes::new()
        );
        assert_eq!(
            judged(&[("istio-base", 1), ("istiod", 2)], kill).unwrap(),
            changes(&[("istiod", 1)])
        );
        for other in [
            &[("istio-base", 1), ("istiod", 3)][..],
            // As many in all, but of what was done already.
            &[("istio-base", 2), ("istiod", 1)],
            &[("istio-base", 1), ("istiod", 1), ("istio-cni", 1)],
            // One was left out.
            &[("istiod", 2)],
        ] {
            assert!(judged(other, kill).is_err(), "{other:?}");
        }
        assert!(judged(&[("istio-base", 1), ("istiod", 2)], &[Vec::new()]).is_err());
        assert!(judged(&[("istio-base", 1), ("istiod", 3)], &[istiod.clone(), istiod.clone()]).is_ok());
    }

    #[test]
    fn a_change_counts_in_its_own_cluster() {
        let usual = changes(&[("east/istiod", 1), ("west/istiod", 1)]);
        let kills = [running(Some("west"), "istiod", "istiod")];
        let judged = |of: &[(&str, usize)]| beyond(Scenario::TwoClusters, &usual, &changes(of), &kills);
        assert!(judged(&[("east/istiod", 1), ("west/istiod", 2)]).is_ok());
        assert!(judged(&[("east/istiod", 2), ("west/istiod", 1)]).is_err());
    }

    #[test]
    fn what_a_controller_brings_is_told_by_its_component() {
        let usual = changes(&[("istio-cni-node", 2)]);
        let more = changes(&[("istio-cni-node", 3)]);
        assert!(beyond(Scenario::ArgoCd, &usual, &more, &[running(None, "cni", "istio-cni")]).is_ok());
        assert!(beyond(Scenario::ArgoCd, &usual, &more, &[running(None, "istiod", "istiod")]).is_err());
    }
}
