//! Waits for the webhook's pods: that a Deployment was applied says nothing of whether its pods may exist.

use crate::error::{CommandError, Exit, api_message};
use k8s_openapi::api::apps::v1::Deployment;
use kube::{Api, Client};
use shared::{
    guard::install::{InstallOptions, WebhookClient},
    names,
};
use std::time::{Duration, Instant};

/// An image may have to be pulled first.
const DEADLINE: Duration = Duration::from_secs(120);
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Whether these options bring pods at all.
#[must_use]
pub fn brings_pods(options: &InstallOptions) -> bool {
    !options.policy_only && options.client == WebhookClient::Service && options.replicas > 0
}

/// Waits until a pod of the webhook as it was applied is available.
///
/// # Errors
/// When none is within two minutes, with what the cluster says of it.
pub async fn wait(client: &Client) -> Result<(), CommandError> {
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), names::NAMESPACE);
    let started = Instant::now();
    loop {
        let deployment = deployments.get(names::WEBHOOK).await.map_err(|error| {
            CommandError::error(format!(
                "cannot read Deployment {}/{}: {}",
                names::NAMESPACE,
                names::WEBHOOK,
                api_message(&error)
            ))
        })?;
        if is_available(&deployment) {
            return Ok(());
        }
        if started.elapsed() > DEADLINE {
            let seconds = DEADLINE.as_secs();
            let message = match obstacle(&deployment) {
                Some(why) => format!("no pod of the guard's webhook is available after {seconds} s: {why}"),
                None => format!("no pod of the guard's webhook is available after {seconds} s"),
            };
            return Err(CommandError::new(Exit::Deadline, message).hint(format!(
                "see: kubectl --namespace {} get pods,events; or run without pods: kubectl mesh-upgrade guard install --policy-only",
                names::NAMESPACE
            )));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Whether at least one available pod is of the Deployment's present template: more are available than are of an older one.
fn is_available(deployment: &Deployment) -> bool {
    let Some(status) = &deployment.status else { return false };
    let seen = status.observed_generation >= deployment.metadata.generation;
    let count = |number: Option<i32>| number.unwrap_or_default();
    let older = count(status.replicas) - count(status.updated_replicas);
    seen && count(status.available_replicas) > older
}

/// Why no pods could be made, when the cluster says so.
fn obstacle(deployment: &Deployment) -> Option<&str> {
    let conditions = deployment.status.as_ref()?.conditions.iter().flatten();
    let mut failures = conditions.filter(|condition| condition.type_ == "ReplicaFailure" && condition.status == "True");
    failures.next()?.message.as_deref()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn deployment(status: &Value) -> Deployment {
        serde_json::from_value(json!({"metadata": {"generation": 2}, "status": status})).unwrap()
    }

    #[test]
    fn only_a_pod_of_what_was_applied_counts() {
        for (what, status, available) in [
            ("nothing yet", json!({}), false),
            (
                "not seen yet",
                json!({"observedGeneration": 1, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 3}),
                false,
            ),
            (
                "none available",
                json!({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 3}),
                false,
            ),
            (
                "old pods alone, the new ones refused",
                json!({"observedGeneration": 2, "replicas": 2, "availableReplicas": 2}),
                false,
            ),
            (
                "a new one that is not available beside old ones",
                json!({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 1, "availableReplicas": 2}),
                false,
            ),
            (
                "a new one beside old ones",
                json!({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 1, "availableReplicas": 3}),
                true,
            ),
            (
                "one of three",
                json!({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 1}),
                true,
            ),
        ] {
            assert_eq!(is_available(&deployment(&status)), available, "{what}");
        }
    }

    #[test]
    fn what_keeps_pods_from_being_made_is_told() {
        let refused = json!({"conditions": [{"type": "ReplicaFailure", "status": "True",
            "message": "unable to validate against any security context constraint"}]});
        assert!(
            obstacle(&deployment(&refused))
                .unwrap()
                .contains("security context constraint")
        );
        let progressing = json!({"conditions": [{"type": "Progressing", "status": "True"}]});
        assert_eq!(obstacle(&deployment(&progressing)), None);
    }

    #[test]
    fn only_pods_of_the_cluster_are_waited_for() {
        let usual = InstallOptions::default;
        assert!(brings_pods(&usual()));
        assert!(!brings_pods(&InstallOptions {
            policy_only: true,
            ..usual()
        }));
        let elsewhere = WebhookClient::Url("https://localhost:1".to_owned());
        assert!(!brings_pods(&InstallOptions {
            client: elsewhere,
            ..usual()
        }));
    }
}
