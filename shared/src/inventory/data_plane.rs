//! The data plane: proxies that run, counted by what an upgrade asks of them.

use super::ObservedVersion;
use std::collections::BTreeSet;

/// What a proxy is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProxyKind {
    /// Beside an application's containers.
    Sidecar,
    /// An ingress, egress or east-west gateway, installed or made by istiod out of a Gateway.
    Gateway,
    /// A waypoint of the ambient mode.
    Waypoint,
    /// The node proxy of the ambient mode.
    Ztunnel,
}

impl ProxyKind {
    /// The word in reports, in the singular.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sidecar => "sidecar",
            Self::Gateway => "gateway",
            Self::Waypoint => "waypoint",
            Self::Ztunnel => "ztunnel",
        }
    }
}

/// Pods of one namespace whose proxies are alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxies {
    /// Their namespace.
    pub namespace: String,
    /// What they are for.
    pub kind: ProxyKind,
    /// Their version, by the tag of their image.
    pub version: ObservedVersion,
    /// Revision that injected them or made them, by the annotation or label `istio.io/rev`; `None` where neither is
    /// there, as in pods that nothing injected.
    pub revision: Option<String>,
    /// Whether the proxy is an init container that stays (a native sidecar).
    pub native: bool,
    /// Whether their annotation `sidecar.istio.io/nativeSidecar` asks for that, whatever the control plane does by itself.
    pub asks_native: Option<bool>,
    /// How many pods.
    pub count: u32,
    /// Name of one of them, for messages.
    pub example: String,
}

/// The data plane by what restarts it; only looked at where somebody asks for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DataPlane {
    /// What runs pods with proxies.
    pub workloads: Vec<MeshedWorkload>,
    /// Namespaces that ask for injection without naming a revision.
    pub injected: Vec<String>,
}

/// Pods of one workload whose proxies are alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeshedWorkload {
    /// Their namespace.
    pub namespace: String,
    /// What made them.
    pub owner: Owner,
    /// What the proxies are for.
    pub kind: ProxyKind,
    /// Their version, by the tag of their image.
    pub version: ObservedVersion,
    /// Revision that injected them.
    pub revision: Option<String>,
    /// How many pods.
    pub pods: u32,
    /// Name of one of them.
    pub example: String,
    /// PodDisruptionBudgets that let none of them be evicted now.
    pub held_by: BTreeSet<String>,
}

/// What made a pod, and so what restarts it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// A Deployment, by its name.
    Deployment(String),
    /// A StatefulSet.
    StatefulSet(String),
    /// A DaemonSet.
    DaemonSet(String),
    /// A Job.
    Job(String),
    /// Something else, by its kind and name.
    Other(String, String),
    /// Nobody: deleted it is gone.
    Nobody(String),
}

impl Owner {
    /// As people and kubectl name it, `deployment/reviews`.
    #[must_use]
    pub fn reference(&self) -> String {
        let (kind, name) = match self {
            Self::Deployment(name) => ("deployment", name),
            Self::StatefulSet(name) => ("statefulset", name),
            Self::DaemonSet(name) => ("daemonset", name),
            Self::Job(name) => ("job", name),
            Self::Other(kind, name) => (kind.as_str(), name),
            Self::Nobody(name) => ("pod", name),
        };
        format!("{kind}/{name}")
    }

    /// Whether `kubectl rollout restart` knows it.
    #[must_use]
    pub fn rolls(&self) -> bool {
        matches!(self, Self::Deployment(_) | Self::StatefulSet(_) | Self::DaemonSet(_))
    }
}
