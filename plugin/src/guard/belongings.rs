//! Looks for what operators keep in the guard's namespace.

use crate::error::{CommandError, api_code, api_message};
use futures::future::try_join_all;
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{ConfigMap, Secret, ServiceAccount},
    rbac::v1::ClusterRoleBinding,
};
use kube::{Api, Client, ResourceExt, api::ListParams};
use shared::{
    catalog,
    guard::{
        REPORTER_ROLE,
        belongings::{Belongings, pulled_by},
    },
    names,
};

/// What is there. Of Secrets no more than the name is read.
///
/// # Errors
/// When it cannot be seen.
pub async fn read(client: &Client) -> Result<Belongings, CommandError> {
    let config_maps: Api<ConfigMap> = Api::namespaced(client.clone(), names::NAMESPACE);
    let secrets: Api<Secret> = Api::namespaced(client.clone(), names::NAMESPACE);
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), names::NAMESPACE);
    let bindings: Api<ClusterRoleBinding> = Api::all(client.clone());
    let all = ListParams::default();
    let (catalog, member, pull_secrets, accounts, bindings) = futures::try_join!(
        is_there(config_maps.get_metadata(catalog::CONFIG_MAP)),
        is_there(secrets.get_metadata(names::MEMBER)),
        pull_secrets(client, &secrets),
        async { accounts.list_metadata(&all).await.map_err(|error| unseen(&error)) },
        async { bindings.list(&all).await.map_err(|error| unseen(&error)) },
    )?;
    let reporting = bindings.items.into_iter();
    let reporting = reporting.filter(|binding| binding.role_ref.name == REPORTER_ROLE);
    let subjects = reporting.flat_map(|binding| binding.subjects.unwrap_or_default());
    let here = subjects
        .filter(|subject| subject.kind == "ServiceAccount" && subject.namespace.as_deref() == Some(names::NAMESPACE));
    Ok(Belongings {
        catalog,
        member,
        pull_secrets,
        accounts: accounts.items.iter().map(ResourceExt::name_any).collect(),
        reporters: here.map(|subject| subject.name).collect(),
    })
}

/// The Secrets that the webhook's pods name for their image, as far as they are there.
async fn pull_secrets(client: &Client, secrets: &Api<Secret>) -> Result<Vec<String>, CommandError> {
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), names::NAMESPACE);
    let deployment = deployments.get_opt(names::WEBHOOK).await;
    let named = deployment.map_err(|error| unseen(&error))?.as_ref().map(pulled_by);
    let there = named.unwrap_or_default().into_iter().map(|name| async move {
        let found = is_there(secrets.get_metadata(&name)).await?;
        Ok::<_, CommandError>(found.then_some(name))
    });
    Ok(try_join_all(there).await?.into_iter().flatten().collect())
}

async fn is_there<T>(asked: impl Future<Output = Result<T, kube::Error>>) -> Result<bool, CommandError> {
    match asked.await {
        Ok(_) => Ok(true),
        Err(error) if api_code(&error) == 404 => Ok(false),
        Err(error) => Err(unseen(&error)),
    }
}

fn unseen(error: &kube::Error) -> CommandError {
    CommandError::error(format!(
        "whether namespace {} holds something of yours cannot be seen: {}",
        names::NAMESPACE,
        api_message(error)
    ))
    .hint("nothing was changed; to remove the guard all the same: kubectl mesh-upgrade guard uninstall --force --reason TEXT")
}
