//! An upgrade that has begun and is not over: the mesh takes no other target before its end, and may be frozen until then.

use super::Subject;
use crate::{
    api::{MeshFreezeSpec, MeshUpgrade},
    finding::{Finding, Report, Severity, codes},
    journals,
    machine::progress,
    phase::Phase,
    version::IstioVersion,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt as _;

/// What a check has to know of an upgrade that is not over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begun {
    /// What it calls the mesh: by that name it is gone on with, whatever the mesh is called from here.
    pub mesh: String,
    /// The version that it goes to.
    pub to: String,
    /// How far it is.
    pub phase: Phase,
    /// Since when the mesh is frozen, if it is.
    pub frozen_since: Option<Time>,
    /// What is known of its journal.
    pub record: Record,
}

/// What is known of the journal of an upgrade.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A driver has written to it.
    Driven,
    /// None has; see [`is_untouched`](journals::is_untouched).
    Untouched {
        /// Its name.
        name: String,
        /// The context that leads to it, where that is not the one that counts anyhow.
        context: Option<String>,
    },
    /// None that is under way was found: a freeze alone tells of the upgrade.
    Missing {
        /// The cluster that holds it, where that was not looked at.
        home: Option<String>,
    },
    /// A freeze alone tells of the upgrade, and of this cluster of the mesh the journals could not be read.
    Unread {
        /// Its name.
        cluster: String,
    },
}

impl Begun {
    /// As its journal tells it, with the context that leads there.
    #[must_use]
    pub fn of(journal: &MeshUpgrade, context: Option<&str>) -> Self {
        let status = journal.status.as_ref();
        Self {
            mesh: journal.spec.mesh.clone(),
            to: journal.spec.to.clone(),
            phase: journal.phase(),
            frozen_since: status
                .filter(|_| progress::stays_frozen(journal))
                .and_then(|status| status.frozen_since.clone()),
            record: if journals::is_untouched(journal) {
                Record::Untouched {
                    name: journal.name_any(),
                    context: context.map(ToOwned::to_owned),
                }
            } else {
                Record::Driven
            },
        }
    }

    /// As what it has frozen tells it, where its journal was not found in the clusters that were `read`, and that of `unread`
    /// could not be.
    #[must_use]
    pub fn without_journal(freeze: &MeshFreezeSpec, read: &[&str], unread: Option<&str>) -> Self {
        let home = freeze.home.clone().filter(|home| !read.contains(&home.as_str()));
        Self {
            mesh: freeze.mesh.clone(),
            to: freeze.to.clone(),
            // How far it is, its journal alone knows; this far nobody is told that it may be given up.
            phase: Phase::Upgrading,
            frozen_since: Some(freeze.since.clone()),
            record: match unread {
                Some(cluster) => Record::Unread {
                    cluster: cluster.to_owned(),
                },
                None => Record::Missing { home },
            },
        }
    }

    /// What it means for whoever asks for a target: in the way of any but its own, and of that, too, where it cannot be gone on
    /// with.
    #[must_use]
    pub fn finding(&self, target: &IstioVersion) -> Finding {
        let is_its_own = self.to == target.to_string();
        let finding = Finding::new(codes::UPGRADE_BEGUN, self.cause(), self.fix(is_its_own));
        if is_its_own && !matches!(self.record, Record::Missing { .. } | Record::Unread { .. }) {
            finding.weighing(Severity::Info)
        } else {
            finding
        }
    }

    fn cause(&self) -> String {
        let Self { to, phase, .. } = self;
        let since = self.frozen_since.as_ref();
        let since = since.map(|since| since.0.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
        match (&self.record, since) {
            (Record::Missing { .. }, since) => {
                let since = since.unwrap_or_default();
                format!(
                    "the mesh is frozen since {since} by an upgrade to {to}, of which no journal under way was found"
                )
            }
            (Record::Unread { cluster }, since) => {
                let since = since.unwrap_or_default();
                format!(
                    "the mesh is frozen since {since} by an upgrade to {to}; the journals in cluster {cluster} cannot be read"
                )
            }
            (Record::Untouched { name, .. }, _) => {
                format!("an upgrade to {to} has begun, or its journal comes from a backup: {name} has no status")
            }
            (Record::Driven, Some(since)) => {
                format!("an upgrade to {to} has begun ({phase}, frozen since {since})")
            }
            (Record::Driven, None) => format!("an upgrade to {to} has begun ({phase})"),
        }
    }

    fn fix(&self, is_its_own: bool) -> String {
        let mesh = &self.mesh;
        match &self.record {
            Record::Missing { home: Some(home) } => {
                format!(
                    "look where its journal is, too: name a context that leads to {home}, with --context or --contexts"
                )
            }
            Record::Unread { cluster } => format!(
                "check again as somebody who may read the journals in cluster {cluster}, by the ClusterRole mesh-upgrade-operator, \
                 and when it answers"
            ),
            Record::Missing { home: None } => format!(
                "when that upgrade is abandoned, lift its freeze: kubectl mesh-upgrade unlock {mesh} --reason TEXT"
            ),
            Record::Untouched { name, context } => {
                let context = context.as_deref();
                let at = context
                    .map(|context| format!(" --context {context}"))
                    .unwrap_or_default();
                if is_its_own {
                    format!(
                        "go on with it: kubectl mesh-upgrade apply {mesh}; or, when it comes from a backup, remove it: kubectl \
                         delete meshupgrade {name}{at}"
                    )
                } else {
                    format!(
                        "when nobody drives it, remove it: kubectl delete meshupgrade {name}{at}; otherwise bring it to its end \
                         first: kubectl mesh-upgrade apply {mesh}"
                    )
                }
            }
            Record::Driven if is_its_own => format!("go on with it: kubectl mesh-upgrade apply {mesh}"),
            Record::Driven if self.phase.is_past_return() => {
                format!("bring it to its end first: kubectl mesh-upgrade apply {mesh}")
            }
            Record::Driven => format!(
                "bring it to its end first: kubectl mesh-upgrade apply {mesh}; or give it up, since it has changed nothing \
                 yet: kubectl mesh-upgrade apply {mesh} --withdraw"
            ),
        }
    }
}

pub(super) fn check(subject: &Subject<'_>, report: &mut Report) {
    if let Some(begun) = &subject.target.begun {
        report.find(begun.finding(&subject.target.version));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        api::MeshUpgradeStatus,
        inventory::sample,
        preflight::{
            Target,
            tests::{check_target, found},
        },
    };
    use k8s_openapi::jiff::Timestamp;

    #[test]
    fn an_open_upgrade_is_in_the_way_of_every_other_target() {
        let inventory = sample::one("1.30.3", "v1.36.3");
        for (phase, to, frozen, severity, cause, way_out) in [
            (
                Phase::Upgrading,
                "1.30.7",
                true,
                Severity::Blocker,
                "(Upgrading, frozen since 1970-01-01T00:00:00Z)",
                false,
            ),
            (
                Phase::Freezing,
                "1.30.7",
                true,
                Severity::Blocker,
                "(Freezing, frozen since 1970-01-01T00:00:00Z)",
                true,
            ),
            (Phase::Pulling, "1.30.7", false, Severity::Blocker, "(Pulling)", true),
            (
                Phase::Upgrading,
                "1.31.0",
                true,
                Severity::Info,
                "(Upgrading, frozen since 1970-01-01T00:00:00Z)",
                false,
            ),
            (Phase::Pulling, "1.31.0", false, Severity::Info, "(Pulling)", false),
        ] {
            let mut journal = MeshUpgrade::new("x", crate::machine::tests::spec());
            journal.status = Some(MeshUpgradeStatus {
                phase,
                frozen_since: frozen.then_some(Time(Timestamp::UNIX_EPOCH)),
                ..MeshUpgradeStatus::default()
            });
            let target = Target::new(to.parse().unwrap()).amid(Some(Begun::of(&journal, None)));
            let report = check_target(&inventory, &target);
            let finding = found(&report, "MU117");
            assert_eq!(finding.severity, severity, "{phase} {to}");
            assert_eq!(finding.cause, format!("an upgrade to 1.31.0 has begun {cause}"));
            assert!(
                finding.fix.contains("kubectl mesh-upgrade apply default"),
                "{}",
                finding.fix
            );
            assert_eq!(finding.fix.contains("--withdraw"), way_out, "{}", finding.fix);
            assert_eq!(report.is_free(), severity == Severity::Info);
        }
    }
    #[test]
    fn what_cannot_be_gone_on_with_is_in_the_way_of_its_own_target_too() {
        let inventory = sample::one("1.30.3", "v1.36.3");
        let freeze: MeshFreezeSpec = serde_json::from_value(serde_json::json!({
            "mesh": "shop", "upgrade": "shop-1", "home": "north", "from": "1.30.3", "to": "1.31.0", "holder": "bob",
            "epoch": 1, "since": "2026-11-30T10:00:00Z", "scope": {},
        }))
        .unwrap();
        let at_home = MeshFreezeSpec {
            home: None,
            ..freeze.clone()
        };
        let restored = MeshUpgrade::new("shop-1", crate::machine::tests::spec());
        let delete = "kubectl delete meshupgrade shop-1 --context west";
        for (begun, to, severity, cause, fix) in [
            (
                Begun::without_journal(&freeze, &["east"], None),
                "1.31.0",
                Severity::Blocker,
                "the mesh is frozen since 2026-11-30T10:00:00Z by an upgrade to 1.31.0, of which no journal",
                "name a context that leads to north",
            ),
            (
                Begun::without_journal(&freeze, &["east"], Some("north")),
                "1.31.0",
                Severity::Blocker,
                "the journals in cluster north cannot be read",
                "somebody who may read the journals in cluster north",
            ),
            (
                Begun::without_journal(&freeze, &["east", "north"], None),
                "1.31.0",
                Severity::Blocker,
                "no journal under way was found",
                "lift its freeze: kubectl mesh-upgrade unlock shop --reason TEXT",
            ),
            (
                Begun::without_journal(&at_home, &["east"], None),
                "1.30.7",
                Severity::Blocker,
                "no journal under way was found",
                "lift its freeze: kubectl mesh-upgrade unlock shop --reason TEXT",
            ),
            (
                Begun::of(&restored, Some("west")),
                "1.30.7",
                Severity::Blocker,
                "comes from a backup: shop-1 has no status",
                delete,
            ),
            (
                Begun::of(&restored, Some("west")),
                "1.31.0",
                Severity::Info,
                "comes from a backup: shop-1 has no status",
                delete,
            ),
        ] {
            let target = Target::new(to.parse().unwrap()).amid(Some(begun));
            let report = check_target(&inventory, &target);
            let finding = found(&report, "MU117");
            assert_eq!(finding.severity, severity, "{to} {}", finding.cause);
            assert!(finding.cause.contains(cause), "{}", finding.cause);
            assert!(finding.fix.contains(fix), "{}", finding.fix);
            assert!(!finding.fix.contains("--withdraw"), "{}", finding.fix);
        }
    }
}
