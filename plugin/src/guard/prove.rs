//! Proves the guard by dry runs, instead of saying that its objects exist.

use crate::{
    cluster::{self, Cluster},
    error::{CommandError, api_message},
    executor::canary::{Asker, Expected, Prover, unheard},
    guard::certificate,
};
use k8s_openapi::{
    api::admissionregistration::v1::ValidatingWebhookConfiguration, apimachinery::pkg::apis::meta::v1::Time,
    jiff::Timestamp,
};
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, PostParams},
};
use serde_json::json;
use shared::{
    api::{FreezeScope, MeshFreeze, MeshFreezeSpec},
    guard::{asked::Coverage, codes::Code, coverage::not_asked_about, is_refused_by_rbac, webhook_refusal},
    inventory::Observed,
    names,
    version::{IstioVersion, Minor},
};
use std::time::{Duration, Instant};

/// An API server compiles a policy a moment after it was written; until then only the webhook refuses.
const POLICY_DEADLINE: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// A new authority is written into the configuration, new pods become endpoints, and each API server has to hear of both.
const REACH_DEADLINE: Duration = Duration::from_secs(20);

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

/// Whether the API server reaches the webhook, whose pods are there: it is tried until it does, or time is up. `None` where no
/// control plane is there to try it on.
pub async fn reached(caller: &Cluster, observed: &Observed) -> Option<Proof> {
    // In kube-system it is never asked.
    newest(observed).filter(|(_, namespace)| namespace != "kube-system")?;
    let began = Instant::now();
    loop {
        let freezes = freezes(caller).await.unwrap_or_default();
        let proof = versions(caller, observed, &freezes).await;
        if proof.proved || began.elapsed() >= REACH_DEADLINE {
            return Some(proof);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
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

/// A dry run as the caller, so that `--as` tells of others too, and once more as the driver without an epoch where the
/// caller may not even ask: RBAC answers before any guard, and for the driver no guard makes an exception here.
async fn as_caller_or_driver<T, F: Future<Output = Result<T, kube::Error>>>(
    caller: &Client,
    driver: impl FnOnce() -> Option<Client>,
    ask: impl Fn(Client) -> F,
) -> Result<T, kube::Error> {
    let refused = match ask(caller.clone()).await {
        Err(error) if is_refused_by_rbac(&api_message(&error)) => error,
        answered => return answered,
    };
    match driver() {
        Some(driver) => ask(driver).await,
        None => Err(refused),
    }
}

/// The driver without an epoch. Where somebody is impersonated already, what is said to them is all that there is.
fn driver(caller: &Cluster) -> Option<Client> {
    caller.impersonating(&[]).ok().map(|driver| driver.client)
}

/// Nobody but the driver writes a freeze, and the driver none without its epoch: tried with one that would bear no scope.
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
        let ask = |client| try_to_write(client, &foreign);
        let error = as_caller_or_driver(&caller.client, || driver(caller), ask).await;
        let error = error.err().map(|error| api_message(&error));
        let answer = refused_by_policy(error.as_deref());
        // Who may not ask now may not a moment later.
        let is_final = answer.is_ok() || error.as_deref().is_some_and(is_refused_by_rbac);
        if is_final || began.elapsed() >= POLICY_DEADLINE {
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

/// Tries to write this MeshFreeze in a dry run.
async fn try_to_write(client: Client, foreign: &MeshFreeze) -> Result<(), kube::Error> {
    let records: Api<MeshFreeze> = Api::all(client);
    records.create(&dry_run(), foreign).await.map(drop)
}

/// The policy's own refusal of a MeshFreeze; another's proves nothing. `None` is none at all.
fn refused_by_policy(message: Option<&str>) -> Result<String, String> {
    let Some(message) = message else {
        return Err("a foreign MeshFreeze was admitted".to_owned());
    };
    let head = format!("ValidatingAdmissionPolicy '{}'", names::OWN_OBJECTS_POLICY);
    if message.contains(&head) && message.contains(Code::OwnObjects.as_str()) {
        Ok(format!("refused with {}", Code::OwnObjects.as_str()))
    } else {
        Err(format!("no proof: {message}"))
    }
}

fn dry_run() -> PostParams {
    PostParams {
        dry_run: true,
        field_manager: Some(names::FIELD_MANAGER.to_owned()),
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

/// The webhook refuses an istiod two minors ahead of the one that runs, whoever brings it. While the mesh is frozen only its
/// holder gets past the freeze to the rules on versions.
async fn versions(caller: &Cluster, observed: &Observed, freezes: &[MeshFreeze]) -> Proof {
    let tried = "an istiod two minors ahead";
    let Some((version, namespace)) = newest(observed) else {
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
    let object: DynamicObject = match serde_json::from_value(deployment) {
        Ok(object) => object,
        Err(error) => return Proof::new("webhook, versions", tried, Err(format!("{error}"))),
    };
    let ask = |client: Client| {
        let api: Api<DynamicObject> = Api::namespaced_with(client, &namespace, &resource);
        let object = object.clone();
        async move { api.create(&dry_run(), &object).await.map(drop) }
    };
    let answer = match as_caller_or_driver(&client, || driver(caller), ask).await {
        Ok(()) => Err(unheard(&format!("an istiod {ahead} beside {version} was admitted"))),
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

/// The newest control plane whose version is known, and its namespace.
fn newest(observed: &Observed) -> Option<(IstioVersion, String)> {
    let planes = observed.control_planes.iter();
    planes
        .filter_map(|plane| Some((plane.version.version.clone()?, plane.workload.namespace.clone())))
        .max_by(|(a, _), (b, _)| a.cmp_release(b))
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
    // Of whichever epoch: while a freeze is taken over several stand, and the API server names one of them.
    let policy = prover.all_answer(Asker::Stranger, Expected::ByPolicyAfter(0)).await;
    proofs.push(Proof::new(
        "policy, freeze",
        format!("foreign changes of mesh {}", freeze.mesh),
        closed(policy),
    ));
    if webhook && prover.asks_the_webhook() {
        let refused = prover.all_answer(Asker::PastThePolicy, Expected::ByWebhook).await;
        proofs.push(Proof::new(
            "webhook, freeze",
            format!("foreign changes of mesh {}", freeze.mesh),
            closed(refused),
        ));
    }
    proofs
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{Request, Response, StatusCode};
    use kube::client::Body;

    const RBAC: &str = "meshfreezes.meshupgrade.io is forbidden: User \"bob\" cannot create resource \"meshfreezes\" in API \
        group \"meshupgrade.io\" at the cluster scope";
    const POLICY: &str = "meshfreezes.meshupgrade.io \"mesh-upgrade-canary\" is forbidden: ValidatingAdmissionPolicy \
        'mesh-upgrade-own-objects' with binding 'mesh-upgrade-own-objects' denied request: MG006 own-objects: only";

    /// A server that forbids everything with this message.
    fn forbidding(message: &'static str) -> Client {
        let server = tower::service_fn(move |_: Request<Body>| async move {
            let status =
                json!({"kind": "Status", "status": "Failure", "reason": "Forbidden", "message": message, "code": 403});
            let response = Response::builder().status(StatusCode::FORBIDDEN);
            response.body(Body::from(status.to_string().into_bytes()))
        });
        Client::new(server, "default")
    }

    async fn answered(caller: &'static str, driver: Option<&'static str>) -> String {
        let ask = |client: Client| async move {
            let records: Api<MeshFreeze> = Api::all(client);
            records.get("x").await.map(drop)
        };
        let answer = as_caller_or_driver(&forbidding(caller), || driver.map(forbidding), ask).await;
        api_message(&answer.unwrap_err())
    }

    #[tokio::test]
    async fn who_may_not_ask_has_the_driver_ask() {
        assert_eq!(answered(RBAC, Some(POLICY)).await, POLICY);
        assert_eq!(answered(RBAC, None).await, RBAC, "with --as");
        assert_eq!(
            answered("quota", Some(POLICY)).await,
            "quota",
            "another refusal is the caller's"
        );
        assert_eq!(answered(POLICY, Some(RBAC)).await, POLICY);
    }

    #[test]
    fn only_the_policy_itself_proves_the_policy() {
        let code = Code::OwnObjects.as_str();
        assert_eq!(refused_by_policy(Some(POLICY)), Ok(format!("refused with {code}")));
        for other in [None, Some(RBAC), Some("admission webhook \"x\" denied the request: no")] {
            assert!(refused_by_policy(other).is_err(), "{other:?}");
        }
    }
}
