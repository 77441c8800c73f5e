//! The webhook's half: the same rules as the policy's, and what takes more than one object to see.

use super::{CONDITION_UNLOCKED, FREEZE_IDENTITY, HOLDERS_STATUS, LONGEST_NOTE, meshes::mesh};
use crate::{
    guard::{
        codes::Code,
        decide::{Facts, Ruling, Verdict},
        matching,
        message::one_line,
        review::Request,
        table::Operation,
    },
    names,
    phase::Phase,
};
use k8s_openapi::jiff::Timestamp;
use serde_json::{Map, Value};

/// A refusal: its code and what the message says after it.
pub(super) type Refusal = (Code, String);

const STATUS: &str = "See: kubectl mesh-upgrade status";

/// Judges a request about one of our own objects.
pub(in crate::guard) fn judge(request: &Request<'_>, facts: &Facts, now: Timestamp) -> Verdict {
    let rule: fn(&Change<'_>, &Facts) -> Result<(), Refusal> = match (&*request.resource, &*request.subresource) {
        ("meshes", "") => mesh,
        ("meshupgrades", "" | "status") => upgrade,
        ("meshfreezes", "" | "status") => freeze,
        _ => return Verdict::Allow,
    };
    let judged = Change::read(request, now).and_then(|change| rule(&change, facts));
    match judged {
        Ok(()) => Verdict::Allow,
        Err((code, says)) => Verdict::Deny(Ruling::new(code, format!("{code}: {says}"))),
    }
}

/// A request with both objects in full: ours are small, and reviews of them rare.
pub(super) struct Change<'a> {
    pub request: &'a Request<'a>,
    /// Before; null for a new object.
    pub old: Value,
    /// After; null for a deletion.
    pub new: Value,
    /// When it was asked for.
    pub now: Timestamp,
}

impl<'a> Change<'a> {
    fn read(request: &'a Request<'a>, now: Timestamp) -> Result<Self, Refusal> {
        let Ok((old, new)) = request.whole_values() else {
            return refuse("the object cannot be read (is it nested too deeply?)");
        };
        Ok(Self { request, old, new, now })
    }

    fn is_driver(&self) -> bool {
        *self.request.username == names::driver_user()
    }

    /// Whether the driver bears exactly this epoch.
    fn bears(&self, epoch: Option<&Value>) -> bool {
        let epoch = epoch.and_then(Value::as_i64).map(|epoch| epoch.to_string());
        self.is_driver() && matches!(self.request.epochs.as_slice(), [borne] if epoch.as_deref() == Some(&**borne))
    }

    fn is_unchanged(&self) -> bool {
        matching::is_unchanged(self.request)
    }

    /// Whether nothing but this top-level field, and book-keeping, was changed.
    fn changes_only(&self, field: &str) -> bool {
        matching::changes_only(self.request, field)
    }
}

pub(super) fn refuse<T>(says: &str) -> Result<T, Refusal> {
    Err((Code::OwnObjects, says.to_owned()))
}

fn upgrade(change: &Change<'_>, facts: &Facts) -> Result<(), Refusal> {
    let phase = phase_of(&change.old);
    match change.request.operation {
        Operation::Delete if phase == Some(Phase::Pending) || phase.is_some_and(Phase::is_final) => Ok(()),
        Operation::Delete => refuse(&format!(
            "the journal of an upgrade that is under way is not deleted: without it the upgrade could not be resumed. \
             {STATUS}"
        )),
        Operation::Create | Operation::Update if !may_write_journal(change) => refuse(&format!(
            "the journal of an upgrade is written only by its driver. {STATUS}"
        )),
        Operation::Create => second_upgrade(change, facts),
        Operation::Update => {
            if change.is_driver() && is_late(change) {
                return refuse(&format!(
                    "somebody else has taken this upgrade over, with a later epoch. {STATUS}"
                ));
            }
            if change.old.get("spec") != change.new.get("spec") {
                return refuse(&format!("an upgrade keeps its target and its plan. {STATUS}"));
            }
            match (phase, phase_of(&change.new)) {
                (Some(from), Some(to)) if from.may_become(to) => Ok(()),
                (from, to) => {
                    let show = |phase: Option<Phase>| phase.map_or("an unknown phase", Phase::as_str);
                    let says = format!("{} may not follow {}. {STATUS}", show(to), show(from));
                    Err((Code::IllegalPhase, says))
                }
            }
        }
    }
}

fn may_write_journal(change: &Change<'_>) -> bool {
    change.is_driver() || change.is_unchanged() || notes_unlock(change)
}

/// The epoch of a driver that another one has followed. A driver without any, as in a check, is nobody's rival.
fn is_late(change: &Change<'_>) -> bool {
    let Some(borne) = change.request.epochs.first() else {
        return false;
    };
    let stands = change.old.pointer("/status/epoch").and_then(Value::as_i64).unwrap_or(0);
    let is_number = (1..=18).contains(&borne.len()) && borne.bytes().all(|byte| byte.is_ascii_digit());
    !is_number || borne.parse::<i64>().map_or(true, |borne| borne < stands)
}

/// See `notes_unlock` of the policy.
fn notes_unlock(change: &Change<'_>) -> bool {
    let status = |object: &Value| object.get("status").and_then(Value::as_object).cloned();
    let (Some(mut old), Some(mut new)) = (status(&change.old), status(&change.new)) else {
        return false;
    };
    let (_, others_before) = take_unlocked(&mut old);
    let (noted, others_after) = take_unlocked(&mut new);
    let [noted] = noted.as_slice() else { return false };
    let message = noted.get("message").and_then(Value::as_str).unwrap_or_default();
    change.changes_only("status")
        && old == new
        && others_before == others_after
        && noted.get("status").and_then(Value::as_str) == Some("True")
        && message.starts_with(&format!("{}: ", &*change.request.username))
        && message.chars().count() <= LONGEST_NOTE
}

/// Takes the conditions out of a status: those that tell of an unlocking, and the others.
fn take_unlocked(status: &mut Map<String, Value>) -> (Vec<Value>, Vec<Value>) {
    let conditions = match status.remove("conditions") {
        Some(Value::Array(conditions)) => conditions,
        _ => Vec::new(),
    };
    conditions
        .into_iter()
        .partition(|condition| condition.get("type").and_then(Value::as_str) == Some(CONDITION_UNLOCKED))
}

/// The phase of a journal, `Pending` where none is written yet, and `None` for a word that is no phase.
fn phase_of(journal: &Value) -> Option<Phase> {
    let Some(phase) = journal.pointer("/status/phase") else {
        return Some(Phase::Pending);
    };
    let phase = phase.as_str()?;
    Phase::ALL.into_iter().find(|known| known.as_str() == phase)
}

/// The lease keeps drivers of one plugin apart; this keeps whatever else would write a journal from it.
fn second_upgrade(change: &Change<'_>, facts: &Facts) -> Result<(), Refusal> {
    let name = change.request.object_name();
    let mesh = change.new.pointer("/spec/mesh").and_then(Value::as_str);
    let mut others = facts.upgrades.iter().filter(|upgrade| upgrade.name != name);
    match others.find(|other| Some(other.mesh.as_str()) == mesh && !other.phase.is_final()) {
        None => Ok(()),
        Some(first) => Err((
            Code::SecondUpgrade,
            format!(
                "the upgrade {} of mesh \"{}\" has begun and is in phase {}: it goes on to its end first. See: kubectl \
                 mesh-upgrade apply",
                one_line(&first.name),
                one_line(&first.mesh),
                first.phase
            ),
        )),
    }
}

fn freeze(change: &Change<'_>, _: &Facts) -> Result<(), Refusal> {
    let Change { old, new, .. } = change;
    let unlock = |record: &Value| record.pointer("/spec/unlock").cloned();
    match change.request.operation {
        Operation::Create if change.bears(new.pointer("/spec/epoch")) && unlock(new).is_none() => Ok(()),
        Operation::Create => refuse(
            "only the driver of an upgrade creates a MeshFreeze, with its own epoch. See: kubectl mesh-upgrade apply",
        ),
        Operation::Update => {
            let by_driver = change.bears(new.pointer("/spec/epoch")) && unlock(old) == unlock(new);
            if !(change.is_unchanged() || observes(change) || by_driver || unlocks(change)) {
                return refuse(
                    "a MeshFreeze is changed only by the driver with the current epoch, or unlocked by somebody with \
                     the verb unlock on meshfreezes, in their own name and with a reason. See: kubectl mesh-upgrade \
                     unlock",
                );
            }
            let epoch = |record: &Value| record.pointer("/spec/epoch").and_then(Value::as_i64).unwrap_or(0);
            let field = |record: &Value, key: &str| record.get("spec").and_then(|spec| spec.get(key)).cloned();
            if epoch(new) < epoch(old) || FREEZE_IDENTITY.iter().any(|key| field(old, key) != field(new, key)) {
                return refuse(&format!(
                    "a freeze belongs to one upgrade, and its epoch never goes back. {STATUS}"
                ));
            }
            Ok(())
        }
        Operation::Delete if change.bears(old.pointer("/spec/epoch")) || unlock(old).is_some() => Ok(()),
        Operation::Delete => refuse(
            "a MeshFreeze is deleted only by the driver with the current epoch, or after it was unlocked with a \
             reason. See: kubectl mesh-upgrade unlock",
        ),
    }
}

/// Whether the webhook writes what it saw change, and not what it compares with.
fn observes(change: &Change<'_>) -> bool {
    let part = |record: &Value, key: &str| record.get("status").and_then(|status| status.get(key)).cloned();
    *change.request.subresource == *"status"
        && *change.request.username == names::webhook_user()
        && HOLDERS_STATUS
            .iter()
            .all(|key| part(&change.old, key) == part(&change.new, key))
}

/// Whether the reason, in the writer's own name, is all that is new. The verb `unlock` is asked for by the policy.
fn unlocks(change: &Change<'_>) -> bool {
    let spec = |record: &Value| record.get("spec").and_then(Value::as_object).cloned();
    let (Some(old), Some(mut new)) = (spec(&change.old), spec(&change.new)) else {
        return false;
    };
    let Some(unlock) = new.remove("unlock").filter(|_| !old.contains_key("unlock")) else {
        return false;
    };
    let text = |key: &str| unlock.get(key).and_then(Value::as_str).unwrap_or_default();
    change.changes_only("spec")
        && old == new
        && text("by") == &*change.request.username
        && text("reason").contains(|c: char| !matches!(c, ' ' | '\t' | '\r' | '\n'))
}
