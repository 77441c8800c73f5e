//! The canary that the Sail Operator makes by itself, of an Istio of strategy RevisionBased: it installs a revision for each
//! version, moves its tags, and takes away a revision that nothing refers to any more. This tool tells it the version alone.

use super::{Canary, DEFAULT_VALIDATOR, leads_to};
use crate::{
    api::{Component, InstallerKind, Revisions},
    gitops::{self, Followed},
    inventory::{ControlPlane, Surroundings},
    mesh::ObservedMember,
    version::IstioVersion,
};

/// The Istio of strategy RevisionBased whose revisions a member runs, where an upgrade can tell it.
pub(super) fn istio_of<'a>(member: &ObservedMember<'a>) -> Option<&'a Followed> {
    let mut owners = member
        .control_planes()
        .filter_map(|plane| member.follows(&plane.ownership));
    owners.find(|owner| owner.revisions.is_some())
}

/// Whether a control plane is a revision that keeps its version, and not its name, to itself.
#[must_use]
pub fn is_revision_of_a_version(member: &ObservedMember<'_>, plane: &ControlPlane) -> bool {
    let owner = member.follows(&plane.ownership);
    owner.is_some_and(|owner| owner.revisions.is_some())
}

impl<'a> Canary<'a> {
    /// The canary of a member whose Istio is RevisionBased; `None` of any other, and where the new revision runs alone.
    ///
    /// # Errors
    /// Why the operator is not to be told, in a sentence.
    pub fn by_operator(member: &ObservedMember<'a>, to: &IstioVersion) -> Result<Option<Self>, String> {
        let Some(istio) = istio_of(member) else {
            return Ok(None);
        };
        let told = istio.told();
        let planes: Vec<&ControlPlane> = member.control_planes().collect();
        let is_its = |plane: &&ControlPlane| member.follows(&plane.ownership) == Some(istio);
        if let Some(other) = planes.iter().copied().find(|plane| !is_its(plane)) {
            return Err(format!(
                "its control plane {} is no revision of {told}, which runs beside it",
                other.revision
            ));
        }
        let new = revision_at(istio, &planes, to);
        let (follows, mut old): (Vec<&ControlPlane>, Vec<&ControlPlane>) =
            planes.into_iter().partition(|plane| plane.revision == new);
        if let Some(other) = follows.iter().find(|plane| plane.version.version.as_ref() != Some(to)) {
            return Err(format!(
                "the revision {new} of {told} runs {} already",
                other.version.raw
            ));
        }
        // The newest last: that one is what the new one follows.
        old.sort_by(|a, b| match (&a.version.version, &b.version.version) {
            (Some(a), Some(b)) => a.cmp_release(b),
            (a, b) => a.is_some().cmp(&b.is_some()),
        });
        let Some(last) = old.last().copied() else {
            return Ok(None);
        };
        let release = last.helm_release.as_ref().and_then(|(namespace, name)| {
            let mut releases = member.observed.helm_releases.iter();
            releases.find(|release| release.namespace == *namespace && release.name == *name)
        });
        let Some(release) = release else {
            return Err(format!(
                "no helm release of {told} brings its control plane {}",
                last.revision
            ));
        };
        let mut revisions = Revisions {
            old: last.revision.clone(),
            old_release: release.name.clone(),
            new_release: gitops::release_of_revision(&new),
            new,
            tags: Vec::new(),
        };
        let is_there = Self::has_come(member, &revisions, &release.namespace, to);
        if !is_there {
            let several: Vec<&str> = old.iter().map(|plane| plane.revision.as_str()).collect();
            if several.len() > 1 {
                return Err(format!(
                    "{told} has the revisions {} already: bring what runs to one first, and the operator takes the others \
                     away",
                    several.join(", ")
                ));
            }
            refuse(member, &revisions)?;
            let around = member.observed.surroundings.as_deref();
            let follow = istio.revisions.iter().flat_map(|revisions| &revisions.tags);
            let leads = |tag: &&String| around.is_some_and(|around| has_tag(around, &revisions.old, tag));
            revisions.tags = follow.filter(leads).cloned().collect();
        }
        Ok(Some(Self {
            old: last,
            release,
            revisions,
            installer: InstallerKind::Sail,
            is_there,
            tags_are_due: false,
            validator_is_due: false,
        }))
    }
}

/// The revision that is to run this version. One that the operator has chosen for an alias, as `v1.31-latest`, may run it
/// already under another name.
fn revision_at(istio: &Followed, planes: &[&ControlPlane], to: &IstioVersion) -> String {
    let active = istio.revisions.as_ref().map(|revisions| revisions.active.as_str());
    let runs_it =
        |plane: &&&ControlPlane| Some(plane.revision.as_str()) == active && plane.version.version.as_ref() == Some(to);
    match planes.iter().find(runs_it) {
        Some(plane) => plane.revision.clone(),
        None => istio.revision_at(&to.to_string()).unwrap_or_default(),
    }
}

/// What the operator would leave behind, or cannot do.
fn refuse(member: &ObservedMember<'_>, revisions: &Revisions) -> Result<(), String> {
    if member.hosted().next().is_some() {
        return Err("a control plane in it is configured in another cluster".to_owned());
    }
    let mut nodes = member.node_components();
    if nodes.any(|node| node.component == Component::Ztunnel) {
        return Err("it runs ztunnel, of which a node has only one".to_owned());
    }
    let Some(around) = member.observed.surroundings.as_deref() else {
        return Ok(());
    };
    for webhook in leads_to(around, &revisions.old) {
        if webhook.configuration == DEFAULT_VALIDATOR {
            return Err(format!(
                "{DEFAULT_VALIDATOR} leads to revision {}, and the Sail Operator would take that revision away without moving \
                 it: from then on it would refuse all configuration; delete it first",
                revisions.old
            ));
        }
        let Some(tag) = &webhook.tag else { continue };
        let owner = webhook.helm_release.as_ref();
        if !owner.is_some_and(|(_, release)| gitops::is_release_of_tag(release, tag)) {
            return Err(format!(
                "the tag {tag} leads to revision {} and is no IstioRevisionTag: the Sail Operator would take that revision \
                 away without moving it",
                revisions.old
            ));
        }
    }
    Ok(())
}

fn has_tag(around: &Surroundings, revision: &str, tag: &str) -> bool {
    leads_to(around, revision).any(|webhook| webhook.tag.as_deref() == Some(tag))
}

#[cfg(test)]
#[path = "by_operator_tests.rs"]
mod tests;
