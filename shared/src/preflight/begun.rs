//! An upgrade that has begun and is not over: the mesh takes no other target before its end, and may be frozen until then.

use super::Subject;
use crate::{
    api::MeshUpgrade,
    finding::{Finding, Report, Severity, codes},
    machine::progress,
    phase::Phase,
    version::IstioVersion,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// What a check has to know of an upgrade that is not over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begun {
    /// The version that it goes to.
    pub to: String,
    /// How far it is.
    pub phase: Phase,
    /// Since when the mesh is frozen, if it is.
    pub frozen_since: Option<Time>,
}

impl Begun {
    /// As its journal tells it.
    #[must_use]
    pub fn of(journal: &MeshUpgrade) -> Self {
        let status = journal.status.as_ref();
        Self {
            to: journal.spec.to.clone(),
            phase: journal.phase(),
            frozen_since: status
                .filter(|_| progress::stays_frozen(journal))
                .and_then(|status| status.frozen_since.clone()),
        }
    }

    /// What it means for whoever asks for a target: in the way of any but its own.
    #[must_use]
    pub fn finding(&self, mesh: &str, target: &IstioVersion) -> Finding {
        let Self { to, phase, .. } = self;
        let cause = match &self.frozen_since {
            Some(since) => {
                let since = since.0.strftime("%Y-%m-%dT%H:%M:%SZ");
                format!("an upgrade to {to} has begun ({phase}, frozen since {since})")
            }
            None => format!("an upgrade to {to} has begun ({phase})"),
        };
        if *to == target.to_string() {
            let fix = format!("go on with it: kubectl mesh-upgrade apply {mesh}");
            return Finding::new(codes::UPGRADE_BEGUN, cause, fix).weighing(Severity::Info);
        }
        let fix = if phase.is_past_return() {
            format!("bring it to its end first: kubectl mesh-upgrade apply {mesh}")
        } else {
            format!(
                "bring it to its end first: kubectl mesh-upgrade apply {mesh}; or give it up, since it has changed nothing \
                 yet: kubectl mesh-upgrade apply {mesh} --withdraw"
            )
        };
        Finding::new(codes::UPGRADE_BEGUN, cause, fix)
    }
}

pub(super) fn check(subject: &Subject<'_>, report: &mut Report) {
    if let Some(begun) = &subject.target.begun {
        report.find(begun.finding(&subject.mesh.name, &subject.target.version));
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
            let target = Target::new(to.parse().unwrap()).amid(Some(Begun::of(&journal)));
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
}
