//! How a mesh wants to be frozen: what its Mesh object says, carried by the plan into each freeze.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a freeze does about foreign changes of the mesh's configuration.
///
/// Components, Istio's and our CRDs, namespaces of the mesh, helm's storage and everything that a release of the mesh
/// owns are refused in either mode: they are what an upgrade changes, and a mesh with two installers at work is broken,
/// not merely out of date. Configuration is what applications bring along, and an operator may well prefer a warned
/// change to a stopped delivery; `Warn` is for them. It is no freeze of configuration, and the tool says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum FreezeMode {
    /// Foreign changes are refused.
    #[default]
    Enforce,
    /// Foreign changes of configuration pass; who makes one is warned, and the audit log tells of it.
    Warn,
}

/// Settings of a mesh's freeze. All of them are about configuration; what else is frozen does not depend on them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FreezeSettings {
    /// Whether foreign changes of configuration are refused, or only warned about. Components, CRDs, namespaces of the
    /// mesh and helm releases are always refused.
    #[serde(default)]
    pub mode: FreezeMode,
    /// Namespaces whose configuration is frozen; all when left out. Those of the control planes always are, because
    /// configuration there is valid in the whole mesh.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 500), inner(length(min = 1, max = 63)))]
    pub namespaces: Vec<String>,
    /// Whether objects of the Gateway API (gateway.networking.k8s.io) count as configuration of this mesh. Other
    /// implementations of it in the same cluster are then frozen too. A GatewayClass never is.
    #[serde(default, rename = "gatewayAPI", skip_serializing_if = "std::ops::Not::not")]
    pub gateway_api: bool,
    /// Users that may change configuration while the mesh is frozen, in full, as
    /// `system:serviceaccount:flagger-system:flagger`. Groups are not asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50), inner(length(min = 1, max = 320)))]
    pub extra_writers: Vec<String>,
}

impl FreezeSettings {
    /// Whether nothing was set: all configuration is refused to everybody, the Gateway API is left alone.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// What differs from the default, a sentence each.
    #[must_use]
    pub fn differences(&self) -> Vec<String> {
        let mut differences = Vec::new();
        if self.mode == FreezeMode::Warn {
            differences.push(
                "foreign changes of configuration are warned about, not refused (spec.freeze.mode is Warn)".to_owned(),
            );
        }
        if !self.namespaces.is_empty() {
            differences.push(format!(
                "configuration is frozen in {} and with the control planes only",
                self.namespaces.join(", ")
            ));
        }
        if self.gateway_api {
            differences.push("the Gateway API is frozen too".to_owned());
        }
        if !self.extra_writers.is_empty() {
            differences.push(format!(
                "these may change configuration all the while: {}",
                self.extra_writers.join(", ")
            ));
        }
        differences
    }
}
