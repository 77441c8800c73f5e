//! The plan in the journal: which clusters are written to, and the steps of one hop in their order.

use super::{FreezeScope, Hosted, InstallerKind, PlanStep, StepAction, WorkloadName};
use crate::charts::Digests;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The version that first knew control planes which are configured in another cluster.
const KNOWS_HOSTED: i32 = 3;

/// Where charts come from: a directory, `oci://…` or `https://…`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChartSource {
    /// The operator's `--charts`, or the catalog's source.
    pub location: String,
    /// What was found there, as `sha256:…`: by name and version of a chart, a digest of the packaged chart, of the files of one that
    /// is not packaged, or of what a registry gave. A chart of a repository has none.
    #[serde(default, skip_serializing_if = "Digests::is_empty")]
    pub digests: Digests,
}

/// A cluster as the plan was bound to it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanCluster {
    /// Name of the cluster.
    pub name: String,
    /// UID of its `kube-system` namespace: the nearest thing to a cluster's identity.
    pub uid: String,
    /// What is frozen there.
    pub scope: FreezeScope,
    /// Images that its nodes need; those of the whole plan when left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<String>,
    /// Its control planes that are configured in another cluster: their webhooks are there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosted: Vec<Hosted>,
    /// Control planes that are not taken to the target: the old revision of a canary.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub beside: Vec<WorkloadName>,
}

impl PlanCluster {
    /// Whether the control planes in a namespace of this cluster have their webhooks in it.
    #[must_use]
    pub fn has_webhooks_of(&self, namespace: &str) -> bool {
        !self.hosted.iter().any(|hosted| hosted.namespace == namespace)
    }
}

/// Ordered steps of one hop.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// Clusters that are written to.
    pub clusters: Vec<PlanCluster>,
    /// Steps in the order in which they are performed.
    pub steps: Vec<PlanStep>,
    /// Images of the target, pulled before the freeze.
    #[serde(default)]
    pub images: Vec<String>,
    /// Where the charts come from.
    pub charts: ChartSource,
}

impl Plan {
    /// Version of the journal's meaning that this plan needs: whoever knows less refuses the journal.
    #[must_use]
    pub fn journal_version(&self) -> i32 {
        let versions = self.steps.iter().map(PlanStep::journal_version);
        let hosted = self.clusters.iter().any(|cluster| !cluster.hosted.is_empty());
        versions.chain(hosted.then_some(KNOWS_HOSTED)).max().unwrap_or(1)
    }

    /// The cluster of that name.
    #[must_use]
    pub fn cluster(&self, name: &str) -> Option<&PlanCluster> {
        self.clusters.iter().find(|cluster| cluster.name == name)
    }

    /// The step with that id.
    #[must_use]
    pub fn step(&self, id: &str) -> Option<&PlanStep> {
        self.steps.iter().find(|step| step.id == id)
    }

    /// Whether it is one of the two upgrades of a canary, which somebody has asked for.
    #[must_use]
    pub fn is_canary(&self) -> bool {
        let mut revisions = self.steps.iter().filter_map(|step| step.revisions.as_ref());
        revisions.any(|revisions| !revisions.are_the_operators())
    }

    /// What asks for the same way again, as the end of a command.
    #[must_use]
    pub fn strategy_flag(&self) -> &'static str {
        if self.is_canary() { " --strategy canary" } else { "" }
    }

    /// The step that takes an old revision away, in the second upgrade of a canary.
    #[must_use]
    pub fn removal(&self) -> Option<&PlanStep> {
        self.steps.iter().find(|step| step.action == StepAction::Remove)
    }

    /// Whether this cluster holds the configuration of a control plane that runs in another.
    #[must_use]
    pub fn configures(&self, cluster: &str) -> bool {
        let hosted = self.clusters.iter().flat_map(|planned| &planned.hosted);
        hosted.into_iter().any(|hosted| hosted.cluster == cluster)
    }

    /// Whether a step takes its chart from somewhere.
    #[must_use]
    pub fn takes_charts(&self) -> bool {
        self.steps.iter().any(|step| step.installer == InstallerKind::Helm)
    }
}
