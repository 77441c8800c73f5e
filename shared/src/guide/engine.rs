//! What installed Istio in a cluster, and where the target's charts are.

use crate::{
    api::Component,
    inventory::{ControlPlane, NodeComponent, Ownership},
    mesh::ObservedMember,
    version::IstioVersion,
};

/// What installed something and has to upgrade it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Helm.
    Helm,
    /// istioctl.
    Istioctl,
    /// The Sail Operator, or another one; its object.
    Operator(String),
    /// A GitOps controller; its object.
    GitOps(String),
    /// Nothing that left a mark.
    Unknown,
}

impl Engine {
    /// What installed the control planes of a cluster; of one without any, its node components or releases.
    pub(super) fn of(member: &ObservedMember<'_>) -> Self {
        let planes = member.control_planes().map(Self::of_plane);
        let nodes = member.observed.node_components.iter().map(Self::of_node);
        let releases = member.releases();
        planes
            .chain(nodes)
            .next()
            .unwrap_or(if releases.is_empty() { Self::Unknown } else { Self::Helm })
    }

    fn of_plane(plane: &ControlPlane) -> Self {
        Self::by(&plane.ownership, plane.helm_release.is_some())
    }

    fn of_node(node: &NodeComponent) -> Self {
        Self::by(&node.ownership, node.helm_release.is_some())
    }

    /// Whoever would take a change back comes first.
    fn by(ownership: &Ownership, has_release: bool) -> Self {
        if let Some(object) = &ownership.gitops {
            Self::GitOps(object.clone())
        } else if let Some(object) = &ownership.operator {
            Self::Operator(object.clone())
        } else if has_release {
            Self::Helm
        } else if ownership.istioctl {
            Self::Istioctl
        } else {
            Self::Unknown
        }
    }

    /// As people say it.
    #[must_use]
    pub fn told(&self) -> String {
        match self {
            Self::Helm => "helm".to_owned(),
            Self::Istioctl => "istioctl".to_owned(),
            Self::Operator(object) => format!("an operator, by its object {object}"),
            Self::GitOps(object) => object.clone(),
            Self::Unknown => "a tool that left no mark".to_owned(),
        }
    }
}

/// Where the charts of the way are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Charts {
    /// A chart repository or a registry, `https://…` or `oci://…`.
    Remote(String),
    /// A folder, and the names of the packaged charts in it.
    Folder(String, Vec<String>),
}

impl Charts {
    /// The chart of a component as helm's arguments name it.
    pub(super) fn words(&self, component: Component, version: &IstioVersion) -> Vec<String> {
        let chart = component.as_str();
        match self {
            Self::Remote(url) if url.starts_with("oci://") => {
                vec![
                    format!("{}/{chart}", url.trim_end_matches('/')),
                    format!("--version={version}"),
                ]
            }
            Self::Remote(url) => vec![
                chart.to_owned(),
                format!("--repo={url}"),
                format!("--version={version}"),
            ],
            Self::Folder(folder, packaged) => {
                let package = format!("{chart}-{version}.tgz");
                let name = if packaged.contains(&package) { &package } else { chart };
                vec![format!("{}/{name}", folder.trim_end_matches('/'))]
            }
        }
    }

    /// As people say it.
    pub(super) fn told(&self) -> &str {
        match self {
            Self::Remote(place) | Self::Folder(place, _) => place,
        }
    }
}
