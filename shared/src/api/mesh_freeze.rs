//! MeshFreeze: the readable record of a freeze in one cluster, and the scope that policy and webhook enforce.
#![expect(clippy::duplicated_attributes, reason = "printer columns may well be of one type")]

use super::{Fingerprint, FreezeSettings};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A namespaced object by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct ObjectName {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// Kind of a workload that an upgrade changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum WorkloadKind {
    /// apps/v1 Deployment.
    #[default]
    Deployment,
    /// apps/v1 DaemonSet.
    DaemonSet,
}

impl WorkloadKind {
    /// The kind's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deployment => "Deployment",
            Self::DaemonSet => "DaemonSet",
        }
    }

    /// The resource's name in the API.
    #[must_use]
    pub fn resource(self) -> &'static str {
        match self {
            Self::Deployment => "deployments",
            Self::DaemonSet => "daemonsets",
        }
    }
}

/// A workload of the mesh's components.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct WorkloadName {
    /// Deployment or DaemonSet.
    pub kind: WorkloadKind,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// What a freeze covers in one cluster, in literals: nothing has to be looked up while it holds.
///
/// Istio's and our CRDs are covered in any case; configuration of the mesh (the groups `networking.istio.io`,
/// `security.istio.io`, `telemetry.istio.io` and `extensions.istio.io`) as [`Self::configuration`] says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FreezeScope {
    /// Namespaces of control planes; not to be deleted, and the home of the guarded ConfigMaps.
    #[serde(default)]
    pub istio_namespaces: Vec<String>,
    /// ConfigMaps of the mesh, as `istio` and `istio-sidecar-injector`.
    #[serde(default)]
    pub config_maps: Vec<ObjectName>,
    /// Workloads of the mesh's components.
    #[serde(default)]
    pub workloads: Vec<WorkloadName>,
    /// Helm releases of the mesh: their storage and every object that names them as its release.
    #[serde(default)]
    pub helm_releases: Vec<ObjectName>,
    /// Installations of the mesh by istioctl, as namespace and revision: every object whose labels name them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub istioctl: Vec<ObjectName>,
    /// Argo CD's Applications of the mesh, by the names with which it marks what they brought: every object marked so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub applications: Vec<String>,
    /// Objects of the mesh by which the Sail Operator is told what to install, as resource and name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub operator_objects: Vec<String>,
    /// Controllers that bring components, each let through while the holder waits for its component.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub controllers: Vec<Controller>,
    /// User names of Istio's own service accounts, let through for what istiod itself must write.
    #[serde(default)]
    pub istiod_users: Vec<String>,
    /// How the mesh's configuration is frozen, as its Mesh object said when the upgrade was planned.
    #[serde(default, skip_serializing_if = "FreezeSettings::is_default")]
    pub configuration: FreezeSettings,
}

/// A controller that brings a component, and what it is let write: objects of that component, at its target.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Controller {
    /// Its user name.
    pub user: String,
    /// Id of the plan's step that waits for it.
    pub step: String,
    /// Version that every object which it writes has to bear, in the label `app.kubernetes.io/version`; empty where it may
    /// take away what is its own, and writes none of it.
    pub version: String,
    /// Helm releases whose storage and objects are its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub helm_releases: Vec<ObjectName>,
    /// Argo CD's Applications whose objects are its own, by the names with which it marks them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub applications: Vec<String>,
    /// Objects of the Sail Operator that it writes itself, as resource and name, where they ask for the version.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub operator_objects: Vec<String>,
}

/// The audited way out of a freeze.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unlock {
    /// User who asked for it, checked against the request by the guard.
    pub by: String,
    /// Why the freeze is lifted by hand.
    pub reason: String,
}

/// Record of a freeze in this cluster. While it exists, only its holder changes the mesh.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "meshupgrade.io",
    version = "v1alpha1",
    kind = "MeshFreeze",
    plural = "meshfreezes",
    status = "MeshFreezeStatus",
    category = "istio-upgrade",
    derive = "PartialEq",
    printcolumn(json_path = ".spec.mesh", name = "Mesh", type_ = "string"),
    printcolumn(json_path = ".spec.from", name = "From", type_ = "string"),
    printcolumn(json_path = ".spec.to", name = "To", type_ = "string"),
    printcolumn(json_path = ".spec.holder", name = "Holder", type_ = "string"),
    printcolumn(json_path = ".spec.epoch", name = "Epoch", type_ = "integer"),
    printcolumn(
        json_path = ".status.conditions[?(@.type==\"Drifted\")].status",
        name = "Drifted",
        type_ = "string"
    ),
    printcolumn(json_path = ".spec.since", name = "Since", type_ = "date")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.mesh == oldSelf.mesh && self.upgrade == oldSelf.upgrade && self.from == oldSelf.from && self.to == oldSelf.to").message("a freeze belongs to one upgrade and never changes it"))]
#[x_kube(validation = Rule::new("self.epoch >= oldSelf.epoch").message("the epoch never goes back"))]
pub struct MeshFreezeSpec {
    /// Name of the mesh.
    pub mesh: String,
    /// Name of the MeshUpgrade that holds the freeze.
    pub upgrade: String,
    /// Cluster of the mesh that holds the MeshUpgrade, when it is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub home: Option<String>,
    /// Version before the upgrade.
    pub from: String,
    /// Version that the upgrade goes to.
    pub to: String,
    /// Person who drives the upgrade.
    pub holder: String,
    /// Grows each time somebody takes the upgrade over; only writes with this one pass.
    #[x_kube(validation = Rule::new("self >= 1").message("epochs begin at 1"))]
    pub epoch: i64,
    /// When the mesh was frozen.
    pub since: Time,
    /// What is frozen.
    pub scope: FreezeScope,
    /// Written first by somebody with the RBAC verb `unlock`, so that the freeze may be deleted without its holder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unlock: Option<Unlock>,
}

/// What is known of a frozen cluster while it is frozen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MeshFreezeStatus {
    /// What no guard is asked about, as it was when the mesh was frozen, and after each step that changed it. Written by
    /// the holder only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fingerprints: Vec<Fingerprint>,
    /// The helm release that the holder is changing now, or `istioctl/REVISION`. Written by the holder only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changing: Option<ObjectName>,
    /// Conditions, as Drifted, by the webhook's watcher.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}
