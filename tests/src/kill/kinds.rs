//! The kinds of requests at which an upgrade is killed.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use crate::harness::Seen;

/// Requests of one kind, at each of which an upgrade can be killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// What the plugin writes into the journal.
    JournalWrite,
    /// What the plugin writes into the journal once helm has begun to change a component.
    JournalWriteAfterHelm,
    /// What helm asks of the API server, reads included.
    HelmRequest,
    /// What helm asks of the API server while one of its releases is pending: to be killed then leaves it so.
    HelmWhilePending,
}

type Counts = Box<dyn Fn(&Seen) -> bool + Send + Sync>;

impl Kind {
    /// Says of each request of one upgrade, in the order they come, whether it is of this kind.
    #[must_use]
    pub fn counts(self) -> Counts {
        match self {
            Self::JournalWrite => Box::new(is_journal_write),
            Self::JournalWriteAfterHelm => Box::new(after_helm()),
            Self::HelmRequest => Box::new(is_helms),
            Self::HelmWhilePending => Box::new(while_pending()),
        }
    }

    /// Whether it is helm that is in the middle of something.
    #[must_use]
    pub fn is_helms(self) -> bool {
        matches!(self, Self::HelmRequest | Self::HelmWhilePending)
    }
}

fn is_helms(seen: &Seen) -> bool {
    seen.agent.starts_with("Helm/")
}

fn is_journal_write(seen: &Seen) -> bool {
    !is_helms(seen) && seen.method != "GET" && seen.path.contains("/meshupgrades")
}

/// A change that helm wants stored.
fn changes_by_helm(seen: &Seen) -> bool {
    is_helms(seen) && seen.method != "GET" && !seen.path.contains("dryRun=")
}

fn after_helm() -> impl Fn(&Seen) -> bool + Send + Sync + 'static {
    let has_changed = AtomicBool::new(false);
    move |seen| {
        if changes_by_helm(seen) {
            has_changed.store(true, Ordering::SeqCst);
        }
        has_changed.load(Ordering::SeqCst) && is_journal_write(seen)
    }
}

/// Helm stores the new revision as pending and waits for the answer; at the end it stores the old one as superseded, and then
/// the new one as deployed.
fn while_pending() -> impl Fn(&Seen) -> bool + Send + Sync + 'static {
    let stored = Mutex::new(None);
    move |seen| {
        if !is_helms(seen) {
            return false;
        }
        let mut stored = stored.lock().unwrap_or_else(PoisonError::into_inner);
        let is_pending = stored.is_some();
        if changes_by_helm(seen) && seen.path.contains("/secrets") {
            *stored = match (&*seen.method, *stored) {
                ("POST", _) => Some(0),
                ("PUT", Some(0)) => Some(1),
                ("PUT", Some(_)) => None,
                (_, other) => other,
            };
        }
        is_pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLUGIN: &str = "kubectl-mesh_upgrade/v1";
    const HELM: &str = "Helm/4";
    const SECRETS: &str = "/api/v1/namespaces/istio-system/secrets";
    const JOURNAL: &str = "/apis/meshupgrade.io/v1alpha1/meshupgrades/default/status";

    fn counted(kind: Kind, asked: &[(&str, &str, &str, bool)]) {
        let counts = kind.counts();
        for (agent, method, path, expected) in asked {
            let seen = Seen {
                method: (*method).to_owned(),
                path: (*path).to_owned(),
                agent: (*agent).to_owned(),
            };
            assert_eq!(counts(&seen), *expected, "{kind:?}: {seen:?}");
        }
    }

    #[test]
    fn the_middle_is_the_first_journal_write_after_a_change_of_helm() {
        let dry = format!("{SECRETS}?dryRun=All");
        counted(
            Kind::JournalWriteAfterHelm,
            &[
                (PLUGIN, "PATCH", JOURNAL, false),
                (HELM, "GET", SECRETS, false),
                (HELM, "PATCH", &dry, false),
                (PLUGIN, "PATCH", JOURNAL, false),
                (HELM, "POST", SECRETS, false),
                (PLUGIN, "GET", JOURNAL, false),
                (PLUGIN, "PATCH", JOURNAL, true),
            ],
        );
    }

    #[test]
    fn a_release_is_pending_from_its_revision_on_until_that_is_deployed() {
        let [old, new] = ["v1", "v2"].map(|revision| format!("{SECRETS}/sh.helm.release.v1.istiod.{revision}"));
        let deployment = "/apis/apps/v1/namespaces/istio-system/deployments/istiod";
        let dry = format!("{SECRETS}?dryRun=All");
        counted(
            Kind::HelmWhilePending,
            &[
                (HELM, "GET", SECRETS, false),
                (HELM, "POST", &dry, false),
                (HELM, "GET", SECRETS, false),
                (HELM, "POST", SECRETS, false),
                (PLUGIN, "PATCH", JOURNAL, false),
                (HELM, "PATCH", deployment, true),
                (HELM, "PUT", &old, true),
                (HELM, "PUT", &new, true),
                (HELM, "GET", SECRETS, false),
                (HELM, "POST", SECRETS, false),
                (HELM, "GET", deployment, true),
            ],
        );
    }
}
