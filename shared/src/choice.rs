//! The versions that a mesh may be taken to, and why it may not go to the others.

use crate::{
    catalog::{Catalog, Date, Range},
    finding::{Code, Family, Finding, Severity, codes},
    inventory::Inventory,
    mesh::MeshView,
    preflight::{self, Target},
    version::{IstioVersion, Move},
};

/// A version from the one that runs on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The newest patch of its minor.
    pub version: IstioVersion,
    /// What going there amounts to.
    pub step: Move,
    /// The versions of Kubernetes that it supports.
    pub kubernetes: Option<Range>,
    /// Why one upgrade does not lead there, in a sentence; `None` when it does.
    pub hindrance: Option<String>,
}

impl Choice {
    /// Whether one upgrade leads there.
    #[must_use]
    pub fn is_reachable(&self) -> bool {
        self.hindrance.is_none()
    }

    /// What it is to the version that runs, in a few words.
    #[must_use]
    pub fn what(&self) -> String {
        let step = match self.step {
            Move::None => "it runs already",
            Move::Patch => "newest patch",
            Move::OneMinor => "one minor ahead",
            Move::Skip => "further ahead",
            Move::Downgrade => "older than what runs",
            Move::OtherFlavor => "another flavor",
        };
        let kubernetes = self.kubernetes.map(|range| format!(", Kubernetes {range}"));
        format!("{step}{}", kubernetes.unwrap_or_default())
    }
}

/// What a mesh may become: of its flavor the newest patch of each minor from the running one on, oldest first.
///
/// Whether one upgrade leads there is judged by the rules of `check` on versions and on the clusters' Kubernetes, which
/// no operator can mend in the mesh itself; whatever else stands in the way is told by `check`.
#[must_use]
pub fn choices(mesh: &MeshView, inventory: &Inventory, catalog: &Catalog, today: Date) -> Vec<Choice> {
    let Some(running) = &mesh.version else {
        return Vec::new();
    };
    let releases = catalog.releases(&running.flavor).iter();
    let ahead = releases.filter(|release| release.minor >= running.minor());
    ahead
        .map(|release| {
            let version = release.newest_patch.clone();
            Choice {
                step: Move::between(running, &version),
                kubernetes: release.range(),
                hindrance: hindrance(mesh, inventory, catalog, &version, today),
                version,
            }
        })
        .collect()
}

/// Whether the mesh runs the newest that its catalog knows, so that nothing is ahead and nothing is in the way.
#[must_use]
pub fn is_newest(all: &[Choice]) -> bool {
    !all.is_empty() && all.iter().all(|choice| choice.step == Move::None)
}

/// What nothing that is mended in a mesh takes away: it needs another target.
const NEEDS_ANOTHER_TARGET: [Code; 4] = [
    codes::SKIPS_A_MINOR,
    codes::DOWNGRADE,
    codes::OTHER_FLAVOR,
    codes::UNKNOWN_TARGET,
];

/// Whether a target can never be gone to, by what a check of it found.
#[must_use]
pub fn is_out_of_reach<'f>(findings: impl IntoIterator<Item = &'f Finding>) -> bool {
    findings
        .into_iter()
        .any(|finding| finding.severity == Severity::Blocker && NEEDS_ANOTHER_TARGET.contains(&finding.code))
}

/// The newest version that one upgrade leads to.
#[must_use]
pub fn farthest(mesh: &MeshView, inventory: &Inventory, catalog: &Catalog, today: Date) -> Option<IstioVersion> {
    let all = choices(mesh, inventory, catalog, today);
    let newest = all.into_iter().rev().find(Choice::is_reachable)?;
    Some(newest.version)
}

fn hindrance(
    mesh: &MeshView,
    inventory: &Inventory,
    catalog: &Catalog,
    version: &IstioVersion,
    today: Date,
) -> Option<String> {
    if mesh.version.as_ref() == Some(version) {
        return Some("it runs already".to_owned());
    }
    let report = preflight::check(mesh, inventory, &Target::proposed(version.clone()), catalog, today);
    let lasting = |finding: &&Finding| matches!(finding.code.family(), Family::Versions | Family::Kubernetes);
    let finding = report.blockers().find(lasting)?;
    let place = finding.cluster.as_deref();
    let place = place.map(|cluster| format!("{cluster}: ")).unwrap_or_default();
    Some(format!("{place}{}", finding.cause))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{inventory::sample, mesh::meshes};

    fn shown(inventory: &Inventory) -> Vec<String> {
        let mesh = meshes(inventory).remove(0);
        let catalog = Catalog::embedded().unwrap();
        let today = "2026-11-24".parse().unwrap();
        choices(&mesh, inventory, &catalog, today)
            .into_iter()
            .map(|choice| match choice.hindrance {
                None => format!("{} {}", choice.version, choice.what()),
                Some(why) => format!("{} not: {why}", choice.version),
            })
            .collect()
    }

    #[test]
    fn the_newest_is_known_as_such() {
        let newest = |version: &str| {
            let inventory = sample::one(version, "v1.36.3");
            let catalog = Catalog::embedded().unwrap();
            is_newest(&choices(
                &meshes(&inventory).remove(0),
                &inventory,
                &catalog,
                "2026-11-24".parse().unwrap(),
            ))
        };
        assert!(newest("1.31.3"));
        assert!(!newest("1.31.0"), "a patch is ahead");
        assert!(!newest("1.30.3"));
        assert!(!is_newest(&[]), "of an unknown version nothing is known");
    }

    #[test]
    fn one_hop_is_offered_and_a_longer_way_is_explained() {
        let all = shown(&sample::one("1.29.1", "v1.34.0"));
        assert_eq!(all.len(), 3, "{all:?}");
        assert!(all[0].starts_with("1.29.10 newest patch, Kubernetes "), "{all:?}");
        assert!(all[1].starts_with("1.30.7 one minor ahead, Kubernetes "), "{all:?}");
        assert!(
            all[2].contains("not: ") && all[2].contains("more than one minor ahead"),
            "{all:?}"
        );
    }

    #[test]
    fn whoever_asks_for_what_can_never_be_is_led_to_what_can() {
        let catalog = Catalog::embedded().unwrap();
        let today = "2026-11-24".parse().unwrap();
        for (running, kubernetes, to, never, other) in [
            ("1.29.1", "v1.34.0", "1.31.3", true, Some("1.30.7")),
            ("1.30.3", "v1.36.0", "1.28.9", true, Some("1.31.3")),
            ("1.30.3", "v1.36.0", "1.31.3-mspider", true, Some("1.31.3")),
            ("1.31.1", "v1.36.0", "1.32.0", true, Some("1.31.3")),
            ("1.31.3", "v1.36.0", "1.32.0", true, None),
            ("1.30.3", "v1.36.0", "1.31.3", false, Some("1.31.3")),
            // Kubernetes can be upgraded.
            ("1.30.1", "v1.31.0", "1.31.3", false, None),
        ] {
            let inventory = sample::one(running, kubernetes);
            let mesh = meshes(&inventory).remove(0);
            let target = Target::new(to.parse().unwrap());
            let report = preflight::check(&mesh, &inventory, &target, &catalog, today);
            assert_eq!(is_out_of_reach(&report.findings), never, "{running} to {to}");
            let found = farthest(&mesh, &inventory, &catalog, today).map(|version| version.to_string());
            assert_eq!(found.as_deref(), other, "{running} to {to}");
        }
    }

    #[test]
    fn what_runs_is_no_choice() {
        let all = shown(&sample::one("1.31.3", "v1.36.0"));
        assert_eq!(all, ["1.31.3 not: it runs already"]);
    }

    #[test]
    fn a_kubernetes_outside_of_the_range_is_named_with_its_cluster() {
        let all = shown(&sample::one("1.30.1", "v1.31.0"));
        let next = all.last().unwrap();
        assert!(next.contains("not: east: ") && next.contains("Kubernetes"), "{all:?}");
        let all = shown(&sample::one("1.30.1", "v1.37.0"));
        assert!(all.iter().all(|choice| choice.contains("not: ")), "{all:?}");
    }

    #[test]
    fn a_mesh_whose_version_is_unknown_or_of_an_unknown_flavor_has_no_choice() {
        assert_eq!(shown(&sample::one("latest", "v1.36.0")), [""; 0]);
        assert_eq!(shown(&sample::one("1.30.1-nobody", "v1.36.0")), [""; 0]);
    }
}
