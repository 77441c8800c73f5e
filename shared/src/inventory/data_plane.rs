//! The data plane: proxies that run, counted by what an upgrade asks of them.

use super::ObservedVersion;

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
    /// How many pods.
    pub count: u32,
    /// Name of one of them, for messages.
    pub example: String,
}
