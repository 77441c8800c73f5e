//! Inventory: a plain picture of what runs in the clusters of a mesh, made by observing, read by the checks.

mod affinity;
mod apart;
mod data_plane;
mod driver;
mod headroom;
mod ownership;
mod surroundings;

pub use crate::api::Hosted;
pub use affinity::{Demand, NodeTerm};
pub use apart::{Apart, PlacedPod};
pub use data_plane::{DataPlane, MeshedWorkload, Owner, Proxies, ProxyKind};
pub use driver::{HelmDriver, is_helms};
pub use headroom::{NodeRoom, Resources, Surge, Taint, Toleration, milli};
pub use ownership::{GitOpsOwner, OperatorObject, Ownership, ToldBy};
pub use surroundings::*;

use crate::{
    api::{Component, FreezeSettings, Management, MeshCluster, ObjectName, WorkloadName},
    gitops::Followed,
    helm::ReleaseSettings,
    version::{IstioVersion, KubernetesVersion},
};
use std::collections::BTreeMap;

/// What was observed in all clusters that were asked.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    /// One entry for each cluster, reachable or not.
    pub clusters: Vec<ClusterInventory>,
}

impl Inventory {
    /// The cluster of that name, reachable or not.
    #[must_use]
    pub fn cluster(&self, name: &str) -> Option<&ClusterInventory> {
        self.clusters.iter().find(|cluster| cluster.name == name)
    }

    /// What was seen in the cluster of that name; `None` where it could not be observed.
    #[must_use]
    pub fn observed(&self, name: &str) -> Option<&Observed> {
        match &self.cluster(name)?.state {
            ClusterState::Observed(observed) => Some(observed),
            ClusterState::Unknown { .. } => None,
        }
    }
}

/// What was observed in one cluster.
#[derive(Clone, Debug)]
pub struct ClusterInventory {
    /// Name of the cluster: the kubeconfig's context, or its name in the Mesh object.
    pub name: String,
    /// How it became one of those that are asked.
    pub found: Found,
    /// What was seen, or why nothing could be.
    pub state: ClusterState,
}

/// How a cluster became one of those that are asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Found {
    /// The operator named it: the current context, `--context` or `--contexts`.
    #[default]
    Named,
    /// A Mesh object lists it.
    Listed {
        /// Name of the Mesh object.
        mesh: String,
    },
    /// An istiod was given its kubeconfig in a Secret.
    RemoteSecret {
        /// Name of the cluster that holds the Secret.
        cluster: String,
        /// Namespace of the Secret and of the istiod.
        namespace: String,
        /// Name of the Secret.
        name: String,
    },
}

/// Whether a cluster could be observed. A cluster that could not is never fine.
#[derive(Clone, Debug)]
pub enum ClusterState {
    /// It answered.
    Observed(Box<Observed>),
    /// It could not be read; the reason, without secrets.
    Unknown {
        /// Why, in a sentence.
        reason: String,
    },
}

/// Contents of a cluster that answered.
#[derive(Clone, Debug)]
pub struct Observed {
    /// UID of the `kube-system` namespace: the nearest thing to a cluster's identity.
    pub uid: String,
    /// Version of the API server.
    pub kubernetes: KubernetesVersion,
    /// Control planes, one for each revision and namespace.
    pub control_planes: Vec<ControlPlane>,
    /// CNI node agents and ztunnels.
    pub node_components: Vec<NodeComponent>,
    /// What a vendor's build runs beside them.
    pub vendor_components: Vec<VendorComponent>,
    /// Gateways installed as Deployments or DaemonSets of their own (not those that istiod manages).
    pub gateways: Vec<Gateway>,
    /// Proxies that run, by namespace, kind, version and revision; empty when not asked.
    pub proxies: Vec<Proxies>,
    /// The data plane by what restarts it; `None` when not asked.
    pub data_plane: Option<Box<DataPlane>>,
    /// Helm releases of Istio's charts, newest revision of each.
    pub helm_releases: Vec<HelmRelease>,
    /// Helm releases of charts that the Istio project makes no more.
    pub old_releases: Vec<OldRelease>,
    /// Objects by which a GitOps controller brings Istio's charts; empty where none owns a workload of Istio's.
    pub followed: Vec<Followed>,
    /// Mesh objects in this cluster.
    pub meshes: Vec<MeshRecord>,
    /// Control planes here that read their configuration in another cluster.
    pub hosted: Vec<Hosted>,
    /// Clusters whose kubeconfigs the istiods here were given.
    pub remotes: Vec<Remote>,
    /// The guard, as far as it is installed.
    pub guard: GuardPresence,
    /// What the caller may do of the things that `apply` needs; empty when not asked.
    pub permissions: Vec<Permission>,
    /// What stands around the workloads; `None` when not asked.
    pub surroundings: Option<Box<Surroundings>>,
    /// What could not be read although the rest could, each in a sentence; empty in a cluster seen whole.
    pub unreadable: Vec<String>,
}

/// A cluster whose kubeconfig an istiod was given in a Secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remote {
    /// Namespace of the Secret and of the istiod.
    pub namespace: String,
    /// Name of the cluster.
    pub cluster: String,
}

/// How a version was learnt, most trusted first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum VersionSource {
    /// The running process said so at `:15014/version`.
    Running,
    /// The tag of the container's image.
    ImageTag,
    /// The label `app.kubernetes.io/version`.
    Label,
}

/// A version as far as it could be learnt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedVersion {
    /// The most trusted reading; `None` when it could not be read (digest only, unknown tag).
    pub version: Option<IstioVersion>,
    /// Where it comes from.
    pub source: Option<VersionSource>,
    /// What was read, for the message when it is no version.
    pub raw: String,
}

/// Numbers of a rollout, and whether it is complete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rollout {
    /// Pods wanted.
    pub desired: i32,
    /// Pods of the newest template.
    pub updated: i32,
    /// Pods that are ready.
    pub ready: i32,
    /// Whether the controller has seen the newest specification.
    pub observed: bool,
}

impl Rollout {
    /// Whether every pod wanted is new and ready.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.observed && self.updated >= self.desired && self.ready >= self.desired
    }

    /// Whether a second look, a moment later, may tell more: an autoscaler's write stays unobserved until the controller
    /// has come round to it, which says nothing about the rollout.
    #[must_use]
    pub fn deserves_a_second_look(&self) -> bool {
        !self.observed
    }
}

/// An istiod of one revision.
#[derive(Clone, Debug)]
pub struct ControlPlane {
    /// Its Deployment.
    pub workload: WorkloadName,
    /// Its revision; `default` when it has no name.
    pub revision: String,
    /// Its version.
    pub version: ObservedVersion,
    /// Version that each ready pod reports itself; empty when not asked or not answered.
    pub running: Vec<String>,
    /// Image of the `discovery` container.
    pub image: String,
    /// Its rollout.
    pub rollout: Rollout,
    /// Its service account's user name.
    pub user: String,
    /// ConfigMaps that configure it and exist, by name.
    pub config_maps: Vec<String>,
    /// `meshID` from the mesh configuration, if any.
    pub mesh_id: Option<String>,
    /// Helm release that owns it, as namespace and name.
    pub helm_release: Option<(String, String)>,
    /// Who else has a hand in it.
    pub ownership: Ownership,
    /// How it is set up.
    pub settings: Settings,
    /// How its pods are replaced, and what one of them asks for.
    pub surge: Surge,
}

/// How a control plane is set up, as far as rules ask.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// Environment of its container, by name; empty values for those that come from elsewhere.
    pub environment: BTreeMap<String, String>,
    /// The mesh configuration; null when it could not be read.
    pub mesh: serde_json::Value,
}

/// A CNI node agent or a ztunnel.
#[derive(Clone, Debug)]
pub struct NodeComponent {
    /// `Cni` or `Ztunnel`.
    pub component: Component,
    /// Its DaemonSet.
    pub workload: WorkloadName,
    /// Its version.
    pub version: ObservedVersion,
    /// Its image.
    pub image: String,
    /// Its rollout.
    pub rollout: Rollout,
    /// Helm release that owns it, as namespace and name.
    pub helm_release: Option<(String, String)>,
    /// Who else has a hand in it.
    pub ownership: Ownership,
    /// How its pods are replaced.
    pub pace: Pace,
}

impl HelmRelease {
    /// Its name with its namespace.
    #[must_use]
    pub fn object(&self) -> ObjectName {
        ObjectName {
            namespace: self.namespace.clone(),
            name: self.name.clone(),
        }
    }
}

impl Observed {
    /// A helm release of Istio's, or of what a vendor runs beside it, by its name.
    #[must_use]
    pub fn helm_release(&self, namespace: &str, name: &str) -> Option<&HelmRelease> {
        let of_vendor = self.vendor_components.iter();
        let of_vendor = of_vendor.filter_map(|found| found.release.as_ref());
        let mut all = self.helm_releases.iter().chain(of_vendor);
        all.find(|release| release.namespace == namespace && release.name == name)
    }
}

/// What a vendor's build runs beside Istio's own components, as the catalog names it.
#[derive(Clone, Debug)]
pub struct VendorComponent {
    /// What the catalog calls it.
    pub name: String,
    /// Its workload.
    pub workload: WorkloadName,
    /// Its image.
    pub image: String,
    /// Its version, by its image.
    pub version: ObservedVersion,
    /// Its rollout.
    pub rollout: Rollout,
    /// The helm release that owns it, if that is of the chart which the catalog names.
    pub release: Option<HelmRelease>,
}

/// How a DaemonSet replaces its pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Nodes whose pods may be replaced at the same time; `None` where somebody has to delete each pod (`OnDelete`).
    pub nodes_at_once: Option<i32>,
    /// Seconds that a pod is given to end.
    pub grace_seconds: i64,
}

/// A gateway of its own.
#[derive(Clone, Debug)]
pub struct Gateway {
    /// Its workload.
    pub workload: WorkloadName,
    /// Image as it stands in the pod template; `auto` when it is injected.
    pub image: String,
    /// Its rollout.
    pub rollout: Rollout,
    /// Helm release that owns it, as namespace and name.
    pub helm_release: Option<(String, String)>,
    /// Who else has a hand in it.
    pub ownership: Ownership,
    /// How its pods are replaced, and what one of them asks for, without what injection adds.
    pub surge: Surge,
}

/// The newest revision of a helm release of one of Istio's charts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HelmRelease {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Helm's count.
    pub revision: i64,
    /// Helm's word, as `deployed` or `pending-upgrade`.
    pub status: String,
    /// Name of the chart.
    pub chart: String,
    /// Version of the chart.
    pub chart_version: String,
    /// What the chart installs.
    pub component: Component,
    /// Kinds in its manifest, as `policy/v1 PodDisruptionBudget`.
    pub kinds: Vec<String>,
    /// Keys of its values that one release or another removed, by
    /// [`removed_values`](crate::preflight::rules::removed_values); of the values nothing else is kept.
    pub removed_values: Vec<&'static str>,
    /// What decides how it is upgraded by hand.
    pub settings: ReleaseSettings,
}

/// A helm release of a chart that the Istio project makes no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OldRelease {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Name of the chart.
    pub chart: String,
}

/// A Mesh object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeshRecord {
    /// Its name.
    pub name: String,
    /// Who operates it.
    pub management: Management,
    /// Namespace of its control plane.
    pub istio_namespace: String,
    /// Its flavor's suffix, if any.
    pub flavor: Option<String>,
    /// Version that was last recorded.
    pub recorded_version: Option<String>,
    /// Member clusters that it lists; empty for a mesh of the one cluster that holds it.
    pub clusters: Vec<MeshCluster>,
    /// Text of its annotation `meshupgrade.io/waivers`, if any.
    pub waivers: Option<String>,
    /// How it wants to be frozen.
    pub freeze: FreezeSettings,
}

/// The guard as far as it is installed in a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GuardPresence {
    /// Our CRDs are there.
    pub crds: bool,
    /// The static policy for our own objects is there.
    pub policies: bool,
    /// The driver's ServiceAccount is there.
    pub driver: bool,
    /// The webhook's configuration is there.
    pub webhook: bool,
    /// The API server serves ValidatingAdmissionPolicy (Kubernetes 1.30).
    pub policy_api: bool,
    /// Release of the plugin that installed it, where the static policy tells it.
    pub release: Option<String>,
}

impl GuardPresence {
    /// Whether an upgrade can be frozen here by at least the policy.
    #[must_use]
    pub fn can_freeze(&self) -> bool {
        self.crds && self.policies && self.driver && self.policy_api
    }
}

/// One thing that `apply` needs and whether the caller may do it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permission {
    /// API group; empty for the core group.
    pub group: String,
    /// Resource, with its subresource after a slash.
    pub resource: String,
    /// Verb.
    pub verb: String,
    /// Namespace; `None` for the whole cluster.
    pub namespace: Option<String>,
    /// Name that it is restricted to.
    pub name: Option<String>,
    /// The API server's answer.
    pub allowed: bool,
    /// Whether the caller or the driver's ServiceAccount needs it.
    pub needed_by_driver: bool,
    /// Whether only who installs Istio's charts himself needs it, and not where a controller does.
    pub of_charts: bool,
}

#[cfg(test)]
pub mod sample;
