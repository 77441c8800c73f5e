//! Whether an upgrade is under way, for whoever only looks at its mesh: a frozen mesh refuses controllers what they try, and
//! half of it may be at the target.

use super::{Scene, journals::Journals};
use crate::cluster::Cluster;
use kube::ResourceExt as _;
use serde_json::{Value, json};
use shared::{
    api::{MeshFreeze, MeshUpgrade},
    machine::progress,
    phase::Phase,
    preflight::Begun,
};

/// An upgrade that has begun and is not over.
#[derive(Debug, PartialEq)]
pub struct Upgrade {
    /// Which one, who drives it and how far it is, in a sentence.
    pub says: String,
    /// Whether the mesh is frozen for it.
    pub frozen: bool,
    /// What it means for a check.
    pub begun: Begun,
    /// The same for programs.
    pub document: Value,
}

/// What the clusters know of upgrades, as far as the caller may see it: who may not sees none.
pub async fn look(scene: &Scene) -> Journals {
    // Without our definitions there is nothing to ask for.
    let knows = |cluster: &&Cluster| {
        scene
            .inventory
            .observed(&cluster.name)
            .is_some_and(|seen| seen.guard.crds)
    };
    let asked: Vec<Cluster> = scene.answered().filter(knows).cloned().collect();
    Journals::read(&asked).await
}

/// The upgrade of a mesh that is under way.
#[must_use]
pub fn of(journals: &Journals, mesh: &str) -> Option<Upgrade> {
    upgrade_of(journals.begun().map(|held| &held.journal), &journals.freezes, mesh)
}

/// By its journal; or, where that is in a cluster that was not asked, by what is frozen.
fn upgrade_of<'a>(
    mut begun: impl Iterator<Item = &'a MeshUpgrade>,
    freezes: &[(String, MeshFreeze)],
    mesh: &str,
) -> Option<Upgrade> {
    let freeze = freezes.iter().find(|(_, freeze)| freeze.spec.mesh == mesh);
    if let Some(journal) = begun.find(|journal| journal.spec.mesh == mesh) {
        let phase = journal.phase();
        return Some(Upgrade {
            says: progress::in_a_sentence(journal),
            frozen: freeze.is_some() || progress::is_known_frozen(journal),
            begun: Begun::of(journal),
            document: json!({
                "name": journal.name_any(), "to": journal.spec.to, "phase": phase, "driver": progress::driver(journal),
            }),
        });
    }
    let (cluster, freeze) = freeze?;
    let spec = &freeze.spec;
    Some(Upgrade {
        says: format!(
            "mesh {mesh} is frozen in cluster {cluster} by its upgrade to {}, driven by {}, whose journal was not found here",
            spec.to, spec.holder
        ),
        frozen: true,
        begun: Begun {
            to: spec.to.clone(),
            // How far it is, its journal alone knows; this far nobody is told that it may be given up.
            phase: Phase::Upgrading,
            frozen_since: Some(spec.since.clone()),
        },
        document: json!({ "name": spec.upgrade, "to": spec.to, "phase": null, "driver": spec.holder }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::api::{MeshUpgradeSpec, MeshUpgradeStatus, Plan};

    fn journal(mesh: &str, phase: Phase) -> MeshUpgrade {
        let spec = MeshUpgradeSpec::of(mesh, "1.30.3", "1.31.0", Plan::default(), "alice");
        let mut journal = MeshUpgrade::new("shop-1.31.0-1", spec);
        journal.status = Some(MeshUpgradeStatus {
            phase,
            ..MeshUpgradeStatus::default()
        });
        journal
    }

    fn freeze(mesh: &str) -> (String, MeshFreeze) {
        let spec = json!({
            "mesh": mesh, "upgrade": "shop-1.31.0-1", "home": "east", "from": "1.30.3", "to": "1.31.0", "holder": "bob",
            "epoch": 1, "since": "2026-11-30T10:00:00Z", "scope": {},
        });
        let freeze = MeshFreeze::new(mesh, serde_json::from_value(spec).unwrap());
        ("west".to_owned(), freeze)
    }

    #[test]
    fn an_upgrade_is_known_by_its_journal_or_by_what_it_has_frozen() {
        let of =
            |journals: &[MeshUpgrade], freezes: &[(String, MeshFreeze)]| upgrade_of(journals.iter(), freezes, "shop");
        assert_eq!(of(&[], &[]), None);
        assert_eq!(of(&[journal("other", Phase::Upgrading)], &[freeze("other")]), None);
        for (phase, freezes, frozen) in [
            (Phase::Pulling, vec![], false),
            (Phase::Freezing, vec![freeze("shop")], true),
            (Phase::Upgrading, vec![], true),
            (Phase::Thawing, vec![], false),
        ] {
            let found = of(&[journal("shop", phase)], &freezes).unwrap();
            assert_eq!(found.frozen, frozen, "{phase}");
            assert!(
                found.says.contains("to 1.31.0, driven by alice, is in phase"),
                "{}",
                found.says
            );
            assert_eq!(found.document["phase"], phase.as_str());
        }
        let elsewhere = of(&[], &[freeze("shop")]).unwrap();
        assert!(
            elsewhere.frozen
                && elsewhere
                    .says
                    .contains("in cluster west by its upgrade to 1.31.0, driven by bob")
        );
    }
}
