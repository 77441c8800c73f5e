//! Putting a freeze up, taking it over and taking it down, in one cluster.
//!
//! A takeover is safe in this order, since several freeze policies must all admit: create the one with the next
//! epoch, prove the old holder refused, delete the old one, prove the new holder admitted.

use super::canary::{Answer, Asker, Prover};
use crate::{
    cluster::Cluster,
    error::{api_code, api_message},
};
use k8s_openapi::api::admissionregistration::v1::{
    ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding, ValidatingWebhookConfiguration,
};
use kube::{
    Api, Resource, ResourceExt,
    api::{DeleteParams, ListParams, PostParams},
};
use serde::{Serialize, de::DeserializeOwned};
use shared::{
    api::{MeshFreeze, MeshFreezeSpec},
    guard, names,
};
use std::{
    fmt::Debug,
    time::{Duration, Instant},
};

/// A policy closes within a second and the webhook's cache within less; an API server may be restarting meanwhile.
const PROOF_DEADLINE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// A barrier counts as closed when it refuses this often in a row.
const IN_A_ROW: u32 = 2;

/// Freezes a cluster for the driver with `freeze.epoch`, and proves it. Returns the evidence in a sentence.
///
/// # Errors
/// What could not be done or proved, in a sentence.
pub async fn close(caller: &Cluster, freeze: &MeshFreezeSpec) -> Result<String, String> {
    let epoch = freeze.epoch.to_string();
    let holder = caller
        .impersonating(&[(names::EXTRA_EPOCH, &epoch)])
        .map_err(|error| error.to_string())?;
    write_record(&holder, freeze).await?;
    let (policy, binding) = guard::freeze_policy(freeze);
    write_literal(&holder, policy).await?;
    write_literal(&holder, binding).await?;

    let prover = Prover::new(caller.clone(), freeze);
    let old = older_policies(&holder, freeze).await?;
    for policy in &old {
        if let Some(old_epoch) = epoch_of(policy, &freeze.mesh) {
            proved(&prover, Asker::Holder(old_epoch), &Answer::RefusedByPolicy).await?;
        }
    }
    for policy in &old {
        delete_policy(&holder, policy).await?;
    }
    // After the old ones are gone: of several that refuse, the API server names only one.
    let strangers = proved(&prover, Asker::Stranger, &Answer::RefusedByPolicy).await?;
    let webhook = if has_webhook(caller).await? {
        proved(&prover, Asker::PastThePolicy, &Answer::RefusedByWebhook).await?;
        "policy and webhook"
    } else {
        "the policy (the webhook is not installed)"
    };
    proved(&prover, Asker::Holder(freeze.epoch), &Answer::Admitted).await?;
    Ok(format!(
        "{strangers} of {strangers} canaries refused by {webhook}, the holder let through"
    ))
}

/// Whether this driver's freeze still stands: its record and its policy, as they were written.
///
/// # Errors
/// What is missing or could not be read, in a sentence.
pub async fn stands(caller: &Cluster, freeze: &MeshFreezeSpec) -> Result<(), String> {
    let records: Api<MeshFreeze> = Api::all(caller.client.clone());
    let record = records
        .get_opt(&freeze.mesh)
        .await
        .map_err(|error| api_message(&error))?;
    let name = names::freeze_policy(&freeze.mesh, u64::try_from(freeze.epoch).unwrap_or_default());
    let policies: Api<ValidatingAdmissionPolicy> = Api::all(caller.client.clone());
    let bindings: Api<ValidatingAdmissionPolicyBinding> = Api::all(caller.client.clone());
    let policy = policies.get_opt(&name).await.map_err(|error| api_message(&error))?;
    let binding = bindings.get_opt(&name).await.map_err(|error| api_message(&error))?;
    match (record, policy, binding) {
        (Some(record), Some(_), Some(_)) if record.spec.epoch == freeze.epoch => Ok(()),
        (Some(record), Some(_), Some(_)) => Err(format!("the freeze is held with epoch {}", record.spec.epoch)),
        (None, _, _) => Err(format!("MeshFreeze {} is gone", freeze.mesh)),
        (_, None, _) => Err(format!("ValidatingAdmissionPolicy {name} is gone")),
        (_, _, None) => Err(format!("ValidatingAdmissionPolicyBinding {name} is gone")),
    }
}

/// Takes the freeze down: first the record, then the policies, and proves the mesh open.
///
/// # Errors
/// What could not be done or proved, in a sentence.
pub async fn open(caller: &Cluster, freeze: &MeshFreezeSpec) -> Result<String, String> {
    let epoch = freeze.epoch.to_string();
    let holder = caller
        .impersonating(&[(names::EXTRA_EPOCH, &epoch)])
        .map_err(|error| error.to_string())?;
    let records: Api<MeshFreeze> = Api::all(holder.client.clone());
    if let Some(record) = records
        .get_opt(&freeze.mesh)
        .await
        .map_err(|error| api_message(&error))?
    {
        if record.spec.epoch != freeze.epoch {
            // Raised first, since the guard lets only the current holder delete it.
            write_record(&holder, freeze).await?;
        }
        deleted(records.delete(&freeze.mesh, &DeleteParams::default()).await.map(|_| ()))?;
    }
    let policies: Api<ValidatingAdmissionPolicy> = Api::all(holder.client.clone());
    for name in names_of(&policies, &freeze.mesh).await? {
        delete_policy(&holder, &name).await?;
    }
    let prover = Prover::new(caller.clone(), freeze);
    proved(&prover, Asker::Stranger, &Answer::Admitted).await?;
    Ok("thawed: the mesh is open again".to_owned())
}

async fn write_record(holder: &Cluster, freeze: &MeshFreezeSpec) -> Result<(), String> {
    let records: Api<MeshFreeze> = Api::all(holder.client.clone());
    let name = &freeze.mesh;
    let mut record = MeshFreeze::new(name, freeze.clone());
    record.meta_mut().labels = Some(labels(name));
    let Some(mut existing) = records.get_opt(name).await.map_err(|error| api_message(&error))? else {
        return match records.create(&PostParams::default(), &record).await {
            Ok(_) => Ok(()),
            Err(error) => Err(format!("cannot create MeshFreeze {name}: {}", api_message(&error))),
        };
    };
    if existing.spec.upgrade != freeze.upgrade {
        return Err(format!(
            "the mesh is frozen by another upgrade, {}: finish that one first",
            existing.spec.upgrade
        ));
    }
    if existing.spec.epoch > freeze.epoch {
        return Err(format!(
            "the freeze is held with a newer epoch, {}",
            existing.spec.epoch
        ));
    }
    // A takeover keeps when the mesh was frozen: that is what people are told.
    let since = existing.spec.since.clone();
    existing.spec = MeshFreezeSpec {
        since,
        ..freeze.clone()
    };
    match records.replace(name, &PostParams::default(), &existing).await {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("cannot take over MeshFreeze {name}: {}", api_message(&error))),
    }
}

fn labels(mesh: &str) -> std::collections::BTreeMap<String, String> {
    [
        (names::LABEL_PART_OF.to_owned(), names::PART_OF.to_owned()),
        (names::LABEL_MESH.to_owned(), mesh.to_owned()),
    ]
    .into()
}

/// Creates a cluster-scoped object, or makes sure that the one of this name is the same.
async fn write_literal<K>(holder: &Cluster, object: K) -> Result<(), String>
where
    K: Resource<DynamicType = (), Scope = k8s_openapi::ClusterResourceScope>
        + Clone
        + Debug
        + Serialize
        + DeserializeOwned,
{
    let api: Api<K> = Api::all(holder.client.clone());
    let name = object.name_any();
    let failed = |error: &kube::Error| format!("cannot create {} {name}: {}", K::kind(&()), api_message(error));
    match api.create(&PostParams::default(), &object).await {
        Ok(_) => Ok(()),
        Err(error) if api_code(&error) == 409 => {
            let params = kube::api::PatchParams::apply(names::FIELD_MANAGER).force();
            let patched = api.patch(&name, &params, &kube::api::Patch::Apply(&object)).await;
            patched.map(|_| ()).map_err(|error| failed(&error))
        }
        Err(error) => Err(failed(&error)),
    }
}

async fn names_of(policies: &Api<ValidatingAdmissionPolicy>, mesh: &str) -> Result<Vec<String>, String> {
    let selector = ListParams::default().labels(&format!("{}={mesh}", names::LABEL_MESH));
    let found = policies
        .list_metadata(&selector)
        .await
        .map_err(|error| api_message(&error))?;
    Ok(found.items.iter().map(ResourceExt::name_any).collect())
}

async fn older_policies(holder: &Cluster, freeze: &MeshFreezeSpec) -> Result<Vec<String>, String> {
    let current = names::freeze_policy(&freeze.mesh, u64::try_from(freeze.epoch).unwrap_or_default());
    let policies: Api<ValidatingAdmissionPolicy> = Api::all(holder.client.clone());
    let mut names = names_of(&policies, &freeze.mesh).await?;
    names.retain(|name| *name != current);
    Ok(names)
}

fn epoch_of(policy: &str, mesh: &str) -> Option<i64> {
    policy
        .strip_prefix("mesh-freeze-")?
        .strip_prefix(mesh)?
        .strip_prefix('-')?
        .parse()
        .ok()
}

/// The binding goes first: a binding without its policy refuses everything it matches.
async fn delete_policy(holder: &Cluster, name: &str) -> Result<(), String> {
    let bindings: Api<ValidatingAdmissionPolicyBinding> = Api::all(holder.client.clone());
    let policies: Api<ValidatingAdmissionPolicy> = Api::all(holder.client.clone());
    deleted(bindings.delete(name, &DeleteParams::default()).await.map(|_| ()))?;
    deleted(policies.delete(name, &DeleteParams::default()).await.map(|_| ()))
}

fn deleted(result: Result<(), kube::Error>) -> Result<(), String> {
    match result {
        Ok(()) => Ok(()),
        Err(error) if api_code(&error) == 404 => Ok(()),
        Err(error) => Err(api_message(&error)),
    }
}

async fn has_webhook(caller: &Cluster) -> Result<bool, String> {
    let configurations: Api<ValidatingWebhookConfiguration> = Api::all(caller.client.clone());
    let found = configurations
        .get_opt(names::WEBHOOK)
        .await
        .map_err(|error| api_message(&error))?;
    Ok(found.is_some())
}

async fn proved(prover: &Prover, asker: Asker, expected: &Answer) -> Result<usize, String> {
    let started = Instant::now();
    let mut in_a_row = 0;
    loop {
        match prover.all_answer(asker, expected).await {
            Ok(canaries) => {
                in_a_row += 1;
                if in_a_row >= IN_A_ROW {
                    return Ok(canaries);
                }
            }
            Err(_) if started.elapsed() < PROOF_DEADLINE => in_a_row = 0,
            Err(what) => {
                let seconds = PROOF_DEADLINE.as_secs();
                return Err(format!("the freeze could not be proved within {seconds} s: {what}"));
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn reads_the_epoch_out_of_a_policy_name() {
        assert_eq!(super::epoch_of("mesh-freeze-my-mesh-12", "my-mesh"), Some(12));
        assert_eq!(super::epoch_of("mesh-freeze-my-mesh-12", "my"), None);
    }
}
