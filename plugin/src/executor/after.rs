//! What comes after the changes: what worked before is proved again.

use super::{
    effects::{Effects, all_or_why},
    frozen::Telling,
    health, writing_client,
};
use futures::future::join_all;
use shared::api::{Abilities, MeshUpgradeSpec, PlanCluster};

impl Effects<'_> {
    pub(super) async fn verify(
        &self,
        spec: &MeshUpgradeSpec,
        abilities: &[Abilities],
        news: &Telling,
    ) -> Result<String, String> {
        let proving = spec
            .plan
            .clusters
            .iter()
            .map(|planned| self.verify_cluster(spec, planned, abilities, true, news));
        all_or_why(join_all(proving).await)
    }

    pub(super) async fn verify_cluster(
        &self,
        spec: &MeshUpgradeSpec,
        planned: &PlanCluster,
        abilities: &[Abilities],
        gateways: bool,
        news: &Telling,
    ) -> Result<String, String> {
        let cluster = self.cluster(&planned.name)?;
        let writer = writing_client(cluster, &self.writer)?;
        health::prove(news, cluster, &writer, planned, &spec.to, abilities, gateways).await
    }
}
