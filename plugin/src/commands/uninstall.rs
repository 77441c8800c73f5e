//! `guard uninstall`: takes the admission side away; during an upgrade only by force and with a reason.

use super::{frozen::Freeze, refuse_contexts, refuse_to_write_as, unlock};
use crate::{
    cli::{Global, GuardUninstallArgs},
    cluster::{self, Cluster},
    error::{CommandError, Exit},
    executor::journal,
    guard::{apply, belongings, lift},
    ui::{Mark, Output, Ui, completed, confirm},
};
use futures::future::try_join_all;
use kube::ResourceExt as _;
use serde_json::json;
use shared::{api::MeshUpgrade, guard::install::all_objects, names};
use std::collections::BTreeSet;

/// Runs `guard uninstall`.
///
/// # Errors
/// While an upgrade runs and it is not forced; when it is not confirmed, or the cluster cannot be read or refuses.
pub async fn run(args: &GuardUninstallArgs, global: &Global, ui: Ui) -> Result<Exit, CommandError> {
    refuse_to_write_as(global, "guard uninstall")?;
    refuse_contexts(global, "guard uninstall")?;
    let reason = reason(args)?;
    let cluster = cluster::connect(&global.cluster()).await?;
    let running = journal::unfinished(&cluster.client, None).await?;
    let frozen = lift::frozen(&cluster).await?;
    let mut meshes: BTreeSet<String> = frozen.into_keys().collect();
    if reason.is_none() {
        refuse(&running, meshes.pop_first())?;
    }
    let objects = all_objects();
    let there = objects.iter().map(|object| apply::is_there(&cluster.client, object));
    if meshes.is_empty() && !try_join_all(there).await?.contains(&true) {
        return nothing_there(ui, &cluster.name);
    }
    if reason.is_none() {
        let found = belongings::read(&cluster.client).await?;
        refuse_with_belongings(&found.of_the_operator())?;
    }
    ask(args, ui, &cluster.name)?;
    if let Some(reason) = reason {
        force(global, &cluster, ui, &running, &meshes, &reason).await?;
        if let Ok(found) = belongings::read(&cluster.client).await {
            for what in found.of_the_operator() {
                ui.progress(Mark::Warn, &format!("{what} goes with namespace {}", names::NAMESPACE));
            }
        }
    }
    let mut deleted = Vec::new();
    for object in objects.iter().rev() {
        if apply::delete(&cluster.client, object).await? {
            ui.progress(Mark::Pass, &format!("deleted {}", apply::show(object)));
            deleted.push(apply::show(object));
        }
    }
    if ui.output != Output::Text {
        ui.document(
            "GuardUninstalled",
            json!({ "cluster": cluster.name, "deleted": deleted }),
        )?;
    }
    ui.result("The guard is removed. Its CRDs stay, with the journals of past upgrades.");
    match running.first() {
        None => {
            ui.note(&completed(&ui.lang.told(&format!(
                "Whoever wants to lose every Mesh object and every journal in this cluster deletes the CRDs as well: \
                 kubectl delete crd meshupgrades.{g} meshfreezes.{g} meshes.{g}",
                g = names::GROUP
            ))));
            ui.next("kubectl mesh-upgrade list");
        }
        Some(journal) => ui.next_with(
            "kubectl mesh-upgrade guard install",
            &format!(
                "only then can the upgrade of mesh {} go on, by apply",
                journal.spec.mesh
            ),
        ),
    }
    Ok(Exit::Done)
}

fn nothing_there(ui: Ui, cluster: &str) -> Result<Exit, CommandError> {
    ui.result(&format!("No guard in cluster {cluster}: nothing to do."));
    ui.nothing_to_do("guard uninstall", json!({ "cluster": cluster }))?;
    ui.next("kubectl mesh-upgrade list");
    Ok(Exit::Done)
}

/// A context that was left behind in a shell leads to the wrong cluster: its name is asked for.
fn ask(args: &GuardUninstallArgs, ui: Ui, cluster: &str) -> Result<(), CommandError> {
    if args.yes {
        return Ok(());
    }
    let question = format!("Type the cluster's name ({cluster}) to remove its guard:");
    agreed(confirm(&ui.lang.told(&question), cluster))
}

/// Whether it is removed, by what was answered; nobody answers without a terminal.
fn agreed(answer: Option<bool>) -> Result<(), CommandError> {
    match answer {
        Some(true) => Ok(()),
        Some(false) => Err(CommandError::error("not confirmed: the guard stays")),
        None => Err(CommandError::usage("there is no terminal to ask on: the guard stays")
            .hint("say yes beforehand with --yes")),
    }
}

/// Why it is forced, if it is.
fn reason(args: &GuardUninstallArgs) -> Result<Option<String>, CommandError> {
    if args.reason.is_some() && !args.force {
        return Err(CommandError::usage(
            "--reason goes with --force; a guard that nothing needs is removed without any",
        )
        .hint("leave --reason out"));
    }
    args.reason.as_deref().map(unlock::reason).transpose()
}

/// The guard stays, or a part of it, while an upgrade runs or something is frozen.
///
/// # Errors
/// When it is so.
pub(super) fn refuse(running: &[MeshUpgrade], frozen: Option<String>) -> Result<(), CommandError> {
    let (what, mesh) = match (running.first(), frozen) {
        (Some(running), _) => (
            format!(
                "the upgrade {} has begun: the guard stays until it has ended",
                running.name_any()
            ),
            running.spec.mesh.clone(),
        ),
        (None, Some(mesh)) => (
            format!("mesh {mesh} is frozen: the guard stays until it is thawed"),
            mesh,
        ),
        (None, None) => return Ok(()),
    };
    Err(CommandError::blocked(what)
        .hint(format!("go on with it: kubectl mesh-upgrade apply {mesh}"))
        .hint("or, on the record: kubectl mesh-upgrade guard uninstall --force --reason TEXT"))
}

/// What somebody has put there by hand, nobody brings back.
fn refuse_with_belongings(yours: &[String]) -> Result<(), CommandError> {
    if yours.is_empty() {
        return Ok(());
    }
    Err(CommandError::blocked(format!(
        "namespace {} goes with the guard, and holds what is yours: {}",
        names::NAMESPACE,
        yours.join(", ")
    ))
    .hint(format!(
        "keep it first: kubectl --namespace {} get {} -o yaml > mine.yaml",
        names::NAMESPACE,
        yours.join(" ")
    ))
    .hint("then, on the record: kubectl mesh-upgrade guard uninstall --force --reason TEXT"))
}

/// First the freezes are lifted as by `unlock`, in this cluster: a freeze that outlived the guard would have nobody who
/// may lift it, and no driver.
async fn force(
    global: &Global,
    cluster: &Cluster,
    ui: Ui,
    running: &[MeshUpgrade],
    meshes: &BTreeSet<String>,
    reason: &str,
) -> Result<(), CommandError> {
    let mut freezes = Vec::new();
    for mesh in meshes {
        if let Some(freeze) = Freeze::find_here(global, cluster, mesh).await? {
            freeze.refuse_without_verb().await?;
            freeze.refuse_beside_driver(ui).await?;
            freezes.push(freeze);
        }
    }
    let by = cluster::whoami(cluster).await?;
    for journal in running {
        let name = journal.name_any();
        ui.progress(
            Mark::Warn,
            &format!("the upgrade {name} loses its guard, by {by}: {reason}"),
        );
        let note = format!("the guard is removed by force, by {by}: {reason}");
        lift::tell(cluster, journal, "GuardRemoved", &note).await;
    }
    for freeze in freezes {
        freeze.lift(ui, reason).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_operator_has_put_there_is_named_with_how_to_keep_it() {
        assert!(refuse_with_belongings(&[]).is_ok());
        let yours = ["configmap/mesh-upgrade-catalog", "serviceaccount/west"].map(str::to_owned);
        let refused = refuse_with_belongings(&yours).unwrap_err();
        assert_eq!(refused.exit, Exit::Blocked);
        assert!(
            refused
                .to_string()
                .ends_with("configmap/mesh-upgrade-catalog, serviceaccount/west")
        );
        assert_eq!(
            refused.hints().first().map(String::as_str),
            Some(
                "keep it first: kubectl --namespace mesh-upgrade-system get configmap/mesh-upgrade-catalog \
                 serviceaccount/west -o yaml > mine.yaml"
            )
        );
    }

    #[test]
    fn nothing_is_removed_unasked() {
        let ui = Ui::new(crate::ui::Format::Text, None);
        let said = GuardUninstallArgs {
            yes: true,
            ..GuardUninstallArgs::default()
        };
        assert!(ask(&said, ui, "north").is_ok());
        assert!(agreed(Some(true)).is_ok());
        for (answer, exit) in [(Some(false), Exit::Error), (None, Exit::Usage)] {
            let refused = agreed(answer).unwrap_err();
            assert_eq!(refused.exit, exit, "{answer:?}");
            assert!(refused.to_string().ends_with("the guard stays"), "{refused}");
        }
    }

    #[test]
    fn a_reason_alone_forces_nothing() {
        let args = |force: bool, reason: Option<&str>| GuardUninstallArgs {
            force,
            reason: reason.map(str::to_owned),
            yes: false,
        };
        assert_eq!(reason(&args(false, None)).unwrap(), None);
        assert_eq!(
            reason(&args(true, Some("pager 7"))).unwrap().as_deref(),
            Some("pager 7")
        );
        for args in [args(false, Some("pager 7")), args(true, Some(" "))] {
            assert_eq!(reason(&args).unwrap_err().exit, Exit::Usage, "{args:?}");
        }
    }
}
