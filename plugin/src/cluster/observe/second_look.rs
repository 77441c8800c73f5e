//! A second look at workloads whose controller has not come round to them yet.

use super::{ask::Asker, workloads::Workloads};
use crate::cluster::error::ClusterError;
use shared::inventory::Rollout;
use std::{future::Future, time::Duration};

/// How long a controller is given: it observes a write within milliseconds unless it is stuck, and then it says so itself.
const MOMENT: Duration = Duration::from_millis(1500);

/// The workloads; once more where one of them was written a moment ago, as an autoscaler does, and its controller has
/// not observed it. One that is still unobserved then is not at rest.
pub(super) async fn workloads(asker: Asker<'_>) -> Result<Workloads, ClusterError> {
    looked(|| Workloads::list(asker), MOMENT).await
}

async fn looked<L>(mut list: impl FnMut() -> L, moment: Duration) -> Result<Workloads, ClusterError>
where
    L: Future<Output = Result<Workloads, ClusterError>>,
{
    let first = list().await?;
    if !first
        .rollouts()
        .any(|rollout: Rollout| rollout.deserves_a_second_look())
    {
        return Ok(first);
    }
    tokio::time::sleep(moment).await;
    list().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::{
        api::{WorkloadKind, WorkloadName},
        inventory::{Gateway, Surge},
    };

    fn of(observed: bool) -> Workloads {
        let mut found = Workloads::default();
        found.gateways.push(Gateway {
            workload: WorkloadName {
                kind: WorkloadKind::Deployment,
                namespace: "edge".to_owned(),
                name: "ingress".to_owned(),
            },
            image: "auto".to_owned(),
            rollout: Rollout {
                desired: 2,
                updated: 2,
                ready: 2,
                observed,
            },
            helm_release: None,
            ownership: shared::inventory::Ownership::default(),
            surge: Surge::default(),
        });
        found
    }

    #[tokio::test]
    async fn what_is_unobserved_is_looked_at_once_more_and_no_more() {
        for (answers, looks, rests) in [
            (&[true][..], 1, true),
            (&[false, true], 2, true),
            (&[false, false, true], 2, false),
        ] {
            let mut asked = 0;
            let list = || {
                let observed = answers[asked];
                asked += 1;
                async move { Ok(of(observed)) }
            };
            let found = looked(list, Duration::ZERO).await.unwrap();
            let rest = found.rollouts().all(|rollout| rollout.is_complete());
            assert_eq!((asked, rest), (looks, rests), "{answers:?}");
        }
    }
}
