//! Dry-run canaries: the only proof that a freeze is closed, by each barrier on its own, and that its holder passes.
//!
//! A canary asks to create an object that the freeze covers. Only a refusal in the barrier's own words counts; an
//! error of permissions, schema or connection proves nothing.

use crate::{cluster::Cluster, error::api_message};
use kube::{
    Api,
    api::{ApiResource, DynamicObject, PostParams},
};
use serde_json::{Value, json};
use shared::{
    api::{FreezeScope, MeshFreezeSpec},
    guard, names,
};

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker {
    /// The driver with the freeze's epoch.
    Holder(i64),
    /// The driver without any epoch: nobody's change.
    Stranger,
    /// A stranger whom the policy lets pass in a dry run, so that only the webhook can refuse.
    PastThePolicy,
}

/// What the API server said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It would create the object.
    Admitted,
    /// The freeze policy of this name refused.
    RefusedByPolicy,
    /// The guard's webhook refused.
    RefusedByWebhook,
    /// The guard let it pass, and something else stopped it, as Istio's own validation while istiod is down.
    StoppedElsewhere(String),
    /// Something else: no proof of anything.
    NoProof(String),
}

/// An object that a freeze covers, never really created.
#[derive(Clone, Debug)]
struct Canary {
    resource: ApiResource,
    namespace: String,
    object: Value,
}

/// One canary for each family that the freeze covers in this cluster.
fn canaries(scope: &FreezeScope) -> Vec<Canary> {
    let mut canaries = Vec::new();
    let Some(namespace) = scope.istio_namespaces.first() else {
        return canaries;
    };
    let metadata = json!({ "name": names::CANARY, "namespace": namespace });
    canaries.push(Canary {
        resource: resource("", "v1", "ConfigMap", "configmaps"),
        namespace: namespace.clone(),
        object: json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata }),
    });
    canaries.push(Canary {
        resource: resource("networking.istio.io", "v1", "VirtualService", "virtualservices"),
        namespace: namespace.clone(),
        object: json!({
            "apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": metadata,
            "spec": {
                "hosts": ["mesh-upgrade-canary.invalid"],
                "http": [{ "route": [{ "destination": { "host": "mesh-upgrade-canary.invalid" } }] }],
            },
        }),
    });
    if let Some(release) = scope.helm_releases.first() {
        canaries.push(Canary {
            resource: resource("", "v1", "Secret", "secrets"),
            namespace: release.namespace.clone(),
            object: json!({
                "apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1",
                "metadata": {
                    "name": format!("sh.helm.release.v1.{}.v0", release.name), "namespace": release.namespace,
                },
            }),
        });
    }
    canaries
}

fn resource(group: &str, version: &str, kind: &str, plural: &str) -> ApiResource {
    let gvk = kube::core::GroupVersionKind::gvk(group, version, kind);
    ApiResource::from_gvk_with_plural(&gvk, plural)
}

/// A cluster with one client for each asker.
#[derive(Clone, Debug)]
pub struct Prover {
    cluster: Cluster,
    policy: String,
    scope: FreezeScope,
}

impl Prover {
    /// A prover for one freeze.
    #[must_use]
    pub fn new(cluster: Cluster, freeze: &MeshFreezeSpec) -> Self {
        let epoch = u64::try_from(freeze.epoch).unwrap_or_default();
        Self {
            cluster,
            policy: names::freeze_policy(&freeze.mesh, epoch),
            scope: freeze.scope.clone(),
        }
    }

    /// Asks once with every canary. `Ok` when all answers are `expected`; otherwise the first that is not.
    ///
    /// # Errors
    /// What the API server answered instead, in a sentence.
    pub async fn all_answer(&self, asker: Asker, expected: &Answer) -> Result<usize, String> {
        let canaries = canaries(&self.scope);
        if canaries.is_empty() {
            return Err("there is nothing in this cluster to try the freeze on".to_owned());
        }
        for canary in &canaries {
            let answer = self.ask(asker, canary).await?;
            // Whether istiod is well is not the question here: a mesh with a sick one must be mended by the holder.
            let past_us = *expected == Answer::Admitted && matches!(answer, Answer::StoppedElsewhere(_));
            if answer != *expected && !past_us {
                return Err(format!(
                    "a dry run of a {} was {}",
                    canary.resource.kind,
                    describe(&answer)
                ));
            }
        }
        Ok(canaries.len())
    }

    async fn ask(&self, asker: Asker, canary: &Canary) -> Result<Answer, String> {
        let epoch = if let Asker::Holder(epoch) = asker {
            epoch.to_string()
        } else {
            String::new()
        };
        let extra: &[(&str, &str)] = match asker {
            Asker::Holder(_) => &[(names::EXTRA_EPOCH, &epoch)],
            Asker::Stranger => &[],
            Asker::PastThePolicy => &[(names::EXTRA_PROBE, names::PROBE_WEBHOOK)],
        };
        let client = self
            .cluster
            .impersonating(extra)
            .map_err(|error| error.to_string())?
            .client;
        let api: Api<DynamicObject> = Api::namespaced_with(client, &canary.namespace, &canary.resource);
        let object = serde_json::from_value(canary.object.clone()).map_err(|error| error.to_string())?;
        let dry_run = PostParams {
            dry_run: true,
            field_manager: Some(names::FIELD_MANAGER.to_owned()),
        };
        Ok(match api.create(&dry_run, &object).await {
            Ok(_) => Answer::Admitted,
            Err(error) => self.read(&error),
        })
    }

    fn read(&self, error: &kube::Error) -> Answer {
        let message = api_message(error);
        if guard::is_refused_by_policy(&message, &self.policy) {
            Answer::RefusedByPolicy
        } else if guard::is_refused_by_webhook(&message) {
            Answer::RefusedByWebhook
        } else if is_another_webhook(&message) {
            Answer::StoppedElsewhere(message)
        } else {
            Answer::NoProof(message)
        }
    }
}

/// Validating webhooks are asked together, after all policies have admitted; ours ignores failures to call it.
fn is_another_webhook(message: &str) -> bool {
    let ours = message.contains(guard::WEBHOOK_DOMAIN) || message.contains("MG0");
    !ours && (message.contains("failed calling webhook") || message.contains("admission webhook"))
}

fn describe(answer: &Answer) -> String {
    match answer {
        Answer::Admitted => "admitted".to_owned(),
        Answer::RefusedByPolicy => "refused by the freeze policy".to_owned(),
        Answer::RefusedByWebhook => "refused by the guard's webhook".to_owned(),
        Answer::StoppedElsewhere(message) | Answer::NoProof(message) => format!("answered with: {message}"),
    }
}
