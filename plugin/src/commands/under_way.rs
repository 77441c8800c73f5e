//! Whether an upgrade is under way, for whoever only looks at its mesh: a frozen mesh refuses controllers what they try, and
//! half of it may be at the target.

use super::{
    Scene,
    journals::{Held, Journals},
};
use crate::{
    cluster::Cluster,
    error::CommandError,
    executor::journal,
    ui::{Mark, Ui},
};
use kube::ResourceExt as _;
use serde_json::{Value, json};
use shared::{
    api::MeshUpgrade,
    journals::{self, UnderWay},
    machine::progress,
    mesh::MeshView,
    preflight::{Begun, Record},
};

/// An upgrade that has begun and is not over.
#[derive(Debug)]
pub struct Upgrade<'a> {
    /// Which one, who drives it and how far it is, in a sentence.
    pub says: String,
    /// Whether the mesh is frozen for it.
    pub frozen: bool,
    /// What it means for a check.
    pub begun: Begun,
    /// The same for programs.
    pub document: Value,
    /// Its journal, where that was found.
    pub journal: Option<&'a MeshUpgrade>,
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
pub fn of<'a>(journals: &'a Journals, scene: &Scene, mesh: &MeshView) -> Option<Upgrade<'a>> {
    let begun = journals.begun().map(|held| &held.journal);
    let found = journals::under_way(mesh, &scene.inventory, begun, &journals.freezes)?;
    let read: Vec<&str> = scene
        .answered()
        .map(|cluster| cluster.name.as_str())
        .filter(|cluster| !journals.unread.contains_key(*cluster))
        .collect();
    // The context that counts without being named leads to the first cluster.
    let is_found = |held: &&Held| {
        found
            .journal
            .is_some_and(|journal| std::ptr::eq(journal, &held.journal))
    };
    let held = journals.begun().find(is_found);
    let elsewhere = held.filter(|held| held.home.name != scene.cluster.name);
    let context = elsewhere.map(|held| held.home.context());
    let unread = unread(journals, mesh).next().map(|(cluster, _)| cluster);
    upgrade_of(&found, context, &read, unread)
}

/// By its journal; or, where that is in a cluster that was not asked, by what is frozen.
fn upgrade_of<'a>(
    found: &UnderWay<'a>,
    context: Option<&str>,
    read: &[&str],
    unread: Option<&str>,
) -> Option<Upgrade<'a>> {
    if let Some(journal) = found.journal {
        let phase = journal.phase();
        return Some(Upgrade {
            says: progress::in_a_sentence(journal),
            frozen: found.freeze.is_some() || progress::is_known_frozen(journal),
            begun: Begun::of(journal, context),
            document: json!({
                "name": journal.name_any(), "to": journal.spec.to, "phase": phase, "driver": progress::driver(journal),
            }),
            journal: Some(journal),
        });
    }
    let (cluster, freeze) = found.freeze?;
    let spec = &freeze.spec;
    Some(Upgrade {
        says: format!(
            "mesh {} is frozen in cluster {cluster} by its upgrade to {}, driven by {}, of which no journal under way was found",
            spec.mesh, spec.to, spec.holder
        ),
        frozen: true,
        begun: Begun::without_journal(spec, read, unread),
        document: json!({ "name": spec.upgrade, "to": spec.to, "phase": null, "driver": spec.holder }),
        journal: None,
    })
}

impl Upgrade<'_> {
    /// Refuses one whose journal this plugin may misunderstand.
    ///
    /// # Errors
    /// When a newer plugin wrote it.
    pub fn refuse_newer(&self) -> Result<(), CommandError> {
        self.journal.map_or(Ok(()), journal::refuse_newer)
    }

    /// What tells of it.
    pub fn see(&self) -> String {
        format!("kubectl mesh-upgrade status {}", self.begun.mesh)
    }

    /// Whether its journal is driven, as far as is known: then it is gone on with.
    pub fn is_driven(&self) -> bool {
        self.begun.record == Record::Driven
    }
}

/// Where journals could not be read, nothing that was found is no answer.
pub fn warn_unread(journals: &Journals, mesh: &MeshView, ui: Ui) {
    for (cluster, why) in unread(journals, mesh) {
        let why = format!("cluster {cluster}: {why}");
        let told = format!("whether this tool is upgrading mesh {} is not known: {why}", mesh.name);
        ui.progress(Mark::Warn, &told);
    }
}

/// The mesh's clusters whose journals could not be read, and why.
fn unread<'a>(journals: &'a Journals, mesh: &MeshView) -> impl Iterator<Item = (&'a str, &'a str)> {
    let of_mesh = |cluster: &str| mesh.clusters().any(|member| member == cluster);
    let unread = journals.unread.iter().filter(move |(cluster, _)| of_mesh(cluster));
    unread.map(|(cluster, why)| (cluster.as_str(), why.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::{
        api::{FreezeSettings, Management, MeshFreeze, MeshUpgradeSpec, MeshUpgradeStatus, Plan},
        mesh::MeshMember,
        phase::Phase,
    };

    fn journal(phase: Option<Phase>) -> MeshUpgrade {
        let spec = MeshUpgradeSpec::of("shop", "1.30.3", "1.31.0", Plan::default(), "alice");
        let mut journal = MeshUpgrade::new("shop-1.31.0-1", spec);
        journal.status = phase.map(|phase| MeshUpgradeStatus {
            phase,
            ..MeshUpgradeStatus::default()
        });
        journal
    }

    fn freeze() -> MeshFreeze {
        let spec = json!({
            "mesh": "shop", "upgrade": "shop-1.31.0-1", "home": "east", "from": "1.30.3", "to": "1.31.0", "holder": "bob",
            "epoch": 1, "since": "2026-11-30T10:00:00Z", "scope": {},
        });
        MeshFreeze::new("shop", serde_json::from_value(spec).unwrap())
    }

    #[test]
    fn an_upgrade_is_known_by_its_journal_or_by_what_it_has_frozen() {
        let frozen_by = freeze();
        let freeze = Some(("west", &frozen_by));
        for (phase, freeze, frozen) in [
            (Phase::Pulling, None, false),
            (Phase::Freezing, freeze, true),
            (Phase::Upgrading, None, true),
            (Phase::Thawing, None, false),
        ] {
            let journal = journal(Some(phase));
            let found = UnderWay {
                journal: Some(&journal),
                freeze,
            };
            let found = upgrade_of(&found, None, &["east"], None).unwrap();
            assert_eq!((found.frozen, found.is_driven()), (frozen, true), "{phase}");
            assert!(
                found.says.contains("to 1.31.0, driven by alice, is in phase"),
                "{}",
                found.says
            );
            assert_eq!(found.document["phase"], phase.as_str());
            assert_eq!(found.see(), "kubectl mesh-upgrade status shop");
        }
        let elsewhere = UnderWay { journal: None, freeze };
        for (read, home) in [(&["west"][..], Some("east")), (&["east", "west"], None)] {
            let found = upgrade_of(&elsewhere, None, read, None).unwrap();
            assert!(found.frozen && !found.is_driven());
            assert!(
                found
                    .says
                    .contains("in cluster west by its upgrade to 1.31.0, driven by bob"),
                "{}",
                found.says
            );
            let home = home.map(ToOwned::to_owned);
            assert_eq!(found.begun.record, Record::Missing { home });
        }
        let restored = journal(None);
        let found = UnderWay {
            journal: Some(&restored),
            freeze: None,
        };
        let found = upgrade_of(&found, Some("admin@east"), &["east"], None).unwrap();
        let target = "1.30.7".parse().unwrap();
        assert!(!found.is_driven());
        let fix = found.begun.finding(&target).fix;
        assert!(
            fix.contains("kubectl delete meshupgrade shop-1.31.0-1 --context admin@east"),
            "{fix}"
        );
    }

    #[test]
    fn a_cluster_whose_journals_cannot_be_read_is_told_of_where_it_is_of_the_mesh() {
        let journals = Journals {
            unread: ["east", "north"].map(|name| (name.to_owned(), "500".to_owned())).into(),
            ..Journals::default()
        };
        for (clusters, expected) in [
            (&["east", "west"][..], &["cluster east: 500"][..]),
            (&["east", "north"], &["cluster east: 500", "cluster north: 500"]),
            (&["west"], &[]),
        ] {
            let members = clusters.iter().map(|cluster| MeshMember {
                cluster: (*cluster).to_owned(),
                istio_namespaces: vec!["istio-system".to_owned()],
            });
            let mesh = MeshView {
                name: "shop".to_owned(),
                management: Management::Dedicated,
                istio_namespace: "istio-system".to_owned(),
                flavor: None,
                version: None,
                members: members.collect(),
                home: None,
                has_object: true,
                recorded_version: None,
                freeze: FreezeSettings::default(),
            };
            let unread: Vec<String> = unread(&journals, &mesh)
                .map(|(cluster, why)| format!("cluster {cluster}: {why}"))
                .collect();
            assert_eq!(unread, expected, "{clusters:?}");
        }
    }
}
