//! The catalog: which versions of a flavor exist, which Kubernetes each supports, where charts and images are.
//!
//! One is embedded; a user's own replaces it, or, with `extends: embedded`, is laid over it.

mod file;

/// A catalog that cannot be read, or that contradicts itself.
pub use crate::document::DocumentError as CatalogError;
pub use k8s_openapi::jiff::civil::Date;

use crate::{
    api::WorkloadKind,
    version::{Flavor, IstioVersion, Minor},
};
use serde::{Deserialize, Serialize};
use std::{cmp::Ordering, collections::BTreeMap, fmt};

/// Name of the ConfigMap, in the guard's namespace, with which a cluster brings its own catalog.
pub const CONFIG_MAP: &str = "mesh-upgrade-catalog";
/// Its key.
pub const CONFIG_MAP_KEY: &str = "catalog.yaml";

/// Where the embedded catalog comes from.
const EMBEDDED_ORIGIN: &str = "the embedded catalog";

/// Text of the embedded catalog.
const EMBEDDED: &str = include_str!("../../data/catalog.yaml");

/// Releases of all known flavors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Catalog {
    /// Where it was read: a file, a ConfigMap, or what is built in.
    pub origin: String,
    /// Day on which its figures were gathered.
    pub as_of: Option<Date>,
    /// Where its figures come from.
    pub from: Vec<String>,
    /// One entry for each flavor.
    pub flavors: Vec<FlavorCatalog>,
    /// Registries that are shut down.
    pub retired_registries: Vec<RetiredRegistry>,
}

/// Releases of one flavor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlavorCatalog {
    /// Who builds it.
    pub flavor: Flavor,
    /// Where its charts and images are.
    pub sources: Sources,
    /// What it runs beside Istio's own components.
    pub components: Vec<ExtraComponent>,
    /// Whether, and on what, its sidecars can be exchanged in running pods.
    pub sidecar_hot_upgrade: Option<HotUpgrade>,
    /// Its releases, oldest first, each minor once.
    pub releases: Vec<Release>,
}

/// What a vendor's build runs beside Istio's own components.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExtraComponent {
    /// What it is called.
    pub name: String,
    /// Kind of its workload.
    pub kind: WorkloadKind,
    /// Labels that find its workload in any namespace, as `app=merbridge`.
    pub selector: String,
    /// When and how it is upgraded where this tool does not do it.
    pub upgrade: String,
    /// Its chart, where the charts of the flavor are: this tool then upgrades the helm release of it that owns the workload,
    /// after the control plane. Versions of it, and of its image, are those of the build.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chart: Option<String>,
}

/// What it takes to exchange a sidecar in a running pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HotUpgrade {
    /// Oldest Kubernetes on which it works.
    pub minimum_kubernetes: Minor,
}

/// Where charts and images are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Sources {
    /// Registry and path of the images, as `docker.io/istio`.
    pub images: String,
    /// Chart repository, `https://…`.
    pub charts: String,
    /// The same charts as OCI artifacts, `oci://…`, for where the repository is not to be had.
    #[serde(default)]
    pub oci_charts: Option<String>,
}

/// One minor of one flavor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// The minor.
    pub minor: Minor,
    /// Newest patch when the catalog was made.
    pub newest_patch: IstioVersion,
    /// Day of its first release.
    pub released: Date,
    /// When it gets no fixes any more.
    pub end_of_life: EndOfLife,
    /// Supported Kubernetes versions, ascending without a gap, never empty.
    pub kubernetes: Vec<Minor>,
    /// Kubernetes versions that were tested but are not supported.
    pub tested: Vec<Minor>,
    /// Oldest Kubernetes that its istioctl takes without a warning.
    pub minimum_kubernetes: Option<Minor>,
    /// Oldest bundle of the Gateway API of which it reads a kind, by resource.
    pub gateway_api: BTreeMap<String, semver::Version>,
    /// First bundle of the Gateway API of which it no longer reads a kind, by resource.
    pub gateway_api_below: BTreeMap<String, semver::Version>,
    /// Registry that its charts take images from unless told otherwise, where it is not that of the flavor.
    pub default_hub: Option<String>,
}

impl Release {
    /// With what it leaves out as another entry of the same minor says it.
    fn completed_by(mut self, other: &Self) -> Self {
        if self.tested.is_empty() {
            let tested = other.tested.iter().copied();
            self.tested = tested.filter(|minor| !self.kubernetes.contains(minor)).collect();
        }
        if self.gateway_api.is_empty() {
            self.gateway_api.clone_from(&other.gateway_api);
        }
        if self.gateway_api_below.is_empty() {
            self.gateway_api_below.clone_from(&other.gateway_api_below);
        }
        self.minimum_kubernetes = self.minimum_kubernetes.or(other.minimum_kubernetes);
        self.default_hub = self.default_hub.or_else(|| other.default_hub.clone());
        self
    }
}

/// How sure a day is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DateKind {
    /// It happened.
    Actual,
    /// The project named it.
    Announced,
    /// Worked out from the support policy.
    Estimate,
}

/// When a minor gets no fixes any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndOfLife {
    /// The day.
    pub date: Date,
    /// How sure it is.
    pub kind: DateKind,
}

impl EndOfLife {
    /// Whether it is over for sure; an estimate never says so.
    #[must_use]
    pub fn is_past(&self, today: Date) -> bool {
        self.kind != DateKind::Estimate && self.date < today
    }
}

/// A registry that is shut down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RetiredRegistry {
    /// Host and path that its images begin with.
    pub prefix: String,
    /// First day on which it may not answer.
    pub gone: Date,
    /// Where the same images are.
    pub replacement: String,
}

/// Kubernetes versions from one minor to another, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// Lowest.
    pub min: Minor,
    /// Highest.
    pub max: Minor,
}

impl Range {
    /// Whether a version lies in the range.
    #[must_use]
    pub fn contains(&self, version: Minor) -> bool {
        self.min <= version && version <= self.max
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.min == self.max {
            return write!(f, "{}", self.min);
        }
        write!(f, "{} to {}", self.min, self.max)
    }
}

impl Release {
    /// Its range of Kubernetes versions.
    #[must_use]
    pub fn range(&self) -> Option<Range> {
        Some(Range {
            min: *self.kubernetes.first()?,
            max: *self.kubernetes.last()?,
        })
    }

    /// Whether it supports a Kubernetes version.
    #[must_use]
    pub fn supports(&self, kubernetes: Minor) -> bool {
        self.kubernetes.contains(&kubernetes)
    }
}

/// What the catalog says of a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Knowledge {
    /// Its minor is known and its patch is not newer than the newest known.
    Known,
    /// Its minor is known; its patch came out later, or does not exist. The newest known patch.
    NewerPatch(IstioVersion),
    /// Its minor is not known. The minors that are.
    UnknownMinor(Vec<Minor>),
    /// Its flavor is not known. The flavors that are.
    UnknownFlavor(Vec<Flavor>),
}

impl Catalog {
    /// The embedded catalog.
    ///
    /// # Errors
    /// Never in a released build: a test reads it.
    pub fn embedded() -> Result<Self, CatalogError> {
        Self::from_yaml(EMBEDDED, EMBEDDED_ORIGIN)
    }

    /// Reads a catalog; one with `extends: embedded` is laid over the embedded one.
    ///
    /// # Errors
    /// When the text is no YAML, has unknown or missing fields, or contradicts itself; with line and reason.
    pub fn from_yaml(text: &str, origin: &str) -> Result<Self, CatalogError> {
        file::read(text, origin)
    }

    /// This catalog with another laid over it: its minors replace ours of the same flavor, the others are added. What it leaves
    /// out of a minor that we know stays: whoever widens a range does not mean that nothing else is to be checked.
    #[must_use]
    pub fn extended_by(mut self, other: Self) -> Self {
        self.origin = format!("{} over {}", other.origin, self.origin);
        self.as_of = other.as_of.or(self.as_of);
        self.from.extend(other.from);
        for theirs in other.flavors {
            match self.flavors.iter_mut().find(|ours| ours.flavor == theirs.flavor) {
                Some(ours) => {
                    ours.sources = theirs.sources;
                    if !theirs.components.is_empty() {
                        ours.components = theirs.components;
                    }
                    ours.sidecar_hot_upgrade = theirs.sidecar_hot_upgrade.or(ours.sidecar_hot_upgrade.take());
                    for new in theirs.releases {
                        match ours.releases.iter_mut().find(|ours| ours.minor == new.minor) {
                            Some(ours) => *ours = new.completed_by(ours),
                            None => ours.releases.push(new),
                        }
                    }
                    ours.releases.sort_by_key(|release| release.minor);
                }
                None => self.flavors.push(theirs),
            }
        }
        let replaced = |old: &RetiredRegistry| other.retired_registries.iter().any(|new| new.prefix == old.prefix);
        self.retired_registries.retain(|old| !replaced(old));
        self.retired_registries.extend(other.retired_registries);
        self
    }

    /// What is known of a flavor.
    #[must_use]
    pub fn flavor(&self, flavor: &Flavor) -> Option<&FlavorCatalog> {
        self.flavors.iter().find(|entry| entry.flavor == *flavor)
    }

    /// Releases of a flavor, oldest first.
    #[must_use]
    pub fn releases(&self, flavor: &Flavor) -> &[Release] {
        self.flavor(flavor).map_or(&[], |entry| entry.releases.as_slice())
    }

    /// One minor of a flavor.
    #[must_use]
    pub fn release(&self, flavor: &Flavor, minor: Minor) -> Option<&Release> {
        self.releases(flavor).iter().find(|release| release.minor == minor)
    }

    /// The release that a version belongs to.
    #[must_use]
    pub fn release_of(&self, version: &IstioVersion) -> Option<&Release> {
        self.release(&version.flavor, version.minor())
    }

    /// What the catalog says of a version.
    #[must_use]
    pub fn knowledge(&self, version: &IstioVersion) -> Knowledge {
        match (self.flavor(&version.flavor), self.release_of(version)) {
            (None, _) => Knowledge::UnknownFlavor(self.flavors.iter().map(|entry| entry.flavor.clone()).collect()),
            (Some(entry), None) => {
                Knowledge::UnknownMinor(entry.releases.iter().map(|release| release.minor).collect())
            }
            (Some(_), Some(release)) if version.cmp_release(&release.newest_patch) == Ordering::Greater => {
                Knowledge::NewerPatch(release.newest_patch.clone())
            }
            (Some(_), Some(_)) => Knowledge::Known,
        }
    }

    /// Whether a version's minor is known for its flavor. A patch newer than the newest known one still counts.
    #[must_use]
    pub fn knows(&self, version: &IstioVersion) -> bool {
        self.release_of(version).is_some()
    }

    /// Kubernetes versions that a version supports.
    #[must_use]
    pub fn kubernetes_range(&self, version: &IstioVersion) -> Option<Range> {
        self.release_of(version)?.range()
    }

    /// The newest patches that one hop leads to, newest first: of the next minor, and a newer one of the same.
    pub fn reachable<'a>(&'a self, from: &'a IstioVersion) -> impl Iterator<Item = &'a IstioVersion> {
        [from.minor().next(), from.minor()]
            .into_iter()
            .filter_map(|minor| self.release(&from.flavor, minor))
            .map(|release| &release.newest_patch)
            .filter(|patch| patch.cmp_release(from) == Ordering::Greater)
    }

    /// The first release above a version that supports a Kubernetes version, which it does not support itself.
    #[must_use]
    pub fn first_above(&self, version: &IstioVersion, kubernetes: Minor) -> Option<&Release> {
        let choices = self.choices_for_kubernetes(&version.flavor, kubernetes);
        choices.into_iter().find(|release| release.minor > version.minor())
    }

    /// Releases of a flavor that support a Kubernetes version, oldest first.
    #[must_use]
    pub fn choices_for_kubernetes(&self, flavor: &Flavor, kubernetes: Minor) -> Vec<&Release> {
        self.releases(flavor)
            .iter()
            .filter(|release| release.supports(kubernetes))
            .collect()
    }

    /// Registry that a version's charts take images from unless told otherwise.
    #[must_use]
    pub fn default_hub(&self, version: &IstioVersion) -> Option<&str> {
        let of_release = self
            .release_of(version)
            .and_then(|release| release.default_hub.as_deref());
        of_release.or_else(|| Some(self.flavor(&version.flavor)?.sources.images.as_str()))
    }

    /// Its name and the day of its figures, as reports end with.
    #[must_use]
    pub fn edition(&self) -> String {
        match self.as_of {
            Some(day) if self.origin == EMBEDDED_ORIGIN => format!("the embedded catalog of {day}"),
            Some(day) => format!("{} of {day}", self.origin),
            None => self.origin.clone(),
        }
    }

    /// Where the charts of a flavor are.
    #[must_use]
    pub fn chart_source(&self, flavor: &Flavor) -> Option<&str> {
        self.flavor(flavor).map(|entry| entry.sources.charts.as_str())
    }

    /// Where the same charts are in a registry.
    #[must_use]
    pub fn oci_charts(&self, flavor: &Flavor) -> Option<&str> {
        self.flavor(flavor)?.sources.oci_charts.as_deref()
    }

    /// The retired registry that an image, or a chart's address, comes from: the one with the longest prefix.
    #[must_use]
    pub fn retired_registry(&self, image: &str) -> Option<&RetiredRegistry> {
        let path = image.split_once("://").map_or(image, |(_, path)| path);
        let begins = |registry: &&RetiredRegistry| {
            let rest = path.strip_prefix(registry.prefix.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let registries = self.retired_registries.iter().filter(begins);
        registries.max_by_key(|registry| registry.prefix.len())
    }
}

#[cfg(test)]
mod tests;
