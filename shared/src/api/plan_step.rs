//! One step of a plan: what is done to which component, and how it is called.

use super::{Component, InstallerKind, ObjectName, WorkloadName};
use crate::{fingerprint, gitops, istioctl};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The version of the journal that first knew steps which do something else than upgrade a component where it stands.
const KNOWS_CANARIES: i32 = 4;

/// What a step does to its component.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum StepAction {
    /// Upgrades it where it stands.
    #[default]
    Upgrade,
    /// Installs a new revision beside the one that runs.
    Install,
    /// Lets the revision's tags, or the default validator, lead to the new revision.
    MoveTags,
    /// Takes the old revision away.
    Remove,
}

impl StepAction {
    fn is_upgrade(&self) -> bool {
        *self == Self::Upgrade
    }
}

/// The two revisions of a canary in one cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Revisions {
    /// The one that ran when the canary began.
    pub old: String,
    /// Its helm release.
    pub old_release: String,
    /// The one that follows it.
    pub new: String,
    /// Its helm release, in the same namespace.
    pub new_release: String,
    /// Tags that are the new release's to bring, or that the Sail Operator moves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

impl Revisions {
    /// Whether the Sail Operator brings the new one and takes the old one away, by the name of its release: those of a
    /// canary end with the revision.
    #[must_use]
    pub fn are_the_operators(&self) -> bool {
        self.new_release == gitops::release_of_revision(&self.new)
    }
}

/// One step of a plan: one component in one cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanStep {
    /// Unique within the plan, as `east/istiod/istio-system/istiod`.
    pub id: String,
    /// Cluster that is changed.
    pub cluster: String,
    /// Component that is changed.
    pub component: Component,
    /// What is done to it; an upgrade where it stands when left out.
    #[serde(default, skip_serializing_if = "StepAction::is_upgrade")]
    pub action: StepAction,
    /// The revisions of a canary, where the step is of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revisions: Option<Revisions>,
    /// Name of its chart, where the component does not tell it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chart: Option<String>,
    /// Tool that makes the change.
    pub installer: InstallerKind,
    /// Namespace of the helm release, of the control plane that istioctl installed, or of Argo CD's Application.
    pub namespace: String,
    /// Name of the helm release, the revision that istioctl installed, or the name of Argo CD's Application.
    pub release: String,
    /// Version before.
    pub from: String,
    /// Version after.
    pub to: String,
    /// Revision of the helm release when the plan was made; 0 where there is none.
    pub release_revision: i64,
    /// Workloads that the step rolls out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub workloads: Vec<WorkloadName>,
}

impl PlanStep {
    /// The upgrade of a component where it stands, `at` being the helm release or what else the installer changes. Helm's
    /// count of the release, the workloads, and the name of a chart that the component does not tell are left open.
    #[must_use]
    pub fn upgrade(
        cluster: &str,
        component: Component,
        installer: InstallerKind,
        at: ObjectName,
        from: impl Into<String>,
        to: impl Into<String>,
    ) -> Self {
        Self {
            id: format!("{cluster}/{component}/{}/{}", at.namespace, at.name),
            cluster: cluster.to_owned(),
            component,
            action: StepAction::Upgrade,
            revisions: None,
            chart: None,
            installer,
            namespace: at.namespace,
            release: at.name,
            from: from.into(),
            to: to.into(),
            release_revision: 0,
            workloads: Vec::new(),
        }
    }

    /// What the step changes, as fingerprints and a freeze's record name it.
    #[must_use]
    pub fn changes(&self) -> ObjectName {
        let object = ObjectName {
            namespace: self.namespace.clone(),
            name: self.release.clone(),
        };
        match (self.action, self.installer) {
            (StepAction::MoveTags, _) => fingerprint::as_taking_over(&object),
            (StepAction::Remove, _) => fingerprint::as_going(&object),
            (StepAction::Install, InstallerKind::Sail) => fingerprint::as_beside(&object),
            (_, InstallerKind::Helm | InstallerKind::Flux | InstallerKind::Sail) => object,
            (_, InstallerKind::Istioctl) => istioctl::as_release(&object),
            (_, InstallerKind::ArgoCd) => gitops::as_release(&object),
        }
    }

    /// What helm is told beside the values of the release, each as one argument.
    #[must_use]
    pub fn settings(&self) -> Vec<String> {
        let Some(revisions) = &self.revisions else {
            return Vec::new();
        };
        let revision = |key: &str| format!("--set-string={key}={}", revisions.new);
        let tags = |tags: &[String]| format!("--set-json=revisionTags={}", serde_json::json!(tags));
        match (self.action, self.component) {
            (StepAction::Install, _) => vec![revision("revision"), tags(&[])],
            (StepAction::MoveTags, Component::Base) => vec![revision("defaultRevision")],
            (StepAction::MoveTags, _) => vec![tags(&revisions.tags)],
            (StepAction::Upgrade, Component::Gateway) => vec![revision("revision")],
            (StepAction::Upgrade | StepAction::Remove, _) => Vec::new(),
        }
    }

    /// The helm release whose values the step takes.
    #[must_use]
    pub fn values_of(&self) -> &str {
        match (&self.revisions, self.action) {
            (Some(revisions), StepAction::Install) => &revisions.old_release,
            _ => &self.release,
        }
    }

    /// Version of the journal's meaning that first knew such a step.
    #[must_use]
    pub fn journal_version(&self) -> i32 {
        let of_component = if self.component == Component::Vendor { 3 } else { 1 };
        let of_action = if self.action.is_upgrade() && self.revisions.is_none() {
            1
        } else {
            KNOWS_CANARIES
        };
        self.installer.journal_version().max(of_component).max(of_action)
    }

    /// Name of its chart.
    #[must_use]
    pub fn chart(&self) -> &str {
        self.chart.as_deref().unwrap_or_else(|| self.component.as_str())
    }

    /// What the step runs, as people say it.
    #[must_use]
    pub fn runs(&self) -> String {
        if let Some(revisions) = &self.revisions {
            match (self.action, self.component) {
                (StepAction::Install, _) if self.installer == InstallerKind::Sail => {
                    return format!("Sail Operator for revision {} beside {}", revisions.new, revisions.old);
                }
                (StepAction::Install, _) => {
                    return format!("helm install {} beside {}", self.release, revisions.old_release);
                }
                (StepAction::MoveTags, Component::Base) => {
                    return format!("default validator to revision {}", revisions.new);
                }
                (StepAction::MoveTags, _) => {
                    return format!("tags {} to revision {}", revisions.tags.join(", "), revisions.new);
                }
                (StepAction::Remove, _) => return format!("helm uninstall {}", self.release),
                (StepAction::Upgrade, _) => {}
            }
        }
        match self.installer {
            InstallerKind::Helm => format!("helm upgrade {}", self.release),
            InstallerKind::Istioctl => format!("istioctl install of revision {}", self.release),
            InstallerKind::ArgoCd => format!("merge for Application {}/{}", self.namespace, self.release),
            InstallerKind::Sail => format!("Sail Operator for helm release {}/{}", self.namespace, self.release),
            InstallerKind::Flux => format!("merge for Flux's helm release {}/{}", self.namespace, self.release),
        }
    }

    /// What the step changes, as people say it.
    #[must_use]
    pub fn told(&self) -> String {
        match self.installer {
            InstallerKind::Helm | InstallerKind::Flux | InstallerKind::Sail => {
                format!("helm release {}/{}", self.namespace, self.release)
            }
            InstallerKind::ArgoCd => format!("Application {}/{}", self.namespace, self.release),
            InstallerKind::Istioctl => format!("istioctl's revision {} in {}", self.release, self.namespace),
        }
    }
}
