//! The fingerprints of a cluster, kept current by a list or a watch of each kind.

use super::{Owner, fingerprint, is_of_scope};
use crate::api::{ExemptKind, Fingerprint, FreezeScope};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

type Seen = BTreeMap<(ExemptKind, String), (Option<Owner>, Fingerprint)>;

/// What was seen of the exempt kinds in one cluster. Holds digests, no objects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Picture {
    seen: Seen,
    /// Of a list under way.
    arriving: Seen,
    complete: BTreeSet<ExemptKind>,
}

impl Picture {
    /// A list of this kind begins.
    pub fn begin(&mut self, kind: ExemptKind) {
        self.arriving.retain(|(other, _), _| *other != kind);
    }

    /// An object of a list under way.
    pub fn arrive(&mut self, kind: ExemptKind, object: &Value) {
        if let Some(found) = fingerprint(kind, object) {
            self.arriving.insert((kind, found.1.name.clone()), found);
        }
    }

    /// The list of this kind is complete: what it did not hold is gone.
    pub fn complete(&mut self, kind: ExemptKind) {
        self.seen.retain(|(other, _), _| *other != kind);
        let (of_kind, rest) = std::mem::take(&mut self.arriving)
            .into_iter()
            .partition(|((other, _), _)| *other == kind);
        self.arriving = rest;
        let of_kind: Seen = of_kind;
        self.seen.extend(of_kind);
        self.complete.insert(kind);
    }

    /// An object was created or changed.
    pub fn apply(&mut self, kind: ExemptKind, object: &Value) {
        if let Some(found) = fingerprint(kind, object) {
            self.seen.insert((kind, found.1.name.clone()), found);
        }
    }

    /// An object is gone.
    pub fn delete(&mut self, kind: ExemptKind, name: &str) {
        self.seen.remove(&(kind, name.to_owned()));
    }

    /// Whether this kind has been listed once.
    #[must_use]
    pub fn has(&self, kind: ExemptKind) -> bool {
        self.complete.contains(&kind)
    }

    /// What belongs to the guard, or to a mesh with this scope.
    #[must_use]
    pub fn of(&self, scope: &FreezeScope) -> Vec<Fingerprint> {
        let mine =
            |(owner, fingerprint): &&(Option<Owner>, Fingerprint)| owner.is_some() || is_of_scope(fingerprint, scope);
        self.seen
            .values()
            .filter(mine)
            .map(|(_, fingerprint)| fingerprint.clone())
            .collect()
    }
}
