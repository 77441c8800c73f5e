//! What installed a part of Istio, and so has to upgrade it, by the marks that it left.

use crate::{
    inventory::{ControlPlane, Gateway, GitOpsOwner, NodeComponent, OperatorObject, Ownership},
    mesh::ObservedMember,
};

/// What installed something and has to upgrade it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Helm.
    Helm,
    /// istioctl.
    Istioctl,
    /// The Sail Operator, or another one; its object.
    Operator(OperatorObject),
    /// A GitOps controller; its object.
    GitOps(GitOpsOwner),
    /// Nothing that left a mark.
    Unknown,
}

impl Engine {
    /// What installed the control planes of a cluster; of one without any, its node components or releases.
    #[must_use]
    pub fn of(member: &ObservedMember<'_>) -> Self {
        let planes = member.control_planes().map(Self::of_plane);
        let nodes = member.node_components().map(Self::of_node);
        let releases = member.releases();
        planes
            .chain(nodes)
            .next()
            .unwrap_or(if releases.is_empty() { Self::Unknown } else { Self::Helm })
    }

    /// What installed a control plane.
    #[must_use]
    pub fn of_plane(plane: &ControlPlane) -> Self {
        Self::by(&plane.ownership, plane.helm_release.is_some())
    }

    /// What installed a node component.
    #[must_use]
    pub fn of_node(node: &NodeComponent) -> Self {
        Self::by(&node.ownership, node.helm_release.is_some())
    }

    /// What installed a gateway.
    #[must_use]
    pub fn of_gateway(gateway: &Gateway) -> Self {
        Self::by(&gateway.ownership, gateway.helm_release.is_some())
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
            Self::GitOps(object) => object.to_string(),
            Self::Unknown => "a tool that left no mark".to_owned(),
        }
    }
}
