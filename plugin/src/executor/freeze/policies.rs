//! The freeze policies of a cluster: one for each mesh and epoch, and only those of this driver or before it are ours
//! to delete. No guard is asked about policies, so a driver that was paused must see for itself that it is late.

use crate::{cluster::Cluster, error::api_code, executor::fault::Fault};
use k8s_openapi::api::admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding};
use kube::{
    Api, Resource, ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
};
use serde::{Serialize, de::DeserializeOwned};
use shared::{api::MeshFreezeSpec, guard, names};
use std::{collections::BTreeMap, fmt::Debug};

/// A freeze policy that stands: its name, its mesh, and its epoch if the name has one.
struct Standing {
    name: String,
    mesh: String,
    epoch: Option<i64>,
}

impl Standing {
    fn is_of(&self, mesh: &str, epoch: impl FnOnce(i64) -> bool) -> bool {
        self.mesh == mesh && self.epoch.is_some_and(epoch)
    }
}

/// Creates a policy or its binding, or makes sure that the one of this name is the same.
pub async fn write<K>(holder: &Cluster, object: K) -> Result<(), Fault>
where
    K: Resource<DynamicType = (), Scope = k8s_openapi::ClusterResourceScope>
        + Clone
        + Debug
        + Serialize
        + DeserializeOwned,
{
    let api: Api<K> = Api::all(holder.client.clone());
    let name = object.name_any();
    let failed = |error: &kube::Error| Fault::of_api(&format!("create {} {name}", K::kind(&())), error);
    match api.create(&PostParams::default(), &object).await {
        Ok(_) => Ok(()),
        Err(error) if api_code(&error) == 409 => {
            let params = PatchParams::apply(names::FIELD_MANAGER).force();
            let patched = api.patch(&name, &params, &Patch::Apply(&object)).await;
            patched.map(drop).map_err(|error| failed(&error))
        }
        Err(error) => Err(failed(&error)),
    }
}

/// Another mesh that is frozen in this cluster.
pub async fn other_mesh(holder: &Cluster, freeze: &MeshFreezeSpec) -> Result<Option<String>, Fault> {
    let standing = standing(holder).await?.into_iter();
    let mut meshes = standing.map(|policy| policy.mesh);
    Ok(meshes.find(|mesh| *mesh != freeze.mesh))
}

/// Refuses to freeze beside another mesh: each would refuse the other's holder.
pub async fn refuse_other_meshes(holder: &Cluster, freeze: &MeshFreezeSpec) -> Result<(), Fault> {
    match other_mesh(holder, freeze).await? {
        None => Ok(()),
        Some(other) => Err(Fault::lasting(format!(
            "mesh {other} is frozen in this cluster by its own upgrade: finish that one first"
        ))),
    }
}

/// Names of the policies of drivers before this one, by their epochs, those that only warn included.
pub async fn older(holder: &Cluster, freeze: &MeshFreezeSpec) -> Result<BTreeMap<i64, Vec<String>>, Fault> {
    let mut older: BTreeMap<i64, Vec<String>> = BTreeMap::new();
    for policy in standing(holder).await? {
        if policy.mesh != freeze.mesh {
            continue;
        }
        match policy.epoch {
            Some(epoch) if epoch < freeze.epoch => older.entry(epoch).or_default().push(policy.name),
            Some(epoch) if epoch > freeze.epoch => return Err(late(epoch)),
            Some(_) | None => {}
        }
    }
    Ok(older)
}

/// Whether this driver's policy and binding stand, and nobody else's.
pub async fn is_alone(holder: &Cluster, freeze: &MeshFreezeSpec) -> Result<(), Fault> {
    let standing = standing(holder).await?;
    let of_mesh = standing.iter().filter(|policy| policy.mesh == freeze.mesh);
    if let Some(epoch) = of_mesh.filter_map(|policy| policy.epoch).max()
        && epoch > freeze.epoch
    {
        return Err(late(epoch));
    }
    // Of a driver before, which was suspended in the middle of writing it: it would refuse this one.
    if let Some(old) = standing
        .iter()
        .find(|policy| policy.is_of(&freeze.mesh, |epoch| epoch < freeze.epoch))
    {
        return Err(Fault::lasting(format!(
            "a driver from before has put up its ValidatingAdmissionPolicy {} late",
            old.name
        )));
    }
    let wanted = guard::freeze_policies(freeze);
    let mut names = wanted.iter().map(|(policy, _)| policy.name_any());
    match names.find(|name| standing.iter().all(|policy| policy.name != *name)) {
        Some(name) => Err(Fault::lasting(format!("ValidatingAdmissionPolicy {name} is gone"))),
        None => Ok(()),
    }
}

/// Deletes the policies of this driver and of those before it.
pub async fn delete_all(holder: &Cluster, freeze: &MeshFreezeSpec) -> Result<(), Fault> {
    for policy in standing(holder).await? {
        if policy.mesh != freeze.mesh {
            continue;
        }
        match policy.epoch {
            Some(epoch) if epoch > freeze.epoch => return Err(late(epoch)),
            Some(_) | None => delete(holder, &policy.name).await?,
        }
    }
    Ok(())
}

/// Deletes what a driver has put up itself where it is not the last one: a later one's policy stands, or the mesh is being
/// opened, or is open, as `over` says. Returns whether nothing of it is left.
pub async fn delete_late(holder: &Cluster, freeze: &MeshFreezeSpec, over: bool) -> Result<bool, Fault> {
    let standing = standing(holder).await?;
    let followed = standing
        .iter()
        .any(|policy| policy.is_of(&freeze.mesh, |epoch| epoch > freeze.epoch));
    for own in standing
        .iter()
        .filter(|policy| policy.is_of(&freeze.mesh, |epoch| epoch == freeze.epoch))
    {
        if !(over || followed) {
            return Ok(false);
        }
        delete(holder, &own.name).await?;
    }
    Ok(true)
}

/// The binding goes first: a binding without its policy refuses everything it matches.
pub async fn delete(holder: &Cluster, name: &str) -> Result<(), Fault> {
    let bindings: Api<ValidatingAdmissionPolicyBinding> = Api::all(holder.client.clone());
    let policies: Api<ValidatingAdmissionPolicy> = Api::all(holder.client.clone());
    let what = format!("delete the freeze policy {name}");
    gone(&what, bindings.delete(name, &DeleteParams::default()).await.map(drop))?;
    gone(&what, policies.delete(name, &DeleteParams::default()).await.map(drop))
}

fn gone(what: &str, result: Result<(), kube::Error>) -> Result<(), Fault> {
    match result {
        Ok(()) => Ok(()),
        Err(error) if api_code(&error) == 404 => Ok(()),
        Err(error) => Err(Fault::of_api(what, &error)),
    }
}

fn late(epoch: i64) -> Fault {
    Fault::lasting(format!("somebody else has taken the freeze over, with epoch {epoch}"))
}

async fn standing(holder: &Cluster) -> Result<Vec<Standing>, Fault> {
    let policies: Api<ValidatingAdmissionPolicy> = Api::all(holder.client.clone());
    // Every freeze policy names its mesh in this label.
    let found = policies
        .list_metadata(&ListParams::default().labels(names::LABEL_MESH))
        .await
        .map_err(|error| Fault::of_api("list the freeze policies", &error))?;
    let standing = found.items.iter().map(|policy| {
        let name = policy.name_any();
        let mesh = policy.labels().get(names::LABEL_MESH).cloned().unwrap_or_default();
        let epoch = epoch_of(&name, &mesh);
        Standing { name, mesh, epoch }
    });
    Ok(standing.collect())
}

/// The epoch in the name of a freeze policy of this mesh.
pub fn epoch_of(policy: &str, mesh: &str) -> Option<i64> {
    policy
        .strip_prefix("mesh-freeze-")?
        .strip_prefix(mesh)?
        .strip_prefix('-')
        .map(|epoch| epoch.strip_suffix(names::WARNING_POLICY_SUFFIX).unwrap_or(epoch))?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn reads_the_epoch_out_of_a_policy_name() {
        assert_eq!(super::epoch_of("mesh-freeze-my-mesh-12", "my-mesh"), Some(12));
        assert_eq!(super::epoch_of("mesh-freeze-my-mesh-12-warn", "my-mesh"), Some(12));
        assert_eq!(super::epoch_of("mesh-freeze-my-mesh-12", "my"), None);
    }
}
