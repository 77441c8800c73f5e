//! The MeshFreeze: the readable record of a freeze, and what the webhook enforces.

use crate::{cluster::Cluster, error::api_code, executor::fault::Fault};
use kube::{
    Api, Resource as _,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use serde_json::json;
use shared::{
    api::{Fingerprint, MeshFreeze, MeshFreezeSpec, MeshFreezeStatus, ObjectName},
    guard::message::one_line,
    names,
};
use std::collections::BTreeMap;

/// Writes the record with this driver's epoch, or takes over the one that stands.
pub async fn write(holder: &Cluster, freeze: &MeshFreezeSpec) -> Result<(), Fault> {
    let records: Api<MeshFreeze> = Api::all(holder.client.clone());
    let name = &freeze.mesh;
    let Some(mut existing) = read(&records, name).await? else {
        let mut record = MeshFreeze::new(name, freeze.clone());
        record.meta_mut().labels = Some(labels(name));
        let created = records.create(&PostParams::default(), &record).await;
        return created
            .map(drop)
            .map_err(|error| Fault::of_change(&format!("create MeshFreeze {name}"), &error));
    };
    belongs_to(&existing, freeze)?;
    let is_same = existing.spec.scope == freeze.scope || existing.spec.unlock.is_some();
    if existing.spec.epoch == freeze.epoch && is_same {
        return Ok(());
    }
    existing.spec = taken_over(existing.spec, freeze);
    // The webhook writes into the same object, what it saw change.
    let replaced = records.replace(name, &PostParams::default(), &existing).await;
    replaced
        .map(drop)
        .map_err(|error| Fault::of_change(&format!("take over MeshFreeze {name}"), &error))
}

/// The record of a driver that follows. It keeps when the mesh was frozen, which people are told, and who unlocked it and
/// why, which the guard lets no driver take back: where an unlocking was not brought to its end, only its thaw is left.
fn taken_over(existing: MeshFreezeSpec, freeze: &MeshFreezeSpec) -> MeshFreezeSpec {
    MeshFreezeSpec {
        since: existing.since,
        unlock: existing.unlock,
        ..freeze.clone()
    }
}

/// Whether the record stands and bears this driver's epoch.
pub async fn is_ours(holder: &Cluster, freeze: &MeshFreezeSpec) -> Result<(), Fault> {
    let records: Api<MeshFreeze> = Api::all(holder.client.clone());
    match read(&records, &freeze.mesh).await? {
        Some(record) if record.spec.unlock.is_some() => unlocked(&record),
        Some(record) if record.spec.epoch == freeze.epoch => Ok(()),
        Some(record) => Err(Fault::lasting(format!(
            "the freeze is held with epoch {}",
            record.spec.epoch
        ))),
        None => Err(Fault::lasting(format!("MeshFreeze {} is gone", freeze.mesh))),
    }
}

/// What somebody with the right to do so has lifted is not put up again.
pub async fn not_unlocked(holder: &Cluster, freeze: &MeshFreezeSpec) -> Result<(), Fault> {
    let records: Api<MeshFreeze> = Api::all(holder.client.clone());
    let found = records.get_opt(&freeze.mesh).await;
    match found {
        Ok(Some(record)) => unlocked(&record),
        Ok(None) => Ok(()),
        Err(error) => Err(Fault::of_api(&format!("read MeshFreeze {}", freeze.mesh), &error)),
    }
}

fn unlocked(record: &MeshFreeze) -> Result<(), Fault> {
    match &record.spec.unlock {
        None => Ok(()),
        Some(unlock) => Err(Fault::lasting(format!(
            "the freeze was unlocked by {}: {} (if that stopped half-way, bring it to its end first: kubectl mesh-upgrade \
             unlock {} --reason TEXT)",
            one_line(&unlock.by),
            one_line(&unlock.reason),
            record.spec.mesh
        ))),
    }
}

/// The record that stands, whosever it is.
pub async fn standing(holder: &Cluster, freeze: &MeshFreezeSpec) -> Result<Option<MeshFreeze>, Fault> {
    read(&Api::all(holder.client.clone()), &freeze.mesh).await
}

/// What is known of the frozen cluster; nothing when it has just been frozen.
pub async fn status(holder: &Cluster, freeze: &MeshFreezeSpec) -> Result<MeshFreezeStatus, Fault> {
    let records: Api<MeshFreeze> = Api::all(holder.client.clone());
    let found = read(&records, &freeze.mesh).await?;
    Ok(found.and_then(|record| record.status).unwrap_or_default())
}

/// Writes what the webhook's watcher compares with; its conditions stay.
pub async fn remember(
    holder: &Cluster,
    freeze: &MeshFreezeSpec,
    fingerprints: &[Fingerprint],
    changing: Option<&ObjectName>,
) -> Result<(), Fault> {
    let records: Api<MeshFreeze> = Api::all(holder.client.clone());
    let patch = json!({"status": {"fingerprints": fingerprints, "changing": changing}});
    let name = &freeze.mesh;
    let patched = records
        .patch_status(name, &PatchParams::default(), &Patch::Merge(&patch))
        .await;
    patched
        .map(drop)
        .map_err(|error| Fault::of_api(&format!("write the status of MeshFreeze {name}"), &error))
}

/// Whether another upgrade has frozen this mesh, which then stays as it is.
pub async fn is_anothers(holder: &Cluster, freeze: &MeshFreezeSpec) -> Result<bool, Fault> {
    let records: Api<MeshFreeze> = Api::all(holder.client.clone());
    let found = read(&records, &freeze.mesh).await?;
    Ok(found.is_some_and(|record| record.spec.upgrade != freeze.upgrade))
}

/// Deletes the record of this upgrade; one that is gone already is no fault.
pub async fn delete(holder: &Cluster, freeze: &MeshFreezeSpec) -> Result<(), Fault> {
    let records: Api<MeshFreeze> = Api::all(holder.client.clone());
    let name = &freeze.mesh;
    if read(&records, name).await?.is_none() {
        return Ok(());
    }
    // Taken over first, since the guard lets only the current holder delete it.
    write(holder, freeze).await?;
    match records.delete(name, &DeleteParams::default()).await {
        Ok(_) => Ok(()),
        Err(error) if api_code(&error) == 404 => Ok(()),
        Err(error) => Err(Fault::of_api(&format!("delete MeshFreeze {name}"), &error)),
    }
}

/// Deletes a record that bears this driver's own epoch, and no other.
pub async fn delete_late(holder: &Cluster, freeze: &MeshFreezeSpec) -> Result<(), Fault> {
    let records: Api<MeshFreeze> = Api::all(holder.client.clone());
    match read(&records, &freeze.mesh).await? {
        Some(record) if record.spec.epoch == freeze.epoch && record.spec.upgrade == freeze.upgrade => {
            delete(holder, freeze).await
        }
        Some(_) | None => Ok(()),
    }
}

async fn read(records: &Api<MeshFreeze>, name: &str) -> Result<Option<MeshFreeze>, Fault> {
    let found = records.get_opt(name).await;
    found.map_err(|error| Fault::of_api(&format!("read MeshFreeze {name}"), &error))
}

/// A record of another upgrade, or of a driver that came after this one, is not to be touched.
fn belongs_to(existing: &MeshFreeze, freeze: &MeshFreezeSpec) -> Result<(), Fault> {
    if existing.spec.upgrade != freeze.upgrade {
        return Err(Fault::lasting(format!(
            "the mesh is frozen by another upgrade, {}: finish that one first",
            existing.spec.upgrade
        )));
    }
    if existing.spec.epoch > freeze.epoch {
        return Err(Fault::lasting(format!(
            "somebody else has taken the freeze over, with epoch {}",
            existing.spec.epoch
        )));
    }
    Ok(())
}

fn labels(mesh: &str) -> BTreeMap<String, String> {
    [
        (names::LABEL_PART_OF.to_owned(), names::PART_OF.to_owned()),
        (names::LABEL_MESH.to_owned(), mesh.to_owned()),
    ]
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
    use shared::api::{FreezeScope, Unlock};

    fn freeze(epoch: i64, since: i64) -> MeshFreezeSpec {
        MeshFreezeSpec {
            mesh: "default".to_owned(),
            upgrade: "default-1.31.0-1".to_owned(),
            home: None,
            from: "1.30.3".to_owned(),
            to: "1.31.0".to_owned(),
            holder: "alice".to_owned(),
            epoch,
            since: Time(Timestamp::from_second(since).unwrap()),
            scope: FreezeScope::default(),
            unlock: None,
        }
    }

    #[test]
    fn a_takeover_keeps_since_when_it_is_frozen_and_who_unlocked_it() {
        let unlock = Some(Unlock {
            by: "bob".to_owned(),
            reason: "pager 7".to_owned(),
        });
        let existing = MeshFreezeSpec {
            unlock: unlock.clone(),
            ..freeze(1, 10)
        };
        let taken = taken_over(existing, &freeze(2, 60));
        assert_eq!(
            (taken.epoch, taken.since, taken.unlock),
            (2, freeze(1, 10).since, unlock)
        );
    }

    #[test]
    fn who_finds_it_unlocked_is_told_how_to_bring_that_to_its_end() {
        let record = |unlock| {
            let spec = MeshFreezeSpec {
                unlock,
                ..freeze(1, 10)
            };
            unlocked(&MeshFreeze::new("default", spec))
        };
        assert_eq!(record(None), Ok(()));
        let why = record(Some(Unlock::default())).unwrap_err().to_string();
        assert!(
            why.contains("kubectl mesh-upgrade unlock default --reason TEXT"),
            "{why}"
        );
    }
}
