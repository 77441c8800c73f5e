//! MeshUpgrade: the journal of one upgrade. What resuming needs stands here, written before each effect.

use super::{ClusterFingerprints, Plan};
use crate::{charts::Digests, phase::Phase, plan};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Version of the journal's meaning; a plugin refuses a journal newer than its own.
pub const JOURNAL_VERSION: i32 = 4;

/// Condition on a phase: the upgrade cannot go on by itself.
pub const CONDITION_STALLED: &str = "Stalled";

/// What the API server answers to a phase that may not follow the last one; CEL.
const ILLEGAL_PHASE_CHANGE: &str = "'illegal phase change from ' + oldSelf.status.phase + \
     (has(self.status) && has(self.status.phase) ? ' to ' + self.status.phase : ' to none')";

/// Part of a mesh that is upgraded in one piece, in the order of an upgrade: CRDs first, gateways last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Component {
    /// Custom resource definitions and the default validator (chart `base`).
    Base,
    /// The control plane (chart `istiod`).
    Istiod,
    /// The node agent that sets up redirection (chart `cni`).
    Cni,
    /// The ambient node proxy (chart `ztunnel`).
    Ztunnel,
    /// What a vendor's build runs beside Istio's own components (the chart that the catalog names for it).
    Vendor,
    /// An ingress, egress or east-west gateway (chart `gateway`).
    Gateway,
}

impl Component {
    /// The name as people and Istio's charts write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Istiod => "istiod",
            Self::Cni => "cni",
            Self::Ztunnel => "ztunnel",
            Self::Vendor => "vendor",
            Self::Gateway => "gateway",
        }
    }

    /// The component that an Istio chart installs; `None` for charts that are not Istio's.
    #[must_use]
    pub fn from_chart(chart: &str) -> Option<Self> {
        match chart {
            "base" => Some(Self::Base),
            "istiod" => Some(Self::Istiod),
            "cni" => Some(Self::Cni),
            "ztunnel" => Some(Self::Ztunnel),
            "gateway" => Some(Self::Gateway),
            _ => None,
        }
    }
}

impl std::fmt::Display for Component {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The tool that installed a component and that upgrades it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum InstallerKind {
    /// Helm 3 or 4.
    #[default]
    Helm,
    /// The istioctl of the target's version.
    Istioctl,
    /// Argo CD, which follows a repository: somebody merges the change there.
    ArgoCd,
    /// Flux, likewise.
    Flux,
    /// The Sail Operator, which is told the version in its own object.
    Sail,
}

impl InstallerKind {
    /// Version of the journal's meaning that first knew it.
    #[must_use]
    pub fn journal_version(self) -> i32 {
        match self {
            Self::Helm => 1,
            Self::Istioctl => 2,
            Self::ArgoCd | Self::Flux | Self::Sail => 3,
        }
    }

    /// Whether only its own word tells that a change which was begun has come to its end. Helm's release tells it
    /// otherwise; what istioctl has written is not told apart from what it still would write.
    #[must_use]
    pub fn is_repeated_until_it_ends(self) -> bool {
        match self {
            Self::Helm | Self::ArgoCd | Self::Flux | Self::Sail => false,
            Self::Istioctl => true,
        }
    }

    /// Whether somebody else has to begin the change, by merging it where a controller looks.
    #[must_use]
    pub fn is_merged(self) -> bool {
        match self {
            Self::Helm | Self::Istioctl | Self::Sail => false,
            Self::ArgoCd | Self::Flux => true,
        }
    }
}

/// An upgrade that was started without the guard, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unguarded {
    /// The operator's reason.
    pub reason: String,
}

/// Journal of one upgrade of one mesh by one minor (or within it).
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "meshupgrade.io",
    version = "v1alpha1",
    kind = "MeshUpgrade",
    plural = "meshupgrades",
    status = "MeshUpgradeStatus",
    category = "istio-upgrade",
    derive = "PartialEq",
    validation = Rule::new(Phase::transition_rule())
        .message(Message::Expression(ILLEGAL_PHASE_CHANGE.to_owned())),
    printcolumn(json_path = ".spec.mesh", name = "Mesh", type_ = "string"),
    printcolumn(json_path = ".spec.from", name = "From", type_ = "string"),
    printcolumn(json_path = ".spec.to", name = "To", type_ = "string"),
    printcolumn(json_path = ".status.phase", name = "Phase", type_ = "string"),
    printcolumn(json_path = ".status.conditions[?(@.type==\"Stalled\")].status", name = "Stalled", type_ = "string"),
    printcolumn(json_path = ".status.conditions[?(@.type==\"Drifted\")].status", name = "Drifted", type_ = "string", priority = 1),
    printcolumn(json_path = ".status.holder", name = "Holder", type_ = "string"),
    printcolumn(json_path = ".metadata.creationTimestamp", name = "Age", type_ = "date")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self == oldSelf").message("an upgrade keeps its target and plan: there is no new target once it has begun"))]
pub struct MeshUpgradeSpec {
    /// Version of the journal's meaning; a driver that knows only older ones refuses the journal.
    pub journal_version: i32,
    /// Name of the mesh.
    pub mesh: String,
    /// Version before the upgrade.
    pub from: String,
    /// Version that the upgrade goes to.
    pub to: String,
    /// The plan that was confirmed.
    pub plan: Plan,
    /// SHA-256 of the plan's JSON, in hexadecimal.
    pub plan_hash: String,
    /// Person who confirmed the plan.
    pub requested_by: String,
    /// Set when the upgrade runs without the guard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unguarded: Option<Unguarded>,
    /// Set when the operator chose not to pull the images first.
    #[serde(default)]
    pub skip_image_pull: bool,
    /// Findings that were accepted in writing when the upgrade was confirmed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waivers: Vec<RecordedWaiver>,
}

impl MeshUpgradeSpec {
    /// The upgrade that was confirmed, guarded and with nothing accepted in writing.
    #[must_use]
    pub fn of(mesh: &str, from: &str, to: &str, plan: Plan, requested_by: &str) -> Self {
        Self {
            journal_version: plan.journal_version(),
            mesh: mesh.to_owned(),
            from: from.to_owned(),
            to: to.to_owned(),
            plan_hash: plan::hash(&plan),
            plan,
            requested_by: requested_by.to_owned(),
            unguarded: None,
            skip_image_pull: false,
            waivers: Vec::new(),
        }
    }
}

impl MeshUpgrade {
    /// How far the upgrade is; one without a status has just been created.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.status.as_ref().map(|status| status.phase).unwrap_or_default()
    }

    /// What charts the upgrade goes by: the plan's, and those that took the place of one of them since.
    #[must_use]
    pub fn chart_digests(&self) -> Digests {
        let mut digests = self.spec.plan.charts.digests.clone();
        digests.extend(self.status.iter().flat_map(|status| status.chart_digests.clone()));
        digests
    }
}

/// A finding that was accepted in writing, as the journal keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RecordedWaiver {
    /// Code of the finding.
    pub code: String,
    /// Cluster it was found in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// Object it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// What was the matter.
    pub cause: String,
    /// Who accepted it.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// Last day on which it is accepted, as `2026-12-31`.
    pub expires: String,
}

/// State of a step in the journal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum StepState {
    /// Not begun.
    #[default]
    Pending,
    /// Begun: its effect may have happened, wholly or in part.
    Running,
    /// Seen at the target and healthy.
    Done,
}

/// What the journal knows of one step.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StepStatus {
    /// Id of the plan's step.
    pub id: String,
    /// How far it is.
    pub state: StepState,
    /// How often its effect was begun.
    #[serde(default)]
    pub attempts: i32,
    /// When it was first begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    /// When it was seen done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Time>,
    /// What was observed, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
}

/// What one control plane was proved to do before the upgrade, and so has to do after it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Abilities {
    /// Its cluster.
    pub cluster: String,
    /// Namespace of its Deployment.
    pub namespace: String,
    /// Name of its Deployment.
    pub name: String,
    /// Its validation webhook refuses what is bad; `false` where it is switched off.
    pub validates: bool,
    /// Its injector gives a pod that asks for it a proxy; `false` where it is switched off.
    pub injects: bool,
    /// Gateways that it keeps itself, out of Gateway objects, and that ran whole with its proxy, as `NAMESPACE/NAME`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keeps: Vec<String>,
}

/// Proxies of the mesh and how its istiods serve them, over all its clusters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProxyConnections {
    /// Pods whose proxy is ready.
    pub ready: i64,
    /// Pods whose proxy is there and not ready; of a journal that does not tell it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unready: Option<i64>,
    /// Proxies that are connected to an istiod.
    pub connected: i64,
    /// Configurations that proxies have rejected since the istiods began.
    pub rejected: i64,
    /// Errors of the istiods in making or sending configuration, since they began.
    pub errors: i64,
    /// Servers of Gateways that the istiods have passed over, since they began.
    #[serde(default)]
    pub ignored: i64,
    /// In how many clusters they were counted; where that is not told, in those of the plan.
    #[serde(default)]
    pub clusters: i64,
    /// Pods of the istiods that were asked: another one has counted nothing of the time before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub istiods: Vec<String>,
    /// Remote clusters that they reach.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remotes: Vec<RemoteClusters>,
}

/// Remote clusters that the istiods of one cluster reach, as their metrics tell.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RemoteClusters {
    /// Where the istiods are.
    pub cluster: String,
    /// How many remote clusters each of them knows.
    pub known: i64,
    /// Those that each of them reaches, as its Secrets call them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reached: Vec<String>,
}

/// Something that happened, for people who read the journal later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct JournalEvent {
    /// When.
    pub at: Time,
    /// What, in a sentence.
    pub what: String,
    /// Epoch of the driver that wrote it.
    pub epoch: i64,
}

/// State of an upgrade.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MeshUpgradeStatus {
    /// Phase of the upgrade.
    #[serde(default)]
    pub phase: Phase,
    /// Person who drives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<String>,
    /// Epoch of the driver.
    #[serde(default)]
    pub epoch: i64,
    /// When the mesh was frozen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frozen_since: Option<Time>,
    /// What the control planes were proved to do before anything was changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub abilities: Vec<Abilities>,
    /// The proxies before anything was changed; unknown where they could not be counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connections: Option<ProxyConnections>,
    /// Digests of charts that took the place of the plan's, since somebody named them, or that the plan did not know.
    #[serde(default, skip_serializing_if = "Digests::is_empty")]
    pub chart_digests: Digests,
    /// State of each step.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<StepStatus>,
    /// Clusters that were proved healthy at the target before the next one's control plane, or a gateway, was changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verified_clusters: Vec<String>,
    /// The last things that happened, oldest first; older ones are left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<JournalEvent>,
    /// What no guard is asked about, in each cluster, as it was at the freeze and after each step that changed it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fingerprints: Vec<ClusterFingerprints>,
    /// Conditions, as Stalled and Drifted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}

/// How many entries [`MeshUpgradeStatus::history`] keeps.
pub const HISTORY_LIMIT: usize = 100;
