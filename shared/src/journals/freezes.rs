//! Whose freeze is meant, where a name is borne by several meshes: each cluster may have its own `default`, frozen by an upgrade
//! of its own.

use crate::api::MeshFreeze;

/// An upgrade that has begun.
#[derive(Clone, Copy, Debug)]
pub struct Begun<'a> {
    /// Name of its journal.
    pub name: &'a str,
    /// The cluster that holds it.
    pub home: &'a str,
    /// Whether a driver has written to it; see [`is_untouched`](super::is_untouched).
    pub driven: bool,
}

/// A cluster that says by which upgrade it is frozen.
#[derive(Clone, Copy, Debug)]
pub struct FrozenBy<'a> {
    /// Its name.
    pub cluster: &'a str,
    /// Name of the journal.
    pub upgrade: &'a str,
}

/// The upgrade whose freeze of a mesh is to be lifted, of those that have begun or have frozen it; `None` where none is known.
/// Of several it is the one that has frozen the cluster which was `asked` for, or else the one with its journal there.
///
/// # Errors
/// When several are left: each with a cluster that leads to it.
pub fn meant<'a>(
    begun: &[Begun<'a>],
    frozen: &[FrozenBy<'a>],
    asked: Option<&str>,
) -> Result<Option<&'a str>, Vec<(&'a str, &'a str)>> {
    let of_records = frozen.iter().map(|one| (one.upgrade, one.cluster));
    let driven = begun.iter().filter(|one| one.driven).map(|one| (one.name, one.home));
    let mut known: Vec<(&str, &str)> = Vec::new();
    for (upgrade, cluster) in of_records.chain(driven) {
        if !known.iter().any(|(other, _)| *other == upgrade) {
            known.push((upgrade, cluster));
        }
    }
    match (known.as_slice(), begun) {
        ([], [only]) => return Ok(Some(only.name)),
        ([], _) => return Ok(None),
        ([(only, _)], _) => return Ok(Some(*only)),
        _ => {}
    }
    if let Some(here) = frozen.iter().find(|one| asked == Some(one.cluster)) {
        return Ok(Some(here.upgrade));
    }
    let mut at_home = begun.iter().filter(|one| one.driven && asked == Some(one.home));
    match (at_home.next(), at_home.next()) {
        (Some(only), None) => Ok(Some(only.name)),
        _ => Err(known),
    }
}

/// Whether what freezes a mesh in a cluster may be of this upgrade. A policy that is left without a record tells no name.
#[must_use]
pub fn may_be_of(record: Option<&MeshFreeze>, upgrade: Option<&str>) -> bool {
    match (record, upgrade) {
        (Some(record), Some(upgrade)) => record.spec.upgrade == upgrade,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{from_value, json};

    #[test]
    fn the_freeze_of_one_upgrade_is_meant_or_none() {
        let begun = |name: &'static str, home: &'static str, driven: bool| Begun { name, home, driven };
        let frozen = |cluster: &'static str, upgrade: &'static str| FrozenBy { cluster, upgrade };
        let (a, b) = (begun("a", "east", true), begun("b", "west", true));
        let (old, older) = (begun("old", "east", false), begun("older", "east", false));
        for (what, begun, by, asked, expected) in [
            ("nothing", &[][..], &[][..], None, Ok(None)),
            (
                "one",
                &[a],
                &[frozen("east", "a"), frozen("west", "a")],
                None,
                Ok(Some("a")),
            ),
            ("one that has not frozen yet", &[a], &[], None, Ok(Some("a"))),
            ("a journal elsewhere", &[], &[frozen("east", "a")], None, Ok(Some("a"))),
            (
                "two",
                &[a, b],
                &[frozen("east", "a"), frozen("west", "b")],
                None,
                Err(2),
            ),
            (
                "two",
                &[a, b],
                &[frozen("east", "a"), frozen("west", "b")],
                Some("west"),
                Ok(Some("b")),
            ),
            ("one of two has frozen", &[a, b], &[frozen("east", "a")], None, Err(2)),
            (
                "one of two has frozen",
                &[a, b],
                &[frozen("east", "a")],
                Some("west"),
                Ok(Some("b")),
            ),
            (
                "what was left behind",
                &[b],
                &[frozen("east", "a")],
                Some("east"),
                Ok(Some("a")),
            ),
            ("neither is there", &[a, b], &[], Some("north"), Err(2)),
            (
                "out of a backup",
                &[older, old],
                &[frozen("east", "old")],
                None,
                Ok(Some("old")),
            ),
            ("out of a backup", &[older, old], &[], None, Ok(None)),
            ("out of a backup", &[older, a], &[], None, Ok(Some("a"))),
            ("out of a backup", &[old], &[], None, Ok(Some("old"))),
        ] {
            let found = meant(begun, by, asked).map_err(|several| several.len());
            assert_eq!(found, expected, "{what}, asked in {asked:?}");
        }
    }

    #[test]
    fn a_cluster_that_another_upgrade_froze_stays_frozen() {
        let record = |upgrade: &str| -> MeshFreeze {
            let spec = json!({"mesh": "default", "upgrade": upgrade, "from": "1.30.3", "to": "1.31.0", "holder": "alice",
                "epoch": 3, "since": "2026-01-01T00:00:00Z", "scope": {}});
            let metadata = json!({"name": "default"});
            from_value(json!({"apiVersion": "meshupgrade.io/v1alpha1", "kind": "MeshFreeze", "metadata": metadata, "spec": spec}))
                .unwrap()
        };
        for (record, upgrade, expected) in [
            (Some(record("a")), Some("a"), true),
            (Some(record("b")), Some("a"), false),
            (Some(record("b")), None, true),
            (None, Some("a"), true),
        ] {
            assert_eq!(may_be_of(record.as_ref(), upgrade), expected, "{upgrade:?}");
        }
    }
}
