//! Who beside helm has a hand in a workload.

use super::HelmDriver;
use crate::api::ObjectName;
use std::fmt;

/// Who beside helm has a hand in a workload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ownership {
    /// A GitOps controller's object that brought it.
    pub gitops: Option<GitOpsOwner>,
    /// An operator's object that it belongs to.
    pub operator: Option<OperatorObject>,
    /// Field managers that are neither helm's, nor Kubernetes' own, nor Istio's.
    pub editors: Vec<String>,
    /// Whether istioctl installed it.
    pub istioctl: bool,
    /// Whose helm wrote it last, where that is not a person's.
    pub driven_by: Option<HelmDriver>,
}

/// An object of a GitOps controller, as what it brought tells it. Its [`Display`](fmt::Display) is how people say it, as
/// `Argo CD application mesh`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GitOpsOwner {
    /// An Application of Argo CD's.
    Application {
        /// Its name, or its namespace and name, as the mark has it.
        mark: String,
        /// What the mark is.
        told_by: ToldBy,
    },
    /// A HelmRelease of Flux's.
    HelmRelease(ObjectName),
    /// A Kustomization of Flux's.
    Kustomization(ObjectName),
}

/// By what Argo CD tells what an Application brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToldBy {
    /// An annotation or a label of its own.
    Tracking,
    /// [`INSTANCE_LABEL`](crate::gitops::INSTANCE_LABEL) alone, which helm's charts set as well.
    InstanceLabel,
}

impl GitOpsOwner {
    /// The Application with this mark of Argo CD's own.
    #[must_use]
    pub fn application(mark: impl Into<String>) -> Self {
        Self::Application {
            mark: mark.into(),
            told_by: ToldBy::Tracking,
        }
    }

    /// The Application that only [`INSTANCE_LABEL`](crate::gitops::INSTANCE_LABEL) tells.
    #[must_use]
    pub fn by_instance_label(application: impl Into<String>) -> Self {
        Self::Application {
            mark: application.into(),
            told_by: ToldBy::InstanceLabel,
        }
    }
}

impl fmt::Display for GitOpsOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Application {
                mark: application,
                told_by: ToldBy::Tracking,
            } => write!(f, "Argo CD application {application}"),
            Self::Application {
                mark: application,
                told_by: ToldBy::InstanceLabel,
            } => write!(
                f,
                "Argo CD application {application} (by the label app.kubernetes.io/instance)"
            ),
            Self::HelmRelease(object) => write!(f, "Flux HelmRelease {}/{}", object.namespace, object.name),
            Self::Kustomization(object) => write!(f, "Flux Kustomization {}/{}", object.namespace, object.name),
        }
    }
}

/// An object of an operator. Its [`Display`](fmt::Display) is how people say it, as `IstioRevision default`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorObject {
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
}

impl OperatorObject {
    /// An object by its kind and name.
    #[must_use]
    pub fn new(kind: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            kind: kind.into(),
            name: name.into(),
        }
    }

    /// The revision, where the object is an IstioRevision of the Sail Operator's.
    #[must_use]
    pub fn revision(&self) -> Option<&str> {
        (self.kind == "IstioRevision").then_some(self.name.as_str())
    }
}

impl fmt::Display for OperatorObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_are_said_by_kind_and_name() {
        let object = ObjectName {
            namespace: "flux".to_owned(),
            name: "istiod".to_owned(),
        };
        for (owner, said) in [
            (GitOpsOwner::application("mesh"), "Argo CD application mesh"),
            (
                GitOpsOwner::by_instance_label("mesh"),
                "Argo CD application mesh (by the label app.kubernetes.io/instance)",
            ),
            (GitOpsOwner::HelmRelease(object.clone()), "Flux HelmRelease flux/istiod"),
            (GitOpsOwner::Kustomization(object), "Flux Kustomization flux/istiod"),
        ] {
            assert_eq!(owner.to_string(), said);
        }
        let revision = OperatorObject::new("IstioRevision", "default");
        assert_eq!(
            (revision.to_string().as_str(), revision.revision()),
            ("IstioRevision default", Some("default"))
        );
        assert_eq!(OperatorObject::new("Istio", "default").revision(), None);
    }
}
