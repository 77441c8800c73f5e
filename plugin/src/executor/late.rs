//! What a driver leaves behind that was suspended, lost its lease, and has gone on: nothing that would keep the mesh
//! frozen. No guard is asked about policies, so that one it was in the middle of putting up stands when it comes too late.

use super::{
    effects::Effects,
    fault::Fault,
    freeze::{self, record},
};
use crate::{cluster::Cluster, ui::Mark};
use futures::future::join_all;
use kube::Api;
use shared::{
    api::{MeshFreezeSpec, MeshUpgrade, MeshUpgradeSpec, PlanCluster},
    phase::Phase,
};
use std::time::{Duration, Instant};

/// The driver that has taken over needs this long to freeze the mesh with its own epoch, or to open it.
const DEADLINE: Duration = Duration::from_secs(90);
const LOOK_EVERY: Duration = Duration::from_secs(1);

impl Effects<'_> {
    /// Takes away what this driver has put up too late. What stands before the one that took over has put up its own is
    /// left to that one: without it the mesh would be open.
    pub(super) async fn leave_nothing_late(&self, spec: &MeshUpgradeSpec) {
        if spec.unguarded.is_some() {
            return;
        }
        // Side by side, since each may have to wait for the driver that took over.
        let leaving = spec.plan.clusters.iter().map(|planned| async move {
            if let Err(why) = self.leave_nothing_late_in(spec, planned).await {
                let what = format!("{}: what this driver froze late may still stand: {why}", planned.name);
                self.ui.progress(Mark::Warn, &what);
            }
        });
        join_all(leaving).await;
    }

    async fn leave_nothing_late_in(&self, spec: &MeshUpgradeSpec, planned: &PlanCluster) -> Result<(), Fault> {
        let cluster = self.cluster(&planned.name).map_err(Fault::lasting)?;
        let freeze = self.freeze_of(spec, planned);
        let started = Instant::now();
        loop {
            let fault = match self.try_to_leave_nothing(cluster, &freeze).await {
                Ok(true) => return Ok(()),
                Ok(false) => Fault::passing("the driver that took over has not frozen the mesh itself yet"),
                Err(fault) => fault,
            };
            if started.elapsed() > DEADLINE {
                return Err(fault);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn try_to_leave_nothing(&self, cluster: &Cluster, freeze: &MeshFreezeSpec) -> Result<bool, Fault> {
        let api: Api<MeshUpgrade> = Api::all(self.home.clone());
        let found = api.get_opt(&self.journal).await;
        let journal = found.map_err(|error| Fault::of_api(&format!("read the journal {}", self.journal), &error))?;
        let phase = journal.as_ref().map(MeshUpgrade::phase);
        let over = phase.is_some_and(|phase| phase == Phase::Thawing || phase.is_final());
        if over {
            let holder = freeze::holder(cluster, freeze)?;
            record::delete_late(&holder, freeze).await?;
        }
        freeze::leave(cluster, freeze, over).await
    }
}
