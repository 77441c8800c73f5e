//! `explain`: what a finding means, how it was found, and what to do.

use crate::{
    cli::ExplainArgs,
    error::{CommandError, Exit},
    ui::Ui,
};
use shared::finding::Code;

/// Runs `explain`.
///
/// # Errors
/// When there is no such code.
pub fn run(args: &ExplainArgs, ui: Ui) -> Result<Exit, CommandError> {
    let wanted = args.code.trim().to_ascii_uppercase();
    let Some(code) = Code::all().find(|code| code.id() == wanted) else {
        let known = Code::all().map(Code::id).collect::<Vec<_>>().join(", ");
        return Err(CommandError::usage(format!("there is no finding {:?}", args.code)).hint(format!("known: {known}")));
    };
    ui.result(&code.explain());
    Ok(Exit::Done)
}
