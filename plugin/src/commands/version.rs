//! `version`: the plugin, the guard in the cluster and the catalog, and whether they fit together. With `--client` it
//! needs no cluster and starts no runtime.

use super::{catalog, refuse_contexts};
use crate::{
    cli::Global,
    cluster::{self, ClusterError, ObserveOptions},
    error::{CommandError, Exit},
    ui::{Mark, Output, Ui},
};
use serde_json::{Value, json};
use shared::{
    guard::release::{Fit, fit},
    names,
};

/// Runs `version --client`.
///
/// # Errors
/// When the result cannot be written as JSON or YAML, which does not happen.
pub fn client(ui: Ui) -> Result<Exit, CommandError> {
    if ui.output == Output::Text {
        print_client(ui);
    } else {
        ui.document("Version", of_client())?;
    }
    Ok(Exit::Done)
}

/// Runs `version`.
///
/// # Errors
/// When the cluster cannot be asked; the plugin's own version is said all the same.
pub async fn run(global: &Global, ui: Ui) -> Result<Exit, CommandError> {
    refuse_contexts(global, "version")?;
    let given = catalog::given(global)?;
    if ui.output == Output::Text {
        // Said before the cluster is asked, which may take its time or fail.
        print_client(ui);
    }
    let without = |error: CommandError| error.hint("without a cluster: kubectl mesh-upgrade version --client");
    let cluster = cluster::connect(&global.cluster())
        .await
        .map_err(|error| without(error.into()))?;
    let deadline = global.request_timeout.unwrap_or(ObserveOptions::default().deadline);
    let guard = cluster::guard_release(&cluster, deadline).await;
    let (guard, unreadable) = match guard {
        Ok(guard) => (guard, None),
        Err(error @ ClusterError::Forbidden { .. }) => (None, Some(error.to_string())),
        Err(error) => return Err(without(error.into())),
    };
    let catalog = match given {
        Some(given) => given,
        None => catalog::of(&cluster).await?,
    };
    let fits = guard.as_ref().map(|guard| fit(names::VERSION, &guard.release));
    if ui.output != Output::Text {
        let mut document = of_client();
        if let Some(fields) = document.as_object_mut() {
            fields.insert("cluster".to_owned(), json!(cluster.name));
            fields.insert("catalog".to_owned(), json!(catalog.edition()));
            let guard = guard.map(|guard| json!({"version": guard.release, "webhookImage": guard.webhook_image}));
            fields.insert("guard".to_owned(), json!(guard));
            fields.insert("guardUnreadable".to_owned(), json!(unreadable));
            fields.insert("fit".to_owned(), json!(fits.map(Fit::advice)));
        }
        ui.document("Version", document)?;
        return Ok(Exit::Done);
    }
    let told = match (&guard, &unreadable) {
        (_, Some(why)) => why.clone(),
        (None, None) => format!("not installed in cluster {}", cluster.name),
        (Some(guard), None) => {
            let release = if guard.release.is_empty() {
                "unknown"
            } else {
                &guard.release
            };
            let webhook = guard.webhook_image.as_ref();
            let webhook = webhook.map(|image| format!(", webhook {image}")).unwrap_or_default();
            format!("{release} (cluster {}{webhook})", cluster.name)
        }
    };
    ui.result(&format!("Guard Version: {told}"));
    ui.result(&ui.lang.catalog_edition(catalog.edition()));
    match fits {
        None if unreadable.is_none() => ui.next("kubectl mesh-upgrade guard install"),
        None => ui.next("kubectl mesh-upgrade list"),
        Some(fits) => {
            let mark = if fits == Fit::Fits { Mark::Pass } else { Mark::Warn };
            ui.result(&format!("{} Plugin and guard: {}", ui.mark(mark), fits.advice()));
            ui.next("kubectl mesh-upgrade list");
        }
    }
    Ok(Exit::Done)
}

fn of_client() -> Value {
    json!({ "client": names::VERSION, "journalVersion": shared::api::JOURNAL_VERSION })
}

fn print_client(ui: Ui) {
    ui.result(&format!("Client Version: {}", names::VERSION));
}
