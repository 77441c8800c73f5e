//! The wizard: what `check` and `apply` do, in three steps with a question between them. It decides and does nothing that
//! those two do not, and shows at its end the command that would have done the same.

mod answer;
mod choose;
mod words;

use super::{apply, check, refuse_impersonation};
use crate::{
    cli::{ApplyArgs, CheckArgs, Cli, Command, Global},
    error::{CommandError, Exit},
    ui::{Mark, Ui, ask, faint, strong},
};
use answer::Answer;
use std::{ffi::OsString, io::IsTerminal as _};
use words::Chosen;

/// Whether there is somebody to lead: a terminal to read from, and one to write to.
#[must_use]
pub fn has_terminal() -> bool {
    std::io::stdin().is_terminal() && std::io::stdout().is_terminal() && std::io::stderr().is_terminal()
}

/// Where the wizard stands.
enum Step {
    Choose,
    Check(Chosen),
    Execute(Chosen),
    /// Left, with what had been chosen, and the verb that it was left in.
    Leave(Option<(&'static str, Chosen)>, Exit),
}

/// Leads through the steps. Ctrl-C ends it: before the upgrade has begun nothing was changed, and afterwards the upgrade
/// stops after its step and can be resumed, as from `apply`.
///
/// # Errors
/// When no cluster can be read, and what `apply` could not do.
pub async fn run(global: &Global, ui: Ui) -> Result<Exit, CommandError> {
    refuse_impersonation(global, "the wizard")?;
    let ui = ui.led();
    ui.note(&strong(&ui.lang.wizard_intro()));
    ui.note(&faint(&ui.lang.wizard_changes_nothing_yet()));
    let mut step = Step::Choose;
    loop {
        step = match step {
            Step::Choose => choose::run(global, ui).await?,
            Step::Check(chosen) => check_it(chosen, global, ui).await?,
            Step::Execute(chosen) => execute(chosen, global, ui).await?,
            Step::Leave(chosen, exit) => {
                if let Some((verb, chosen)) = chosen {
                    show_command(verb, &chosen, global, ui);
                }
                return Ok(exit);
            }
        };
    }
}

fn heading(ui: Ui, number: u8, title: &str) {
    ui.note(&format!(
        "\n{} {}",
        ui.mark(Mark::Step),
        strong(&ui.lang.wizard_step(number, title))
    ));
}

async fn check_it(chosen: Chosen, global: &Global, ui: Ui) -> Result<Step, CommandError> {
    heading(ui, 2, &ui.lang.wizard_check());
    let args: CheckArgs = match parsed("check", &chosen, global)? {
        Command::Check(args) => args,
        _ => return Err(other_verb()),
    };
    let exit = match check::for_apply(&args, global, ui).await {
        Ok(exit) => exit,
        // A cluster that did not answer may answer the next time.
        Err(error) if error.exit == Exit::Error => {
            ui.error(&error);
            Exit::Error
        }
        Err(error) => return Err(error),
    };
    let free = exit == Exit::Done;
    loop {
        let question = if free {
            ui.lang.wizard_ask_to_execute()
        } else {
            ui.note(&ui.lang.wizard_mend());
            ui.lang.wizard_ask_to_check_again()
        };
        let text = ask(&question);
        return Ok(match (Answer::read(text.as_deref(), 0), free) {
            (Answer::Enter, true) => Step::Execute(chosen),
            (Answer::Enter | Answer::Again, _) => Step::Check(chosen),
            (Answer::Back, _) => Step::Choose,
            (Answer::Quit, _) => {
                ui.note(&ui.lang.wizard_nothing_was_changed());
                // What is refused now would be refused without questions, too.
                let verb = if free { "apply" } else { "check" };
                Step::Leave(Some((verb, chosen)), exit)
            }
            (Answer::Pick(_) | Answer::Unclear, _) => {
                none_of_these(ui, text.as_deref());
                continue;
            }
        });
    }
}

async fn execute(chosen: Chosen, global: &Global, ui: Ui) -> Result<Step, CommandError> {
    heading(ui, 3, &ui.lang.wizard_execute());
    let args: ApplyArgs = match parsed("apply", &chosen, global)? {
        Command::Apply(args) => args,
        _ => return Err(other_verb()),
    };
    // The mesh was chosen by its name, and apply takes no namespace.
    let global = &Global {
        namespace: None,
        ..global.clone()
    };
    match apply::run(&args, global, ui).await {
        Ok(exit) => Ok(Step::Leave(Some(("apply", chosen)), exit)),
        Err(error) if error.is_declined() => {
            ui.error(&error);
            loop {
                let text = ask(&ui.lang.wizard_ask_back());
                return Ok(match Answer::read(text.as_deref(), 0) {
                    Answer::Back if chosen.to.is_none() => Step::Choose,
                    Answer::Back => Step::Check(chosen),
                    Answer::Quit => Step::Leave(Some(("apply", chosen)), error.exit),
                    Answer::Pick(_) | Answer::Enter | Answer::Again | Answer::Unclear => {
                        none_of_these(ui, text.as_deref());
                        continue;
                    }
                });
            }
        }
        // Something has come in between since the check: back to it, nothing was changed.
        Err(error) if error.exit == Exit::Blocked && chosen.to.is_some() => {
            ui.error(&error);
            Ok(Step::Check(chosen))
        }
        Err(error) => {
            show_command("apply", &chosen, global, ui);
            Err(error)
        }
    }
}

/// The command of a verb, read as from the command line.
fn parsed(verb: &str, chosen: &Chosen, global: &Global) -> Result<Command, CommandError> {
    let line = ["kubectl-mesh_upgrade".to_owned()]
        .into_iter()
        .chain(words::of(verb, chosen, global));
    let cli = Cli::read(line.map(OsString::from)).map_err(|error| CommandError::usage(error.to_string()))?;
    cli.command.ok_or_else(other_verb)
}

fn other_verb() -> CommandError {
    CommandError::error("the wizard built a command of another verb: nothing was changed")
}

/// An answer that is none is told: a question that only comes again looks like a terminal that hangs.
fn none_of_these(ui: Ui, text: Option<&str>) {
    if let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) {
        ui.note(&ui.lang.wizard_none_of_these(text));
    }
}

fn show_command(verb: &str, chosen: &Chosen, global: &Global, ui: Ui) {
    let command = words::shown(&words::of(verb, chosen, global));
    ui.note(&format!("\n{} {command}", strong(&ui.lang.wizard_same_command())));
    if verb == "apply" {
        ui.note(&faint(&ui.lang.wizard_and_yes()));
    }
}
