//! One driver at a time: a Lease whose transitions are the epoch.
//!
//! Whether another driver lives is judged by whether its Lease changes while we watch, never by comparing clocks; only
//! `status`, which looks once and takes nothing, compares them, and says so.
//! What a paused driver still writes is refused by the API server, which knows only the newest epoch.

use super::{
    fault::{Fault, PATIENCE, patiently},
    tenure::Tenure,
};
use crate::{
    clock::passed,
    error::{CommandError, Exit, api_code, api_message},
};
use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
    jiff::{SignedDuration, Timestamp},
};
use kube::{
    Api, Client,
    api::{ObjectMeta, PostParams},
};
use shared::{
    liveness::{Liveness, Watched},
    machine::driving::{Driving, Look},
    names,
};
use std::time::{Duration, Instant};

/// How long a Lease must stand still, watched by us, before its holder counts as gone.
pub const TTL: Duration = Duration::from_secs(15);
/// How long giving it up may take: whoever has asked to leave waits for it.
const RELEASED_WITHIN: Duration = Duration::from_secs(5);
/// How often a rival looks.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// The right to drive one mesh's upgrade.
#[derive(Debug)]
pub struct DriverLease {
    leases: Api<Lease>,
    name: String,
    identity: String,
    /// Grows with each driver.
    pub epoch: i64,
    tenure: Tenure,
    renewal: tokio::task::JoinHandle<()>,
}

/// What is compared to see whether a holder lives.
pub type Token = (Option<String>, Option<MicroTime>, Option<i32>);

fn token(lease: &Lease) -> Token {
    let spec = lease.spec.clone().unwrap_or_default();
    (spec.holder_identity, spec.renew_time, spec.lease_transitions)
}

impl DriverLease {
    /// Takes the Lease of a mesh. `floor` is the highest epoch that the journal or a freeze has seen.
    ///
    /// `waiting` is told once when the Lease is held and watched.
    ///
    /// # Errors
    /// [`Exit::Held`] when its holder is alive; otherwise when the API server refuses.
    pub async fn acquire(
        client: Client,
        mesh: &str,
        person: &str,
        floor: i64,
        waiting: impl Fn(&str),
    ) -> Result<Self, CommandError> {
        let leases: Api<Lease> = Api::namespaced(client, names::NAMESPACE);
        let name = names::lease(mesh);
        // With its start: a container that is restarted has the host and the process ID of the one that was killed.
        let process = format!("{}, {}", std::process::id(), crate::clock::now());
        let identity = format!("{person} on {} ({process})", host());
        let failed = |error: &kube::Error| {
            CommandError::error(format!(
                "cannot take the lease {name} of the upgrade: {}",
                api_message(error)
            ))
        };
        let mut watched = Watched::<Token>::default();
        let started = Instant::now();
        let passes = |error: &kube::Error| super::is_transient(error) && started.elapsed() < PATIENCE;
        loop {
            let since = passed();
            let found = match leases.get_opt(&name).await {
                Ok(found) => found,
                Err(error) if passes(&error) => {
                    tokio::time::sleep(LOOK_EVERY).await;
                    continue;
                }
                Err(error) => return Err(failed(&error)),
            };
            let Some(mut lease) = found else {
                let fresh = lease_of(&name, &identity, floor.saturating_add(1));
                match leases.create(&PostParams::default(), &fresh).await {
                    Ok(_) => return Ok(Self::hold(leases, name, identity, floor.saturating_add(1), since)),
                    Err(error) if api_code(&error) == 409 => continue,
                    Err(error) if passes(&error) => {
                        tokio::time::sleep(LOOK_EVERY).await;
                        continue;
                    }
                    Err(error) => return Err(failed(&error)),
                }
            };
            let spec = lease.spec.get_or_insert_default();
            let holder = spec.holder_identity.clone().filter(|holder| !holder.is_empty());
            if holder.as_deref() == Some(&identity) {
                // The answer to the write that took it was lost after the server had done it.
                let epoch = i64::from(spec.lease_transitions.unwrap_or(0));
                // That write was sent earlier, so that nothing is sure before the next renewal.
                return Ok(Self::hold(leases, name, identity, epoch, since.saturating_sub(TTL)));
            }
            if let Some(holder) = holder {
                match watched.look(token(&lease), started.elapsed(), TTL) {
                    Liveness::Begun => waiting(&watching(&holder)),
                    Liveness::Undecided => {}
                    Liveness::Alive => {
                        return Err(
                            CommandError::new(Exit::Held, format!("{holder} is driving this upgrade"))
                                .hint("watch it with: kubectl mesh-upgrade status"),
                        );
                    }
                    Liveness::Dead => match take(&leases, &name, lease.clone(), &identity, floor).await {
                        Ok(epoch) => return Ok(Self::hold(leases, name, identity, epoch, since)),
                        Err(error) if api_code(&error) == 409 => watched = Watched::default(),
                        Err(error) if passes(&error) => {}
                        Err(error) => return Err(failed(&error)),
                    },
                }
                tokio::time::sleep(LOOK_EVERY).await;
                continue;
            }
            match take(&leases, &name, lease, &identity, floor).await {
                Ok(epoch) => return Ok(Self::hold(leases, name, identity, epoch, since)),
                Err(error) if api_code(&error) == 409 => {}
                Err(error) if passes(&error) => tokio::time::sleep(LOOK_EVERY).await,
                Err(error) => return Err(failed(&error)),
            }
        }
    }

    /// `since` is when it was last asked for, by [`passed`].
    fn hold(leases: Api<Lease>, name: String, identity: String, epoch: i64, since: Duration) -> Self {
        let tenure = Tenure::new(leases.clone(), name.clone(), identity.clone(), since);
        let renewal = tokio::spawn(tenure.clone().renew_forever());
        Self {
            leases,
            name,
            identity,
            epoch,
            tenure,
            renewal,
        }
    }

    /// Whether nobody else can have the Lease, for what no API server judges.
    #[must_use]
    pub fn tenure(&self) -> &Tenure {
        &self.tenure
    }

    /// Whether the Lease is still ours, asked of the API server: a suspended driver's own clock may have stood still.
    ///
    /// # Errors
    /// [`Exit::Held`] when somebody else took it; otherwise when the API server cannot say.
    pub async fn still_held(&self) -> Result<(), CommandError> {
        let what = format!("read the lease {} of the upgrade", self.name);
        let read = patiently(|| async {
            self.leases
                .get(&self.name)
                .await
                .map_err(|error| Fault::of_api(&what, &error))
        });
        let lease = read.await.map_err(|fault| {
            CommandError::from(fault).hint("nothing further was done; resume with: kubectl mesh-upgrade apply")
        })?;
        let spec = lease.spec.unwrap_or_default();
        if spec.holder_identity.as_deref() == Some(&self.identity) {
            return Ok(());
        }
        let rival = spec.holder_identity.unwrap_or_else(|| "somebody else".to_owned());
        Err(
            CommandError::new(Exit::Held, format!("{rival} has taken this upgrade over"))
                .hint("watch it with: kubectl mesh-upgrade status"),
        )
    }

    /// Gives the Lease up, so that the next driver need not wait. The epoch stays in it.
    pub async fn release(self) {
        self.renewal.abort();
        let released = async {
            let mut lease = self.leases.get(&self.name).await?;
            let spec = lease.spec.get_or_insert_default();
            if spec.holder_identity.as_deref() == Some(&self.identity) {
                spec.holder_identity = None;
                self.leases.replace(&self.name, &PostParams::default(), &lease).await?;
            }
            Ok::<_, kube::Error>(())
        };
        // When this fails the next driver waits for the Lease to stand still: slower, and as safe.
        let released = tokio::time::timeout(RELEASED_WITHIN, released).await;
        if !matches!(released, Ok(Ok(()))) {
            tracing::debug!("the lease {} could not be given up", self.name);
        }
    }
}

impl Drop for DriverLease {
    fn drop(&mut self) {
        self.renewal.abort();
    }
}

/// Who drives a mesh's upgrade now, judged by whether the Lease changes while we watch. Takes nothing, and so needs no
/// more than the right to read it.
///
/// # Errors
/// When the Lease cannot be read.
pub async fn living_driver(client: Client, mesh: &str, waiting: impl Fn(&str)) -> Result<Option<String>, Fault> {
    let leases: Api<Lease> = Api::namespaced(client, names::NAMESPACE);
    let name = names::lease(mesh);
    let what = format!("read the lease {name} of the upgrade");
    let mut watched = Watched::default();
    let started = Instant::now();
    loop {
        let found = leases.get_opt(&name).await;
        let Some(lease) = found.map_err(|error| Fault::of_api(&what, &error))? else {
            return Ok(None);
        };
        let seen = token(&lease);
        let Some(holder) = seen.0.clone().filter(|holder| !holder.is_empty()) else {
            return Ok(None);
        };
        match watched.look(seen, started.elapsed(), TTL) {
            Liveness::Begun => waiting(&watching(&holder)),
            Liveness::Undecided => {}
            Liveness::Alive => return Ok(Some(holder)),
            Liveness::Dead => return Ok(None),
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn watching(holder: &str) -> String {
    format!(
        "the lease is held by {holder}: watching it for {} s, to see whether that driver is alive",
        TTL.as_secs()
    )
}

/// One look at the Lease, for whoever only tells who drives, and looks again. Who may not look misses it.
pub async fn look(client: &Client, mesh: &str) -> Look<Token> {
    let leases: Api<Lease> = Api::namespaced(client.clone(), names::NAMESPACE);
    let name = names::lease(mesh);
    match leases.get_opt(&name).await {
        Ok(lease) => match lease.as_ref().map(token) {
            Some(seen) if seen.0.as_ref().is_some_and(|holder| !holder.is_empty()) => Look::Held(seen),
            Some(_) | None => Look::Free,
        },
        Err(error) => {
            tracing::debug!(error = %api_message(&error), "the lease {name} cannot be read");
            Look::Missed
        }
    }
}

/// What one look alone tells of who drives, by the clock here: all that there is to whoever does not wait.
pub async fn driving(client: &Client, mesh: &str) -> Driving {
    match look(client, mesh).await {
        Look::Missed => Driving::Unknown,
        Look::Free => Driving::Released,
        Look::Held((_, renewed, _)) => {
            let lasts = SignedDuration::try_from(TTL).unwrap_or_default();
            Driving::by_the_clock(renewed.map(|time| time.0), lasts, crate::clock::now())
        }
    }
}

/// Compare-and-set: the resource version in `lease` makes exactly one rival win.
async fn take(
    leases: &Api<Lease>,
    name: &str,
    mut lease: Lease,
    identity: &str,
    floor: i64,
) -> Result<i64, kube::Error> {
    let spec = lease.spec.get_or_insert_default();
    let epoch = i64::from(spec.lease_transitions.unwrap_or(0))
        .max(floor)
        .saturating_add(1);
    let fresh = lease_of(name, identity, epoch);
    lease.spec = fresh.spec;
    leases.replace(name, &PostParams::default(), &lease).await?;
    Ok(epoch)
}

/// Renews the Lease as the last renewal has left it, or as it is now where that is not known or somebody has written it since.
/// Returns it as it is then, if it was still ours.
pub(super) async fn renew(
    leases: &Api<Lease>,
    name: &str,
    identity: &str,
    last: Option<Lease>,
) -> Result<Option<Lease>, kube::Error> {
    if let Some(last) = last {
        match renewed(leases, name, last).await {
            Err(error) if api_code(&error) == 409 => {}
            done => return done.map(Some),
        }
    }
    let lease = leases.get(name).await?;
    let holder = lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_deref());
    if holder != Some(identity) {
        return Ok(None);
    }
    renewed(leases, name, lease).await.map(Some)
}

async fn renewed(leases: &Api<Lease>, name: &str, mut lease: Lease) -> Result<Lease, kube::Error> {
    lease.spec.get_or_insert_default().renew_time = Some(MicroTime(Timestamp::now()));
    leases.replace(name, &PostParams::default(), &lease).await
}

fn lease_of(name: &str, identity: &str, epoch: i64) -> Lease {
    let now = MicroTime(Timestamp::now());
    Lease {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some(names::NAMESPACE.to_owned()),
            labels: Some([(names::LABEL_PART_OF.to_owned(), names::PART_OF.to_owned())].into()),
            ..ObjectMeta::default()
        },
        spec: Some(LeaseSpec {
            holder_identity: Some(identity.to_owned()),
            acquire_time: Some(now.clone()),
            renew_time: Some(now),
            lease_duration_seconds: i32::try_from(TTL.as_secs()).ok(),
            lease_transitions: i32::try_from(epoch).ok(),
            ..LeaseSpec::default()
        }),
    }
}

/// The machine's name, for people who read who drives.
fn host() -> String {
    std::env::var("HOSTNAME")
        .ok()
        .or_else(|| std::fs::read_to_string("/etc/hostname").ok())
        .map_or_else(|| "unknown host".to_owned(), |name| name.trim().to_owned())
}
