//! The catalog's file: its fields, and the rules that one line alone cannot break.

use super::{
    Catalog, CatalogError, EndOfLife, ExtraComponent, FlavorCatalog, HotUpgrade, Release, RetiredRegistry, Sources,
};
use crate::{
    document,
    version::{Flavor, IstioVersion, Minor},
};
use k8s_openapi::jiff::civil::Date;
use serde::Deserialize;
use serde_saphyr::Spanned;
use std::collections::BTreeMap;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct File {
    #[serde(default)]
    extends: Option<Base>,
    #[serde(default)]
    as_of: Option<Date>,
    #[serde(default)]
    from: Vec<String>,
    flavors: Vec<FlavorEntry>,
    #[serde(default)]
    retired_registries: Vec<RetiredRegistry>,
}

/// What a catalog is laid over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Base {
    /// The catalog that is built in.
    Embedded,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct FlavorEntry {
    #[serde(default)]
    suffix: Option<Spanned<String>>,
    #[serde(default)]
    sources: Option<Sources>,
    #[serde(default)]
    components: Vec<ExtraComponent>,
    #[serde(default)]
    sidecar_hot_upgrade: Option<HotUpgrade>,
    releases: Spanned<Vec<ReleaseEntry>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ReleaseEntry {
    minor: Spanned<Minor>,
    newest_patch: Spanned<IstioVersion>,
    released: Date,
    end_of_life: Spanned<EndOfLife>,
    kubernetes: Spanned<Vec<Minor>>,
    #[serde(default)]
    tested: Option<Spanned<Vec<Minor>>>,
    #[serde(default)]
    minimum_kubernetes: Option<Spanned<Minor>>,
    #[serde(default)]
    gateway_api: BTreeMap<String, Spanned<semver::Version>>,
    #[serde(default)]
    gateway_api_below: BTreeMap<String, Spanned<semver::Version>>,
    #[serde(default)]
    default_hub: Option<String>,
}

/// Reads a catalog's text and checks it; one that extends another is laid over it.
pub(super) fn read(text: &str, origin: &str) -> Result<Catalog, CatalogError> {
    let file: File = document::read(text, origin)?;
    let base = match file.extends {
        Some(Base::Embedded) => Some(Catalog::embedded()?),
        None => None,
    };
    let mut catalog = Catalog {
        origin: origin.to_owned(),
        as_of: file.as_of,
        from: file.from,
        flavors: Vec::new(),
        retired_registries: file.retired_registries,
    };
    for entry in file.flavors {
        let suffix = entry.suffix.as_ref();
        let flavor = flavor(suffix, origin)?;
        if catalog.flavor(&flavor).is_some() {
            return Err(CatalogError::at(
                origin,
                Some(suffix.map_or(entry.releases.defined, |suffix| suffix.defined)),
                format!("the flavor {flavor} stands here a second time"),
            ));
        }
        let known = base.as_ref().and_then(|base| base.flavor(&flavor));
        let Some(sources) = entry.sources.or_else(|| known.map(|known| known.sources.clone())) else {
            return Err(CatalogError::at(
                origin,
                Some(entry.releases.defined),
                format!("the flavor {flavor} names no sources: where its images and charts are"),
            ));
        };
        catalog.flavors.push(FlavorCatalog {
            releases: releases(&flavor, entry.releases, origin)?,
            sources,
            components: entry.components,
            sidecar_hot_upgrade: entry.sidecar_hot_upgrade,
            flavor,
        });
    }
    Ok(match base {
        Some(base) => base.extended_by(catalog),
        None => catalog,
    })
}

fn flavor(suffix: Option<&Spanned<String>>, origin: &str) -> Result<Flavor, CatalogError> {
    let Some(suffix) = suffix else {
        return Ok(Flavor::Native);
    };
    let flavor = Flavor::from_suffix(Some(&suffix.value));
    let read_back = format!("1.0.0-{}", suffix.value).parse::<IstioVersion>();
    match read_back {
        Ok(version) if version.flavor == flavor && version.vendor_revision.is_none() && flavor != Flavor::Native => {
            Ok(flavor)
        }
        _ => Err(CatalogError::at(
            origin,
            Some(suffix.defined),
            format!(
                "{:?} cannot be a flavor: expected what follows the version in the vendor's tags, as mspider or solo-fips; \
                 distroless, debug, alpha, beta and rc are none",
                suffix.value
            ),
        )),
    }
}

fn releases(flavor: &Flavor, entries: Spanned<Vec<ReleaseEntry>>, origin: &str) -> Result<Vec<Release>, CatalogError> {
    let mut releases: Vec<Release> = Vec::new();
    let location = entries.defined;
    for entry in entries.value {
        let at = entry.minor.defined;
        if releases.iter().any(|known| known.minor == entry.minor.value) {
            let reason = format!("{} of the flavor {flavor} stands here a second time", entry.minor.value);
            return Err(CatalogError::at(origin, Some(at), reason));
        }
        releases.push(release(flavor, entry, origin)?);
    }
    if releases.is_empty() {
        return Err(CatalogError::at(
            origin,
            Some(location),
            format!("the flavor {flavor} has no release"),
        ));
    }
    releases.sort_by_key(|release| release.minor);
    Ok(releases)
}

fn release(flavor: &Flavor, entry: ReleaseEntry, origin: &str) -> Result<Release, CatalogError> {
    let minor = entry.minor.value;
    let patch = &entry.newest_patch.value;
    let wrong = |location, reason| Err(CatalogError::at(origin, Some(location), reason));
    if patch.minor() != minor {
        let reason = format!("newestPatch {patch} is no patch of {minor}");
        return wrong(entry.newest_patch.defined, reason);
    }
    if patch.flavor != *flavor {
        let reason = format!("newestPatch {patch} has the flavor {}, expected {flavor}", patch.flavor);
        return wrong(entry.newest_patch.defined, reason);
    }
    if patch.pre.is_some() {
        return wrong(
            entry.newest_patch.defined,
            format!("newestPatch {patch} is a pre-release"),
        );
    }
    if entry.end_of_life.value.date < entry.released {
        let reason = format!("the end of life lies before the release of {}", entry.released);
        return wrong(entry.end_of_life.defined, reason);
    }
    check_range("kubernetes", &entry.kubernetes, true, origin)?;
    if let Some(tested) = &entry.tested {
        check_range("tested", tested, false, origin)?;
    }
    if let Some(minimum) = &entry.minimum_kubernetes
        && entry.kubernetes.value.last().is_some_and(|max| minimum.value > *max)
    {
        let reason = format!("minimumKubernetes {} lies above every supported version", minimum.value);
        return wrong(minimum.defined, reason);
    }
    Ok(Release {
        minor,
        newest_patch: entry.newest_patch.value,
        released: entry.released,
        end_of_life: entry.end_of_life.value,
        kubernetes: entry.kubernetes.value,
        tested: entry.tested.map(|tested| tested.value).unwrap_or_default(),
        minimum_kubernetes: entry.minimum_kubernetes.map(|minimum| minimum.value),
        gateway_api: bundles(entry.gateway_api),
        gateway_api_below: bundles(entry.gateway_api_below),
        default_hub: entry.default_hub,
    })
}

fn bundles(of_kinds: BTreeMap<String, Spanned<semver::Version>>) -> BTreeMap<String, semver::Version> {
    of_kinds
        .into_iter()
        .map(|(kind, version)| (kind, version.value))
        .collect()
}

/// Versions ascend; a supported range has no gap either, or its ends would promise what nobody tested.
fn check_range(field: &str, range: &Spanned<Vec<Minor>>, without_gap: bool, origin: &str) -> Result<(), CatalogError> {
    let wrong = |reason| Err(CatalogError::at(origin, Some(range.defined), reason));
    if range.value.is_empty() {
        return wrong(format!("{field} names no version"));
    }
    for (first, second) in range.value.iter().zip(range.value.iter().skip(1)) {
        if second <= first {
            return wrong(format!("{field} must ascend, but {second} follows {first}"));
        }
        if without_gap && first.next() != *second {
            return wrong(format!("{field} must have no gap, but {second} follows {first}"));
        }
    }
    Ok(())
}
