//! A second look at workloads whose controller has not come round to them yet.

use super::{ask::Asker, workloads::Workloads};
use crate::cluster::error::ClusterError;
use shared::inventory::Rollout;
use std::time::Duration;

/// How long a controller is given: it observes a write within milliseconds unless it is stuck, and then says so itself.
const MOMENT: Duration = Duration::from_millis(1500);

/// The workloads; once more where one of them was written a moment ago, as an autoscaler does, and its controller has
/// not observed it. One that is still unobserved then is not at rest.
pub(super) async fn workloads(asker: Asker<'_>) -> Result<Workloads, ClusterError> {
    let first = Workloads::list(asker).await?;
    if !first
        .rollouts()
        .any(|rollout: Rollout| rollout.deserves_a_second_look())
    {
        return Ok(first);
    }
    tokio::time::sleep(MOMENT).await;
    Workloads::list(asker).await
}
