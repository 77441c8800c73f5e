//! Further looks at workloads whose controller has not come round to them yet.

use super::{ask::Asker, workloads::Workloads};
use crate::cluster::error::ClusterError;
use shared::inventory::Rollout;
use std::{future::Future, time::Duration};

/// How long a controller is given, in all: it observes a write within milliseconds unless it is stuck, and then it says so
/// itself. Short at first, since whoever waits for a component has mostly written it a moment ago.
const PAUSES: [Duration; 5] = [
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(200),
    Duration::from_millis(400),
    Duration::from_millis(750),
];

/// The workloads; again where one of them was written a moment ago, as an autoscaler does, and its controller has
/// not observed it. One that is still unobserved after that is not at rest.
pub(super) async fn workloads(asker: Asker<'_>) -> Result<Workloads, ClusterError> {
    looked(|| Workloads::list(asker), &PAUSES).await
}

async fn looked<L>(mut list: impl FnMut() -> L, pauses: &[Duration]) -> Result<Workloads, ClusterError>
where
    L: Future<Output = Result<Workloads, ClusterError>>,
{
    let mut found = list().await?;
    for pause in pauses {
        if !found
            .rollouts()
            .any(|rollout: Rollout| rollout.deserves_a_second_look())
        {
            break;
        }
        tokio::time::sleep(*pause).await;
        found = list().await?;
    }
    Ok(found)
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
    async fn what_is_unobserved_is_looked_at_until_it_is_observed_and_no_longer_than_given() {
        for (answers, looks, rests) in [
            (&[true][..], 1, true),
            (&[false, true], 2, true),
            (&[false, false, true], 3, true),
            (&[false, false, false, true], 3, false),
        ] {
            let mut asked = 0;
            let list = || {
                let observed = answers[asked];
                asked += 1;
                async move { Ok(of(observed)) }
            };
            let found = looked(list, &[Duration::ZERO; 2]).await.unwrap();
            let rest = found.rollouts().all(|rollout| rollout.is_complete());
            assert_eq!((asked, rest), (looks, rests), "{answers:?}");
        }
    }

    #[test]
    fn a_controller_is_given_a_moment_in_all() {
        assert_eq!(PAUSES.iter().sum::<Duration>(), Duration::from_millis(1500));
    }
}
