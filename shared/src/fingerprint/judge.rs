//! What has changed since the freeze, and whether the holder's own step explains it.

use super::{Owner, owner};
use crate::{
    api::{ExemptKind, Fingerprint, MeshFreezeSpec, MeshFreezeStatus, ObjectName},
    gitops,
    guard::message::one_line,
    istioctl, names,
};
use std::{collections::BTreeMap, fmt};

/// A release that takes over what another one brought, one that goes with all that it brought, and one that the Sail
/// Operator brings beside another of the same Istio: the slash keeps them apart from any release.
const TAKING_OVER: &str = "take-ownership/";
const GOING: &str = "uninstall/";
const BESIDE: &str = "beside/";

/// A helm release where what is under way is named: it takes over what others have brought.
#[must_use]
pub fn as_taking_over(release: &ObjectName) -> ObjectName {
    marked(release, TAKING_OVER)
}

/// The same of one that goes: its objects may be deleted.
#[must_use]
pub fn as_going(release: &ObjectName) -> ObjectName {
    marked(release, GOING)
}

/// The same of a revision that the Sail Operator brings beside the one that runs: it moves tags of its own to it, and takes
/// away one that nothing refers to.
#[must_use]
pub fn as_beside(release: &ObjectName) -> ObjectName {
    marked(release, BESIDE)
}

fn marked(release: &ObjectName, mark: &str) -> ObjectName {
    ObjectName {
        namespace: release.namespace.clone(),
        name: format!("{mark}{}", release.name),
    }
}

fn step_of(changing: &ObjectName, mark: &str) -> Option<ObjectName> {
    Some(ObjectName {
        namespace: changing.namespace.clone(),
        name: changing.name.strip_prefix(mark)?.to_owned(),
    })
}

/// helm, wherever it is at work.
const HELM_INSIDE: &[&[&str]] = &[gitops::FLUX, gitops::SAIL];

/// Most changes that one message names.
const NAMED: usize = 5;

/// What became of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum What {
    /// It was not there.
    Created,
    /// It does something else.
    Changed,
    /// It is gone.
    Deleted,
}

impl What {
    /// As in a sentence and in a metric.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Changed => "changed",
            Self::Deleted => "deleted",
        }
    }
}

/// One change that the guard could not refuse.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// Kind of the object.
    pub kind: ExemptKind,
    /// Its name.
    pub name: String,
    /// What became of it.
    pub what: What,
    /// Field managers that wrote it since.
    pub by: Vec<String>,
    /// Digest of what it is now; empty when it is gone.
    pub now: String,
}

impl Change {
    /// Whether the guard itself was changed, and not the mesh.
    #[must_use]
    pub fn is_of_guard(&self) -> bool {
        matches!(
            owner(self.kind, &self.name, &BTreeMap::new()),
            Some(Owner::Guard | Owner::Freeze)
        )
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} was {}", self.kind, one_line(&self.name), self.what.as_str())?;
        if self.by.is_empty() {
            return Ok(());
        }
        write!(f, " (field manager {})", one_line(&self.by.join(", ")))
    }
}

/// All changes in one sentence, the first few by name.
#[must_use]
pub fn describe(changes: &[Change]) -> String {
    let mut text: Vec<String> = changes.iter().take(NAMED).map(ToString::to_string).collect();
    if changes.len() > NAMED {
        text.push(format!("and {} more", changes.len().saturating_sub(NAMED)));
    }
    text.join("; ")
}

/// What has changed since `before` and is not explained by the helm release, or the installation by istioctl, that the
/// holder is `changing`.
///
/// An object's change is the step's own when the object names that release as its owner, before and after, and nobody
/// but helm has written anything that counts since: managedFields tell who wrote, and when. So a foreign edit of the
/// same object in the same moment is not taken for helm's, and neither is its deletion. A foreigner who calls itself
/// `helm` would be; a foreign helm itself is refused at its first write, the release's Secret. The same goes for
/// istioctl, whose first writes are Istio's definitions and the ServiceAccounts of its components.
#[must_use]
pub fn judge(before: &[Fingerprint], now: &[Fingerprint], changing: Option<&ObjectName>) -> Vec<Change> {
    pairs(before, now)
        .into_values()
        .filter(|(before, now)| differ(*before, *now) && !is_own(*before, *now, changing))
        .filter_map(|(before, now)| change(before, now))
        .collect()
}

/// What to compare with from now on: `before`, and in place of what the holder's own step has changed, what is there
/// now.
#[must_use]
pub fn rebase(before: &[Fingerprint], now: &[Fingerprint], changing: Option<&ObjectName>) -> Vec<Fingerprint> {
    pairs(before, now)
        .into_values()
        .filter_map(|(before, now)| {
            let keep = differ(before, now) && !is_own(before, now, changing);
            if keep { before } else { now }
        })
        .cloned()
        .collect()
}

/// What to compare with after a look: `before`, with the writers of now where an object does again what it did. Who has
/// changed it and put it back is told of by then, and must not be taken for one who writes beside the next step.
#[must_use]
pub fn seen_again(before: &[Fingerprint], now: &[Fingerprint]) -> Vec<Fingerprint> {
    pairs(before, now)
        .into_values()
        .filter_map(|(before, now)| if differ(before, now) { before } else { now })
        .cloned()
        .collect()
}

type Pair<'a> = (Option<&'a Fingerprint>, Option<&'a Fingerprint>);

fn pairs<'a>(before: &'a [Fingerprint], now: &'a [Fingerprint]) -> BTreeMap<(ExemptKind, &'a str), Pair<'a>> {
    let mut pairs: BTreeMap<(ExemptKind, &str), Pair<'_>> = BTreeMap::new();
    for fingerprint in before {
        pairs.entry((fingerprint.kind, &fingerprint.name)).or_default().0 = Some(fingerprint);
    }
    for fingerprint in now {
        pairs.entry((fingerprint.kind, &fingerprint.name)).or_default().1 = Some(fingerprint);
    }
    pairs
}

fn differ(before: Option<&Fingerprint>, now: Option<&Fingerprint>) -> bool {
    before.map(|it| &it.sha256) != now.map(|it| &it.sha256)
}

fn is_own(before: Option<&Fingerprint>, now: Option<&Fingerprint>, changing: Option<&ObjectName>) -> bool {
    let Some(changing) = changing else { return false };
    if let Some(new) = step_of(changing, BESIDE) {
        return is_operators(before, now, &new);
    }
    let Some(now) = now else {
        let going = step_of(changing, GOING);
        return going.is_some() && before.and_then(|it| it.release.as_ref()) == going.as_ref();
    };
    let taking_over = step_of(changing, TAKING_OVER);
    let changing = taking_over.as_ref().unwrap_or(changing);
    let is_of_release = |it: &Fingerprint| {
        let release = it.release.as_ref();
        release.is_some_and(|release| release == changing || gitops::is_brought_by(release, changing))
    };
    let engines: &[&[&str]] = if istioctl::is_installation(changing) {
        &[&[istioctl::FIELD_MANAGER]]
    } else if gitops::mark_of(changing).is_some() {
        &[gitops::ARGO_CD]
    } else {
        HELM_INSIDE
    };
    is_of_release(now)
        && (taking_over.is_some() || before.is_none_or(is_of_release))
        && new_writers(before, now).all(|writer| engines.iter().any(|managers| managers.contains(&manager(writer))))
}

/// Whether the Sail Operator did it that brings this release: what the release owns, tags of its own, and the end of another
/// revision of the same Istio.
fn is_operators(before: Option<&Fingerprint>, now: Option<&Fingerprint>, new: &ObjectName) -> bool {
    let in_its_namespace = |it: Option<&Fingerprint>, is_meant: &dyn Fn(&str) -> bool| {
        let release = it.and_then(|it| it.release.as_ref());
        release.is_some_and(|release| release.namespace == new.namespace && is_meant(&release.name))
    };
    let Some(shown) = now else {
        return in_its_namespace(before, &|old| {
            old != new.name && gitops::are_of_one_istio(old, &new.name)
        });
    };
    let brings = |name: &str| name == new.name || gitops::brings_a_tag(name);
    in_its_namespace(now, &brings)
        && (before.is_none() || in_its_namespace(before, &brings))
        && new_writers(before, shown)
            .all(|writer| HELM_INSIDE.iter().any(|managers| managers.contains(&manager(writer))))
}

fn change(before: Option<&Fingerprint>, now: Option<&Fingerprint>) -> Option<Change> {
    let shown = now.or(before)?;
    let mut by: Vec<String> = now
        .into_iter()
        .flat_map(|now| new_writers(before, now))
        .map(|writer| manager(writer).to_owned())
        .collect();
    by.dedup();
    Some(Change {
        kind: shown.kind,
        name: shown.name.clone(),
        what: match (before, now) {
            (None, _) => What::Created,
            (Some(_), Some(_)) => What::Changed,
            (Some(_), None) => What::Deleted,
        },
        by,
        now: now.map(|now| now.sha256.clone()).unwrap_or_default(),
    })
}

/// Those who wrote since. One whose fields were taken over by somebody else keeps the time of its last write.
fn new_writers<'a>(before: Option<&'a Fingerprint>, now: &'a Fingerprint) -> impl Iterator<Item = &'a str> {
    let known = move |writer: &&String| before.is_none_or(|before| !before.writers.contains(*writer));
    now.writers.iter().filter(known).map(String::as_str)
}

/// The manager of an entry, without the time after the last space.
fn manager(writer: &str) -> &str {
    writer.rsplit_once(' ').map_or(writer, |(manager, _)| manager)
}

/// What has changed in a frozen cluster, by its record; nothing while the holder has not said what to compare with.
///
/// Whoever takes an upgrade over writes the record first, then its own freeze policy, and what to compare with last:
/// until then the policies of freezes are in the holder's hands, and its own proofs judge them.
#[must_use]
pub fn judge_freeze(spec: &MeshFreezeSpec, status: &MeshFreezeStatus, now: &[Fingerprint]) -> Vec<Change> {
    if status.fingerprints.is_empty() {
        return Vec::new();
    }
    let current = names::freeze_policy(&spec.mesh, spec.epoch);
    let knows_current = status.fingerprints.iter().any(|known| known.name == current);
    let mut changes = judge(&status.fingerprints, now, status.changing.as_ref());
    changes.retain(|change| knows_current || !change.name.starts_with(names::FREEZE_POLICY_PREFIX));
    changes
}

/// What whoever takes an upgrade over compares with from now on, and what has changed unseen meanwhile.
///
/// The policies of freezes are this driver's own by then, and proved. What else of the guard is there was proved as
/// well, and is told and accepted, so that a guard that was mended by hand stands in nobody's way. Of the mesh, what
/// was remembered stays: a change in between is not forgotten.
#[must_use]
pub fn taken_over(
    before: &[Fingerprint],
    now: &[Fingerprint],
    changing: Option<&ObjectName>,
) -> (Vec<Fingerprint>, Vec<Change>) {
    let of_freeze = |name: &str| name.starts_with(names::FREEZE_POLICY_PREFIX);
    let mut changes = judge(before, now, changing);
    changes.retain(|change| !of_freeze(&change.name));
    let mut kept = rebase(before, now, changing);
    let is_accepted = |it: &Fingerprint| {
        let is_there = || now.iter().any(|now| (now.kind, &now.name) == (it.kind, &it.name));
        match owner(it.kind, &it.name, &BTreeMap::new()) {
            Some(Owner::Freeze) => true,
            Some(Owner::Guard) => is_there(),
            Some(Owner::Mesh) | None => false,
        }
    };
    kept.retain(|it| !is_accepted(it));
    kept.extend(now.iter().filter(|it| is_accepted(it)).cloned());
    kept.sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
    (kept, changes)
}
