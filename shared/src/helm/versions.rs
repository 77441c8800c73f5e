//! Which Istio a stored release installs, read sparsely: the chart and the tags that decide its images.
//!
//! The tags come first, since they are what runs: a vendor may well put its images into the community's charts. Values
//! are read only where a tag may stand, and never kept.

use super::release::{ReleaseError, read};
use crate::{
    api::Component,
    version::{IstioVersion, VersionError},
};
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};
use std::{fmt, marker::PhantomData};

/// Longest text that can be an image with its tag and digest.
const MAX_TEXT: usize = 1024;

/// Where the version of a release was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VersionSource {
    /// In the tag of its images.
    Tag,
    /// On the chart, which need not say whose build it is.
    Chart,
}

/// What a stored release of one of Istio's charts installs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installs {
    /// The component.
    pub component: Component,
    /// Its version, where something says it.
    pub version: Result<IstioVersion, VersionError>,
    /// Where that was read.
    pub source: VersionSource,
    /// What the chart says of itself.
    pub chart: Result<IstioVersion, VersionError>,
}

/// Reads what a stored release installs; `None` for charts that are not Istio's. `payload` is as for
/// [`super::decode`], and bounded as there.
///
/// # Errors
/// When a layer is not what helm writes, or exceeds its bound.
pub fn decode_versions(payload: &[u8]) -> Result<Option<Installs>, ReleaseError> {
    let stored: Stored = read(payload)?;
    let Some(component) = Component::from_chart(&stored.chart.metadata.name) else {
        return Ok(None);
    };
    let chart = stored.chart.values.0.unwrap_or_default();
    let tag = stored.config.0.unwrap_or_default().over(chart).reference(component);
    let chart = stored.chart.metadata.version();
    let (version, source) = match tag {
        Some(tag) => (IstioVersion::from_image(&tag), VersionSource::Tag),
        None => (chart.clone(), VersionSource::Chart),
    };
    Ok(Some(Installs {
        component,
        version,
        source,
        chart,
    }))
}

#[derive(Deserialize)]
struct Stored {
    chart: Chart,
    #[serde(default)]
    config: Lenient<Values>,
}

#[derive(Deserialize)]
struct Chart {
    metadata: Metadata,
    #[serde(default)]
    values: Lenient<Values>,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
    version: String,
    #[serde(default, rename = "appVersion")]
    app_version: Option<String>,
}

impl Metadata {
    /// The version of what the chart installs; the chart's own where that is none.
    fn version(&self) -> Result<IstioVersion, VersionError> {
        let installed = self.app_version.as_deref().map(str::parse);
        match (installed, super::without_build(&self.version).parse()) {
            (Some(Ok(installed)), Ok(chart)) => Ok(more_telling(installed, chart)),
            (Some(Ok(installed)), Err(_)) => Ok(installed),
            (_, chart) => chart,
        }
    }
}

/// Of one release written twice, the one that names its builder.
fn more_telling(installed: IstioVersion, chart: IstioVersion) -> IstioVersion {
    let same = (installed.minor(), installed.patch) == (chart.minor(), chart.patch);
    if same && installed.flavor.suffix().is_none() {
        chart
    } else {
        installed
    }
}

/// Values of Istio's charts, as far as they decide the image. Two charts take theirs also under an old name.
#[derive(Default, Deserialize)]
struct Values {
    #[serde(default)]
    image: Text,
    #[serde(default)]
    tag: Text,
    #[serde(default)]
    pilot: Lenient<Section>,
    #[serde(default)]
    cni: Lenient<Section>,
    #[serde(default)]
    global: Lenient<Section>,
    /// The charts keep their defaults out of reach of `--set`.
    #[serde(default, rename = "_internal_defaults_do_not_set")]
    defaults: Lenient<Defaults>,
}

#[derive(Default, Deserialize)]
struct Defaults {
    #[serde(default)]
    image: Text,
    #[serde(default)]
    tag: Text,
    #[serde(default)]
    global: Lenient<Section>,
}

#[derive(Default, Deserialize)]
struct Section {
    #[serde(default)]
    image: Text,
    #[serde(default)]
    tag: Text,
}

impl Values {
    /// The user's values over the chart's, as helm merges them.
    fn over(self, chart: Self) -> Self {
        let section = |own: Lenient<Section>, chart: Lenient<Section>| {
            let (own, chart) = (own.0.unwrap_or_default(), chart.0.unwrap_or_default());
            Lenient(Some(Section {
                image: own.image.or(chart.image),
                tag: own.tag.or(chart.tag),
            }))
        };
        let (own, defaults) = (
            self.defaults.0.unwrap_or_default(),
            chart.defaults.0.unwrap_or_default(),
        );
        Self {
            image: self.image.or(chart.image),
            tag: self.tag.or(chart.tag),
            pilot: section(self.pilot, chart.pilot),
            cni: section(self.cni, chart.cni),
            global: section(self.global, chart.global),
            defaults: Lenient(Some(Defaults {
                image: own.image.or(defaults.image),
                tag: own.tag.or(defaults.tag),
                global: section(own.global, defaults.global),
            })),
        }
    }

    /// The image reference, or one made of the tag alone; `None` where the values leave it to others. As in
    /// `templates/zzz_profile.yaml` and `zzy_descope_legacy.yaml` of the charts.
    fn reference(self, component: Component) -> Option<String> {
        let defaults = self.defaults.0.unwrap_or_default();
        let own = match component {
            Component::Istiod => self.pilot.0.unwrap_or_default(),
            Component::Cni => self.cni.0.unwrap_or_default(),
            Component::Ztunnel => Section::default(),
            // The one has no image, the other's is injected, and a vendor's chart is none of Istio's.
            Component::Base | Component::Vendor | Component::Gateway => return None,
        };
        let image = own.image.or(self.image).or(defaults.image);
        // A full image has its own tag; the charts tell it by the slash.
        if let Some(image) = image.0.filter(|image| image.contains('/')) {
            return Some(image);
        }
        let global = self.global.0.unwrap_or_default().tag;
        let tag = own.tag.or(self.tag);
        let tag = if component == Component::Ztunnel {
            tag.or(global).or(defaults.tag)
        } else {
            tag.or(defaults.tag).or(global)
        };
        let tag = tag.or(defaults.global.0.unwrap_or_default().tag);
        tag.0.map(|tag| format!("image:{tag}"))
    }
}

/// A text or a number; anything else, and what is too long for a tag, counts as absent.
#[derive(Default)]
struct Text(Option<String>);

impl Text {
    fn or(self, other: Self) -> Self {
        Self(
            self.0
                .filter(|text| !text.is_empty())
                .or(other.0.filter(|text| !text.is_empty())),
        )
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfText;
        impl<'de> Visitor<'de> for OfText {
            type Value = Text;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("anything")
            }

            fn visit_str<E>(self, text: &str) -> Result<Text, E> {
                Ok(Text((text.len() <= MAX_TEXT).then(|| text.to_owned())))
            }

            fn visit_bool<E>(self, _: bool) -> Result<Text, E> {
                Ok(Text(None))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Text, E> {
                Ok(Text(Some(number.to_string())))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Text, E> {
                Ok(Text(Some(number.to_string())))
            }

            fn visit_f64<E>(self, number: f64) -> Result<Text, E> {
                Ok(Text(Some(number.to_string())))
            }

            fn visit_unit<E>(self) -> Result<Text, E> {
                Ok(Text(None))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Text, A::Error> {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Text(None))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Text, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Text(None))
            }
        }
        deserializer.deserialize_any(OfText)
    }
}

/// A map read as `T`; anything else counts as absent. Charts leave it to their users what they put where.
struct Lenient<T>(Option<T>);

impl<T> Default for Lenient<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Lenient<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfMap<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for OfMap<T> {
            type Value = Lenient<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("anything")
            }

            fn visit_str<E>(self, _: &str) -> Result<Lenient<T>, E> {
                Ok(Lenient(None))
            }

            fn visit_bool<E>(self, _: bool) -> Result<Lenient<T>, E> {
                Ok(Lenient(None))
            }

            fn visit_i64<E>(self, _: i64) -> Result<Lenient<T>, E> {
                Ok(Lenient(None))
            }

            fn visit_u64<E>(self, _: u64) -> Result<Lenient<T>, E> {
                Ok(Lenient(None))
            }

            fn visit_f64<E>(self, _: f64) -> Result<Lenient<T>, E> {
                Ok(Lenient(None))
            }

            fn visit_unit<E>(self) -> Result<Lenient<T>, E> {
                Ok(Lenient(None))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Lenient<T>, A::Error> {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Lenient(None))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Lenient<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(|read| Lenient(Some(read)))
            }
        }
        deserializer.deserialize_any(OfMap(PhantomData))
    }
}

#[cfg(test)]
mod tests;
