//! Makes the webhook see what a freeze covers: its conditions name releases, and some may have come since the guard was
//! installed. Without this its refusals could not be proved.

use crate::{cluster::Cluster, executor::fault::Fault};
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use kube::{Api, api::PostParams};
use shared::{api::MeshFreezeSpec, guard::asked::Coverage, names};

/// Adds what the webhook is not asked about yet; nothing is taken away, and nothing written when all is there.
pub async fn ensure(holder: &Cluster, freeze: &MeshFreezeSpec) -> Result<(), Fault> {
    let configurations: Api<ValidatingWebhookConfiguration> = Api::all(holder.client.clone());
    let name = names::WEBHOOK;
    let found = configurations.get_opt(name).await;
    let found = found.map_err(|error| Fault::of_api("read the webhook's configuration", &error))?;
    let Some(mut configuration) = found else {
        return Ok(());
    };
    let covered = Coverage::of_configuration(&configuration);
    let needed = Coverage::of_scope(&freeze.scope);
    let lacking = covered.lacks(&needed);
    if lacking.is_empty() {
        return Ok(());
    }
    // What is covered is noted, and what another release covered in its own words, too: nothing is taken away.
    let noted = Coverage::noted(&configuration).unwrap_or_default();
    if !noted.and(needed).write(&mut configuration) {
        return Err(Fault::lasting(format!(
            "ValidatingWebhookConfiguration {name} is not of this version; bring it up to date: kubectl mesh-upgrade \
             guard install"
        )));
    }
    tracing::info!(?lacking, "the webhook is asked about more");
    let params = PostParams {
        dry_run: false,
        field_manager: Some(names::FIELD_MANAGER.to_owned()),
    };
    let replaced = configurations.replace(name, &params, &configuration).await;
    replaced
        .map(drop)
        .map_err(|error| Fault::of_change("make the webhook see the whole mesh", &error))
}
