//! The Sail Operator's objects: a version for each component, and what the operator says of it. Unlike what follows a
//! repository this tool writes them itself, as the holder.

use super::{
    Followed, FollowedKind, INSTANCE_LABEL, Progress, RevisionBased, Source, TRACKING_ANNOTATION, TRACKING_LABEL,
    is_last_by_argo_cd, pins::Pinned,
};
use crate::{
    api::{Component, ObjectName},
    guard::message::one_line,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Labels by which Flux marks what it has brought out of a repository.
const FLUX_LABELS: [&str; 2] = ["kustomize.toolkit.fluxcd.io/name", "helm.toolkit.fluxcd.io/name"];
/// End of the name of the helm release that brings a revision, after the revision.
const RELEASE: &str = "-istiod";
/// End of the name of the helm release that brings a tag, after the tag.
const TAG_RELEASE: &str = "-revisiontags";

/// The revision that an Istio of strategy RevisionBased has for a version, as `default-v1-31-0`.
#[must_use]
pub fn revision_of(istio: &str, version: &str) -> String {
    let version = version.strip_prefix('v').unwrap_or(version);
    format!("{istio}-v{}", version.replace('.', "-"))
}

/// The helm release that brings a revision.
#[must_use]
pub fn release_of(revision: &str) -> String {
    format!("{revision}{RELEASE}")
}

/// Whether a helm release is that of an IstioRevisionTag.
#[must_use]
pub fn is_release_of_tag(release: &str, tag: &str) -> bool {
    release.strip_suffix(TAG_RELEASE) == Some(tag)
}

/// The Istio of a revision that is named by its version; `None` of any other revision.
#[must_use]
pub fn istio_of_revision(revision: &str) -> Option<&str> {
    let (istio, version) = revision.rsplit_once("-v")?;
    let (major, rest) = version.split_once('-')?;
    let is_version = !rest.is_empty() && !major.is_empty() && major.chars().all(|c| c.is_ascii_digit());
    is_version.then_some(istio)
}

/// Whether two helm releases bring revisions of one Istio.
#[must_use]
pub fn are_of_one_istio(one: &str, other: &str) -> bool {
    fn istio(release: &str) -> Option<&str> {
        istio_of_revision(release.strip_suffix(RELEASE)?)
    }
    istio(one).is_some_and(|name| istio(other) == Some(name))
}

/// Whether a helm release brings some IstioRevisionTag.
#[must_use]
pub fn brings_a_tag(release: &str) -> bool {
    release.ends_with(TAG_RELEASE)
}

/// A kind of the Sail Operator that carries the version of a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SailKind {
    /// A control plane.
    Istio,
    /// The CNI node agent.
    IstioCni,
    /// The ambient node proxy.
    ZTunnel,
}

impl SailKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Istio, Self::IstioCni, Self::ZTunnel];

    /// Its API group.
    pub const GROUP: &'static str = "sailoperator.io";

    /// The kind's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Istio => "Istio",
            Self::IstioCni => "IstioCNI",
            Self::ZTunnel => "ZTunnel",
        }
    }

    /// The resource's name in the API.
    #[must_use]
    pub fn resource(self) -> &'static str {
        match self {
            Self::Istio => "istios",
            Self::IstioCni => "istiocnis",
            Self::ZTunnel => "ztunnels",
        }
    }

    fn component(self) -> Component {
        match self {
            Self::Istio => Component::Istiod,
            Self::IstioCni => Component::Cni,
            Self::ZTunnel => Component::Ztunnel,
        }
    }

    /// The helm release that the operator makes of an object.
    fn release(self, name: &str) -> String {
        match self {
            Self::Istio => release_of(name),
            Self::IstioCni => "istio-cni".to_owned(),
            Self::ZTunnel => "ztunnel".to_owned(),
        }
    }
}

/// Such an object, as far as it is read.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct SailObject {
    metadata: Metadata,
    spec: Spec,
    status: Status,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Metadata {
    name: String,
    generation: i64,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    managed_fields: Vec<Managed>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Managed {
    manager: String,
    time: Option<Time>,
}

impl Metadata {
    /// Whether Argo CD or Flux brings the object itself.
    fn is_brought(&self) -> bool {
        let writers = || {
            let managers = self.managed_fields.iter();
            managers.map(|managed| (managed.time.as_ref().map(|time| time.0), managed.manager.as_str()))
        };
        self.annotations.contains_key(TRACKING_ANNOTATION)
            || self.labels.contains_key(TRACKING_LABEL)
            || FLUX_LABELS.iter().any(|label| self.labels.contains_key(*label))
            || (self.labels.contains_key(INSTANCE_LABEL) && is_last_by_argo_cd(writers()))
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    version: String,
    namespace: String,
    values: Option<Pinned>,
    update_strategy: Option<Strategy>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Strategy {
    #[serde(rename = "type")]
    kind: String,
}

/// How an Istio gets to another version.
enum Updates<'a> {
    InPlace,
    RevisionBased,
    Unknown(&'a str),
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    observed_generation: i64,
    conditions: Vec<Condition>,
    active_revision_name: String,
}

/// An IstioRevisionTag, as far as it is read.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct SailTag {
    metadata: Metadata,
    spec: TagSpec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct TagSpec {
    target_ref: TargetRef,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct TargetRef {
    kind: String,
    name: String,
}

impl SailTag {
    /// Its resource's name in the API.
    pub const RESOURCE: &'static str = "istiorevisiontags";

    /// The tag's name, where it follows this Istio from revision to revision; one that names a revision stays there.
    #[must_use]
    pub fn following(&self, istio: &str) -> Option<&str> {
        let target = &self.spec.target_ref;
        (target.kind == SailKind::Istio.as_str() && target.name == istio).then_some(self.metadata.name.as_str())
    }
}

/// A condition of the operator's: unlike Kubernetes' own it may lack reason and message.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Condition {
    #[serde(rename = "type")]
    kind: String,
    status: String,
    reason: String,
    message: String,
}

impl SailObject {
    /// What it brings. `user` is whom the operator writes as.
    #[must_use]
    pub fn followed(&self, kind: SailKind, user: Option<&str>) -> Followed {
        let name = &self.metadata.name;
        let revisions = self.revisions(kind);
        let release = match &revisions {
            Some(revisions) => release_of(&revisions.active),
            None => kind.release(name),
        };
        Followed {
            kind: FollowedKind::Sail(kind),
            namespace: String::new(),
            name: name.clone(),
            sources: vec![Source {
                object: format!("{} {name}", kind.as_str()),
                component: Some(kind.component()),
                path: vec!["spec".to_owned(), "version".to_owned()],
                beside: Vec::new(),
                version: Some(self.spec.version.clone()),
            }],
            release: Some(ObjectName {
                namespace: self.spec.namespace.clone(),
                name: release,
            }),
            user: user.map(str::to_owned),
            obstacle: self.obstacle(kind, user),
            progress: self.progress(kind),
            pins: self
                .spec
                .values
                .iter()
                .flat_map(|values| values.below(&["spec", "values"]))
                .collect(),
            values_elsewhere: None,
            revisions,
        }
    }

    /// Only an Istio has a strategy; the others are changed where they run.
    fn updates(&self, kind: SailKind) -> Updates<'_> {
        let strategy = self.spec.update_strategy.as_ref().filter(|_| kind == SailKind::Istio);
        match strategy.map_or("", |strategy| strategy.kind.as_str()) {
            "" | "InPlace" => Updates::InPlace,
            "RevisionBased" => Updates::RevisionBased,
            unknown => Updates::Unknown(unknown),
        }
    }

    /// The revision that its version asks for.
    fn wanted(&self) -> String {
        revision_of(&self.metadata.name, &self.spec.version)
    }

    fn revisions(&self, kind: SailKind) -> Option<RevisionBased> {
        if !matches!(self.updates(kind), Updates::RevisionBased) {
            return None;
        }
        let active = Some(self.status.active_revision_name.clone()).filter(|name| !name.is_empty());
        Some(RevisionBased {
            active: active.unwrap_or_else(|| self.wanted()),
            tags: Vec::new(),
        })
    }

    fn obstacle(&self, kind: SailKind, user: Option<&str>) -> Option<String> {
        if self.metadata.is_brought() {
            Some("a GitOps controller brings that object itself, and would take a new version of it back".to_owned())
        } else if let Updates::Unknown(strategy) = self.updates(kind) {
            Some(format!(
                "its update strategy is {}, of which it is not known what the operator does: InPlace and RevisionBased are",
                one_line(strategy)
            ))
        } else if user.is_none() {
            Some(
                "no pod of the Sail Operator was found in this cluster, so that nobody knows whom to let write"
                    .to_owned(),
            )
        } else {
            None
        }
    }

    fn progress(&self, kind: SailKind) -> Progress {
        let is_seen = self.status.observed_generation >= self.metadata.generation;
        let active = self.status.active_revision_name.as_str();
        let is_passive = matches!(self.updates(kind), Updates::RevisionBased) && active != self.wanted();
        let lacking = ["Reconciled", "Ready"].into_iter().find_map(|wanted| {
            let condition = self.status.conditions.iter().find(|condition| condition.kind == wanted);
            match condition {
                Some(condition) if condition.status == "True" => None,
                Some(condition) => Some(format!(
                    "its condition {wanted} is {}, {}: {}",
                    condition.status,
                    one_line(&condition.reason),
                    one_line(&condition.message)
                )),
                None => Some(format!("it has no condition {wanted} yet")),
            }
        });
        let lacking = if is_passive {
            Some(format!(
                "its active revision is {}, and not {} yet",
                if active.is_empty() { "none" } else { active },
                self.wanted()
            ))
        } else {
            lacking
        };
        let says = match &lacking {
            _ if !is_seen => "its operator has not seen the change yet".to_owned(),
            Some(lacking) => lacking.clone(),
            None => "it is reconciled and ready".to_owned(),
        };
        Progress {
            // What the operator has seen is what it has brought, once its conditions say so.
            version: is_seen.then(|| self.spec.version.clone()),
            is_done: is_seen && lacking.is_none(),
            says,
            by_hand: None,
        }
    }
}
