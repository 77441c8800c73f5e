//! Putting a freeze up, taking it over and taking it down, in one cluster.
//!
//! A takeover is safe in this order, since several freeze policies must all admit: create the one with the next
//! epoch, prove the old holder refused, delete the old one, prove the new holder admitted. Where takeovers were killed
//! several old ones stand: they go from the oldest on, each once a later one is proved to refuse its holder.

mod coverage;
mod left;
pub(super) mod policies;
pub(super) mod record;
mod servers;

pub(super) use left::is_open;
pub(super) use record::{is_ours, not_unlocked};

pub use policies::{delete as delete_policy, labelled};

use super::{
    canary::{Asker, Expected, Prover},
    fault::Fault,
};
use crate::cluster::Cluster;
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use kube::Api;
use policies::Late;
use shared::{
    api::{FreezeMode, MeshFreezeSpec},
    guard, names,
};
use std::time::{Duration, Instant};

/// A policy closes within a second and the webhook's cache within less; an API server may be restarting meanwhile.
const PROOF_DEADLINE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(25);
/// A barrier counts as closed when it refuses this often in a row.
const IN_A_ROW: u32 = 2;

/// Freezes a cluster for the driver with `freeze.epoch`, and takes away what drivers before it have left. It is still to be
/// proved, until all API servers have settled at the time that is returned.
///
/// # Errors
/// What could not be done.
pub async fn put_up(caller: &Cluster, freeze: &MeshFreezeSpec) -> Result<Instant, Fault> {
    let holder = holder(caller, freeze)?;
    policies::refuse_other_meshes(&holder, freeze).await?;
    coverage::ensure(&holder, freeze).await?;
    record::write(&holder, freeze).await?;
    let settling = servers::settling(&holder).await;
    for (policy, binding) in guard::freeze_policies(freeze) {
        policies::write(&holder, policy).await?;
        policies::write(&holder, binding).await?;
    }
    let mut settled = Instant::now() + settling;

    let prover = Prover::new(caller.clone(), freeze);
    for (epoch, old) in policies::older(&holder, freeze).await? {
        // One that was deleted a moment ago may still be named: asked until it is a later one.
        let refused = (Asker::Holder(epoch), Expected::ByPolicyAfter(epoch));
        proved(&prover, settled, &[refused]).await?;
        for policy in old {
            policies::delete(&holder, &policy).await?;
            settled = Instant::now() + settling;
        }
    }
    Ok(settled)
}

/// Proves the freeze that was put up. Returns the evidence in a sentence.
///
/// # Errors
/// What could not be proved.
pub async fn prove(caller: &Cluster, freeze: &MeshFreezeSpec, settled: Instant) -> Result<String, Fault> {
    let holder = holder(caller, freeze)?;
    let prover = Prover::new(caller.clone(), freeze);
    // After the old ones are gone: of several that refuse, the API server names only one. Only where the policy refuses
    // does it say something that the holder gets through.
    let by_the_policy = [
        (Asker::Stranger, Expected::ByPolicy),
        (Asker::Holder(freeze.epoch), Expected::Admitted),
    ];
    // The webhook knows of the record before the API server goes by the policy: proved meanwhile.
    let by_the_webhook = async {
        if !has_webhook(&holder).await? {
            return Ok("the policy (the webhook is not installed)");
        }
        if !prover.asks_the_webhook() {
            return Ok("the policy (the webhook is not asked in kube-system)");
        }
        let refused = proved(&prover, Instant::now(), &[(Asker::PastThePolicy, Expected::ByWebhook)]).await;
        refused.map(|_| "policy and webhook")
    };
    let (strangers, webhook) = tokio::try_join!(proved(&prover, settled, &by_the_policy), by_the_webhook)?;
    let refused = match freeze.scope.configuration.mode {
        FreezeMode::Enforce => "refused",
        FreezeMode::Warn => "refused, configuration only warned about,",
    };
    Ok(format!(
        "{strangers} of {strangers} canaries {refused} by {webhook}, the holder let through"
    ))
}

/// Whether this driver's freeze refuses, asked once and at once: that an object exists says nothing of what it does.
///
/// # Errors
/// What was answered instead.
pub async fn refuses(caller: &Cluster, freeze: &MeshFreezeSpec) -> Result<(), Fault> {
    let prover = Prover::new(caller.clone(), freeze);
    let refused = prover.all_answer(Asker::Stranger, Expected::ByPolicy).await;
    refused.map(drop).map_err(Fault::lasting)
}

/// Takes away what a driver has put up itself where it is not the last one: a later freeze refuses it, or the mesh is being
/// opened, or is open, as `over` says. Returns whether nothing of it is left.
///
/// # Errors
/// What could not be done, or why no later freeze is seen to refuse.
pub async fn leave(caller: &Cluster, freeze: &MeshFreezeSpec, over: bool) -> Result<bool, Fault> {
    let holder = holder(caller, freeze)?;
    let own = match policies::late_ones(&holder, freeze, over).await? {
        Late::Stays => return Ok(false),
        Late::Goes(own) => own,
        Late::GoesIfRefused(own) => {
            let prover = Prover::new(caller.clone(), freeze);
            let epoch = freeze.epoch;
            let refused = prover.all_answer(Asker::Holder(epoch), Expected::ByPolicyAfter(epoch));
            refused.await.map_err(Fault::passing)?;
            own
        }
    };
    for policy in own {
        policies::delete(&holder, &policy).await?;
    }
    Ok(true)
}

/// Takes the freeze down: first the record, then the policies, and proves the mesh open.
///
/// # Errors
/// What could not be done or proved.
pub async fn open(caller: &Cluster, freeze: &MeshFreezeSpec) -> Result<String, Fault> {
    let holder = holder(caller, freeze)?;
    // An upgrade that came second has put up nothing: its record is written first.
    if record::is_anothers(&holder, freeze).await? {
        return Ok("the mesh stays frozen, by another upgrade".to_owned());
    }
    record::delete(&holder, freeze).await?;
    policies::delete_all(&holder, freeze).await?;
    if let Some(other) = policies::other_mesh(&holder, freeze).await? {
        // What that one's freeze covers is refused to strangers all the same.
        return Ok(format!("thawed: mesh {other} stays frozen in this cluster"));
    }
    let prover = Prover::new(caller.clone(), freeze);
    let opened = until(Instant::now(), || prover.none_is_frozen()).await;
    let opened = opened.map_err(|what| {
        let seconds = PROOF_DEADLINE.as_secs();
        Fault::lasting(format!(
            "the freeze is taken down, and still refuses after {seconds} s: {what}"
        ))
    });
    Ok(match opened? {
        None => "thawed: the mesh is open again".to_owned(),
        // What others refuse is theirs to say, and nothing that a thaw could wait for.
        Some(other) => format!("thawed: no freeze refuses any more ({other})"),
    })
}

/// The cluster as the holder of a freeze.
pub(super) fn holder(caller: &Cluster, freeze: &MeshFreezeSpec) -> Result<Cluster, Fault> {
    let epoch = freeze.epoch.to_string();
    caller
        .impersonating(&[(names::EXTRA_EPOCH, &epoch)])
        .map_err(|error| Fault::lasting(error.to_string()))
}

/// Whether the guard has a webhook in this cluster.
pub(super) async fn has_webhook(cluster: &Cluster) -> Result<bool, Fault> {
    let configurations: Api<ValidatingWebhookConfiguration> = Api::all(cluster.client.clone());
    let found = configurations.get_opt(names::WEBHOOK).await;
    found
        .map(|found| found.is_some())
        .map_err(|error| Fault::of_api("see whether the webhook is installed", &error))
}

/// Waits until each asker is answered as expected, one after the other and not before all API servers have `settled`, and
/// tells how many canaries said so of the first.
async fn proved(prover: &Prover, settled: Instant, expected: &[(Asker, Expected)]) -> Result<usize, Fault> {
    until(settled, || in_turn(prover, expected)).await.map_err(|what| {
        let seconds = PROOF_DEADLINE.as_secs();
        Fault::lasting(format!("the freeze could not be proved within {seconds} s: {what}"))
    })
}

/// Looks until it succeeds often enough in a row, the last time when all have `settled`; or until time is up.
async fn until<T, F: Future<Output = Result<T, String>>>(settled: Instant, look: impl Fn() -> F) -> Result<T, String> {
    let started = Instant::now();
    let mut in_a_row = 0;
    loop {
        let is_settled = Instant::now() >= settled;
        match look().await {
            Ok(found) => {
                in_a_row += 1;
                if in_a_row >= IN_A_ROW && is_settled {
                    return Ok(found);
                }
            }
            Err(_) if started.elapsed() < PROOF_DEADLINE => in_a_row = 0,
            Err(what) => return Err(what),
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn in_turn(prover: &Prover, expected: &[(Asker, Expected)]) -> Result<usize, String> {
    let mut canaries = Vec::new();
    for (asker, expected) in expected {
        canaries.push(prover.all_answer(*asker, *expected).await?);
    }
    Ok(canaries.first().copied().unwrap_or_default())
}
