//! The watch over a frozen mesh while its upgrade is driven: what the freeze stands on, and what no guard is asked about.

mod bell;
mod exempt;

pub use bell::{Bell, Ring};

use super::{
    fault::Fault,
    freeze::{
        policies::{self, Standing},
        record,
    },
};
use crate::{clock::now, cluster::Cluster};
use exempt::{Read, Served};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::ApiResource;
use serde_json::Value;
use shared::{
    api::{ClusterFingerprints, ExemptKind, Fingerprint, MeshFreeze, MeshFreezeSpec, MeshFreezeStatus, ObjectName},
    fingerprint::{Change, What, judge, judge_freeze, rebase, seen_again, taken_over},
    guard::own_objects::own_objects_policy,
    machine::Drift,
    names,
};
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
};

/// What is known of each cluster, by its name in the plan.
#[derive(Debug, Default)]
pub struct Watch {
    /// What the journal remembered before this driver came.
    remembered: BTreeMap<String, Vec<Fingerprint>>,
    known: Mutex<BTreeMap<String, Known>>,
    since: OnceLock<Time>,
    /// What has watched over the step before, and goes on from there.
    bell: Mutex<Option<Bell>>,
}

/// What stood in a cluster as its freeze was written.
#[derive(Clone, Debug)]
pub struct First {
    served: Served,
    read: Read,
    status: MeshFreezeStatus,
}

/// What one look at a cluster has found.
#[derive(Debug)]
pub struct Look {
    /// What is not as it was, and not explained by the release that is being changed.
    pub changes: Vec<Change>,
    /// What stands of freezes, where that could be seen.
    pub standing: Option<Vec<Standing>>,
}

#[derive(Clone, Debug, Default)]
struct Known {
    served: Served,
    /// What is compared with.
    fingerprints: Vec<Fingerprint>,
    /// The guard's objects as they were, with their certificates of today.
    guards: BTreeMap<(ExemptKind, String), Value>,
    changes: Vec<Change>,
}

impl Watch {
    /// Goes on from what the journal remembers.
    #[must_use]
    pub fn new(journal: &[ClusterFingerprints]) -> Self {
        let remembered = journal
            .iter()
            .map(|known| (known.cluster.clone(), known.objects.clone()));
        Self {
            remembered: remembered.collect(),
            known: Mutex::default(),
            since: OnceLock::new(),
            bell: Mutex::default(),
        }
    }

    /// When this driver first froze: asked again, the same, so that a freeze that is put up again says the same.
    #[must_use]
    pub fn since(&self) -> Time {
        self.since.get_or_init(|| Time(now())).clone()
    }

    /// Reads a cluster whose freeze has just been written, while it is proved.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn first_look(&self, holder: &Cluster, freeze: &MeshFreezeSpec) -> Result<First, Fault> {
        let listed = async {
            let served = exempt::served(holder).await?;
            let read = exempt::read(&holder.client, &served).await?;
            Ok::<_, Fault>((served, read))
        };
        let ((served, read), status) = tokio::try_join!(listed, record::status(holder, freeze))?;
        Ok(First { served, read, status })
    }

    /// Remembers a cluster that has just been frozen by `freeze`, in its record, too. Returns what changed unseen since
    /// it was first frozen.
    ///
    /// # Errors
    /// When it cannot be read or written, or when a part of the guard is gone that cannot be put back from here.
    pub async fn begin(
        &self,
        holder: &Cluster,
        name: &str,
        freeze: &MeshFreezeSpec,
        first: First,
    ) -> Result<Vec<Change>, Fault> {
        let First {
            served,
            mut read,
            status,
        } = first;
        let before = self.before(name).unwrap_or(status.fingerprints);
        let (mut fingerprints, mut changes) =
            taken_over(&before, &read.picture.of(&freeze.scope), status.changing.as_ref());
        if changes.iter().any(|change| is_gone(change, names::OWN_OBJECTS_POLICY)) {
            let (policy, binding) = own_objects_policy();
            policies::write(holder, policy).await?;
            policies::write(holder, binding).await?;
            read = exempt::read(&holder.client, &served).await?;
            (fingerprints, changes) = taken_over(&before, &read.picture.of(&freeze.scope), status.changing.as_ref());
        }
        if changes.iter().any(|change| is_gone(change, names::WEBHOOK)) {
            return Err(Fault::lasting(format!(
                "the guard's ValidatingWebhookConfiguration {} is gone: put it back with kubectl mesh-upgrade guard install, \
                 then go on",
                names::WEBHOOK
            )));
        }
        if before.is_empty() {
            fingerprints = read.picture.of(&freeze.scope);
            changes.clear();
        }
        record::remember(holder, freeze, &fingerprints, None).await?;
        let mut known = Known {
            served,
            fingerprints,
            guards: BTreeMap::new(),
            changes: changes.clone(),
        };
        known.keep_guards(read, freeze);
        self.lock().insert(name.to_owned(), known);
        // Other kinds may be served by now.
        drop(self.kept());
        Ok(changes)
    }

    /// Looks at a cluster.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn look(
        &self,
        holder: &Cluster,
        name: &str,
        freeze: &MeshFreezeSpec,
        changing: Option<&ObjectName>,
    ) -> Result<Look, Fault> {
        let read = exempt::read(&holder.client, &self.served(name)).await?;
        let now = read.picture.of(&freeze.scope);
        let standing = read.standing();
        let mut all = self.lock();
        let known = all.entry(name.to_owned()).or_default();
        known.changes = judge(&known.fingerprints, &now, changing);
        known.fingerprints = seen_again(&known.fingerprints, &now);
        known.keep_guards(read, freeze);
        Ok(Look {
            changes: known.changes.clone(),
            standing,
        })
    }

    /// Says in the record which release is changed from now on, before it is.
    ///
    /// # Errors
    /// When the record cannot be written.
    pub async fn announce(
        &self,
        holder: &Cluster,
        name: &str,
        freeze: &MeshFreezeSpec,
        release: &ObjectName,
    ) -> Result<(), Fault> {
        let fingerprints = self.before(name).unwrap_or_default();
        record::remember(holder, freeze, &fingerprints, Some(release)).await
    }

    /// Takes the freeze's own policies out of what the record says to compare with, before the holder writes them anew: the
    /// webhook's watcher would take that for somebody else's change.
    ///
    /// # Errors
    /// When the record cannot be written.
    pub async fn forget_the_freeze(&self, holder: &Cluster, name: &str, freeze: &MeshFreezeSpec) -> Result<(), Fault> {
        let mut fingerprints = self.before(name).unwrap_or_default();
        fingerprints.retain(|known| !known.name.starts_with(names::FREEZE_POLICY_PREFIX));
        record::remember(holder, freeze, &fingerprints, None).await
    }

    /// Takes what the step has changed for what is to be, and nothing else.
    ///
    /// # Errors
    /// When the cluster cannot be read, or the record cannot be written.
    pub async fn settle(
        &self,
        holder: &Cluster,
        name: &str,
        freeze: &MeshFreezeSpec,
        release: &ObjectName,
    ) -> Result<(), Fault> {
        let read = exempt::read(&holder.client, &self.served(name)).await?;
        let now = read.picture.of(&freeze.scope);
        let before = self.before(name).unwrap_or_default();
        let fingerprints = rebase(&before, &now, Some(release));
        record::remember(holder, freeze, &fingerprints, None).await?;
        let mut all = self.lock();
        let known = all.entry(name.to_owned()).or_default();
        known.changes = judge(&fingerprints, &now, None);
        known.fingerprints = fingerprints;
        Ok(())
    }

    /// Puts back what somebody has changed or deleted of the guard since this driver has frozen the cluster. The freeze
    /// is proved afterwards.
    ///
    /// # Errors
    /// When it cannot be read or written.
    pub async fn put_back(&self, holder: &Cluster, name: &str, freeze: &MeshFreezeSpec) -> Result<(), Fault> {
        let Some(known) = self.lock().get(name).cloned() else {
            return Ok(());
        };
        let read = exempt::read(&holder.client, &known.served).await?;
        for change in judge(&known.fingerprints, &read.picture.of(&freeze.scope), None) {
            let was = known.guards.get(&(change.kind, change.name.clone()));
            let resource = known.resource(change.kind);
            if let (true, Some(was), Some(resource)) = (change.is_of_guard(), was, resource) {
                exempt::put_back(&holder.client, resource, &change.name, was).await?;
            }
        }
        Ok(())
    }

    /// Whether this driver has frozen a cluster.
    #[must_use]
    pub fn has_begun(&self, name: &str) -> bool {
        self.lock().contains_key(name)
    }

    /// The kinds that a cluster serves, as far as they are known.
    #[must_use]
    pub fn served(&self, name: &str) -> Served {
        self.lock()
            .get(name)
            .map(|known| known.served.clone())
            .unwrap_or_default()
    }

    /// Keeps what has watched over a step for the next one: its watches go on from what they have seen, so that nothing is
    /// missed in between.
    pub fn keep(&self, bell: Bell) {
        *self.bell.lock().unwrap_or_else(PoisonError::into_inner) = Some(bell);
    }

    /// What was kept, once.
    pub fn kept(&self) -> Option<Bell> {
        self.bell.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// What is compared with, for the journal.
    #[must_use]
    pub fn fingerprints(&self) -> BTreeMap<String, Vec<Fingerprint>> {
        let all = self.lock();
        let known = all
            .iter()
            .map(|(name, known)| (name.clone(), known.fingerprints.clone()));
        known.collect()
    }

    /// What the last looks have found, for the journal.
    #[must_use]
    pub fn drift(&self) -> Drift {
        let all = self.lock();
        let known = all.iter().map(|(name, known)| (name.clone(), known.changes.clone()));
        known.collect()
    }

    fn before(&self, name: &str) -> Option<Vec<Fingerprint>> {
        let all = self.lock();
        let known = all.get(name).map(|known| known.fingerprints.clone());
        known.or_else(|| self.remembered.get(name).cloned())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Known>> {
        // Nothing that is written under it can be left half-written.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// Keeps the guard's objects that are as they were.
    fn keep_guards(&mut self, read: Read, freeze: &MeshFreezeSpec) {
        let now = read.picture.of(&freeze.scope);
        for (key, object) in read.objects {
            let same = |it: &&Fingerprint| (it.kind, &it.name) == (key.0, &key.1);
            let digest = |all: &[Fingerprint]| all.iter().find(same).map(|it| it.sha256.clone());
            if digest(&now).is_some() && digest(&now) == digest(&self.fingerprints) {
                self.guards.insert(key, object);
            }
        }
    }

    fn resource(&self, kind: ExemptKind) -> Option<&ApiResource> {
        let found = self.served.iter().find(|(served, _)| *served == kind);
        found.map(|(_, resource)| resource)
    }
}

/// What has changed in a cluster since its record was last written, by whoever drove then.
///
/// # Errors
/// When it cannot be read.
pub async fn changes_since(holder: &Cluster, record: &MeshFreeze) -> Result<Vec<Change>, Fault> {
    let Some(status) = &record.status else {
        return Ok(Vec::new());
    };
    let served = exempt::served(holder).await?;
    let read = exempt::read(&holder.client, &served).await?;
    Ok(judge_freeze(&record.spec, status, &read.picture.of(&record.spec.scope)))
}

/// The first change that leaves less of the guard than there was.
#[must_use]
pub fn disturbance(changes: &[Change]) -> Option<&Change> {
    changes
        .iter()
        .find(|change| change.is_of_guard() && change.what != What::Created)
}

fn is_gone(change: &Change, name: &str) -> bool {
    change.what == What::Deleted && change.name == name
}
