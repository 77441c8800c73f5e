//! Where a mesh could go: the newest version that one hop leads to and that the Kubernetes of all its clusters allows.

use crate::{
    api::ClusterReport,
    catalog::Catalog,
    version::{IstioVersion, KubernetesVersion},
};

/// A cluster's name, empty for the one that the Mesh is in, and its Kubernetes.
pub type Place = (String, KubernetesVersion);

/// Clusters with the Kubernetes that their guards reported.
#[must_use]
pub fn places(reports: &[ClusterReport]) -> Vec<Place> {
    let reports = reports.iter();
    reports
        .filter_map(|report| Some((report.cluster.clone(), report.kubernetes.as_deref()?.parse().ok()?)))
        .collect()
}

/// What one hop leads to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reachable {
    /// The newest version that all clusters allow.
    pub version: Option<IstioVersion>,
    /// A newer one that some Kubernetes does not allow, and why.
    pub withheld: Option<Withheld>,
}

/// A version that a cluster's Kubernetes does not allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withheld {
    /// The version.
    pub version: IstioVersion,
    /// Why, in a sentence.
    pub why: String,
}

/// The newest version that one hop leads to from `from` with this Kubernetes, and what that Kubernetes withholds.
#[must_use]
pub fn reachable(catalog: &Catalog, from: &IstioVersion, places: &[Place]) -> Reachable {
    let mut found = Reachable::default();
    for version in catalog.reachable(from) {
        let Some(release) = catalog.release_of(version) else {
            continue;
        };
        // A catalog that names no Kubernetes forbids none.
        let unfit = |(_, kubernetes): &&Place| !release.kubernetes.is_empty() && !release.supports(kubernetes.minor);
        let Some((cluster, kubernetes)) = places.iter().find(unfit) else {
            found.version = Some(version.clone());
            return found;
        };
        let range = release.range().map(|range| range.to_string()).unwrap_or_default();
        let place = if cluster.is_empty() { "this cluster" } else { cluster };
        found.withheld.get_or_insert_with(|| Withheld {
            version: version.clone(),
            why: format!("{version} supports Kubernetes {range}, and {place} runs {kubernetes}"),
        });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_that_some_kubernetes_does_not_allow_is_not_available() {
        let catalog = Catalog::embedded().unwrap();
        for (from, kubernetes, available, withheld) in [
            ("1.30.3", &["v1.34.1"][..], Some("1.31.3"), None),
            ("1.30.3", &[][..], Some("1.31.3"), None),
            ("1.30.3", &["v1.34.1", "v1.37.0"], None, Some("b runs 1.37.0")),
            ("1.30.3", &["v1.37.0", "v1.34.1"], None, Some("a runs 1.37.0")),
            ("1.31.3", &["v1.37.0"], None, None),
        ] {
            let named = |(place, text): (usize, &&str)| (["a", "b"][place].to_owned(), text.parse().unwrap());
            let places: Vec<Place> = kubernetes.iter().enumerate().map(named).collect();
            let found = reachable(&catalog, &from.parse().unwrap(), &places);
            assert_eq!(
                found.version.map(|version| version.to_string()).as_deref(),
                available,
                "{from} {kubernetes:?}"
            );
            let why = found.withheld.map(|withheld| withheld.why);
            assert_eq!(why.is_some(), withheld.is_some(), "{why:?}");
            assert!(why.unwrap_or_default().contains(withheld.unwrap_or_default()));
        }
        let here = reachable(
            &catalog,
            &"1.30.3".parse().unwrap(),
            &[(String::new(), "v1.37.0".parse().unwrap())],
        );
        assert!(here.withheld.unwrap().why.ends_with("and this cluster runs 1.37.0"));
    }
}
