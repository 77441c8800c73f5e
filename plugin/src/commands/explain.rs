//! `explain`: what a finding means, how it was found, and what to do.

use crate::{
    cli::ExplainArgs,
    error::{CommandError, Exit},
    ui::{Output, Ui},
};
use serde_json::json;
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
    if ui.output != Output::Text {
        let explained = json!({
            "code": code.id(), "title": code.title(), "severity": code.severity(), "waivable": code.is_waivable(),
            "cause": code.cause(), "evidence": code.evidence(), "fix": code.fix(), "doc": code.anchor(),
        });
        ui.document("Explanation", explained)?;
        return Ok(Exit::Done);
    }
    ui.result(&code.explain());
    Ok(Exit::Done)
}
