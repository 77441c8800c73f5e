//! The canary as it is driven: which revision goes, which follows it, what hinders that, and what still uses the old one.
//!
//! It is two upgrades. The first installs the new revision beside the old one and moves the tags; the second takes the old
//! one away when nothing refers to it. What was observed tells which of the two is due, so that whoever asks again gets
//! the next one.

mod by_operator;

pub use by_operator::is_revision_of_a_version;

use crate::{
    api::{Component, InstallerKind, PlanStep, Revisions, StepAction},
    engine::Engine,
    gitops,
    inventory::{ControlPlane, HelmRelease, Observed, Surroundings, Webhook},
    mesh::ObservedMember,
    revision,
    version::IstioVersion,
};
use std::collections::BTreeSet;

/// The validator of what names no revision.
const DEFAULT_VALIDATOR: &str = "ValidatingWebhookConfiguration istiod-default-validator";

/// Which of the two upgrades is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The new revision is installed beside the old one, and what leads to the old one is moved.
    Install,
    /// The old revision is taken away.
    Remove,
}

/// Why a mesh cannot be upgraded so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hindrance {
    /// The cluster that it is about.
    pub cluster: String,
    /// In a sentence.
    pub reason: String,
}

/// The canary of one cluster.
#[derive(Clone, Debug)]
pub struct Canary<'a> {
    /// The control plane that goes.
    pub old: &'a ControlPlane,
    /// Its release.
    pub release: &'a HelmRelease,
    /// Both revisions, and the tags that the new one is to have.
    pub revisions: Revisions,
    /// What brings the new one.
    pub installer: InstallerKind,
    /// Whether the new revision runs the target.
    pub is_there: bool,
    /// Whether a tag still leads to the old revision.
    pub tags_are_due: bool,
    /// Whether the default validator still leads to the old revision.
    pub validator_is_due: bool,
}

/// Which of the two upgrades of a mesh is due; nothing where no cluster of it has an old revision.
///
/// # Errors
/// What stands in the way, in the first cluster that something does.
pub fn stage(members: &[ObservedMember<'_>], to: &IstioVersion) -> Result<Option<Stage>, Hindrance> {
    let mut stage = None;
    for member in members {
        let found = Canary::of(member, to).map_err(|reason| Hindrance {
            cluster: member.name().to_owned(),
            reason,
        })?;
        let Some(canary) = found else { continue };
        if !canary.is_placed(member, to) {
            return Ok(Some(Stage::Install));
        }
        stage = Some(Stage::Remove);
    }
    Ok(stage)
}

impl<'a> Canary<'a> {
    /// The canary of a cluster; `None` where only the new revision runs.
    ///
    /// # Errors
    /// Why there can be none, in a sentence.
    pub fn of(member: &ObservedMember<'a>, to: &IstioVersion) -> Result<Option<Self>, String> {
        if member.hosted().next().is_some() {
            return Err("a control plane in it is configured in another cluster".to_owned());
        }
        if by_operator::istio_of(member).is_some() {
            return Err(
                "the Sail Operator brings a new revision beside the old one by itself, and takes the old one away: leave \
                 --strategy canary out"
                    .to_owned(),
            );
        }
        let new = revision::named_by(to);
        let (follows, old): (Vec<&ControlPlane>, Vec<&ControlPlane>) =
            member.control_planes().partition(|plane| plane.revision == new);
        if let Some(other) = follows
            .iter()
            .find(|plane| plane.version.version.as_ref() != Some(to) || plane.helm_release.is_none())
        {
            return Err(format!(
                "the revision {new} runs {} already, and is not this canary's",
                other.version.raw
            ));
        }
        let old = match old.as_slice() {
            [old] => *old,
            [] if follows.is_empty() => return Err("it has no control plane of its own to stand beside".to_owned()),
            [] => return Ok(None),
            several => {
                let revisions: Vec<&str> = several.iter().map(|plane| plane.revision.as_str()).collect();
                return Err(format!(
                    "it runs the revisions {} already: bring them to one first",
                    revisions.join(", ")
                ));
            }
        };
        if old.revision == revision::DEFAULT {
            return Err(
                "its control plane has no revision of its own, and injects whatever names none: moving that takes the \
                 hands of somebody who knows the workloads, see kubectl mesh-upgrade guide"
                    .to_owned(),
            );
        }
        let release = Self::release_of(member, old)?;
        let mut nodes = member.node_components();
        if nodes.any(|node| node.component == Component::Ztunnel) {
            return Err("it runs ztunnel, of which a node has only one".to_owned());
        }
        let Some(around) = member.observed.surroundings.as_deref() else {
            return Err("its webhooks could not be looked at".to_owned());
        };
        let mut revisions = Revisions {
            old: old.revision.clone(),
            old_release: release.name.clone(),
            new_release: revision::release(&release.name, &old.revision, &new),
            new,
            tags: Vec::new(),
        };
        revisions.tags = tags(around, &revisions, &release.namespace)?;
        let tags_are_due = leads_to(around, &revisions.old).any(|webhook| webhook.tag.is_some());
        let validator_is_due =
            leads_to(around, &revisions.old).any(|webhook| webhook.configuration == DEFAULT_VALIDATOR);
        let base = member
            .releases()
            .into_iter()
            .any(|one| one.component == Component::Base);
        if validator_is_due && !base {
            return Err(format!(
                "{DEFAULT_VALIDATOR} leads to revision {}, and no helm release of base could move it",
                revisions.old
            ));
        }
        Ok(Some(Self {
            old,
            release,
            is_there: Self::has_come(member, &revisions, &release.namespace, to),
            tags_are_due,
            validator_is_due,
            revisions,
            installer: InstallerKind::Helm,
        }))
    }

    fn release_of(member: &ObservedMember<'a>, old: &ControlPlane) -> Result<&'a HelmRelease, String> {
        let engine = Engine::of_plane(old);
        let owner = old.helm_release.as_ref().filter(|_| engine == Engine::Helm);
        let mut releases = member.observed.helm_releases.iter();
        let release = owner.and_then(|(namespace, name)| {
            releases.find(|release| release.namespace == *namespace && release.name == *name)
        });
        match release {
            Some(release) if gitops::of_release(member.observed, &release.namespace, &release.name).is_none() => {
                Ok(release)
            }
            Some(_) | None => Err(format!(
                "its control plane was installed by {}: only a helm release can be given a second one beside it",
                engine.told()
            )),
        }
    }

    fn has_come(member: &ObservedMember<'_>, revisions: &Revisions, namespace: &str, to: &IstioVersion) -> bool {
        let is_there = member.control_planes().any(|plane| plane.revision == revisions.new);
        let release = member.observed.helm_release(namespace, &revisions.new_release);
        is_there && release.is_some_and(|release| release.status == "deployed" && is_at(release, to))
    }

    /// Whether nothing is left to be done for the new revision. Gateways and node components count: they come before the
    /// old one goes.
    #[must_use]
    pub fn is_placed(&self, member: &ObservedMember<'_>, to: &IstioVersion) -> bool {
        let mut releases = member.releases().into_iter();
        let is_done = |release: &HelmRelease| match release.component {
            Component::Istiod => true,
            Component::Gateway => is_at(release, to) && !self.is_named_by(release),
            Component::Base | Component::Cni | Component::Ztunnel | Component::Vendor => is_at(release, to),
        };
        self.is_there && !self.tags_are_due && !self.validator_is_due && releases.all(is_done)
    }

    /// Whether the values of a release name the old revision.
    #[must_use]
    pub fn is_named_by(&self, release: &HelmRelease) -> bool {
        release.settings.revision.as_deref() == Some(self.revisions.old.as_str())
    }
}

fn is_at(release: &HelmRelease, to: &IstioVersion) -> bool {
    crate::plan::chart_version(release, &to.flavor).as_ref() == Some(to)
}

fn leads_to<'w>(around: &'w Surroundings, revision: &str) -> impl Iterator<Item = &'w Webhook> {
    let webhooks = around.webhooks.iter();
    webhooks.filter(move |webhook| webhook.revision.as_deref() == Some(revision))
}

/// Tags that the new release is to bring: those of the old revision, and those that it has already.
fn tags(around: &Surroundings, revisions: &Revisions, namespace: &str) -> Result<Vec<String>, String> {
    let is = |webhook: &Webhook, name: &str| webhook.helm_release == Some((namespace.to_owned(), name.to_owned()));
    let mut tags = BTreeSet::new();
    for webhook in &around.webhooks {
        let Some(tag) = &webhook.tag else { continue };
        let is_news = is(webhook, &revisions.new_release);
        if !is_news && webhook.revision.as_deref() != Some(&revisions.old) {
            continue;
        }
        if let Some((other, name)) = webhook
            .helm_release
            .as_ref()
            .filter(|_| !is_news && !is(webhook, &revisions.old_release))
        {
            return Err(format!(
                "the tag {tag} belongs to helm release {other}/{name}, which would take it back"
            ));
        }
        let expected = match namespace {
            "istio-system" => format!("MutatingWebhookConfiguration istio-revision-tag-{tag}"),
            _ => format!("MutatingWebhookConfiguration istio-revision-tag-{tag}-{namespace}"),
        };
        if webhook.configuration != expected {
            return Err(format!(
                "the tag {tag} is {}, which neither Istio's chart nor istioctl calls so: {expected} was expected",
                webhook.configuration
            ));
        }
        tags.insert(tag.clone());
    }
    Ok(tags.into_iter().collect())
}

/// What still refers to the old revision, a line each; the second upgrade begins only when there is nothing.
#[must_use]
pub fn uses(observed: &Observed, revisions: &Revisions) -> Vec<String> {
    let old = revisions.old.as_str();
    let mut found = Vec::new();
    let Some(around) = observed.surroundings.as_deref() else {
        return vec!["what refers to it could not be looked at".to_owned()];
    };
    let namespaces = around.namespaces.iter().filter(|one| one.revision == old);
    found.extend(namespaces.map(|one| format!("Namespace {}: its label istio.io/rev names it", one.namespace)));
    let tags: BTreeSet<&str> = leads_to(around, old)
        .filter_map(|webhook| webhook.tag.as_deref())
        .collect();
    found.extend(tags.into_iter().map(|tag| format!("tag {tag}: it leads to it")));
    if leads_to(around, old).any(|webhook| webhook.configuration == DEFAULT_VALIDATOR) {
        found.push(format!("{DEFAULT_VALIDATOR}: it leads to it"));
    }
    let proxies = observed.proxies.iter();
    let proxies = proxies.filter(|proxies| proxies.revision.as_deref() == Some(old));
    found.extend(proxies.map(|proxies| {
        format!(
            "{} proxies ({}) in namespace {}, as Pod {}: injected by it",
            proxies.count,
            proxies.kind.as_str(),
            proxies.namespace,
            proxies.example
        )
    }));
    let gateways = observed
        .helm_releases
        .iter()
        .filter(|release| release.component == Component::Gateway && release.settings.revision.as_deref() == Some(old));
    found.extend(gateways.map(|release| {
        format!(
            "helm release {}/{}: its value revision names it",
            release.namespace, release.name
        )
    }));
    found
}

/// Whether a step takes something away or moves something, which is told by what stands around the workloads. The Sail
/// Operator moves tags with the revision.
#[must_use]
pub fn looks_around(step: &PlanStep) -> bool {
    match step.action {
        StepAction::MoveTags | StepAction::Remove => true,
        StepAction::Install => step.installer == InstallerKind::Sail,
        StepAction::Upgrade => false,
    }
}

/// What a step that moves tags, or the default validator, waits for; the evidence when nothing.
///
/// # Errors
/// What is waited for.
pub fn moved(component: Component, revisions: &Revisions, observed: &Observed) -> Result<String, String> {
    let Some(around) = observed.surroundings.as_deref() else {
        return Err("webhooks to be looked at".to_owned());
    };
    let is_new = |webhook: &Webhook| webhook.revision.as_deref() == Some(revisions.new.as_str());
    let new = &revisions.new;
    if component == Component::Base {
        let mut webhooks = around.webhooks.iter();
        let validator = webhooks.find(|webhook| webhook.configuration == DEFAULT_VALIDATOR);
        return match validator {
            Some(webhook) if is_new(webhook) => Ok(format!("the default validator leads to revision {new}")),
            _ => Err(format!("the default validator to lead to revision {new}")),
        };
    }
    for tag in &revisions.tags {
        let mut of_tag = around
            .webhooks
            .iter()
            .filter(|webhook| webhook.tag.as_ref() == Some(tag))
            .peekable();
        if of_tag.peek().is_none() || !of_tag.all(is_new) {
            return Err(format!("the tag {tag} to lead to revision {new}"));
        }
    }
    Ok(format!("tags that lead to revision {new}: {}", told(&revisions.tags)))
}

fn told(tags: &[String]) -> String {
    if tags.is_empty() {
        return "none".to_owned();
    }
    tags.join(", ")
}

#[cfg(test)]
#[path = "canary_tests.rs"]
mod tests;
