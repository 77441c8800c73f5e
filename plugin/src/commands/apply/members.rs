//! The clusters of an upgrade, found by their identities: whoever resumes may call them otherwise, and reach fewer.

use super::Task;
use crate::{
    cluster::{self, Cluster, ClusterFlags, ObserveOptions},
    error::CommandError,
    executor::Members,
};
use shared::{
    api::PlanCluster,
    inventory::{ClusterState, Found, Remote},
    journals,
    members::{Host, Led},
};
use std::collections::BTreeMap;

/// Why a planned cluster is not at hand.
enum Missing {
    /// It cannot be reached now, which stalls the upgrade and does not end it.
    Unreached(String),
    /// What leads there leads elsewhere.
    Other(CommandError),
}

/// Finds the clusters that the plan of a mesh writes to, and all other members, under the plan's names.
///
/// # Errors
/// When a name of the plan leads to another cluster.
pub async fn find(
    task: &Task<'_>,
    mesh: &str,
    planned: &[PlanCluster],
    flags: &ClusterFlags,
) -> Result<Members, CommandError> {
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    let mut members = Members::default();
    for planned in planned {
        let here = task.scene.clusters.iter().find(|cluster| {
            let seen = task.scene.inventory.observed(&cluster.name);
            seen.is_some_and(|observed| observed.uid == planned.uid)
        });
        let found = match here {
            Some(cluster) => {
                names.insert(cluster.name.clone(), planned.name.clone());
                Ok(cluster.clone())
            }
            None => search(task, planned, flags).await,
        };
        match found {
            Ok(mut cluster) => {
                cluster.name.clone_from(&planned.name);
                members.clusters.push(cluster);
            }
            Err(Missing::Unreached(why)) => drop(members.unreached.insert(planned.name.clone(), why)),
            Err(Missing::Other(error)) => return Err(error),
        }
    }
    let renamed = |name: &String| names.get(name).unwrap_or(name).clone();
    members.home = renamed(&task.home.name);
    members.all.clone_from(&members.clusters);
    let mesh = journals::mesh_of(planned, mesh, &task.scene.meshes, &task.scene.inventory);
    let of_mesh = |name: &str| mesh?.members.iter().find(|member| member.cluster == name);
    for cluster in &task.scene.clusters {
        let name = renamed(&cluster.name);
        let is_planned = planned.iter().any(|planned| planned.name == name);
        if !is_planned {
            let member = of_mesh(&cluster.name);
            let mut cluster = cluster.clone();
            cluster.name = name;
            if let Some(member) = member {
                members.others.push((cluster.clone(), member.istio_namespaces.clone()));
            }
            members.all.push(cluster);
        }
    }
    for found in &task.scene.inventory.clusters {
        let mut how = found.found.clone();
        if let Found::RemoteSecret { cluster, .. } = &mut how {
            *cluster = renamed(cluster);
        }
        let name = renamed(&found.name);
        if let ClusterState::Observed(observed) = &found.state {
            members.remotes.extend(observed.remotes.iter().map(|remote| Led {
                holder: name.clone(),
                remote: Remote {
                    cluster: renamed(&remote.cluster),
                    ..remote.clone()
                },
            }));
        }
        if let ClusterState::Unknown { reason } = &found.state
            && !members.all.iter().any(|cluster| cluster.name == name)
        {
            members.unreached.insert(name.clone(), reason.clone());
        }
        members.found.insert(name, how);
    }
    let hosts = planned.iter().flat_map(|planned| {
        planned.hosted.iter().map(|hosted| Host {
            cluster: planned.name.clone(),
            hosted: hosted.clone(),
        })
    });
    members.hosts = hosts.collect();
    Ok(members)
}

/// A planned cluster that is not among those that answered, by a context of its name.
async fn search(task: &Task<'_>, planned: &PlanCluster, flags: &ClusterFlags) -> Result<Cluster, Missing> {
    let name = &planned.name;
    let known = task.scene.inventory.cluster(name);
    if let Some(ClusterState::Unknown { reason }) = known.map(|found| &found.state) {
        return Err(Missing::Unreached(reason.clone()));
    }
    let flags = ClusterFlags {
        context: Some(name.clone()),
        ..flags.clone()
    };
    let unreached = |error: &dyn std::fmt::Display| Missing::Unreached(error.to_string());
    let cluster = cluster::connect(&flags).await.map_err(|error| unreached(&error))?;
    match cluster::observe(&cluster, &ObserveOptions::default()).await.state {
        ClusterState::Observed(observed) if observed.uid == planned.uid => Ok(cluster),
        ClusterState::Observed(_) => Err(Missing::Other(
            CommandError::error(format!(
                "the upgrade is of cluster {name}, whose kube-system has the UID {}; context {} leads to another one",
                planned.uid,
                cluster.context()
            ))
            .hint("nothing was changed; name the right one with --context or --contexts"),
        )),
        ClusterState::Unknown { reason } => Err(Missing::Unreached(reason)),
    }
}
