//! `adopt`: writes the Mesh object that says what was discovered, after showing it.

use super::{Scene, again, refuse_to_write_as};
use crate::{
    cli::{AdoptArgs, Global, Kept},
    cluster::{Cluster, ObserveOptions},
    error::{CommandError, Exit, api_code, api_message},
    guard,
    ui::{Mark, Ui, confirm},
};
use kube::{
    Api,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::json;
use shared::{
    adopt,
    api::{Management, Mesh, MeshStatus},
    mesh::MeshView,
    names,
};

/// Runs `adopt`.
///
/// # Errors
/// When a cluster cannot be read, an object is there and says something else, or it cannot be written.
pub async fn run(args: &AdoptArgs, global: &Global, ui: Ui) -> Result<Exit, CommandError> {
    if !args.dry_run {
        refuse_to_write_as(global, "adopt")?;
    }
    let options = ObserveOptions {
        ask_running_versions: true,
        ..ObserveOptions::default()
    };
    let scene = Scene::observe(global, ui, options).await?;
    let mesh = scene.mesh(args.mesh.mesh.as_deref())?;
    if let Some((cluster, reason)) = mesh.unknown(&scene.inventory).next() {
        return Err(CommandError::blocked(format!(
            "cluster {cluster} could not be observed, so that what it is to the mesh is not known: {reason}"
        ))
        .hint("nothing was written; make it reachable, and adopt again"));
    }
    let record = adopt::record(mesh, &scene.inventory);
    let asked = args.management.map(|kept| match kept {
        Kept::Dedicated => Management::Dedicated,
        Kept::Hosted => Management::Hosted,
        Kept::External => Management::External,
    });
    let (fits, why) = adopt::fitting(mesh, &scene.inventory);
    let management = asked.or(record.map(|record| record.management)).unwrap_or(fits);
    let object = adopt::propose(mesh, &scene.inventory, management, &scene.contexts());
    if let Some(record) = record {
        let differences = adopt::differences(record, &object.spec);
        return already(ui, mesh, &differences);
    }
    ui.object(&object)?;
    if asked.is_none() {
        ui.note(&format!(
            "management is {}, because {why}; another is said with --management",
            management.as_str()
        ));
    }
    if args.dry_run {
        let asked = asked.map(|asked| format!(" --management {}", asked.as_str().to_lowercase()));
        let again = format!("kubectl mesh-upgrade adopt {}{}", mesh.name, asked.unwrap_or_default());
        ui.note("Nothing was written.");
        ui.next(&again);
        return Ok(Exit::Done);
    }
    let home = home(&scene, mesh)?;
    if !args.yes {
        let question = format!("Type the mesh's name ({}) to write it into {}:", mesh.name, home.name);
        match confirm(&ui.lang.told(&question), &mesh.name) {
            Some(true) => {}
            Some(false) => return Err(CommandError::error("not confirmed: nothing was written")),
            None => {
                return Err(
                    CommandError::usage("there is no terminal to ask on: nothing was written")
                        .hint("say yes beforehand with --yes, or only look with --dry-run"),
                );
            }
        }
    }
    let has_crds = scene
        .inventory
        .observed(&home.name)
        .is_some_and(|observed| observed.guard.crds);
    if !has_crds {
        ui.progress(Mark::Info, &format!("{} does not know the kind Mesh yet", home.name));
        guard::ensure_crds(home).await?;
    }
    create(home, &object).await?;
    ui.progress(Mark::Pass, &format!("Mesh {} written into {}", mesh.name, home.name));
    if let Err(error) = describe(home, &mesh.name, &adopt::status(mesh, &scene.inventory, &scene.catalog)).await {
        ui.progress(
            Mark::Warn,
            &format!("its status could not be written: {}", api_message(&error)),
        );
    }
    // With several contexts, the one that leads to its home.
    let context = home.own_context().filter(|_| !global.contexts.is_empty());
    ui.next(&format!("kubectl get meshes{}", again::flag("--context", context)));
    Ok(Exit::Done)
}

/// The cluster that holds the mesh's object.
fn home<'a>(scene: &'a Scene, mesh: &MeshView) -> Result<&'a Cluster, CommandError> {
    let name = mesh.home().unwrap_or_default();
    let mut clusters = scene.clusters.iter();
    clusters
        .find(|cluster| cluster.name == name)
        .ok_or_else(|| CommandError::error(format!("no way leads to {name}, the mesh's home: nothing was written")))
}

fn already(ui: Ui, mesh: &MeshView, differences: &[String]) -> Result<Exit, CommandError> {
    let name = &mesh.name;
    if differences.is_empty() {
        ui.result(&format!("Mesh {name} says what was discovered: nothing to do."));
        ui.nothing_to_do("adopt", json!({ "mesh": name }))?;
        ui.next("kubectl mesh-upgrade list");
        return Ok(Exit::Done);
    }
    let mut error = CommandError::blocked(format!(
        "Mesh {name} is there, and says something else: nothing was written\n{}",
        differences.join("\n")
    ));
    error = error.hint(format!("if what was discovered is right: kubectl edit mesh {name}"));
    Err(error)
}

async fn create(home: &Cluster, object: &Mesh) -> Result<(), CommandError> {
    let meshes: Api<Mesh> = Api::all(home.client.clone());
    let params = PostParams {
        dry_run: false,
        field_manager: Some(names::FIELD_MANAGER.to_owned()),
    };
    meshes.create(&params, object).await.map(drop).map_err(|error| {
        let hint = match api_code(&error) {
            409 => "somebody has written it meanwhile; adopt again to compare",
            403 => "it takes the verb create on meshes.meshupgrade.io",
            _ => "nothing was written",
        };
        CommandError::error(format!("cannot write the Mesh: {}", api_message(&error))).hint(hint)
    })
}

/// What `kubectl get meshes` shows until the guard's webhook keeps it.
async fn describe(home: &Cluster, name: &str, status: &MeshStatus) -> Result<(), kube::Error> {
    let meshes: Api<Mesh> = Api::all(home.client.clone());
    let params = PatchParams {
        field_manager: Some(names::FIELD_MANAGER.to_owned()),
        ..PatchParams::default()
    };
    let patch = Patch::Merge(json!({ "status": status }));
    meshes.patch_status(name, &params, &patch).await.map(drop)
}
