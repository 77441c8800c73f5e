//! Where an upgrade has begun, or is to begin: the mesh, the journals of all its clusters, and the one that is the home.

use super::{begun, withdraw};
use crate::{
    cli::{ApplyArgs, Global},
    cluster::Cluster,
    commands::{MISSING_ROLE, Scene, journals::Journals, observe_options},
    error::CommandError,
    ui::Ui,
};
use shared::{guard::is_refused_by_rbac, inventory::ClusterState};

/// Observes the mesh, and reads the journals of all its clusters. A freeze in one of them tells where its journal is:
/// nobody begins a second upgrade because they came from another side.
pub(super) async fn look(args: &ApplyArgs, global: &Global, ui: Ui) -> Result<(Scene, Journals), CommandError> {
    let mesh = args.mesh.mesh.as_deref();
    let observe = async |global: &Global| {
        let scene = Scene::observe(global, ui, observe_options(!args.unguarded)).await?;
        let answered: Vec<Cluster> = scene.answered().cloned().collect();
        let journals = Journals::read(&answered).await;
        Ok::<_, CommandError>((scene, journals))
    };
    let (scene, journals) = observe(global).await?;
    let Some(elsewhere) = journals.elsewhere(mesh) else {
        return Ok((scene, journals));
    };
    if let Some(why) = unread(&scene, &journals, &elsewhere.home) {
        return Err(elsewhere.error(&why));
    }
    let mut contexts = global.contexts.clone();
    if contexts.is_empty() {
        contexts.push(scene.cluster.context().to_owned());
    }
    contexts.push(elsewhere.home.clone());
    let wider = Global {
        context: None,
        contexts,
        ..global.clone()
    };
    let (scene, journals) = observe(&wider)
        .await
        .map_err(|error| elsewhere.error(&error.to_string()))?;
    if journals.elsewhere(mesh) == Some(elsewhere.clone()) {
        let why = unread(&scene, &journals, &elsewhere.home);
        return Err(elsewhere.error(&why.unwrap_or_else(|| "it is not there".to_owned())));
    }
    Ok((scene, journals))
}

/// Why a cluster, or its journals, could not be read.
fn unread(scene: &Scene, journals: &Journals, cluster: &str) -> Option<String> {
    match scene.inventory.cluster(cluster).map(|found| &found.state) {
        Some(ClusterState::Unknown { reason }) => Some(reason.clone()),
        Some(ClusterState::Observed(_)) | None => journals.unread.get(cluster).cloned(),
    }
}

/// Where the journal of a new upgrade will be. Nothing may be begun where it cannot be seen whether something has.
pub(super) fn home_of_new(args: &ApplyArgs, scene: &Scene, journals: &Journals) -> Result<Cluster, CommandError> {
    if args.to.is_none() || args.withdraw {
        let silent = scene.inventory.clusters.iter().find_map(|found| match &found.state {
            ClusterState::Unknown { reason } => Some((&found.name, reason)),
            ClusterState::Observed(_) => None,
        });
        if let Some((cluster, reason)) = silent {
            return Err(CommandError::error(format!(
                "no upgrade has begun in the clusters that answered, and cluster {cluster} did not: {reason}"
            ))
            .hint(if args.withdraw {
                "nothing was changed; try again when it is back: kubectl mesh-upgrade apply --withdraw"
            } else {
                "nothing was changed; go on when it is back: kubectl mesh-upgrade apply"
            }));
        }
        if let Some((cluster, why)) = journals.unread.first_key_value() {
            return Err(unseen(cluster, why));
        }
        if args.withdraw {
            return Err(withdraw::nothing_begun());
        }
        return Err(
            CommandError::usage("no upgrade has begun, and no target is given: --to VERSION is missing")
                .hint("see the versions with: kubectl mesh-upgrade list"),
        );
    }
    let mesh = scene.mesh(args.mesh.mesh.as_deref())?;
    begun::refuse_other_name(mesh, scene, journals)?;
    let mut unread = journals.unread.iter();
    if let Some((cluster, why)) = unread.find(|(cluster, _)| mesh.clusters().any(|one| one == *cluster)) {
        return Err(unseen(cluster, why));
    }
    if let Some((cluster, freeze)) = journals
        .freezes
        .iter()
        .find(|(_, freeze)| freeze.spec.mesh == mesh.name)
    {
        return Err(CommandError::blocked(format!(
            "mesh {} is frozen in cluster {cluster} by the upgrade {}, and no journal of it is under way in the clusters \
             that answered",
            mesh.name, freeze.spec.upgrade
        ))
        .hint(format!(
            "nothing was changed; when that upgrade is abandoned, lift its freeze: kubectl mesh-upgrade unlock {} --reason \
             TEXT",
            mesh.name
        )));
    }
    let home = mesh.home().unwrap_or_default();
    let found = scene.clusters.iter().find(|cluster| cluster.name == home);
    // One that could not even be connected to is Unknown, which the check tells about.
    Ok(found.unwrap_or(&scene.cluster).clone())
}

pub(super) fn unseen(cluster: &str, why: &str) -> CommandError {
    let error = CommandError::error(format!(
        "whether an upgrade has begun cannot be seen in cluster {cluster}: {why}"
    ));
    error.hint(if is_refused_by_rbac(why) {
        MISSING_ROLE
    } else {
        "nothing was changed"
    })
}
