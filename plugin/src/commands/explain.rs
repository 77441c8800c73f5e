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
    let Some(given) = &args.code else {
        return list(ui);
    };
    let wanted = meant(given);
    if let Some(refusal) = Refusal::ALL.into_iter().find(|code| code.as_str() == wanted) {
        return explain_refusal(refusal, ui);
    }
    let Some(code) = Code::all().find(|code| code.id() == wanted) else {
        let known = known().map(|(code, _)| code).collect::<Vec<_>>().join(", ");
        return Err(CommandError::usage(format!("there is no finding {given:?}")).hint(format!("known: {known}")));
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

/// Every code that there is, with its title: findings, then refusals.
fn known() -> impl Iterator<Item = (&'static str, &'static str)> {
    let findings = Code::all().map(|code| (code.id(), code.title()));
    findings.chain(Refusal::ALL.into_iter().map(|code| (code.as_str(), code.name())))
}

/// The code as it stands everywhere: a number alone is a finding's, or a refusal's where no finding has it.
fn meant(given: &str) -> String {
    let wanted = given.trim().to_ascii_uppercase();
    if wanted.is_empty() || !wanted.chars().all(|letter| letter.is_ascii_digit()) {
        return wanted;
    }
    let named = ["MU", "MG"].map(|family| format!("{family}{wanted}"));
    let found = named.into_iter().find(|code| known().any(|(id, _)| id == code));
    found.unwrap_or(wanted)
}

fn list(ui: Ui) -> Result<Exit, CommandError> {
    if ui.output != Output::Text {
        let codes: Vec<_> = known()
            .map(|(code, title)| json!({"code": code, "title": title}))
            .collect();
        ui.document("ExplanationList", json!({ "codes": codes }))?;
        return Ok(Exit::Done);
    }
    let rows = known().map(|(code, title)| vec![code.to_owned(), title.to_owned()]);
    ui.table(&["CODE", "TITLE"], rows);
    ui.next("kubectl mesh-upgrade explain CODE");
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_a_code_where_there_is_one() {
        for (given, code) in [
            ("MU115", "MU115"),
            (" mg001 ", "MG001"),
            ("115", "MU115"),
            ("012", "MG012"),
            ("001", "MU001"),
            ("999", "999"),
            ("", ""),
            ("MU", "MU"),
        ] {
            assert_eq!(meant(given), code, "{given:?}");
        }
        assert!(known().count() > 50 && known().all(|(_, title)| !title.is_empty()));
    }
}
