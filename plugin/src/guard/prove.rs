//! Proves the guard by dry runs, instead of saying that its objects exist.

use crate::{
    cluster::{self, Cluster},
    error::{CommandError, api_message},
    executor::canary::{Answer, Asker, Prover},
    guard::certificate,
};
use k8s_openapi::{
    api::admissionregistration::v1::ValidatingWebhookConfiguration, apimachinery::pkg::apis::meta::v1::Time,
    jiff::Timestamp,
};
use kube::{
    Api,
    api::{ApiResource, DynamicObject, PostParams},
};
use serde_json::json;
use shared::{
    api::{FreezeScope, MeshFreeze, MeshFreezeSpec},
    guard::{asked::Coverage, codes::Code, coverage::not_asked_about, webhook_refusal},
    inventory::Observed,
    names,
    version::{IstioVersion, Minor},
};
use std::time::{Duration, Instant};

/// An API server compiles a policy a moment after it was written; until then only the webhook refuses.
const POLICY_DEADLINE: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// One thing that was tried.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Proof {
    /// Barrier that was tried.
    pub barrier: &'static str,
    /// What was tried.
    pub tried: String,
    /// What came of it.
    pub result: String,
    /// Whether that is as it should be.
    pub proved: bool,
}

impl Proof {
    fn new(barrier: &'static str, tried: impl Into<String>, result: Result<String, String>) -> Self {
        let proved = result.is_ok();
        Self {
            barrier,
            tried: tried.into(),
            result: result.unwrap_or_else(|why| why),
            proved,
        }
    }
}

/// Tries everything that can be tried in this cluster.
///
/// # Errors
/// When the cluster cannot be asked at all.
pub async fn all(caller: &Cluster, observed: &Observed) -> Result<Vec<Proof>, CommandError> {
    let mut proofs = vec![impersonation(caller).await, own_objects(caller).await];
    let freezes = freezes(caller).await?;
    if observed.guard.webhook {
        proofs.push(asked_about(caller, observed).await);
        let trusted = certificate::trust(caller, Timestamp::now()).await?;
        proofs.push(Proof::new(
            "webhook, certificate",
            "the authorities in its configuration",
            trusted,
        ));
        proofs.push(versions(caller, observed, &freezes).await);
    }
    for record in freezes {
        proofs.extend(frozen(caller, &record.spec, observed.guard.webhook).await);
    }
    Ok(proofs)
}

/// Freezes that stand in the cluster.
///
/// # Errors
/// When they cannot be read.
pub async fn freezes(caller: &Cluster) -> Result<Vec<MeshFreeze>, CommandError> {
    let records: Api<MeshFreeze> = Api::all(caller.client.clone());
    match records.list(&kube::api::ListParams::default()).await {
        Ok(list) => Ok(list.items),
        Err(error) if crate::error::api_code(&error) == 404 => Ok(Vec::new()),
        Err(error) => Err(CommandError::error(format!(
            "cannot read MeshFreezes: {}",
            api_message(&error)
        ))),
    }
}

async fn impersonation(caller: &Cluster) -> Proof {
    let arrived = match cluster::impersonation_arrives(caller, 1).await {
        Ok(true) => Ok("the epoch arrives at the API server".to_owned()),
        Ok(false) => Err("the epoch is lost on the way to the API server".to_owned()),
        Err(error) => Err(error.to_string()),
    };
    Proof::new(
        "impersonation",
        format!("a review of ourselves as {}", names::driver_user()),
        arrived,
    )
}

/// Nobody but the driver writes a freeze: tried with one that would bear no scope.
async fn own_objects(caller: &Cluster) -> Proof {
    let spec = MeshFreezeSpec {
        mesh: names::CANARY.to_owned(),
        upgrade: names::CANARY.to_owned(),
        home: None,
        from: "1.0.0".to_owned(),
        to: "1.0.0".to_owned(),
        holder: names::CANARY.to_owned(),
        epoch: 1,
        since: Time(Timestamp::now()),
        scope: FreezeScope::default(),
        unlock: None,
    };
    let foreign = MeshFreeze::new(names::CANARY, spec);
    let began = Instant::now();
    let answer = loop {
        let answer = refused_by_policy(caller, &foreign).await;
        if answer.is_ok() || began.elapsed() >= POLICY_DEADLINE {
            break answer;
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    };
    Proof::new(
        "policy for own objects",
        "a MeshFreeze written by somebody else",
        answer,
    )
}

/// Tries to write this MeshFreeze in a dry run, and returns the policy's own refusal: another's proves nothing.
async fn refused_by_policy(caller: &Cluster, foreign: &MeshFreeze) -> Result<String, String> {
    let records: Api<MeshFreeze> = Api::all(caller.client.clone());
    let dry_run = PostParams {
        dry_run: true,
        field_manager: Some(names::FIELD_MANAGER.to_owned()),
    };
    let Err(error) = records.create(&dry_run, foreign).await else {
        return Err("a foreign MeshFreeze was admitted".to_owned());
    };
    let message = api_message(&error);
    let head = format!("ValidatingAdmissionPolicy '{}'", names::OWN_OBJECTS_POLICY);
    if message.contains(&head) && message.contains(Code::OwnObjects.as_str()) {
        Ok(format!("refused with {}", Code::OwnObjects.as_str()))
    } else {
        Err(format!("no proof: {message}"))
    }
}

/// The installed configuration asks the webhook about all that the table guards (an older plugin's may not), and about
/// every release of Istio's charts, and every control plane, that is here now.
async fn asked_about(caller: &Cluster, observed: &Observed) -> Proof {
    let configurations: Api<ValidatingWebhookConfiguration> = Api::all(caller.client.clone());
    let needed = Coverage::of_cluster(observed);
    let answer = match configurations.get(names::WEBHOOK).await {
        Err(error) => Err(format!("no proof: {}", api_message(&error))),
        Ok(installed) => {
            let mut missing = not_asked_about(&installed);
            missing.extend(Coverage::of_configuration(&installed).lacks(&needed));
            match missing.as_slice() {
                [] => Ok(format!(
                    "it is asked about all that is guarded, and about {} helm releases by name",
                    needed.helm_releases.len()
                )),
                missing => Err(format!(
                    "it is not asked about {}: kubectl mesh-upgrade guard install",
                    missing.join("; ")
                )),
            }
        }
    };
    Proof::new("webhook, coverage", "the rules of its configuration", answer)
}

/// The webhook refuses an istiod two minors ahead of the one that runs. While the mesh is frozen only its holder gets past
/// the freeze to the rules on versions.
async fn versions(caller: &Cluster, observed: &Observed, freezes: &[MeshFreeze]) -> Proof {
    let tried = "an istiod two minors ahead";
    let newest = observed
        .control_planes
        .iter()
        .filter_map(|plane| Some((plane.version.version.clone()?, plane.workload.namespace.clone())))
        .max_by(|(a, _), (b, _)| a.cmp_release(b));
    let Some((version, namespace)) = newest else {
        return Proof::new(
            "webhook, versions",
            tried,
            Err("no istiod of a known version to try it on".to_owned()),
        );
    };
    let frozen = freezes
        .iter()
        .find(|freeze| freeze.spec.scope.istio_namespaces.contains(&namespace));
    let client = match frozen.map(|freeze| freeze.spec.epoch.to_string()) {
        None => caller.client.clone(),
        Some(epoch) => match caller.impersonating(&[(names::EXTRA_EPOCH, &epoch)]) {
            Ok(holder) => holder.client,
            Err(error) => return Proof::new("webhook, versions", tried, Err(error.to_string())),
        },
    };
    let ahead = two_minors_ahead(&version);
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": names::CANARY, "namespace": namespace, "labels": { "app": "istiod" } },
        "spec": {
            "replicas": 0, "selector": { "matchLabels": { "app": "istiod", "canary": names::CANARY } },
            "template": {
                "metadata": { "labels": { "app": "istiod", "canary": names::CANARY } },
                "spec": { "containers": [{ "name": "discovery", "image": format!("canary.invalid/pilot:{ahead}") }] },
            },
        },
    });
    let resource = ApiResource::erase::<k8s_openapi::api::apps::v1::Deployment>(&());
    let api: Api<DynamicObject> = Api::namespaced_with(client, &namespace, &resource);
    let dry_run = PostParams {
        dry_run: true,
        field_manager: Some(names::FIELD_MANAGER.to_owned()),
    };
    let object = match serde_json::from_value(deployment) {
        Ok(object) => object,
        Err(error) => return Proof::new("webhook, versions", tried, Err(format!("{error}"))),
    };
    let answer = match api.create(&dry_run, &object).await {
        Ok(_) => Err(format!(
            "an istiod {ahead} beside {version} was admitted: is the webhook running, ready, and trusted by its configuration?"
        )),
        Err(error) => {
            let message = api_message(&error);
            match webhook_refusal(&message) {
                Some(Code::SkipVersion) => Ok(format!("refused with {}", Code::SkipVersion.as_str())),
                _ => Err(format!("no proof: {message}")),
            }
        }
    };
    Proof::new("webhook, versions", tried, answer)
}

fn two_minors_ahead(version: &IstioVersion) -> String {
    let Minor { major, minor } = version.minor().next().next();
    let suffix = version
        .flavor
        .suffix()
        .map(|suffix| format!("-{suffix}"))
        .unwrap_or_default();
    format!("{major}.{minor}.0{suffix}")
}

async fn frozen(caller: &Cluster, freeze: &MeshFreezeSpec, webhook: bool) -> Vec<Proof> {
    let prover = Prover::new(caller.clone(), freeze);
    let mut proofs = Vec::new();
    let closed = |answer: Result<usize, String>| answer.map(|count| format!("refused, {count} of {count}"));
    let policy = prover.all_answer(Asker::Stranger, &Answer::RefusedByPolicy).await;
    proofs.push(Proof::new(
        "policy, freeze",
        format!("foreign changes of mesh {}", freeze.mesh),
        closed(policy),
    ));
    if webhook && prover.asks_the_webhook() {
        let refused = prover.all_answer(Asker::PastThePolicy, &Answer::RefusedByWebhook).await;
        proofs.push(Proof::new(
            "webhook, freeze",
            format!("foreign changes of mesh {}", freeze.mesh),
            closed(refused),
        ));
    }
    proofs
}
