//! What was recorded of a mesh: by its Mesh object, and by the freezes and journals of its upgrades. Which version of all that
//! counts is decided here.

use super::super::decide::{Freeze, KnownMesh, KnownUpgrade};
use crate::{
    api::{Mesh, MeshFreeze},
    journals::Outline,
    names,
    phase::Phase,
    version::{Flavor, IstioVersion},
};

/// A freeze, with how far its upgrade is where the journal is among these.
#[must_use]
pub fn freeze<'a>(freeze: &MeshFreeze, upgrades: impl IntoIterator<Item = &'a Outline>) -> Freeze {
    let journal = upgrades
        .into_iter()
        .find(|upgrade| upgrade.metadata.name.as_ref() == Some(&freeze.spec.upgrade));
    Freeze {
        spec: freeze.spec.clone(),
        phase: journal
            .and_then(|journal| journal.status.as_ref())
            .map(|status| status.phase),
    }
}

/// The journal of an upgrade.
#[must_use]
pub fn upgrade(upgrade: &Outline) -> KnownUpgrade {
    KnownUpgrade {
        name: upgrade.metadata.name.clone().unwrap_or_default(),
        mesh: upgrade.spec.mesh.clone(),
        phase: upgrade.status.as_ref().map(|status| status.phase).unwrap_or_default(),
        epoch: upgrade.status.as_ref().map(|status| status.epoch).unwrap_or_default(),
    }
}

/// What Mesh objects say, with what freezes and journals know of the same meshes. A mesh needs no object to be upgraded,
/// so that some are known by their journals alone.
#[must_use]
pub fn meshes<'a>(
    meshes: impl IntoIterator<Item = &'a Mesh>,
    freezes: impl IntoIterator<Item = &'a MeshFreeze>,
    upgrades: impl IntoIterator<Item = &'a Outline>,
) -> Vec<KnownMesh> {
    let mut known: Vec<KnownMesh> = meshes.into_iter().map(of_object).collect();
    let frozen = freezes.into_iter().map(|freeze| {
        let namespaces = freeze.spec.scope.istio_namespaces.clone();
        (&freeze.spec.mesh, namespaces, freeze.spec.from.parse().ok())
    });
    let upgraded = upgrades.into_iter().map(|upgrade| {
        let namespaces = upgrade.istio_namespaces().cloned();
        (&upgrade.spec.mesh, namespaces.collect::<Vec<_>>(), reached(upgrade))
    });
    for (name, namespaces, version) in frozen.chain(upgraded) {
        let place = known.iter().position(|mesh| mesh.name == *name);
        let mut mesh = match place {
            Some(place) => known.swap_remove(place),
            None => without_object(name, namespaces.first(), version.as_ref()),
        };
        for namespace in namespaces {
            if !mesh.has_namespace(&namespace) {
                mesh.namespaces.push(namespace);
            }
        }
        if counts(&mesh, version.as_ref()) {
            mesh.version = version;
        }
        known.push(mesh);
    }
    known
}

fn of_object(mesh: &Mesh) -> KnownMesh {
    let recorded = mesh.status.as_ref().and_then(|status| status.version.as_deref());
    let annotations = mesh.metadata.annotations.as_ref();
    KnownMesh {
        name: mesh.metadata.name.clone().unwrap_or_default(),
        istio_namespace: mesh.spec.istio_namespace.clone(),
        namespaces: Vec::new(),
        flavor: Flavor::from_suffix(mesh.spec.flavor.as_deref()),
        version: recorded.and_then(|version| version.parse().ok()),
        management: Some(mesh.spec.management),
        downgrade: mesh.spec.downgrade.clone(),
        clusters: mesh.spec.clusters.clone(),
        reports: mesh
            .status
            .as_ref()
            .map(|status| status.reports.clone())
            .unwrap_or_default(),
        own_cluster: annotations.and_then(|annotations| annotations.get(names::ANNOTATION_CLUSTER).cloned()),
    }
}

fn without_object(name: &str, namespace: Option<&String>, version: Option<&IstioVersion>) -> KnownMesh {
    KnownMesh {
        name: name.to_owned(),
        istio_namespace: namespace.cloned().unwrap_or_default(),
        flavor: version.map(|version| version.flavor.clone()).unwrap_or_default(),
        ..KnownMesh::default()
    }
}

/// Whether what a freeze or a journal knows is to stand for what is known of the mesh so far.
fn counts(mesh: &KnownMesh, version: Option<&IstioVersion>) -> bool {
    match (&mesh.version, version) {
        // Its owner upgrades it now, and may go back: what this tool once did there is history.
        (Some(_), _) if mesh.is_external() => false,
        (Some(known), Some(version)) => version.cmp_release(known).is_gt(),
        (Some(_), None) => false,
        (None, _) => true,
    }
}

/// The newest version that an upgrade brought to its mesh for certain.
fn reached(upgrade: &Outline) -> Option<IstioVersion> {
    let phase = upgrade.status.as_ref()?.phase;
    let version = match phase {
        Phase::Verifying | Phase::Thawing | Phase::Succeeded => &upgrade.spec.to,
        Phase::Pending | Phase::Checking | Phase::Pulling | Phase::Freezing | Phase::Upgrading | Phase::Withdrawn => {
            &upgrade.spec.from
        }
    };
    version.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{from_value, json};

    fn mesh(management: &str, version: Option<&str>) -> Mesh {
        from_value(
            json!({"apiVersion": "meshupgrade.io/v1alpha1", "kind": "Mesh", "metadata": {"name": "default"},
            "spec": {"management": management}, "status": {"version": version}}),
        )
        .unwrap()
    }

    fn journal(name: &str, mesh: &str, to: &str, phase: &str, namespaces: &[&str]) -> Outline {
        from_value(json!({"apiVersion": "meshupgrade.io/v1alpha1", "kind": "MeshUpgrade",
            "metadata": {"name": name}, "spec": {"journalVersion": 1, "mesh": mesh, "from": "1.30.3", "to": to,
            "plan": {"clusters": [{"name": "east", "uid": "u", "scope": {"istioNamespaces": namespaces}}],
            "steps": [], "charts": {"location": ""}}, "planHash": "", "requestedBy": "alice"},
            "status": {"phase": phase, "epoch": 3}}))
        .unwrap()
    }

    fn frozen(from: &str) -> MeshFreeze {
        from_value(json!({"apiVersion": "meshupgrade.io/v1alpha1", "kind": "MeshFreeze",
            "metadata": {"name": "default"}, "spec": {"mesh": "default", "upgrade": "a", "from": from,
            "to": "1.31.0", "holder": "alice", "epoch": 3, "since": "2026-01-01T00:00:00Z",
            "scope": {"istioNamespaces": ["istio-system"]}}}))
        .unwrap()
    }

    #[test]
    fn journals_tell_the_namespaces_and_the_version_of_a_mesh() {
        let upgrades = [
            journal("a", "default", "1.31.0", "Succeeded", &["istio-system", "istio-canary"]),
            journal("b", "default", "1.32.0", "Upgrading", &["istio-system"]),
            journal("c", "other", "1.31.0-mspider", "Succeeded", &["mesh"]),
        ];
        let known = meshes(&[mesh("Dedicated", Some("1.30.3"))], &[], &upgrades);
        let find = |name: &str| known.iter().find(|mesh| mesh.name == name).unwrap();
        let default = find("default");
        assert_eq!(
            default.version.as_ref().unwrap().to_string(),
            "1.31.0",
            "an upgrade under way proves nothing"
        );
        assert!(default.has_namespace("istio-system") && default.has_namespace("istio-canary"));
        assert!(!default.has_namespace("mesh"));
        let other = find("other");
        assert_eq!(
            (other.istio_namespace.as_str(), other.flavor.suffix()),
            ("mesh", Some("mspider"))
        );
        assert_eq!(known.len(), 2);
    }

    #[test]
    fn a_version_is_brought_once_every_component_is_at_it() {
        for phase in Phase::ALL {
            let brought = matches!(phase, Phase::Verifying | Phase::Thawing | Phase::Succeeded);
            let version = reached(&journal("a", "default", "1.31.0", phase.as_str(), &[])).unwrap();
            let expected = if brought { "1.31.0" } else { "1.30.3" };
            assert_eq!(version.to_string(), expected, "{phase:?}");
        }
    }

    #[test]
    fn the_newest_record_counts_but_of_an_external_mesh_only_its_own() {
        for (management, recorded, from, to, expected) in [
            ("Dedicated", Some("1.30.3"), "1.29.0", "1.31.0", Some("1.31.0")),
            ("Dedicated", Some("1.31.1"), "1.29.0", "1.31.0", Some("1.31.1")),
            ("Dedicated", Some("1.30.3"), "1.30.9", "1.30.4", Some("1.30.9")),
            ("Dedicated", Some("1.30.3"), "latest", "latest", Some("1.30.3")),
            ("Dedicated", None, "latest", "1.31.0", Some("1.31.0")),
            ("Dedicated", None, "latest", "latest", None),
            ("External", Some("1.29.0"), "1.30.3", "1.31.0", Some("1.29.0")),
        ] {
            let journal = journal("a", "default", to, "Succeeded", &["istio-system"]);
            let known = meshes(&[mesh(management, recorded)], &[frozen(from)], [&journal]);
            let version = known[0].version.as_ref().map(ToString::to_string);
            assert_eq!(version.as_deref(), expected, "{management} {recorded:?} {from} {to}");
        }
    }

    #[test]
    fn a_newer_plugins_journal_is_known_by_what_every_plugin_understands() {
        let newer = |name: &str, installer: &str, phase: &str| -> Outline {
            from_value(json!({"apiVersion": "meshupgrade.io/v1alpha1", "kind": "MeshUpgrade",
                "metadata": {"name": name}, "spec": {"journalVersion": 5, "mesh": name, "from": "1.30.3", "to": "1.31.0",
                "plan": {"clusters": [{"name": "east", "uid": "u", "scope": {"istioNamespaces": [name]}}],
                "steps": [{"installer": installer}], "charts": 7}, "planHash": "", "requestedBy": "alice"},
                "status": {"phase": phase, "epoch": 3, "steps": "other"}}))
            .unwrap()
        };
        let upgrades = [
            newer("over", "X", "Succeeded"),
            newer("begun", "X", "Upgrading"),
            newer("unknown", "Helm", "Soaking"),
        ];
        let known: Vec<_> = upgrades.iter().map(upgrade).collect();
        let known: Vec<_> = known.iter().map(|known| (known.phase, known.epoch)).collect();
        assert_eq!(
            known,
            [(Phase::Succeeded, 3), (Phase::Upgrading, 3), (Phase::Upgrading, 3)]
        );
        let known = meshes(&[], &[], &upgrades);
        let version = |name: &str| {
            let mesh = known.iter().find(|mesh| mesh.name == name).unwrap();
            assert!(mesh.has_namespace(name));
            mesh.version.as_ref().unwrap().to_string()
        };
        assert_eq!(
            ["over", "begun", "unknown"].map(version),
            ["1.31.0", "1.30.3", "1.30.3"]
        );
    }
}
