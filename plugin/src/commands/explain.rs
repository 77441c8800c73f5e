//! `explain`: what a finding or a refusal of the guard means, how it was found, and what to do.

use crate::{
    cli::ExplainArgs,
    error::{CommandError, Exit},
    ui::{Output, Ui},
};
use serde_json::json;
use shared::{finding::Code, guard::codes::Code as Refusal};

/// Runs `explain`.
///
/// # Errors
/// When there is no such code.
pub fn run(args: &ExplainArgs, ui: Ui) -> Result<Exit, CommandError> {
    let wanted = args.code.trim().to_ascii_uppercase();
    if let Some(refusal) = Refusal::ALL.into_iter().find(|code| code.as_str() == wanted) {
        return explain_refusal(refusal, ui);
    }
    let Some(code) = Code::all().find(|code| code.id() == wanted) else {
        let findings = Code::all().map(Code::id);
        let known = findings.chain(Refusal::ALL.into_iter().map(Refusal::as_str));
        let known = known.collect::<Vec<_>>().join(", ");
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
    ui.result(&ui.lang.explain(code));
    Ok(Exit::Done)
}

/// A refusal of the guard, for whoever met its code in an error of kubectl or helm.
fn explain_refusal(code: Refusal, ui: Ui) -> Result<Exit, CommandError> {
    if ui.output != Output::Text {
        let explained = json!({"code": code.as_str(), "title": code.name(), "cause": code.documentation()});
        ui.document("Explanation", explained)?;
        return Ok(Exit::Done);
    }
    ui.result(&ui.lang.refusal(code));
    Ok(Exit::Done)
}
