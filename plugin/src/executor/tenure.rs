//! For how long a driver can be sure of its Lease, and what renews it.
//!
//! What the API server compares epochs of needs none of this. About webhook configurations it asks no guard: whoever may have
//! been stopped while another took the mesh over must not write them.

use super::{
    fault::PATIENCE,
    lease::{TTL, renew},
};
use crate::{
    clock::passed,
    cluster::{CONNECT_TIMEOUT, DELIVERED_WITHIN},
    error::api_message,
};
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::Mutex;

/// How often a driver renews: before it is no more sure of its Lease.
const RENEW_EVERY: Duration = Duration::from_secs(2);
/// How long a renewal may take; what takes longer is given up, and tried again over a connection that answers. With the pause
/// before it less than [`TTL`], and as long as a dead connection takes to be noticed.
const RENEWED_WITHIN: Duration = Duration::from_secs(10);
/// Pause before a renewal that failed is tried again: a rival may be watching.
const RENEW_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// For how long after a renewal was asked for nobody can have taken the Lease, with room for a connection to be made, and, where
/// a system can be told so, for what is written then to arrive, or never. Who has to be sure later than that renews.
const SURE_FOR: Duration = Duration::from_secs(
    TTL.as_secs()
        - CONNECT_TIMEOUT.as_secs()
        - if cfg!(target_os = "linux") {
            DELIVERED_WITHIN.as_secs()
        } else {
            0
        }
        - 1,
);

const TOO_LATE: &str = "the API server did not answer in time";

/// The time for which a Lease is surely ours; clones share it.
#[derive(Clone)]
pub struct Tenure {
    leases: Api<Lease>,
    name: Arc<str>,
    identity: Arc<str>,
    /// When the last renewal that was done was asked for, in milliseconds of [`passed`].
    since: Arc<AtomicU64>,
    /// The Lease as it was renewed last. Of two renewals at once the second would find it changed, and wait for nothing.
    renewing: Arc<Mutex<Option<Lease>>>,
}

impl Tenure {
    /// Of a Lease that was taken by a request sent at `since`, as [`passed`] told it then.
    #[must_use]
    pub fn new(leases: Api<Lease>, name: String, identity: String, since: Duration) -> Self {
        Self {
            leases,
            name: name.into(),
            identity: identity.into(),
            since: Arc::new(AtomicU64::new(milliseconds(since))),
            renewing: Arc::default(),
        }
    }

    /// Returns once nobody else can have the Lease: at once where it was renewed lately, else when it has been renewed.
    ///
    /// # Errors
    /// When somebody else has it, or the API server does not say for too long.
    pub async fn sure(&self) -> Result<(), String> {
        let begun = passed();
        while !self.is_sure() {
            let why = match self.renewed(true).await {
                Ok(true) if self.is_sure() => return Ok(()),
                Ok(true) => TOO_LATE.to_owned(),
                Ok(false) => return Err("somebody else has taken this upgrade over".to_owned()),
                Err(why) => why,
            };
            if passed().saturating_sub(begun) > PATIENCE {
                return Err(format!("the lease {} could not be renewed: {why}", self.name));
            }
            tokio::time::sleep(RENEW_AGAIN_AFTER).await;
        }
        Ok(())
    }

    /// Whether nobody else can have the Lease, without asking.
    #[must_use]
    pub fn is_sure(&self) -> bool {
        is_sure(self.since.load(Ordering::Acquire), passed())
    }

    /// Renews for as long as it is ours.
    pub(super) async fn renew_forever(self) {
        let mut pause = RENEW_EVERY;
        loop {
            tokio::time::sleep(pause).await;
            pause = match self.renewed(false).await {
                Ok(true) => RENEW_EVERY,
                // Somebody else holds it; the next effect asks and stops.
                Ok(false) => return,
                Err(why) => {
                    tracing::warn!(why, "could not renew the lease");
                    RENEW_AGAIN_AFTER
                }
            };
        }
    }

    /// Whether it was still ours; `unless` somebody else has renewed it meanwhile.
    async fn renewed(&self, unless: bool) -> Result<bool, String> {
        let mut last = self.renewing.lock().await;
        if unless && self.is_sure() {
            return Ok(true);
        }
        let asked = passed();
        let renewed = tokio::time::timeout(
            RENEWED_WITHIN,
            renew(&self.leases, &self.name, &self.identity, last.take()),
        );
        match renewed.await {
            Ok(Ok(renewed)) => {
                let ours = renewed.is_some();
                if ours {
                    self.since.fetch_max(milliseconds(asked), Ordering::Release);
                }
                *last = renewed;
                Ok(ours)
            }
            Ok(Err(error)) => Err(api_message(&error)),
            Err(_) => Err(TOO_LATE.to_owned()),
        }
    }
}

fn is_sure(since: u64, now: Duration) -> bool {
    milliseconds(now).saturating_sub(since) < milliseconds(SURE_FOR)
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl fmt::Debug for Tenure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tenure")
            .field("name", &self.name)
            .field("since", &self.since)
            .finish_non_exhaustive()
    }
}
