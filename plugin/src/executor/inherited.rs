//! The freeze that an earlier driver left to this one. No guard is asked about policies, so that whoever may lift it by hand
//! leaves no word in the journal: before it is closed again it is looked at, and what was open is written down.

use super::{
    effects::Effects,
    fault::{Fault, patiently},
    freeze,
};
use futures::future::join_all;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use shared::{
    api::{MeshUpgrade, MeshUpgradeSpec, PlanCluster},
    machine::progress,
};
use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
};

/// What the journal says of the freeze when its driver comes.
#[derive(Debug)]
pub struct Inherited {
    /// Whether it is to stand, in every cluster, from before.
    frozen: bool,
    found_open: AtomicBool,
}

impl Inherited {
    /// As the journal says.
    #[must_use]
    pub fn of(journal: &MeshUpgrade) -> Self {
        Self {
            frozen: progress::is_known_frozen(journal),
            found_open: AtomicBool::new(false),
        }
    }
}

/// What was left.
#[derive(Debug, Default)]
pub struct Left {
    /// What is open of it, in a sentence.
    pub open: Option<String>,
    /// Clusters that could not be looked at, with the reason.
    pub unseen: BTreeMap<String, String>,
}

impl Effects<'_> {
    /// Looks at what was left to this driver, as long as it has not closed it itself, and has not found it open.
    pub(super) async fn look_at_what_was_left(&self, spec: &MeshUpgradeSpec) -> Left {
        if !self.inherited.frozen || self.inherited.found_open.load(Ordering::Relaxed) {
            return Left::default();
        }
        let unknown = |planned: &&PlanCluster| !self.watch.has_begun(&planned.name);
        let looking = spec.plan.clusters.iter().filter(unknown).map(|planned| async move {
            let looked = self.is_open_in(spec, planned).await;
            (
                planned.name.clone(),
                looked.map_err(|fault| fault.in_cluster(&planned.name)),
            )
        });
        let (mut left, mut open) = (Left::default(), Vec::new());
        for (cluster, looked) in join_all(looking).await {
            match looked {
                Ok(None) => {}
                Ok(Some(what)) => open.push(format!("{cluster}: {what}")),
                Err(fault) => drop(left.unseen.insert(cluster, fault.to_string())),
            }
        }
        if !open.is_empty() {
            self.inherited.found_open.store(true, Ordering::Relaxed);
            left.open = Some(open.join("; "));
        }
        left
    }

    async fn is_open_in(&self, spec: &MeshUpgradeSpec, planned: &PlanCluster) -> Result<Option<String>, Fault> {
        let cluster = self.cluster(&planned.name).map_err(Fault::lasting)?;
        let freeze = self.freeze_of(spec, planned);
        let holder = freeze::holder(cluster, &freeze)?;
        patiently(|| freeze::is_open(&holder, &freeze)).await
    }

    /// Since when the mesh is frozen; where it was found open it is frozen anew.
    pub(super) fn since(&self) -> Time {
        let since = self.frozen_since.clone();
        let since = since.filter(|_| !self.inherited.found_open.load(Ordering::Relaxed));
        since.unwrap_or_else(|| self.watch.since())
    }
}
