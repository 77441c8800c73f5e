//! Reads how the guard is installed.

use crate::error::{CommandError, api_code, api_message};
use k8s_openapi::api::{
    admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingWebhookConfiguration},
    apps::v1::Deployment,
    core::v1::ServiceAccount,
};
use kube::{Api, Client, ResourceExt as _};
use shared::{guard::standing::Standing, names};

/// How the guard is installed, if it is, and the release of the plugin that installed it, where its policy tells that.
///
/// # Errors
/// When one of its objects cannot be read: what was chosen would be lost.
pub async fn read(client: &Client) -> Result<(Standing, Option<String>), CommandError> {
    let policies: Api<ValidatingAdmissionPolicy> = Api::all(client.clone());
    let configurations: Api<ValidatingWebhookConfiguration> = Api::all(client.clone());
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), names::NAMESPACE);
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), names::NAMESPACE);
    let (policy, configuration, deployment, account) = futures::join!(
        policies.get_metadata(names::OWN_OBJECTS_POLICY),
        configurations.get(names::WEBHOOK),
        deployments.get(names::WEBHOOK),
        accounts.get_metadata(names::WEBHOOK_SERVICE_ACCOUNT),
    );
    let deployment = found(deployment)?;
    let configuration = found(configuration)?;
    let policy = found(policy)?;
    let release = policy
        .as_ref()
        .and_then(|policy| policy.labels().get(names::LABEL_VERSION).cloned());
    let standing = Standing::of(
        policy.is_some(),
        found(account)?.is_some(),
        deployment.as_ref(),
        configuration.as_ref(),
    );
    Ok((standing, release))
}

fn found<T>(answer: Result<T, kube::Error>) -> Result<Option<T>, CommandError> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(error) if api_code(&error) == 404 => Ok(None),
        Err(error) => Err(CommandError::error(format!(
            "cannot read how the guard is installed: {}",
            api_message(&error)
        ))
        .hint("nothing was changed; with --reset it is installed as the flags say, whatever is there")),
    }
}
