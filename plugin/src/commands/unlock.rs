//! `unlock`: the audited way out of a freeze, for those with the RBAC verb `unlock`. The upgrade stays resumable.

use super::{
    frozen::{self, Freeze},
    journals::Members,
    refuse_namespace, refuse_to_write_as,
};
use crate::{
    cli::{Global, UnlockArgs},
    error::{CommandError, Exit},
    ui::{Mark, Output, Ui, completed, confirm, strong},
};
use serde_json::json;
use shared::guard::own_objects::LONGEST_REASON;

/// Runs `unlock`.
///
/// # Errors
/// When the caller may not, a driver is alive, it is not confirmed, or a cluster refuses or cannot be reached.
pub async fn run(args: &UnlockArgs, global: &Global, ui: Ui) -> Result<Exit, CommandError> {
    refuse_to_write_as(global, "unlock")?;
    refuse_namespace(global, "unlock")?;
    let reason = reason(&args.reason)?;
    let mesh = args.mesh.mesh.as_deref();
    let members = Members::reach(global).await?;
    let found = match Freeze::find(&members, global, mesh).await {
        // Who may not unlock may well not even look: then that is what is missing.
        Err(error) => match members.clusters.first() {
            Some(first) if !frozen::may_unlock(first, mesh.unwrap_or_default()).await? => {
                return Err(frozen::denied(first, mesh).await);
            }
            Some(_) | None => return Err(error),
        },
        Ok(found) => found,
    };
    let Some(freeze) = found else {
        return nothing_frozen(ui, &members);
    };
    freeze.refuse_without_verb().await?;
    freeze.refuse_beside_driver(ui).await?;
    ask(args, ui, &freeze)?;
    let lifted = freeze.lift(ui, &reason).await?;
    let mesh = &freeze.mesh;
    let left: Vec<&(String, String)> = freeze.unreached.iter().chain(&lifted.failed).collect();
    if ui.output != Output::Text {
        let unreached: Vec<_> = left
            .iter()
            .map(|(name, why)| json!({"cluster": name, "reason": why}))
            .collect();
        ui.document(
            "Unlocked",
            json!({"mesh": mesh, "reason": reason, "clusters": lifted.opened, "unreached": unreached}),
        )?;
    }
    if !left.is_empty() {
        return Err(not_everywhere(mesh, &lifted.opened, &left));
    }
    ui.result(&format!(
        "{} Mesh {mesh} is open: everybody may change it again.",
        ui.mark(Mark::Pass)
    ));
    if freeze.journal.is_some() {
        ui.note("The upgrade keeps its target and can be resumed; it freezes the mesh again first.");
        ui.next(&format!("kubectl mesh-upgrade apply {mesh}"));
    } else {
        ui.next("kubectl mesh-upgrade status");
    }
    Ok(Exit::Done)
}

fn nothing_frozen(ui: Ui, members: &Members) -> Result<Exit, CommandError> {
    if let Some((name, why)) = members.unreached.first_key_value() {
        return Err(CommandError::error(format!(
            "nothing is frozen in the clusters that answered; cluster {name} did not: {why}"
        ))
        .hint("nothing was changed; name a context that reaches it, with --context or --contexts"));
    }
    let names: Vec<&str> = members.clusters.iter().map(|cluster| cluster.name.as_str()).collect();
    ui.result(&format!("Nothing is frozen in cluster {}.", names.join(", ")));
    ui.nothing_to_do("unlock", json!({ "clusters": names }))?;
    ui.next("kubectl mesh-upgrade status");
    Ok(Exit::Done)
}

/// What was opened and what stays frozen.
fn not_everywhere(mesh: &str, opened: &[serde_json::Value], left: &[&(String, String)]) -> CommandError {
    let done: Vec<&str> = opened.iter().filter_map(|one| one.get("cluster")?.as_str()).collect();
    let done = match done.as_slice() {
        [] => "it was lifted in no cluster".to_owned(),
        done => format!("it was lifted in {}", done.join(", ")),
    };
    let left = left
        .iter()
        .map(|(name, why)| format!("cluster {name} was not reached and stays frozen: {why}"));
    CommandError::error(format!("{}; {done}", left.collect::<Vec<_>>().join("; "))).hint(format!(
        "when it answers again, once more, or in that cluster alone: kubectl mesh-upgrade unlock {mesh} --context NAME \
         --reason TEXT"
    ))
}

/// A reason that says something and fits into an Event.
///
/// # Errors
/// When it is blank or too long.
pub(super) fn reason(text: &str) -> Result<String, CommandError> {
    let reason: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if reason.is_empty() {
        return Err(CommandError::usage(
            "--reason is empty: say why, for whoever reads the record later",
        ));
    }
    if reason.chars().count() > LONGEST_REASON {
        return Err(CommandError::usage(format!(
            "--reason is longer than {LONGEST_REASON} characters: name the ticket instead"
        )));
    }
    Ok(reason)
}

fn ask(args: &UnlockArgs, ui: Ui, freeze: &Freeze) -> Result<(), CommandError> {
    let mesh = &freeze.mesh;
    ui.note(&strong(&format!(
        "This lifts the freeze of mesh {mesh} in: {}.",
        freeze.cluster_names()
    )));
    if let Some(journal) = &freeze.journal {
        let phase = journal.phase();
        ui.note(&format!(
            "Its upgrade from {} to {} stopped in phase {phase}. Its components may run different versions, and from now \
             on anybody can change them.",
            journal.spec.from, journal.spec.to
        ));
        let instead = "To finish the upgrade instead, with the mesh frozen to its end: kubectl mesh-upgrade apply";
        ui.note(&completed(&ui.lang.told(instead)));
    }
    if args.yes {
        return Ok(());
    }
    let question = ui
        .lang
        .told(&format!("Type the mesh's name ({mesh}) to lift its freeze:"));
    match confirm(&question, mesh) {
        Some(true) => Ok(()),
        Some(false) => Err(CommandError::error("not confirmed: the mesh stays frozen")),
        None => Err(
            CommandError::usage("there is no terminal to ask on: the mesh stays frozen")
                .hint("say yes beforehand with --yes"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_says_something_in_one_line() {
        assert_eq!(reason(" pager\n 7 ").unwrap(), "pager 7");
        for text in ["", " \t\n", &"x".repeat(201)] {
            assert_eq!(reason(text).unwrap_err().exit, Exit::Usage, "{text:?}");
        }
    }
}
