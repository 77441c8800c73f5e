//! The freeze policies of a cluster: one for each mesh and epoch, and only those of this driver or before it are ours
//! to delete. No guard is asked about policies, so a driver that was paused must see for itself that it is late.

use crate::{cluster::Cluster, error::api_code, executor::fault::Fault};
use futures::future::try_join_all;
use k8s_openapi::api::admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding};
use kube::{
    Api, Resource, ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
};
use serde::{Serialize, de::DeserializeOwned};
use shared::{api::MeshFreezeSpec, guard, names};
use std::{collections::BTreeMap, fmt::Debug};

/// What stands of a freeze under one name, which a policy and its binding share: the name's mesh, and its epoch if it has
/// one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    name: String,
    mesh: String,
    epoch: Option<i64>,
    policy: bool,
    binding: bool,
}

impl Standing {
    fn is_of(&self, mesh: &str, epoch: impl FnOnce(i64) -> bool) -> bool {
        self.mesh == mesh && self.epoch.is_some_and(epoch)
    }

    /// One without the other enforces nothing.
    fn is_whole(&self) -> bool {
        self.policy && self.binding
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

/// Another mesh that is frozen in this cluster. A binding alone freezes nothing, and its policy never comes after it.
pub async fn other_mesh(holder: &Cluster, freeze: &MeshFreezeSpec) -> Result<Option<String>, Fault> {
    let standing = standing(holder).await?.into_iter();
    let mut meshes = standing.filter(|it| it.policy).map(|it| it.mesh);
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
    older_of(standing(holder).await?, freeze)
}

fn older_of(standing: Vec<Standing>, freeze: &MeshFreezeSpec) -> Result<BTreeMap<i64, Vec<String>>, Fault> {
    let mut older: BTreeMap<i64, Vec<String>> = BTreeMap::new();
    for it in standing.into_iter().filter(|it| it.mesh == freeze.mesh) {
        match it.epoch {
            Some(epoch) if epoch < freeze.epoch => older.entry(epoch).or_default().push(it.name),
            Some(epoch) if epoch > freeze.epoch => return Err(late(epoch)),
            Some(_) | None => {}
        }
    }
    Ok(older)
}

/// Whether a policy that refuses stands for a mesh, whichever driver's it is.
pub async fn refuses(holder: &Cluster, mesh: &str) -> Result<bool, Fault> {
    Ok(refuses_in(&standing(holder).await?, mesh))
}

fn refuses_in(standing: &[Standing], mesh: &str) -> bool {
    let warns = |it: &Standing| it.name.ends_with(names::WARNING_POLICY_SUFFIX);
    standing
        .iter()
        .any(|it| it.is_whole() && it.is_of(mesh, |_| true) && !warns(it))
}

/// Whether this driver's policy and binding stand, and nobody else's.
pub async fn is_alone(holder: &Cluster, freeze: &MeshFreezeSpec) -> Result<(), Fault> {
    alone_in(&standing(holder).await?, freeze)
}

/// The same of what has been read.
pub fn alone_in(standing: &[Standing], freeze: &MeshFreezeSpec) -> Result<(), Fault> {
    let of_mesh = standing.iter().filter(|it| it.mesh == freeze.mesh);
    if let Some(epoch) = of_mesh.filter_map(|it| it.epoch).max()
        && epoch > freeze.epoch
    {
        return Err(late(epoch));
    }
    // Of a driver before, which was suspended in the middle of writing it: it would refuse this one.
    if let Some(old) = standing
        .iter()
        .find(|it| it.is_of(&freeze.mesh, |epoch| epoch < freeze.epoch))
    {
        return Err(Fault::lasting(format!(
            "a driver from before has put up its ValidatingAdmissionPolicy {} late",
            old.name
        )));
    }
    for (policy, _) in guard::freeze_policies(freeze) {
        let name = policy.name_any();
        let found = standing.iter().find(|it| it.name == name);
        if !found.is_some_and(|it| it.policy) {
            return Err(Fault::lasting(format!("ValidatingAdmissionPolicy {name} is gone")));
        }
        if !found.is_some_and(|it| it.binding) {
            return Err(Fault::lasting(format!(
                "ValidatingAdmissionPolicyBinding {name} is gone"
            )));
        }
    }
    Ok(())
}

/// Deletes the policies of this driver and of those before it, also where only a policy or only a binding is left.
pub async fn delete_all(holder: &Cluster, freeze: &MeshFreezeSpec) -> Result<(), Fault> {
    let names = all_of(standing(holder).await?, freeze)?;
    try_join_all(names.iter().map(|name| delete(holder, name)))
        .await
        .map(drop)
}

fn all_of(standing: Vec<Standing>, freeze: &MeshFreezeSpec) -> Result<Vec<String>, Fault> {
    let of_mesh = standing.into_iter().filter(|it| it.mesh == freeze.mesh);
    let names = of_mesh.map(|it| match it.epoch {
        Some(epoch) if epoch > freeze.epoch => Err(late(epoch)),
        Some(_) | None => Ok(it.name),
    });
    names.collect()
}

/// What becomes of what a driver has put up itself where it may be not the last one.
#[derive(Debug, PartialEq, Eq)]
pub enum Late {
    /// These go, at once.
    Goes(Vec<String>),
    /// These go if a later freeze is seen to refuse this driver, and only then: what stands may not be in effect.
    GoesIfRefused(Vec<String>),
    /// It stays, for the driver that took over: without it the mesh would be open.
    Stays,
}

/// What becomes of this driver's own. `over` says that the mesh is being opened, or is open.
pub async fn late_ones(holder: &Cluster, freeze: &MeshFreezeSpec, over: bool) -> Result<Late, Fault> {
    Ok(late_in(&standing(holder).await?, freeze, over))
}

fn late_in(standing: &[Standing], freeze: &MeshFreezeSpec, over: bool) -> Late {
    let own = standing
        .iter()
        .filter(|it| it.is_of(&freeze.mesh, |epoch| epoch == freeze.epoch));
    let own: Vec<String> = own.map(|it| it.name.clone()).collect();
    let followed = standing
        .iter()
        .any(|it| it.is_whole() && it.is_of(&freeze.mesh, |epoch| epoch > freeze.epoch));
    if over || own.is_empty() {
        Late::Goes(own)
    } else if followed {
        Late::GoesIfRefused(own)
    } else {
        Late::Stays
    }
}

/// The binding goes first. What a kill in between leaves enforces nothing either way, since an API server passes over a
/// policy without a binding and a binding without its policy; but earlier releases of this plugin look for policies only.
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
    let (policies, bindings) = tokio::try_join!(
        labelled::<ValidatingAdmissionPolicy>(holder),
        labelled::<ValidatingAdmissionPolicyBinding>(holder)
    )?;
    Ok(joined(policies, bindings))
}

/// Policies or bindings that name a mesh in their label, as all of a freeze do, with it.
pub async fn labelled<K>(cluster: &Cluster) -> Result<Vec<(String, String)>, Fault>
where
    K: Resource<DynamicType = (), Scope = k8s_openapi::ClusterResourceScope> + Clone + Debug + DeserializeOwned,
{
    let api: Api<K> = Api::all(cluster.client.clone());
    let found = api
        .list_metadata(&ListParams::default().labels(names::LABEL_MESH))
        .await
        .map_err(|error| Fault::of_api("list the freeze policies", &error))?;
    let named = found.items.into_iter().filter_map(|object| {
        let mesh = object.labels().get(names::LABEL_MESH)?.clone();
        Some((mesh, object.name_any()))
    });
    Ok(named.collect())
}

/// Policies and bindings, each with its mesh, by their names.
pub fn joined(policies: Vec<(String, String)>, bindings: Vec<(String, String)>) -> Vec<Standing> {
    let mut standing: BTreeMap<(String, String), (bool, bool)> = BTreeMap::new();
    for found in policies {
        standing.entry(found).or_default().0 = true;
    }
    for found in bindings {
        standing.entry(found).or_default().1 = true;
    }
    let standing = standing.into_iter().map(|((mesh, name), (policy, binding))| Standing {
        epoch: epoch_of(&name, &mesh),
        name,
        mesh,
        policy,
        binding,
    });
    standing.collect()
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
mod tests;
