//! Components whose version stands in an object that a controller follows: what is to change there, and what counts as
//! arrived. What Argo CD and Flux follow this tool never writes: a repository is its source, and the controller would write it
//! back. The Sail Operator's objects it writes itself.

mod application;
mod helm_chart;
mod helm_release;
mod oci_repository;
mod patch;
mod pins;
mod sail;

pub use application::{Application, instance_of};
pub use helm_chart::HelmChart;
pub use helm_release::HelmRelease;
pub use oci_repository::OciRepository;
pub use patch::patch;
pub use pins::{Pin, pinned};
pub use sail::{
    SailKind, SailObject, SailTag, are_of_one_istio, brings_a_tag, is_release_of_tag, istio_of_revision,
    release_of as release_of_revision, revision_of,
};

use crate::{
    api::{Component, InstallerKind, ObjectName, PlanStep},
    arrival::Arrival,
    inventory::{GitOpsOwner, Observed, OperatorObject, Ownership, ToldBy, is_helms},
};
use k8s_openapi::jiff::Timestamp;
use serde::Deserialize;

/// Label of every object of Istio's charts with the version of the chart that brought it.
pub const VERSION_LABEL: &str = "app.kubernetes.io/version";
/// Annotation by which Argo CD tracks what an Application brought: `NAME:GROUP/KIND:NAMESPACE/NAME`.
pub const TRACKING_ANNOTATION: &str = "argocd.argoproj.io/tracking-id";
/// Label by which it does where it was told to track by labels.
pub const TRACKING_LABEL: &str = "argocd.argoproj.io/instance";
/// Argo CD's own label, where it was told to track by labels and not by which. Helm's charts set it as well, so that only Argo
/// CD's hand in an object makes it a mark, which a freeze cannot see.
pub const INSTANCE_LABEL: &str = "app.kubernetes.io/instance";
/// Field managers of Argo CD: of its server-side apply, and of all else that it writes.
pub const ARGO_CD: &[&str] = &["argocd-controller", "argocd-application-controller"];
/// Field managers of Flux, the latter of the helm inside of it.
pub const FLUX: &[&str] = &["helm-controller", "helm"];

/// Field managers of the Sail Operator, whose helm writes as its program is called: of today, and of its first releases.
pub const SAIL: &[&str] = &["sail-operator", "manager"];

/// Kind of an object that a controller follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FollowedKind {
    /// Argo CD's.
    Application,
    /// Flux's.
    HelmRelease,
    /// The Sail Operator's.
    Sail(SailKind),
}

impl FollowedKind {
    /// The kind's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Application => "Application",
            Self::HelmRelease => "HelmRelease",
            Self::Sail(kind) => kind.as_str(),
        }
    }

    /// What changes the component that such an object brings.
    #[must_use]
    pub fn installer(self) -> InstallerKind {
        match self {
            Self::Application => InstallerKind::ArgoCd,
            Self::HelmRelease => InstallerKind::Flux,
            Self::Sail(_) => InstallerKind::Sail,
        }
    }
}

/// Where a chart and its version stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The object that holds it, as `Application argocd/istiod`: for Flux it may be another than the HelmRelease.
    pub object: String,
    /// What the chart installs.
    pub component: Option<Component>,
    /// Fields down to the version, with the index of a list in brackets, as `spec`, `sources[1]`, `targetRevision`.
    pub path: Vec<String>,
    /// What stands beside the version and tells which one is meant, as `chart` and `istiod`.
    pub beside: Vec<(String, String)>,
    /// The version that stands there; `None` where it was not read.
    pub version: Option<String>,
}

/// An object that a GitOps controller follows, and that brings a component of Istio's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Followed {
    /// Its kind.
    pub kind: FollowedKind,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Where its charts' versions stand, Istio's only.
    pub sources: Vec<Source>,
    /// The helm release that it is; `None` where the controller renders charts without one.
    pub release: Option<ObjectName>,
    /// Who writes for it, as the API server knows them; `None` when nobody was found.
    pub user: Option<String>,
    /// What stands in the way of waiting for it; `None` when nothing does.
    pub obstacle: Option<String>,
    /// How far it is.
    pub progress: Progress,
    /// Values of its own that pin what runs.
    pub pins: Vec<Pin>,
    /// The field that leads to values which stand elsewhere and were not read; `None` where none does.
    pub values_elsewhere: Option<String>,
    /// Its revisions, where the Sail Operator gives it a new one for each version; `None` where it is changed as it runs.
    pub revisions: Option<RevisionBased>,
}

/// An Istio whose versions stand beside each other, each a revision of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RevisionBased {
    /// The revision that the operator calls the active one.
    pub active: String,
    /// IstioRevisionTags that follow the active revision.
    pub tags: Vec<String>,
}

/// What a controller says of its object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The version of Istio's chart that it has brought.
    pub version: Option<String>,
    /// Whether that is done, and in order.
    pub is_done: bool,
    /// What it says of itself, in a few words.
    pub says: String,
    /// What a person has to do beside the merge; `None` when the controller goes on by itself.
    pub by_hand: Option<String>,
}

/// What names an object of a controller's.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Metadata {
    namespace: String,
    name: String,
}

impl Followed {
    /// Takes over what stands in the way of a source of its charts: that it is suspended before what else was found, and
    /// neither before what stands in its own way.
    fn hindered_by(&mut self, object: &str, suspended: bool, other: Option<String>) {
        let suspended =
            suspended.then(|| format!("{object} is suspended, so that nothing that is merged would arrive"));
        self.obstacle = self.obstacle.take().or(suspended).or(other);
    }

    /// As people say it.
    #[must_use]
    pub fn told(&self) -> String {
        match self.kind {
            FollowedKind::Application | FollowedKind::HelmRelease => {
                format!("{} {}/{}", self.kind.as_str(), self.namespace, self.name)
            }
            FollowedKind::Sail(kind) => format!("{} {}", kind.as_str(), self.name),
        }
    }

    /// The component that it brings, where that is one alone.
    #[must_use]
    pub fn component(&self) -> Option<Component> {
        match self.sources.as_slice() {
            [only] => only.component,
            _ => None,
        }
    }

    /// By which value its controller marks what it has brought; only Argo CD does that by a name of its own.
    #[must_use]
    pub fn marks(&self) -> Vec<String> {
        match self.kind {
            FollowedKind::Application => vec![self.name.clone(), format!("{}_{}", self.namespace, self.name)],
            FollowedKind::HelmRelease | FollowedKind::Sail(_) => Vec::new(),
        }
    }

    /// The objects by which an operator is told what to install and where its tags lead, as resource and name; none where a
    /// repository tells it.
    #[must_use]
    pub fn told_by(&self) -> Vec<String> {
        let FollowedKind::Sail(kind) = self.kind else {
            return Vec::new();
        };
        let own = format!("{}/{}", kind.resource(), self.name);
        let tags = self.revisions.iter().flat_map(|revisions| &revisions.tags);
        let tags = tags.map(|tag| format!("{}/{tag}", SailTag::RESOURCE));
        [own].into_iter().chain(self.revision()).chain(tags).collect()
    }

    /// The IstioRevision that the Sail Operator makes of an Istio, as resource and name.
    #[must_use]
    pub fn revision(&self) -> Option<String> {
        let active = self
            .revisions
            .as_ref()
            .map_or(&self.name, |revisions| &revisions.active);
        (self.kind == FollowedKind::Sail(SailKind::Istio)).then(|| revision_object(active))
    }

    /// The revision that it has for a version, where each has one.
    #[must_use]
    pub fn revision_at(&self, version: &str) -> Option<String> {
        self.revisions.as_ref().map(|_| sail::revision_of(&self.name, version))
    }

    /// Whether a workload's owner, by the mark of a GitOps controller, is this.
    #[must_use]
    pub fn is_owner(&self, owner: &GitOpsOwner) -> bool {
        match (self.kind, owner) {
            (FollowedKind::Application, GitOpsOwner::Application { mark, told_by }) => match told_by {
                ToldBy::Tracking => self.marks().contains(mark),
                ToldBy::InstanceLabel => false,
            },
            (FollowedKind::HelmRelease, GitOpsOwner::HelmRelease(object)) => {
                object.namespace == self.namespace && object.name == self.name
            }
            (FollowedKind::Application | FollowedKind::HelmRelease | FollowedKind::Sail(_), _) => false,
        }
    }

    /// Whether the object that a workload belongs to is this, or a revision of it.
    #[must_use]
    pub fn is_operators(&self, object: &OperatorObject) -> bool {
        match self.kind {
            FollowedKind::Application | FollowedKind::HelmRelease => false,
            // In place the revision has the name of its Istio; of other strategies its name begins so.
            FollowedKind::Sail(SailKind::Istio) => object
                .revision()
                .and_then(|revision| revision.strip_prefix(self.name.as_str()))
                .is_some_and(|rest| rest.is_empty() || rest.starts_with("-v")),
            FollowedKind::Sail(kind) => object.kind == kind.as_str() && object.name == self.name,
        }
    }

    /// Whether it has brought a version, in order or not.
    #[must_use]
    pub fn has_brought(&self, version: &str) -> bool {
        let brought = self.progress.version.as_deref();
        brought.is_some_and(|brought| is_version(brought, version))
    }

    /// Whether the target has arrived, as far as the object and its controller say.
    #[must_use]
    pub fn arrival(&self, to: &str) -> Arrival {
        let told = self.told();
        let behind = self.sources.iter().find_map(|source| {
            let version = source.version.as_deref()?;
            (!is_version(version, to)).then_some((source, version))
        });
        if let Some((source, version)) = behind {
            let change = format!(
                "{} of {} to be {to} (now {version})",
                source.path.join("."),
                source.object
            );
            return Arrival::Waiting(match self.kind {
                FollowedKind::Application | FollowedKind::HelmRelease => format!("the change to be merged: {change}"),
                FollowedKind::Sail(_) => change,
            });
        }
        let Progress {
            is_done, says, by_hand, ..
        } = &self.progress;
        if self.has_brought(to) && *is_done {
            return Arrival::Arrived(format!("{told} has brought {to}: {says}"));
        }
        let by_hand = by_hand.as_ref().map(|what| format!("; {what}")).unwrap_or_default();
        Arrival::Waiting(format!("{told} to bring {to} ({says}{by_hand})"))
    }
}

/// Whether Argo CD wrote an object after any helm: charts set [`INSTANCE_LABEL`] too, and fields of a controller that went stay
/// its own. Who wrote fields of it comes with when.
#[must_use]
pub fn is_last_by_argo_cd<'m>(writers: impl Iterator<Item = (Option<Timestamp>, &'m str)>) -> bool {
    let either = writers.filter_map(|(time, manager)| {
        let is_argo_cd = ARGO_CD.contains(&manager);
        (is_argo_cd || is_helms(manager)).then_some((time, is_argo_cd))
    });
    let last = either.max_by_key(|(time, _)| *time);
    last.is_some_and(|(_, is_argo_cd)| is_argo_cd)
}

/// Why an owner cannot be waited for whose object was not found, or is not told for certain.
#[must_use]
pub fn why_not_found(owner: &GitOpsOwner) -> &'static str {
    match owner {
        GitOpsOwner::Application {
            told_by: ToldBy::InstanceLabel,
            ..
        } => {
            "its Argo CD tracks by a label that helm's charts set as well, so that no freeze can tell what it brings: have it track \
             by annotation (application.resourceTrackingMethod in ConfigMap argocd-cm), and sync once"
        }
        GitOpsOwner::Application {
            told_by: ToldBy::Tracking,
            ..
        }
        | GitOpsOwner::HelmRelease(_)
        | GitOpsOwner::Kustomization(_) => "no object of it that names one of Istio's charts was found in this cluster",
    }
}

/// The object that owns a workload: by the mark of a GitOps controller, or else by that of an operator.
#[must_use]
pub fn owner_of<'a>(observed: &'a Observed, ownership: &Ownership) -> Option<&'a Followed> {
    let mut followed = observed.followed.iter();
    followed.find(|followed| match (&ownership.gitops, &ownership.operator) {
        (Some(owner), _) => followed.is_owner(owner),
        (None, Some(object)) => followed.is_operators(object),
        (None, None) => false,
    })
}

/// What is a helm release, and can be waited for.
#[must_use]
pub fn of_release<'a>(observed: &'a Observed, namespace: &str, name: &str) -> Option<&'a Followed> {
    observed.followed.iter().find(|followed| {
        let release = followed.release.as_ref();
        followed.obstacle.is_none() && release.is_some_and(|one| one.namespace == namespace && one.name == name)
    })
}

/// The object that a step waits for.
#[must_use]
pub fn of_step<'a>(observed: &'a Observed, step: &PlanStep) -> Option<&'a Followed> {
    observed.followed.iter().find(|followed| match step.installer {
        InstallerKind::Helm | InstallerKind::Istioctl => false,
        InstallerKind::ArgoCd => {
            followed.kind == FollowedKind::Application
                && followed.namespace == step.namespace
                && followed.name == step.release
        }
        InstallerKind::Flux | InstallerKind::Sail => {
            let release = followed.release.as_ref();
            // The release of a revision that is still to come.
            let is_next = || {
                let next = followed.revision_at(&step.to);
                next.is_some_and(|revision| sail::release_of(&revision) == step.release)
            };
            release.is_some_and(|one| one.namespace == step.namespace && (one.name == step.release || is_next()))
        }
    })
}

/// An IstioRevision as resource and name.
#[must_use]
pub fn revision_object(revision: &str) -> String {
    format!("{REVISIONS}/{revision}")
}

/// Resource of the Sail Operator's IstioRevisions.
pub const REVISIONS: &str = "istiorevisions";

/// Beginning of an Application's name where otherwise a helm release is named: the slash keeps it apart from any release.
const AS_RELEASE: &str = "argocd/";

/// An Application where otherwise a helm release is named.
#[must_use]
pub fn as_release(application: &ObjectName) -> ObjectName {
    ObjectName {
        namespace: application.namespace.clone(),
        name: format!("{AS_RELEASE}{}", application.name),
    }
}

/// The same of an object's mark, which says no namespace, or says it before the name.
#[must_use]
pub fn mark_as_release(mark: &str) -> ObjectName {
    ObjectName {
        namespace: String::new(),
        name: format!("{AS_RELEASE}{mark}"),
    }
}

/// The mark out of that; `None` where it is something else.
#[must_use]
pub fn mark_of(release: &ObjectName) -> Option<&str> {
    release.name.strip_prefix(AS_RELEASE)
}

/// Whether what an object is marked with is this Application.
#[must_use]
pub fn is_brought_by(release: &ObjectName, application: &ObjectName) -> bool {
    match (mark_of(release), mark_of(application)) {
        (Some(mark), Some(name)) => mark == name || *mark == format!("{}_{name}", application.namespace),
        _ => false,
    }
}

/// Whether a chart's version, with or without Helm's `v`, is this one.
fn is_version(text: &str, version: &str) -> bool {
    text.strip_prefix('v').unwrap_or(text) == version
}

#[cfg(test)]
mod arrival_tests;
#[cfg(test)]
mod sail_tests;
#[cfg(test)]
pub mod sample;
#[cfg(test)]
mod tests;
