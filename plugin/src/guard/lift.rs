//! Lifting a freeze by hand, in one cluster: the reason first, then the record, then the policies, and the proof.
//!
//! All of it is done as the person who lifts it, with the rights of the ClusterRole `mesh-upgrade-unlocker`; nobody is
//! impersonated, so that the audit log shows one name.

use crate::{
    cluster::Cluster,
    error::{api_code, api_message},
    executor::{
        fault::{Fault, patiently},
        freeze,
    },
};
use k8s_openapi::{
    api::{
        admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding},
        authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec},
        core::v1::ConfigMap,
        rbac::v1::ClusterRoleBinding,
    },
    jiff::Timestamp,
};
use kube::{
    Api, Client, Resource, ResourceExt as _,
    api::{ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams},
    runtime::events::{Event, EventType, Recorder, Reporter},
};
use serde_json::{Value, json};
use shared::{
    api::{FreezeScope, MeshFreeze, MeshUpgrade},
    guard::{self, UNLOCKER_ROLE, own_objects},
    names,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

/// A policy is gone within a second, and the webhook's cache sooner.
const PROOF_DEADLINE: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// The mesh counts as open when it admits this often in a row.
const IN_A_ROW: u32 = 2;

/// What freezes a mesh in one cluster.
#[derive(Clone, Debug, Default)]
pub struct Frozen {
    /// The record, while it stands.
    pub record: Option<MeshFreeze>,
    /// Names of the freeze policies and of their bindings, which are the same.
    pub policies: BTreeSet<String>,
}

/// What is frozen in a cluster, by mesh.
///
/// # Errors
/// What could not be read. A cluster without our CRDs has no records.
pub async fn frozen(cluster: &Cluster) -> Result<BTreeMap<String, Frozen>, Fault> {
    let mut frozen: BTreeMap<String, Frozen> = BTreeMap::new();
    let records: Api<MeshFreeze> = Api::all(cluster.client.clone());
    match records.list(&ListParams::default()).await {
        Ok(list) => {
            for record in list.items {
                let mesh = record.name_any();
                frozen.entry(mesh).or_default().record = Some(record);
            }
        }
        Err(error) if api_code(&error) == 404 => {}
        Err(error) => return Err(Fault::of_api("list MeshFreezes", &error)),
    }
    let mut named = freeze::labelled::<ValidatingAdmissionPolicy>(cluster).await?;
    named.extend(freeze::labelled::<ValidatingAdmissionPolicyBinding>(cluster).await?);
    for (mesh, name) in named {
        frozen.entry(mesh).or_default().policies.insert(name);
    }
    Ok(frozen)
}

/// Whether the caller has the RBAC verb `unlock` for a mesh.
///
/// # Errors
/// When the API server cannot be asked.
pub async fn may_unlock(cluster: &Cluster, mesh: &str) -> Result<bool, Fault> {
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(ResourceAttributes {
                group: Some(names::GROUP.to_owned()),
                resource: Some("meshfreezes".to_owned()),
                verb: Some("unlock".to_owned()),
                name: Some(mesh.to_owned()),
                ..ResourceAttributes::default()
            }),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    };
    let reviews: Api<SelfSubjectAccessReview> = Api::all(cluster.client.clone());
    let asked = reviews.create(&PostParams::default(), &review).await;
    let answer = asked.map_err(|error| Fault::of_api("ask for your own permissions", &error))?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}

/// Who may, in a sentence; names as far as the caller may see them.
pub async fn who_may(cluster: &Cluster) -> String {
    let bindings: Api<ClusterRoleBinding> = Api::all(cluster.client.clone());
    let found = bindings.list(&ListParams::default()).await.map(|list| list.items);
    let bound = found.unwrap_or_default().into_iter();
    let subjects = bound
        .filter(|binding| binding.role_ref.name == UNLOCKER_ROLE)
        .flat_map(|binding| binding.subjects.unwrap_or_default());
    let holders: Vec<String> = subjects
        .map(|subject| match subject.namespace {
            Some(namespace) => format!("{} {namespace}/{}", subject.kind, subject.name),
            None => format!("{} {}", subject.kind, subject.name),
        })
        .collect();
    own_objects::who_may_unlock(&holders)
}

/// Writes the reason into the record; one that has a reason already keeps it.
///
/// # Errors
/// What the API server refused.
pub async fn say_why(cluster: &Cluster, mesh: &str, frozen: &Frozen, by: &str, reason: &str) -> Result<(), Fault> {
    let Some(record) = frozen.record.as_ref().filter(|record| record.spec.unlock.is_none()) else {
        return Ok(());
    };
    let records: Api<MeshFreeze> = Api::all(cluster.client.clone());
    let unlock = json!({"spec": {"unlock": {"by": by, "reason": reason}}});
    let what = format!("unlock MeshFreeze {mesh}");
    patiently(|| async {
        match records.patch(mesh, &params(), &Patch::Merge(&unlock)).await {
            Ok(_) => Ok(()),
            Err(error) if api_code(&error) == 404 => Ok(()),
            Err(error) => Err(Fault::of_api(&what, &error)),
        }
    })
    .await?;
    tell(cluster, record, own_objects::CONDITION_UNLOCKED, &lifted(by, reason)).await;
    Ok(())
}

/// Writes into a journal that its freeze is lifted, by whom and why. The journal stays resumable. Returns whether it is noted.
///
/// # Errors
/// What the API server refused.
pub async fn note(home: &Cluster, journal: &MeshUpgrade, by: &str, reason: &str) -> Result<bool, Fault> {
    let noted = write_note(&home.client, &journal.name_any(), by, reason).await?;
    if noted {
        tell(home, journal, own_objects::CONDITION_UNLOCKED, &lifted(by, reason)).await;
    }
    Ok(noted)
}

/// One without a status, as out of a backup, stays as it is: it says nothing that could be noted on, and nobody but a driver
/// may give it a status.
async fn write_note(client: &Client, name: &str, by: &str, reason: &str) -> Result<bool, Fault> {
    let kind = ApiResource::erase::<MeshUpgrade>(&());
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &kind);
    let what = format!("write into the journal {name} that its freeze is lifted");
    patiently(|| async {
        // As it stands, and not as this plugin understands it: other conditions must stay what they are to the letter.
        let standing = api.get(name).await.map_err(|error| Fault::of_api(&what, &error))?;
        if standing.data.get("status").is_none() {
            return Ok(false);
        }
        let conditions = standing.data.pointer("/status/conditions").and_then(Value::as_array);
        let conditions = conditions.map(Vec::as_slice).unwrap_or_default();
        let changed = json!({
            "metadata": {"resourceVersion": standing.resource_version()},
            "status": {"conditions": own_objects::with_unlocked(conditions, by, reason, Timestamp::now())},
        });
        match api.patch_status(name, &params(), &Patch::Merge(&changed)).await {
            Ok(_) => Ok(true),
            Err(error) if api_code(&error) == 409 => Err(Fault::passing(format!("cannot {what}: it has just changed"))),
            Err(error) => Err(Fault::of_api(&what, &error)),
        }
    })
    .await
}

/// Deletes the record, and then what enforces it.
///
/// # Errors
/// What the API server refused.
pub async fn take_down(cluster: &Cluster, mesh: &str, frozen: &Frozen) -> Result<(), Fault> {
    let records: Api<MeshFreeze> = Api::all(cluster.client.clone());
    let what = format!("delete MeshFreeze {mesh}");
    if frozen.record.is_some() {
        patiently(|| async {
            match records.delete(mesh, &DeleteParams::default()).await {
                Ok(_) => Ok(()),
                Err(error) if api_code(&error) == 404 => Ok(()),
                Err(error) => Err(Fault::of_api(&what, &error)),
            }
        })
        .await?;
    }
    for policy in &frozen.policies {
        patiently(|| freeze::delete_policy(cluster, policy)).await?;
    }
    Ok(())
}

/// Proves the mesh open by dry runs of the canary that the unlocker's role allows. Returns the evidence in a sentence.
///
/// # Errors
/// When the freeze still refuses after half a minute.
pub async fn prove_open(cluster: &Cluster, scope: &FreezeScope) -> Result<String, Fault> {
    let Some(namespace) = scope.istio_namespaces.first() else {
        return Ok("its policies are gone".to_owned());
    };
    let started = Instant::now();
    let mut in_a_row = 0;
    loop {
        match canary(cluster, namespace).await {
            Canary::Admitted => in_a_row += 1,
            Canary::NoProof(why) => return Ok(format!("its policies are gone; not tried by a dry run: {why}")),
            Canary::Refused(_) if started.elapsed() < PROOF_DEADLINE => in_a_row = 0,
            Canary::Refused(why) => {
                let seconds = PROOF_DEADLINE.as_secs();
                return Err(Fault::lasting(format!("still frozen after {seconds} s: {why}")));
            }
        }
        if in_a_row >= IN_A_ROW {
            return Ok("a foreign change is admitted again".to_owned());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

enum Canary {
    Admitted,
    /// By the freeze.
    Refused(String),
    /// By something else, a missing right above all.
    NoProof(String),
}

async fn canary(cluster: &Cluster, namespace: &str) -> Canary {
    let maps: Api<ConfigMap> = Api::namespaced(cluster.client.clone(), namespace);
    // Applied and not posted: RBAC can restrict that to one name.
    let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": names::CANARY}});
    let dry_run = PatchParams {
        dry_run: true,
        ..PatchParams::apply(names::FIELD_MANAGER)
    };
    match maps.patch(names::CANARY, &dry_run, &Patch::Apply(&object)).await {
        Ok(_) => Canary::Admitted,
        Err(error) => {
            let message = api_message(&error);
            if guard::is_refused_by_a_freeze(&message) {
                Canary::Refused(message)
            } else {
                Canary::NoProof(message)
            }
        }
    }
}

fn lifted(by: &str, reason: &str) -> String {
    format!("the freeze is lifted by hand, by {by}: {reason}")
}

/// An Event, for whoever describes the object. The record in the audit log and in the journal is what counts, so that
/// one that cannot be written is only logged.
pub async fn tell<K: Resource<DynamicType = ()>>(cluster: &Cluster, about: &K, in_a_word: &str, note: &str) {
    let reporter = Reporter {
        controller: format!("{}/plugin", names::GROUP),
        instance: Some(names::FIELD_MANAGER.to_owned()),
    };
    let event = Event {
        type_: EventType::Warning,
        reason: in_a_word.to_owned(),
        note: Some(note.to_owned()),
        action: "Unlock".to_owned(),
        secondary: None,
    };
    let recorder = Recorder::new(cluster.client.clone(), reporter);
    if let Err(error) = recorder.publish(&event, &about.object_ref(&())).await {
        tracing::warn!(error = %api_message(&error), "the Event could not be written");
    }
}

fn params() -> PatchParams {
    PatchParams {
        field_manager: Some(names::FIELD_MANAGER.to_owned()),
        ..PatchParams::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{Method, Request, Response};
    use kube::client::Body;

    /// A server with a journal, whose policy refuses a note in one that has no status.
    fn holding(status: Option<Value>) -> Client {
        let server = tower::service_fn(move |request: Request<Body>| {
            let is_write = *request.method() != Method::GET;
            let mut body = json!({"apiVersion": "meshupgrade.io/v1alpha1", "kind": "MeshUpgrade",
                "metadata": {"name": "shop-1", "resourceVersion": "7"}, "spec": {}});
            let mut code = 200_u16;
            match &status {
                Some(status) => body["status"] = status.clone(),
                None if is_write => {
                    code = 403;
                    body = json!({"kind": "Status", "status": "Failure", "message": "MG004", "code": code});
                }
                None => {}
            }
            let response = Response::builder().status(code);
            async move { response.body(Body::from(body.to_string().into_bytes())) }
        });
        Client::new(server, "default")
    }

    #[tokio::test]
    async fn a_journal_out_of_a_backup_is_not_noted_in_and_hinders_nobody() {
        for (status, noted) in [(None, false), (Some(json!({"phase": "Upgrading"})), true)] {
            let written = write_note(&holding(status), "shop-1", "alice", "pager 7").await;
            assert_eq!(written.map_err(|fault| fault.to_string()), Ok(noted));
        }
    }
}
