//! `version`: the plugin's own. Needs no cluster and starts no runtime.

use crate::{
    error::{CommandError, Exit},
    ui::{Output, Ui},
};
use serde_json::json;

/// Runs `version`.
///
/// # Errors
/// When the result cannot be written as JSON or YAML, which does not happen.
pub fn run(ui: Ui) -> Result<Exit, CommandError> {
    let version = env!("CARGO_PKG_VERSION");
    if ui.output == Output::Text {
        ui.result(&format!("kubectl mesh-upgrade {version}"));
    } else {
        ui.document(
            "Version",
            json!({ "client": version, "journalVersion": shared::api::JOURNAL_VERSION }),
        )?;
    }
    Ok(Exit::Done)
}
