//! A control plane that reads its configuration in another cluster: Istio's external control plane.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Istiods in one cluster whose configuration, with its CRDs and webhooks, is in another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Hosted {
    /// Namespace of the istiods.
    pub namespace: String,
    /// Name of the cluster that holds their configuration.
    pub cluster: String,
}
