//! The upgrade of a mesh that is under way, of all that clusters know of upgrades: of the mesh itself, whatever others are called.

use super::{frozen_mesh_of, is_untouched, mesh_of, under_another_name};
use crate::{
    api::{MeshFreeze, MeshUpgrade},
    inventory::Inventory,
    mesh::{self, MeshView},
};
use kube::ResourceExt as _;

/// What was found of it: at least one of both.
#[derive(Clone, Copy, Debug)]
pub struct UnderWay<'a> {
    /// Its journal.
    pub journal: Option<&'a MeshUpgrade>,
    /// A cluster of the mesh that is frozen for it, with the record of that.
    pub freeze: Option<(&'a str, &'a MeshFreeze)>,
}

/// Looks for it among the journals of upgrades that have begun and are not over, and the freezes with the names of their
/// clusters. Of several journals one that has been driven counts before those that come from a backup.
#[must_use]
pub fn under_way<'a>(
    mesh: &MeshView,
    inventory: &Inventory,
    begun: impl IntoIterator<Item = &'a MeshUpgrade>,
    freezes: &'a [(String, MeshFreeze)],
) -> Option<UnderWay<'a>> {
    let begun: Vec<&MeshUpgrade> = begun.into_iter().collect();
    if begun.is_empty() && freezes.is_empty() {
        return None;
    }
    // All of them: one that is not shown, since it is in another namespace, has its own upgrades all the same.
    let meshes = mesh::meshes(inventory);
    let is_this = |found: Option<&MeshView>| found.is_some_and(|found| found.name == mesh.name);
    // One upgrade may take along what now looks like two meshes.
    let shared = under_another_name(mesh, inventory, begun.iter().copied());
    let its = begun.into_iter().filter(|journal| {
        let spec = &journal.spec;
        is_this(mesh_of(&spec.plan.clusters, &spec.mesh, &meshes, inventory))
    });
    let journal = its.min_by_key(|journal| is_untouched(journal)).or(shared);
    let mut freezes = freezes
        .iter()
        .map(|(cluster, freeze)| (cluster.as_str(), freeze))
        .filter(|(cluster, _)| mesh.clusters().any(|member| member == *cluster));
    let freeze = freezes.find(|(cluster, freeze)| {
        let of_journal = journal.is_some_and(|journal| journal.name_any() == freeze.spec.upgrade);
        of_journal || is_this(frozen_mesh_of(cluster, freeze, &meshes, inventory))
    });
    (journal.is_some() || freeze.is_some()).then_some(UnderWay { journal, freeze })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        api::{FreezeScope, MeshUpgradeStatus},
        inventory::sample,
        journals::identity,
    };
    use serde_json::{from_value, json};

    fn scope() -> FreezeScope {
        FreezeScope {
            istio_namespaces: vec!["istio-system".to_owned()],
            ..FreezeScope::default()
        }
    }

    fn journal(name: &str, mesh: &str, uid: &str) -> MeshUpgrade {
        let mut journal = identity::tests::journal(mesh, uid, "istio-system");
        journal.metadata.name = Some(name.to_owned());
        journal.status = Some(MeshUpgradeStatus::default());
        journal
    }

    fn freeze(cluster: &str, mesh: &str, upgrade: &str) -> (String, MeshFreeze) {
        let spec = json!({
            "mesh": mesh, "upgrade": upgrade, "home": "west", "from": "1.30.3", "to": "1.31.0", "holder": "bob", "epoch": 1,
            "since": "2026-11-30T10:00:00Z", "scope": scope(),
        });
        (cluster.to_owned(), MeshFreeze::new(mesh, from_value(spec).unwrap()))
    }

    /// East and west each have a mesh of their own that is called `default` where it is looked at alone.
    #[test]
    fn an_upgrade_is_of_the_mesh_that_it_takes_along_whatever_that_is_called() {
        let both = Inventory {
            clusters: vec![
                sample::cluster("east", "1.30.3", "v1.36.3"),
                sample::cluster("west", "1.30.3", "v1.36.3"),
            ],
        };
        let meshes = mesh::meshes(&both);
        let names: Vec<&str> = meshes.iter().map(|mesh| mesh.name.as_str()).collect();
        assert_eq!(names, ["default", "default-west"]);
        let of_west = || journal("default-1", "default", "uid-of-west");
        let gone = || journal("default-1", "default", "uid-of-another");
        let (name, frozen) = (Some("default-1"), Some("west"));
        for (what, journals, freezes, of_default, of_default_west) in [
            ("nothing", vec![], vec![], None, None),
            ("begun in west alone", vec![of_west()], vec![], None, Some((name, None))),
            (
                "frozen, too",
                vec![of_west()],
                vec![freeze("west", "default", "default-1")],
                None,
                Some((name, frozen)),
            ),
            (
                "its journal is not found",
                vec![],
                vec![freeze("west", "default", "default-1")],
                None,
                Some((None, frozen)),
            ),
            (
                "a freeze in a cluster of none of them",
                vec![],
                vec![freeze("north", "default", "default-1")],
                None,
                None,
            ),
            (
                "known by its name alone",
                vec![gone()],
                vec![],
                Some((name, None)),
                None,
            ),
            (
                "of another mesh",
                vec![journal("x", "shop", "other")],
                vec![],
                None,
                None,
            ),
        ] {
            for (mesh, expected) in meshes.iter().zip([of_default, of_default_west]) {
                let found = under_way(mesh, &both, &journals, &freezes).map(|found| {
                    let journal = found.journal.and_then(|journal| journal.metadata.name.as_deref());
                    (journal, found.freeze.map(|(cluster, _)| cluster))
                });
                assert_eq!(found, expected, "{what}: {}", mesh.name);
            }
        }
    }

    #[test]
    fn what_is_driven_counts_before_what_a_backup_brought() {
        let inventory = sample::one("1.30.3", "v1.36.3");
        let mesh = &mesh::meshes(&inventory)[0];
        let mut restored = journal("old", "default", "uid-of-east");
        restored.status = None;
        let driven = journal("new", "default", "uid-of-east");
        let found = |journals: &[MeshUpgrade]| {
            under_way(mesh, &inventory, journals, &[]).and_then(|found| Some(found.journal?.name_any()))
        };
        assert_eq!(found(&[restored.clone(), driven]).as_deref(), Some("new"));
        assert_eq!(found(&[restored]).as_deref(), Some("old"));
    }
}
