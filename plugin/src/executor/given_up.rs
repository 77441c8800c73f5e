//! What an upgrade leaves behind that is given up: nothing that a driver before had begun and was killed over.

use super::{effects::Effects, images, writing_client};
use crate::ui::Mark;
use futures::future::join_all;
use shared::api::{MeshUpgradeSpec, PlanCluster};

impl Effects<'_> {
    /// Takes away the pods of a pull that was cut short, in all clusters. What cannot go is told: it hinders nobody, and no
    /// upgrade is kept for it.
    pub async fn take_away_pulls(&self, spec: &MeshUpgradeSpec) {
        let clearing = spec.plan.clusters.iter().map(|planned| async move {
            let namespace = images::place(planned);
            let Err(why) = self.take_away_pulls_of(planned).await else {
                return;
            };
            let what = format!(
                "{}: pods that pull images may be left in namespace {namespace}: {why} (kubectl --namespace {namespace} delete \
                 pods --selector app={})",
                planned.name,
                images::APP
            );
            self.ui.progress(Mark::Warn, &what);
        });
        join_all(clearing).await;
    }

    async fn take_away_pulls_of(&self, planned: &PlanCluster) -> Result<(), String> {
        let client = writing_client(self.cluster(&planned.name)?, &self.writer)?;
        images::take_away(&client, images::place(planned)).await
    }
}
