//! The guard as far as it is installed, and the Mesh objects.

use super::ask::Asker;
use crate::cluster::error::ClusterError;
use k8s_openapi::{
    api::{
        admissionregistration::v1::{
            ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding, ValidatingWebhookConfiguration,
        },
        core::v1::ServiceAccount,
    },
    apimachinery::pkg::apis::meta::v1::APIResourceList,
};
use kube::{Api, ResourceExt as _, api::ListParams};
use shared::{
    api::Mesh,
    inventory::{GuardPresence, MeshRecord},
    names, waiver,
};

/// What the guard needs of our own kinds.
const KINDS: [&str; 3] = ["Mesh", "MeshUpgrade", "MeshFreeze"];

/// Looks at each part of the guard; what may not be looked at counts as absent and is said.
pub(super) async fn presence(asker: Asker<'_>) -> (GuardPresence, Vec<String>) {
    let client = &asker.cluster.client;
    let policies: Api<ValidatingAdmissionPolicy> = Api::all(client.clone());
    let bindings: Api<ValidatingAdmissionPolicyBinding> = Api::all(client.clone());
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), names::NAMESPACE);
    let webhooks: Api<ValidatingWebhookConfiguration> = Api::all(client.clone());
    let policy = names::OWN_OBJECTS_POLICY;
    let (own, admission, policy, binding, driver, webhook) = futures::join!(
        own_kinds(asker),
        asker.ask_optional(
            "discover policies",
            client.list_api_group_resources("admissionregistration.k8s.io/v1")
        ),
        asker.ask_optional("get ValidatingAdmissionPolicies", policies.get_metadata(policy)),
        asker.ask_optional("get ValidatingAdmissionPolicyBindings", bindings.get_metadata(policy)),
        asker.ask_optional(
            "get the driver's ServiceAccount",
            accounts.get_metadata(names::DRIVER_SERVICE_ACCOUNT)
        ),
        asker.ask_optional(
            "get ValidatingWebhookConfigurations",
            webhooks.get_metadata(names::WEBHOOK)
        ),
    );
    let mut unreadable = Vec::new();
    let own = seen(own, &mut unreadable);
    let admission = seen(admission, &mut unreadable);
    // A policy without its binding guards nothing.
    let policy = seen(policy, &mut unreadable);
    let release = policy
        .as_ref()
        .and_then(|policy| policy.labels().get(names::LABEL_VERSION).cloned());
    let binding = seen(binding, &mut unreadable).is_some();
    let presence = GuardPresence {
        crds: own.is_some_and(|list| {
            KINDS
                .iter()
                .all(|kind| list.resources.iter().any(|one| one.kind == *kind))
        }),
        policies: policy.is_some() && binding,
        driver: seen(driver, &mut unreadable).is_some(),
        webhook: seen(webhook, &mut unreadable).is_some(),
        policy_api: admission
            .is_some_and(|list| list.resources.iter().any(|one| one.kind == "ValidatingAdmissionPolicy")),
        release,
    };
    (presence, unreadable)
}

/// Our own kinds as the API server serves them; nothing where there are none. Everybody may ask for this.
async fn own_kinds(asker: Asker<'_>) -> Result<Option<APIResourceList>, ClusterError> {
    let group = format!("{}/{}", names::GROUP, names::API_VERSION);
    let kinds = asker.cluster.client.list_api_group_resources(&group);
    asker.ask_optional("discover the guard's kinds", kinds).await
}

fn seen<T>(answer: Result<Option<T>, ClusterError>, unreadable: &mut Vec<String>) -> Option<T> {
    answer.unwrap_or_else(|error| {
        unreadable.push(format!("the guard: {error}"));
        None
    })
}

/// The Mesh objects; none where the guard was never installed. Who may not list them where they may exist cannot know
/// whose a mesh is, so that is an error.
pub(super) async fn meshes(asker: Asker<'_>) -> Result<Vec<MeshRecord>, ClusterError> {
    let api: Api<Mesh> = Api::all(asker.cluster.client.clone());
    let all = ListParams::default();
    let found = match asker.ask_optional("list Meshes", api.list(&all)).await {
        Ok(Some(found)) => found,
        Ok(None) => return Ok(Vec::new()),
        // The API server asks for the right before it looks whether there is such a kind.
        Err(forbidden @ ClusterError::Forbidden { .. }) => match own_kinds(asker).await {
            Ok(None) => return Ok(Vec::new()),
            _ => return Err(forbidden),
        },
        Err(error) => return Err(error),
    };
    let mut records: Vec<MeshRecord> = found
        .items
        .into_iter()
        .map(|mesh| MeshRecord {
            name: mesh.name_any(),
            waivers: mesh.annotations().get(waiver::ANNOTATION).cloned(),
            management: mesh.spec.management,
            istio_namespace: mesh.spec.istio_namespace,
            flavor: mesh.spec.flavor,
            recorded_version: mesh.status.and_then(|status| status.version),
            clusters: mesh.spec.clusters,
            freeze: mesh.spec.freeze,
        })
        .collect();
    records.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(records)
}
