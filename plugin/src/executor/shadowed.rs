//! Policies of others that hide the freeze: found before images are pulled and anything is frozen.

use super::{canary::Prover, effects::Effects, freeze};
use futures::future::join_all;
use shared::{api::MeshUpgradeSpec, names};
use std::collections::BTreeSet;

impl Effects<'_> {
    /// What would make the proof of the freeze wait in vain, one line each.
    pub(super) async fn hides_the_freeze(&self, spec: &MeshUpgradeSpec) -> Result<(), Vec<String>> {
        if spec.unguarded.is_some() {
            return Ok(());
        }
        let driver = &names::driver_user();
        let asking = spec.plan.clusters.iter().map(|planned| async move {
            let cluster = &planned.name;
            // One that is not reached is told of by the check.
            let Ok(reached) = self.cluster(cluster) else {
                return Vec::new();
            };
            let prover = Prover::new(reached.clone(), &self.freeze_of(spec, planned));
            // Where that cannot be read the freeze cannot be proved without it either.
            let webhook = freeze::has_webhook(reached).await.unwrap_or(true);
            let foreign = prover.foreign_policies(webhook).await.into_iter();
            let told = foreign.map(|(policy, kind)| {
                format!(
                    "{cluster}: the ValidatingAdmissionPolicy {policy}, which is none of this tool's, refuses the dry run of \
                     a {kind} that a freeze is proved by: let it pass the user {driver}"
                )
            });
            told.collect()
        });
        let found: BTreeSet<String> = join_all(asking).await.into_iter().flatten().collect();
        if found.is_empty() {
            Ok(())
        } else {
            Err(found.into_iter().collect())
        }
    }
}
