//! Dry-run canaries: the only proof that a freeze is closed, by each barrier on its own, and that its holder passes.
//!
//! A canary asks to create an object that the freeze covers. Only a refusal in the barrier's own words counts; an
//! error of permissions, schema or connection proves nothing. Of configuration that a mesh only warns about, the
//! barrier's own warning is asked for in the place of a refusal.

use crate::cluster::Cluster;
use futures::future::try_join_all;
use kube::{
    Client, Resource as _,
    api::{ApiResource, DynamicObject, PostParams, Request},
    client::Body,
    core::Status,
};
use serde_json::{Value, json};
use shared::{
    api::{FreezeMode, FreezeScope, MeshFreezeSpec},
    guard, istioctl, names,
};

/// Namespace that the guard's webhooks leave alone.
const KUBE_SYSTEM: &str = "kube-system";

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
    /// It would create the object, and the policy that warns warned.
    WarnedByPolicy,
    /// It would create the object, and the guard's webhook warned.
    WarnedByWebhook,
    /// The API server serves no such kind: there is nothing to freeze.
    NotServed,
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
    /// Whether it is configuration, whose strictness is a setting of the mesh.
    is_configuration: bool,
    /// Whether its kind may be missing: Istio works without the Gateway API, and a cluster that only hosts a control plane
    /// needs none of Istio's kinds.
    may_be_missing: bool,
}

impl Canary {
    /// What stands for `expected` where this canary is only warned about.
    fn stands_for(&self, expected: &Answer, mode: FreezeMode) -> Answer {
        match (expected, mode) {
            (Answer::RefusedByPolicy, FreezeMode::Warn) if self.is_configuration => Answer::WarnedByPolicy,
            (Answer::RefusedByWebhook, FreezeMode::Warn) if self.is_configuration => Answer::WarnedByWebhook,
            _ => expected.clone(),
        }
    }
}

/// One canary for each family that the freeze covers in this cluster.
fn canaries(scope: &FreezeScope) -> Vec<Canary> {
    let mut canaries = Vec::new();
    let Some(namespace) = scope.istio_namespaces.first() else {
        return canaries;
    };
    let metadata = json!({ "name": names::CANARY, "namespace": namespace });
    let canary = |resource: ApiResource, object: Value| Canary {
        namespace: namespace.clone(),
        is_configuration: false,
        may_be_missing: false,
        resource,
        object,
    };
    canaries.push(canary(
        resource("", "v1", "ConfigMap", "configmaps"),
        json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata }),
    ));
    canaries.push(Canary {
        is_configuration: true,
        may_be_missing: true,
        ..canary(
            resource("networking.istio.io", "v1", "VirtualService", "virtualservices"),
            json!({
                "apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": metadata,
                "spec": {
                    "hosts": ["mesh-upgrade-canary.invalid"],
                    "http": [{ "route": [{ "destination": { "host": "mesh-upgrade-canary.invalid" } }] }],
                },
            }),
        )
    });
    if scope.configuration.gateway_api {
        canaries.push(Canary {
            is_configuration: true,
            may_be_missing: true,
            ..canary(
                resource("gateway.networking.k8s.io", "v1", "HTTPRoute", "httproutes"),
                json!({
                    "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": metadata,
                    "spec": { "hostnames": ["mesh-upgrade-canary.invalid"] },
                }),
            )
        });
    }
    // In kube-system the webhook is never asked.
    let mut releases = scope.helm_releases.iter();
    if let Some(release) = releases.find(|release| release.namespace != KUBE_SYSTEM) {
        canaries.push(Canary {
            namespace: release.namespace.clone(),
            ..canary(
                resource("", "v1", "Secret", "secrets"),
                json!({
                    "apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1",
                    "metadata": {
                        "name": format!("sh.helm.release.v1.{}.v0", release.name), "namespace": release.namespace,
                    },
                }),
            )
        });
    }
    if let Some(installation) = scope.istioctl.first() {
        canaries.push(canary(
            resource("", "v1", "ServiceAccount", "serviceaccounts"),
            json!({
                "apiVersion": "v1", "kind": "ServiceAccount",
                "metadata": {
                    "name": names::CANARY, "namespace": namespace,
                    "labels": {
                        istioctl::OWNER_NAMESPACE_LABEL: installation.namespace,
                        istioctl::REVISION_LABEL: installation.name,
                    },
                },
            }),
        ));
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
    warning_policy: String,
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
            warning_policy: names::warning_policy(&freeze.mesh, epoch),
            scope: freeze.scope.clone(),
        }
    }

    /// Asks once with every canary. `Ok`, with the number of those that count, when all answers are `expected`, or for
    /// configuration that the mesh only warns about the warning in its place; otherwise the first that is not.
    ///
    /// # Errors
    /// What the API server answered instead, in a sentence.
    pub async fn all_answer(&self, asker: Asker, expected: &Answer) -> Result<usize, String> {
        let canaries = canaries(&self.scope);
        if canaries.is_empty() {
            return Err("there is nothing in this cluster to try the freeze on".to_owned());
        }
        let client = self.client(asker)?;
        // Side by side, as they say nothing of each other.
        let answers = try_join_all(canaries.iter().map(|canary| self.ask(&client, canary))).await?;
        let mut asked = 0;
        for (canary, answer) in canaries.iter().zip(answers) {
            let expected = canary.stands_for(expected, self.scope.configuration.mode);
            if answer == Answer::NotServed && canary.may_be_missing {
                continue;
            }
            asked += 1;
            // Whether istiod is well is not the question here: a mesh with a sick one must be mended by the holder.
            let past_us = expected == Answer::Admitted && matches!(answer, Answer::StoppedElsewhere(_));
            if answer != expected && !past_us {
                return Err(format!(
                    "a dry run of a {} was {}",
                    canary.resource.kind,
                    describe(&answer)
                ));
            }
        }
        Ok(asked)
    }

    fn client(&self, asker: Asker) -> Result<Client, String> {
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
        let impersonating = self.cluster.impersonating(extra);
        impersonating
            .map(|cluster| cluster.client)
            .map_err(|error| error.to_string())
    }

    async fn ask(&self, client: &Client, canary: &Canary) -> Result<Answer, String> {
        let dry_run = PostParams {
            dry_run: true,
            field_manager: Some(names::FIELD_MANAGER.to_owned()),
        };
        let url = DynamicObject::url_path(&canary.resource, Some(&canary.namespace));
        let request = serde_json::to_vec(&canary.object)
            .map_err(|error| error.to_string())
            .and_then(|body| {
                Request::new(url)
                    .create(&dry_run, body)
                    .map_err(|error| error.to_string())
            })?;
        // Asked past kube's Api, which keeps the warnings to itself.
        let response = match client.send(request.map(Body::from)).await {
            Ok(response) => response,
            Err(error) => return Ok(Answer::NoProof(error.to_string())),
        };
        let warnings: Vec<String> = response
            .headers()
            .get_all(http::header::WARNING)
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            .collect();
        let status = response.status();
        let body = response
            .into_body()
            .collect_bytes()
            .await
            .map_err(|error| error.to_string())?;
        let refusal = (!status.is_success()).then(|| {
            let said = serde_json::from_slice::<Status>(&body).map(|status| (status.reason, status.message));
            said.unwrap_or_else(|_| (String::new(), String::from_utf8_lossy(&body).into_owned()))
        });
        Ok(self.read(status, refusal, &warnings))
    }

    /// What an answer means; `refusal` is the reason and the message of one that is no success.
    fn read(&self, status: http::StatusCode, refusal: Option<(String, String)>, warnings: &[String]) -> Answer {
        let is_warned = |by: &dyn Fn(&str) -> bool| warnings.iter().any(|warning| by(warning));
        let warned = if is_warned(&|header| guard::is_warned_by_policy(header, &self.warning_policy)) {
            Some(Answer::WarnedByPolicy)
        } else if is_warned(&guard::is_warned_by_webhook) {
            Some(Answer::WarnedByWebhook)
        } else {
            None
        };
        let Some((reason, message)) = refusal else {
            return warned.unwrap_or(Answer::Admitted);
        };
        if guard::is_refused_by_policy(&message, &self.policy) {
            Answer::RefusedByPolicy
        } else if guard::is_refused_by_webhook(&message) {
            Answer::RefusedByWebhook
        } else if is_another_webhook(&message) {
            // Who warned was asked before, or at the same time.
            warned.unwrap_or(Answer::StoppedElsewhere(message))
        } else if status == http::StatusCode::NOT_FOUND && (reason.is_empty() || message.contains("requested resource"))
        {
            Answer::NotServed
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
        Answer::WarnedByPolicy => "admitted with a warning of the freeze policy".to_owned(),
        Answer::WarnedByWebhook => "admitted with a warning of the guard's webhook".to_owned(),
        Answer::NotServed => "not known to the API server".to_owned(),
        Answer::StoppedElsewhere(message) | Answer::NoProof(message) => format!("answered with: {message}"),
    }
}
