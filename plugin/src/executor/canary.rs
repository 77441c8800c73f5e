//! Dry-run canaries: the only proof that a freeze is closed, by each barrier on its own, and that its holder passes.
//!
//! A canary asks to create an object that the freeze covers. Only a refusal in the barrier's own words counts; an
//! error of permissions, schema or connection proves nothing. Of configuration that a mesh only warns about, the
//! barrier's own warning is asked for in the place of a refusal.

mod answer;

pub use answer::{Answer, Expected, unheard};

use crate::cluster::Cluster;
use answer::{Policies, describe};
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
    istioctl, names,
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

/// One canary for each family that the freeze covers in this cluster.
fn canaries(scope: &FreezeScope) -> Vec<Canary> {
    let mut canaries = Vec::new();
    // In kube-system the webhook is never asked.
    let namespaces = &scope.istio_namespaces;
    let elsewhere = namespaces.iter().find(|namespace| *namespace != KUBE_SYSTEM);
    let Some(namespace) = elsewhere.or_else(|| namespaces.first()) else {
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
    policies: Policies,
    scope: FreezeScope,
}

impl Prover {
    /// A prover for one freeze.
    #[must_use]
    pub fn new(cluster: Cluster, freeze: &MeshFreezeSpec) -> Self {
        Self {
            cluster,
            policies: Policies {
                mesh: freeze.mesh.clone(),
                epoch: freeze.epoch,
                refusing: names::freeze_policy(&freeze.mesh, freeze.epoch),
                warning: names::warning_policy(&freeze.mesh, freeze.epoch),
            },
            scope: freeze.scope.clone(),
        }
    }

    /// Whether the webhook is asked about the canaries: where the only control plane is in kube-system it is not, and the
    /// policy alone freezes that.
    #[must_use]
    pub fn asks_the_webhook(&self) -> bool {
        asks_the_webhook(&self.scope)
    }

    /// Asks once with every canary. `Ok`, with the number of those that count, when all answers say what is expected, or
    /// for configuration that the mesh only warns about the warning in its place; otherwise the first that does not.
    ///
    /// # Errors
    /// What the API server answered instead, in a sentence.
    pub async fn all_answer(&self, asker: Asker, expected: Expected) -> Result<usize, String> {
        let mut asked = 0;
        for (canary, answer) in self.answers(asker).await? {
            if answer == Answer::NotServed && canary.may_be_missing {
                continue;
            }
            asked += 1;
            if !self.policies.says(&answer, expected, self.only_warns(&canary)) {
                return Err(short_of(expected, &canary, &answer));
            }
        }
        Ok(asked)
    }

    /// Asks once, as somebody without an epoch, whether no freeze refuses any more. Whoever else refuses does not keep the
    /// mesh frozen; what was said instead is returned in a sentence.
    ///
    /// # Errors
    /// What still looks like a freeze, or was not answered, in a sentence.
    pub async fn none_is_frozen(&self) -> Result<Option<String>, String> {
        let mut others = None;
        for (canary, answer) in self.answers(Asker::Stranger).await? {
            if answer.may_be_a_freezes() {
                return Err(told(&canary, &answer));
            }
            let is_told = !matches!(
                answer,
                Answer::Admitted | Answer::StoppedElsewhere(_) | Answer::NotServed
            );
            if is_told && others.is_none() {
                others = Some(told(&canary, &answer));
            }
        }
        Ok(others)
    }

    /// Policies of others behind which a freeze could not be seen, with the kind of what they refuse. Asked before there is
    /// a freeze; nothing where it cannot be asked. `webhook` says that the webhook is to be proved, too.
    pub async fn foreign_policies(&self, webhook: bool) -> Vec<(String, String)> {
        let answers = self.answers(Asker::Stranger).await.unwrap_or_default().into_iter();
        let webhook = webhook && self.asks_the_webhook();
        let foreign = answers.filter_map(|(canary, answer)| match answer {
            Answer::RefusedByForeignPolicy(policy) if is_hidden(self.only_warns(&canary), webhook) => {
                Some((policy, canary.resource.kind))
            }
            _ => None,
        });
        foreign.collect()
    }

    fn only_warns(&self, canary: &Canary) -> bool {
        canary.is_configuration && self.scope.configuration.mode == FreezeMode::Warn
    }

    async fn answers(&self, asker: Asker) -> Result<Vec<(Canary, Answer)>, String> {
        let canaries = canaries(&self.scope);
        if canaries.is_empty() {
            return Err("there is nothing in this cluster to try the freeze on".to_owned());
        }
        let client = self.client(asker)?;
        // Side by side, as they say nothing of each other.
        let answers = try_join_all(canaries.iter().map(|canary| self.ask(&client, canary))).await?;
        Ok(canaries.into_iter().zip(answers).collect())
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
            Err(error) => return Ok(Answer::Unanswered(error.to_string())),
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
        Ok(self.policies.read(status, refusal, &warnings))
    }
}

/// Whether somebody else's refusal hides what a freeze says. Of several that refuse the API server names one; but all that warn
/// are heard, the webhook only where nobody has refused before.
fn is_hidden(only_warns: bool, webhook: bool) -> bool {
    !only_warns || webhook
}

fn asks_the_webhook(scope: &FreezeScope) -> bool {
    let namespaces = &scope.istio_namespaces;
    namespaces.is_empty() || namespaces.iter().any(|namespace| namespace != KUBE_SYSTEM)
}

/// What is told of an answer that is not the expected one.
fn short_of(expected: Expected, canary: &Canary, answer: &Answer) -> String {
    let said = told(canary, answer);
    match (expected, answer) {
        (Expected::ByWebhook, Answer::Admitted) => unheard(&said),
        _ => said,
    }
}

fn told(canary: &Canary, answer: &Answer) -> String {
    format!("a dry run of a {} was {}", canary.resource.kind, describe(answer))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(namespaces: &[&str]) -> FreezeScope {
        FreezeScope {
            istio_namespaces: namespaces.iter().map(|namespace| (*namespace).to_owned()).collect(),
            ..FreezeScope::default()
        }
    }

    #[test]
    fn canaries_live_where_the_webhook_is_asked_if_there_is_such_a_place() {
        for (namespaces, expected) in [
            (&["kube-system", "istio-system"][..], "istio-system"),
            (&["istio-system", "kube-system"], "istio-system"),
            (&["kube-system"], "kube-system"),
        ] {
            let canaries = canaries(&scope(namespaces));
            assert!(!canaries.is_empty());
            assert!(
                canaries.iter().all(|canary| canary.namespace == expected),
                "{namespaces:?}"
            );
        }
    }

    #[test]
    fn a_warning_of_the_policy_is_heard_behind_any_refusal() {
        let hidden = [(false, false), (false, true), (true, true)];
        assert!(
            hidden
                .iter()
                .all(|(only_warns, webhook)| is_hidden(*only_warns, *webhook))
        );
        assert!(!is_hidden(true, false));
    }

    #[test]
    fn it_is_told_which_barrier_was_not_heard() {
        let canary = canaries(&scope(&["istio-system"])).remove(0);
        let told = |expected, answer| short_of(expected, &canary, &answer);
        let admitted = "a dry run of a ConfigMap was admitted";
        assert_eq!(told(Expected::ByPolicy, Answer::Admitted), admitted);
        let unreached = told(Expected::ByWebhook, Answer::Admitted);
        for part in [
            admitted,
            "the guard's webhook",
            "TCP port 8443",
            "firewall",
            "--policy-only",
        ] {
            assert!(unreached.contains(part), "{unreached}");
        }
        let other = told(Expected::ByWebhook, Answer::NoProof("forbidden".to_owned()));
        assert_eq!(other, "a dry run of a ConfigMap was answered with: forbidden");
    }

    #[test]
    fn the_webhook_is_not_waited_for_where_it_is_never_asked() {
        let asks = |namespaces: &[&str]| asks_the_webhook(&scope(namespaces));
        assert!(asks(&["istio-system"]) && asks(&["kube-system", "istio-system"]) && asks(&[]));
        assert!(!asks(&["kube-system"]));
    }
}
