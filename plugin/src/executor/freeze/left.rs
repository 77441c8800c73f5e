//! Whether a freeze still stands that another driver has put up: whose policies they are, and of which epoch, does not matter.

use super::{policies, record};
use crate::{
    cluster::Cluster,
    executor::{fault::Fault, watch},
};
use shared::{
    api::{MeshFreeze, MeshFreezeSpec},
    fingerprint::{Change, What, describe},
    names,
};

/// What is open of the freeze of this upgrade, in a sentence; `None` where it stands. One that is being unlocked stands until
/// it is deleted: whoever would close it is told of that.
///
/// # Errors
/// When it cannot be read.
pub async fn is_open(holder: &Cluster, freeze: &MeshFreezeSpec) -> Result<Option<String>, Fault> {
    let record = record::standing(holder, freeze).await?;
    let refuses = policies::refuses(holder, &freeze.mesh).await?;
    let changes = match &record {
        Some(record) => watch::changes_since(holder, record).await?,
        None => Vec::new(),
    };
    Ok(open(record.as_ref(), refuses, &changes, freeze))
}

fn open(record: Option<&MeshFreeze>, refuses: bool, changes: &[Change], freeze: &MeshFreezeSpec) -> Option<String> {
    if record.is_none_or(|record| record.spec.upgrade != freeze.upgrade) {
        return Some(format!("MeshFreeze {} is gone", freeze.mesh));
    }
    if !refuses {
        return Some(format!(
            "no freeze policy of mesh {} stands with its binding",
            freeze.mesh
        ));
    }
    // More than there was opens nothing.
    let lost = |change: &&Change| change.name.starts_with(names::FREEZE_POLICY_PREFIX) && change.what != What::Created;
    let lost: Vec<Change> = changes.iter().filter(lost).cloned().collect();
    (!lost.is_empty()).then(|| describe(&lost))
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
    use shared::api::{ExemptKind, FreezeScope};

    fn freeze(upgrade: &str, epoch: i64) -> MeshFreezeSpec {
        MeshFreezeSpec {
            mesh: "default".to_owned(),
            upgrade: upgrade.to_owned(),
            home: None,
            from: "1.30.3".to_owned(),
            to: "1.31.0".to_owned(),
            holder: "alice".to_owned(),
            epoch,
            since: Time(Timestamp::UNIX_EPOCH),
            scope: FreezeScope::default(),
            unlock: None,
        }
    }

    #[test]
    fn a_freeze_is_open_where_a_part_of_it_is_gone_or_another() {
        let change = |name: &str, what: What| Change {
            kind: ExemptKind::ValidatingAdmissionPolicy,
            name: name.to_owned(),
            what,
            by: vec!["kubectl-edit".to_owned()],
            now: String::new(),
        };
        let policy = "mesh-freeze-default-1";
        for (upgrade, refuses, changes, expected) in [
            (Some("x"), true, vec![], None),
            (None, true, vec![], Some("MeshFreeze default is gone")),
            (Some("y"), true, vec![], Some("MeshFreeze default is gone")),
            (
                Some("x"),
                false,
                vec![],
                Some("no freeze policy of mesh default stands"),
            ),
            (
                Some("x"),
                true,
                vec![change(policy, What::Changed)],
                Some("was changed (field manager kubectl-edit)"),
            ),
            (
                Some("x"),
                true,
                vec![change(policy, What::Deleted)],
                Some("was deleted"),
            ),
            (Some("x"), true, vec![change(policy, What::Created)], None),
            // Of the mesh, or of the rest of the guard: told elsewhere.
            (
                Some("x"),
                true,
                vec![change("istio-validator-istio-system", What::Changed)],
                None,
            ),
        ] {
            let record = upgrade.map(|upgrade| MeshFreeze::new("default", freeze(upgrade, 1)));
            let found = open(record.as_ref(), refuses, &changes, &freeze("x", 2));
            match expected {
                Some(part) => assert!(found.as_ref().is_some_and(|found| found.contains(part)), "{found:?}"),
                None => assert_eq!(found, None, "{changes:?}"),
            }
        }
    }
}
