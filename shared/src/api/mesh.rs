//! Mesh: what the operator says about a mesh, and what was last observed of it.
#![expect(clippy::duplicated_attributes, reason = "printer columns may well be of one type")]

use super::{Downgrade, FreezeSettings};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who operates a mesh's control plane, and so whether this tool may write to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Management {
    /// The control plane runs in the mesh's own cluster and is upgraded by this tool.
    #[default]
    Dedicated,
    /// The control plane runs in another cluster for the mesh and is upgraded by this tool.
    Hosted,
    /// Installed and operated by its owner: guidance only, never a write.
    External,
}

impl Management {
    /// The name as it stands in the object.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dedicated => "Dedicated",
            Self::Hosted => "Hosted",
            Self::External => "External",
        }
    }
}

/// What a cluster is to the mesh.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ClusterRole {
    /// Runs a control plane and holds configuration.
    #[default]
    Primary,
    /// Runs workloads; its control plane is in another cluster.
    Remote,
}

/// A member cluster and how it is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MeshCluster {
    /// Name of the cluster within the mesh.
    pub name: String,
    /// What the cluster is to the mesh.
    #[serde(default)]
    pub role: ClusterRole,
    /// Context of the operator's kubeconfig that reaches it; the cluster's own name when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
}

/// A mesh that `kubectl mesh-upgrade` knows by name.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "meshupgrade.io",
    version = "v1alpha1",
    kind = "Mesh",
    plural = "meshes",
    status = "MeshStatus",
    category = "istio-upgrade",
    derive = "PartialEq",
    printcolumn(json_path = ".spec.management", name = "Management", type_ = "string"),
    printcolumn(json_path = ".status.version", name = "Version", type_ = "string"),
    printcolumn(json_path = ".spec.flavor", name = "Flavor", type_ = "string"),
    printcolumn(json_path = ".status.clusters", name = "Clusters", type_ = "integer"),
    printcolumn(json_path = ".status.availableVersion", name = "Available", type_ = "string"),
    printcolumn(
        json_path = ".status.conditions[?(@.type==\"VersionsAgree\")].status",
        name = "Agree",
        type_ = "string",
        priority = 1
    ),
    printcolumn(json_path = ".status.upgrade", name = "Upgrade", type_ = "string"),
    printcolumn(json_path = ".metadata.creationTimestamp", name = "Age", type_ = "date")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("(has(self.flavor) ? self.flavor : '') == (has(oldSelf.flavor) ? oldSelf.flavor : '')").message("a mesh's flavor never changes"))]
#[x_kube(validation = Rule::new("!has(self.downgrade) || self.management == 'External'").message("a downgrade is allowed only to the owner of a mesh whose management is External"))]
pub struct MeshSpec {
    /// Who operates the control plane.
    #[serde(default)]
    pub management: Management,
    /// Vendor flavor of the build, as `mspider`; left out for community Istio. Immutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flavor: Option<String>,
    /// Namespace of the control plane.
    #[serde(default = "default_istio_namespace")]
    pub istio_namespace: String,
    /// Member clusters; left out for a mesh of the one cluster that holds this object.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clusters: Vec<MeshCluster>,
    /// How the mesh's configuration is frozen while it is upgraded.
    #[serde(default, skip_serializing_if = "FreezeSettings::is_default")]
    pub freeze: FreezeSettings,
    /// The way back that its owner allows for a while; only where `management` is `External`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub downgrade: Option<Downgrade>,
}

fn default_istio_namespace() -> String {
    "istio-system".to_owned()
}

/// What the guard of one cluster reports of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterReport {
    /// Name of the cluster, as the Mesh lists it.
    #[schemars(length(min = 1, max = 253))]
    pub cluster: String,
    /// Newest version that a control plane of the mesh runs there; none where it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Version of its Kubernetes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubernetes: Option<String>,
    /// When it was last said.
    pub reported_at: Time,
}

/// What was last observed of a mesh.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MeshStatus {
    /// Newest version that a control plane of the mesh was seen to run, flavor included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Number of member clusters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clusters: Option<i32>,
    /// Newest version that can be reached in one hop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub available_version: Option<String>,
    /// Name of the MeshUpgrade that runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upgrade: Option<String>,
    /// What the guard of each cluster reports of its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 500))]
    pub reports: Vec<ClusterReport>,
    /// Conditions, as `UpgradeAvailable` and `VersionsAgree`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}
