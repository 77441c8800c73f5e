//! What the watch over the freeze, and over what no guard is asked about, means for the journal.

use super::{Driver, Next, Observation};
use crate::{
    api::{CONDITION_DRIFTED, ClusterFingerprints, Fingerprint, MeshUpgradeSpec, MeshUpgradeStatus},
    charts::Digests,
    conditions,
    fingerprint::{Change, describe},
};
use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Condition, jiff::Timestamp};
use std::collections::BTreeMap;

/// Changes that no guard was asked about, by cluster; an empty list says that there are none.
pub type Drift = BTreeMap<String, Vec<Change>>;

/// What was seen while an effect is being performed; it is written into the journal at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// Something about the freeze, in a sentence.
    Freeze(String),
    /// What a step waits for that somebody else has to begin, in a sentence.
    Awaited {
        /// Id of the step.
        step: String,
        /// What it waits for.
        what: String,
    },
    /// What is waited for that comes by itself, if anything is. It is shown, and not written down: a large rollout would fill
    /// the journal with its pods.
    Waits(Option<String>),
    /// What has changed that no guard is asked about.
    Drift(Drift),
}

/// The status with the news in it.
#[must_use]
pub fn heard(
    spec: &MeshUpgradeSpec,
    status: &MeshUpgradeStatus,
    news: &News,
    driver: &Driver,
    now: Timestamp,
) -> MeshUpgradeStatus {
    let mut next = Next {
        spec,
        status: status.clone(),
        driver,
        now,
    };
    match news {
        News::Freeze(what) => next.note(what),
        News::Awaited { step, what } => next.note(&format!("{step}: waits for {what}")),
        News::Waits(_) => {}
        News::Drift(drift) => next.drifted(drift),
    }
    next.status
}

impl Next<'_> {
    /// Takes over what the effects saw; before anything is decided, so that it stands in the journal with the decision.
    pub(super) fn take_in(&mut self, seen: &Observation) {
        if self.status.phase.is_final() {
            return;
        }
        if let Some(what) = &seen.found_open {
            self.found_open(what);
        }
        for (cluster, objects) in &seen.fingerprints {
            self.remember(cluster, objects);
        }
        self.drifted(&seen.drift);
        self.goes_by(&seen.chart_digests);
    }

    /// Charts that somebody has named take the place of those that were recorded; this is the one word that tells of it.
    fn goes_by(&mut self, at_hand: &Digests) {
        for (name, digest) in at_hand {
            let planned = self.spec.plan.charts.digests.get(name);
            let known = self.status.chart_digests.get(name).or(planned).cloned();
            if known.as_ref() == Some(digest) {
                continue;
            }
            self.status.chart_digests.insert(name.clone(), digest.clone());
            if let Some(known) = known {
                self.note(&format!(
                    "chart {name} has other contents than before, and was named with --charts: {digest} in the place of {known}"
                ));
            }
        }
    }

    fn remember(&mut self, cluster: &str, objects: &[Fingerprint]) {
        let known = &mut self.status.fingerprints;
        match known.iter_mut().find(|known| known.cluster == cluster) {
            Some(known) => objects.clone_into(&mut known.objects),
            None => known.push(ClusterFingerprints {
                cluster: cluster.to_owned(),
                objects: objects.to_vec(),
            }),
        }
    }

    /// A change of what nobody guards does not stop the upgrade, since the holder's steps go on over it; but it is not
    /// to be overlooked.
    fn drifted(&mut self, drift: &Drift) {
        if drift.is_empty() {
            return;
        }
        let changed: Vec<String> = drift
            .iter()
            .filter(|(_, changes)| !changes.is_empty())
            .map(|(cluster, changes)| format!("{cluster}: {}", describe(changes)))
            .collect();
        let changed = changed.join("; ");
        if drift_condition(&mut self.status.conditions, &changed, self.now) && !changed.is_empty() {
            self.note(&format!("changed, and no guard is asked about it: {changed}"));
        }
    }
}

/// Sets [`CONDITION_DRIFTED`] by what has changed, in words; nothing has when there are none. Tells whether it changed.
pub fn drift_condition(conditions: &mut Vec<Condition>, changed: &str, now: Timestamp) -> bool {
    let (reason, message) = if changed.is_empty() {
        ("AsFrozen", AS_FROZEN)
    } else {
        ("NotAsFrozen", changed)
    };
    let message = super::journal::shorten(message);
    conditions::upsert(
        conditions,
        CONDITION_DRIFTED,
        !changed.is_empty(),
        reason,
        &message,
        now,
    )
}

/// Message of [`CONDITION_DRIFTED`] when it is false.
const AS_FROZEN: &str = "webhook configurations and admission policies of the mesh and the guard are as they were when \
     it was frozen, or as the upgrade itself has made them since";
