//! Kubernetes Events: what `kubectl describe` and `kubectl events` show of an upgrade and its freezes.

use crate::{
    api::{CONDITION_DRIFTED, CONDITION_STALLED, MeshUpgradeStatus},
    conditions,
    guard::own_objects::CONDITION_UNLOCKED,
    phase::Phase,
};
use k8s_openapi::{
    api::{core::v1::ObjectReference, events::v1::Event},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
    jiff::Timestamp,
};
use sha2::{Digest as _, Sha256};

/// Namespace of Events about objects that are in none.
pub const NAMESPACE: &str = "default";

/// The API server takes no longer notes; bytes.
const LONGEST_NOTE: usize = 1024;
/// Longest part of an object's name in the name of an Event about it.
const LONGEST_NAME: usize = 200;

/// Something worth an Event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Whether somebody should look at it.
    pub warning: bool,
    /// In one word, as `Frozen`.
    pub reason: &'static str,
    /// What was being done.
    pub action: &'static str,
    /// In a sentence.
    pub note: String,
}

impl Report {
    fn new(reason: &'static str, note: impl Into<String>) -> Self {
        Self {
            warning: false,
            reason,
            action: "Upgrade",
            note: note.into(),
        }
    }

    fn warning(reason: &'static str, note: impl Into<String>) -> Self {
        Self {
            warning: true,
            ..Self::new(reason, note)
        }
    }

    /// A version can be reached that could not be before.
    #[must_use]
    pub fn available(note: impl Into<String>) -> Self {
        Self {
            action: "Watch",
            ..Self::new("UpgradeAvailable", note)
        }
    }

    /// The clusters of a mesh run different versions, and no upgrade is under way.
    #[must_use]
    pub fn differs(note: impl Into<String>) -> Self {
        Self {
            action: "Watch",
            ..Self::warning("VersionsDiffer", note)
        }
    }

    /// Something goes back to an older version, as the owner of its mesh allowed.
    #[must_use]
    pub fn went_back(note: impl Into<String>) -> Self {
        Self {
            action: "Downgrade",
            ..Self::warning("AllowedDowngrade", note)
        }
    }

    /// The minor that runs gets no fixes any more.
    #[must_use]
    pub fn ended(note: impl Into<String>) -> Self {
        Self {
            action: "Watch",
            ..Self::warning("EndOfLife", note)
        }
    }

    /// Something changed that no guard is asked about.
    #[must_use]
    pub fn drifted(note: impl Into<String>) -> Self {
        Self {
            action: "Watch",
            ..Self::warning("Drifted", note)
        }
    }
}

/// The Event. Its name is made of everything that is said, and of `occasion`: whoever says the same of the same object
/// on the same occasion, as another replica, makes the same Event, and the API server keeps one.
#[must_use]
pub fn event(about: &ObjectReference, report: &Report, reporter: &str, occasion: &str, now: Timestamp) -> Event {
    let name = about.name.clone().unwrap_or_default();
    let mut hasher = Sha256::new();
    for part in [
        about.uid.as_deref().unwrap_or_default(),
        report.reason,
        &report.note,
        reporter,
        occasion,
    ] {
        hasher.update(format!("{}:{part}", part.len()));
    }
    let digest: String = hasher
        .finalize()
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Event {
        metadata: ObjectMeta {
            namespace: Some(about.namespace.clone().unwrap_or_else(|| NAMESPACE.to_owned())),
            name: Some(format!("{}.{digest}", name.get(..LONGEST_NAME).unwrap_or(&name))),
            ..ObjectMeta::default()
        },
        event_time: Some(MicroTime(now)),
        type_: Some(if report.warning { "Warning" } else { "Normal" }.to_owned()),
        reason: Some(report.reason.to_owned()),
        action: Some(report.action.to_owned()),
        note: Some(shorten(&report.note)),
        reporting_controller: Some(format!("meshupgrade.io/{reporter}")),
        reporting_instance: Some(reporter.to_owned()),
        regarding: Some(about.clone()),
        ..Event::default()
    }
}

fn shorten(note: &str) -> String {
    if note.len() <= LONGEST_NOTE {
        return note.to_owned();
    }
    let mut end = LONGEST_NOTE.saturating_sub('…'.len_utf8());
    while !note.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    format!("{}…", note.get(..end).unwrap_or_default())
}

/// What happened between two statuses of a journal.
#[must_use]
pub fn between(before: &MeshUpgradeStatus, after: &MeshUpgradeStatus) -> Vec<Report> {
    let holder = after.holder.as_deref().unwrap_or("somebody");
    let mut reports = Vec::new();
    if before.epoch != after.epoch {
        reports.push(if before.epoch == 0 {
            Report::new("Begun", format!("{holder} began the upgrade"))
        } else {
            let epochs = format!("epoch {} after {}", after.epoch, before.epoch);
            Report::new("TakenOver", format!("{holder} goes on with the upgrade ({epochs})"))
        });
    }
    if before.frozen_since.is_none() && after.frozen_since.is_some() {
        let note = "the mesh is frozen: only the upgrade changes it until it ends";
        reports.push(Report::new("Frozen", note));
    }
    for (condition, reason) in [
        (CONDITION_STALLED, "Stalled"),
        (CONDITION_DRIFTED, "Drifted"),
        (CONDITION_UNLOCKED, "Unlocked"),
    ] {
        let message = |status: &MeshUpgradeStatus| {
            let holds = conditions::holds(&status.conditions, condition);
            let found = status.conditions.iter().find(|found| found.type_ == condition);
            found.filter(|_| holds).map(|found| found.message.clone())
        };
        if let Some(now) = message(after)
            && message(before).as_ref() != Some(&now)
        {
            reports.push(Report::warning(reason, now));
        }
    }
    if before.phase != after.phase {
        let last = after.history.last().map(|event| event.what.clone()).unwrap_or_default();
        match after.phase {
            Phase::Upgrading => reports.push(Report::new("Upgrading", last)),
            Phase::Succeeded => {
                if before.frozen_since.is_some() {
                    reports.push(Report::new("Thawed", "the mesh is open again"));
                }
                reports.push(Report::new(
                    "Succeeded",
                    "every component is at the target, and the mesh is well",
                ));
            }
            Phase::Withdrawn => reports.push(Report::warning("Withdrawn", last)),
            _ => {}
        }
    }
    reports
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conditions::upsert;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    fn reasons(before: &MeshUpgradeStatus, after: &MeshUpgradeStatus) -> Vec<&'static str> {
        between(before, after).into_iter().map(|report| report.reason).collect()
    }

    #[test]
    fn each_milestone_is_told_once() {
        let mut before = MeshUpgradeStatus::default();
        let mut after = MeshUpgradeStatus {
            epoch: 1,
            ..before.clone()
        };
        assert_eq!(reasons(&before, &after), ["Begun"]);
        before = after.clone();
        after.frozen_since = Some(Time(Timestamp::UNIX_EPOCH));
        assert_eq!(reasons(&before, &after), ["Frozen"]);
        before = after.clone();
        after.phase = Phase::Upgrading;
        assert_eq!(reasons(&before, &after), ["Upgrading"]);
        before = after.clone();
        for (condition, message, told) in [
            (CONDITION_STALLED, "a", vec!["Stalled"]),
            (CONDITION_STALLED, "a", vec![]),
            (CONDITION_STALLED, "b", vec!["Stalled"]),
            (CONDITION_DRIFTED, "c", vec!["Drifted"]),
            (CONDITION_UNLOCKED, "d", vec!["Unlocked"]),
        ] {
            upsert(
                &mut after.conditions,
                condition,
                true,
                "R",
                message,
                Timestamp::UNIX_EPOCH,
            );
            assert_eq!(reasons(&before, &after), told);
            before = after.clone();
        }
        for condition in [CONDITION_STALLED, CONDITION_DRIFTED, CONDITION_UNLOCKED] {
            upsert(
                &mut after.conditions,
                condition,
                false,
                "R",
                "over",
                Timestamp::UNIX_EPOCH,
            );
        }
        after.epoch = 2;
        assert_eq!(reasons(&before, &after), ["TakenOver"]);
        before = after.clone();
        after.phase = Phase::Succeeded;
        assert_eq!(reasons(&before, &after), ["Thawed", "Succeeded"]);
        assert_eq!(reasons(&after, &after), [""; 0]);
    }

    #[test]
    fn two_replicas_that_say_the_same_make_one_event() {
        let about = ObjectReference {
            name: Some("x".repeat(300)),
            uid: Some("1".to_owned()),
            ..ObjectReference::default()
        };
        let name = |report: &Report, occasion: &str, second: i64| {
            let now = Timestamp::from_second(second).unwrap();
            event(&about, report, "webhook", occasion, now).metadata.name.unwrap()
        };
        let report = Report::drifted("é".repeat(5000));
        assert_eq!(name(&report, "", 1), name(&report, "", 2));
        assert_ne!(name(&report, "", 1), name(&report, "other", 1));
        assert_ne!(name(&report, "", 1), name(&Report::drifted("y"), "", 1));
        assert!(name(&report, "", 1).len() < 253);
        let made = event(&about, &report, "webhook", "", Timestamp::UNIX_EPOCH);
        let note = made.note.unwrap();
        assert!(note.len() <= LONGEST_NOTE && note.ends_with('…'), "{}", note.len());
        assert_eq!(made.metadata.namespace.as_deref(), Some(NAMESPACE));
    }
}
