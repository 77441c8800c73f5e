//! Istio and Kubernetes versions: reading tags, comparing, and which move is one hop.
//!
//! Flavors are split off before anything is compared: semver alone would call `1.31.4-mspider` a pre-release.

mod tag;

use serde::{Deserialize, Serialize};
use std::{cmp::Ordering, fmt, str::FromStr};

/// A minor of Istio or Kubernetes, as 1.31.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Minor {
    /// Major number.
    pub major: u64,
    /// Minor number.
    pub minor: u64,
}

impl Minor {
    /// A minor from its two numbers.
    #[must_use]
    pub const fn new(major: u64, minor: u64) -> Self {
        Self { major, minor }
    }

    /// The minor after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self {
            major: self.major,
            minor: self.minor.saturating_add(1),
        }
    }

    /// How many minors `to` is ahead; negative when behind, `None` across majors.
    #[must_use]
    pub fn distance(self, to: Self) -> Option<i64> {
        (self.major == to.major)
            .then(|| i64::try_from(to.minor).unwrap_or(i64::MAX) - i64::try_from(self.minor).unwrap_or(0))
    }
}

impl fmt::Display for Minor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl FromStr for Minor {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let error = || VersionError {
            text: shorten(text),
            expected: "MAJOR.MINOR, as 1.31",
        };
        let (major, minor) = text.trim().split_once('.').ok_or_else(error)?;
        Ok(Self::new(
            number(major).ok_or_else(error)?,
            number(minor).ok_or_else(error)?,
        ))
    }
}

impl Serialize for Minor {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Minor {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Text that is not a version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a version: expected {expected}")]
pub struct VersionError {
    text: String,
    expected: &'static str,
}

/// Who built an Istio, and which of their builds it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Flavor {
    /// Community Istio.
    #[default]
    Native,
    /// A vendor's build, by its suffix, as `mspider` or `solo-fips`.
    Custom(String),
}

impl Flavor {
    /// From the suffix in a Mesh object; empty or absent is community.
    #[must_use]
    pub fn from_suffix(suffix: Option<&str>) -> Self {
        match suffix {
            None | Some("") => Self::Native,
            Some(suffix) => Self::Custom(suffix.to_owned()),
        }
    }

    /// The suffix; `None` for community.
    #[must_use]
    pub fn suffix(&self) -> Option<&str> {
        match self {
            Self::Native => None,
            Self::Custom(suffix) => Some(suffix),
        }
    }
}

impl fmt::Display for Flavor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.suffix().unwrap_or("community"))
    }
}

/// Version of an Istio build: `1.31.4`, `1.31.4-mspider`, `1.32.0-rc.0`, `1.31.4-asm.9`, `1.31.4-mspider-distroless`,
/// `1.31.4-solo-fips`, `1.22.3-patch0-solo`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IstioVersion {
    /// Major number.
    pub major: u64,
    /// Minor number.
    pub minor: u64,
    /// Patch number.
    pub patch: u64,
    /// Pre-release, as `rc.0`; never a flavor.
    pub pre: Option<String>,
    /// Who built it.
    pub flavor: Flavor,
    /// The vendor's count that stands before the flavor, as Solo's 0 of `-patch0-solo`.
    pub vendor_patch: Option<u64>,
    /// The vendor's own count within a patch, as the 9 of `-asm.9` or the 0 of `-tetrate-v0`.
    pub vendor_revision: Option<String>,
}

/// Longer texts are no version tag: OCI limits tags to 128 characters.
const MAX_LENGTH: usize = 128;

impl IstioVersion {
    /// The minor.
    #[must_use]
    pub fn minor(&self) -> Minor {
        Minor::new(self.major, self.minor)
    }

    /// Compares what was released, without looking at who built it.
    #[must_use]
    pub fn cmp_release(&self, other: &Self) -> Ordering {
        let core = |v: &Self| (v.major, v.minor, v.patch);
        core(self)
            .cmp(&core(other))
            .then_with(|| match (&self.pre, &other.pre) {
                (None, None) => self.vendor_patch.cmp(&other.vendor_patch).then_with(|| {
                    compare_identifiers(self.vendor_revision.as_deref(), other.vendor_revision.as_deref())
                }),
                // A pre-release comes before its release.
                (None, Some(_)) => Ordering::Greater,
                (Some(_), None) => Ordering::Less,
                (Some(a), Some(b)) => {
                    compare_identifiers(Some(a), Some(b)).then_with(|| self.vendor_patch.cmp(&other.vendor_patch))
                }
            })
    }

    /// Whether the vendor's count stands in the flavor's word: Huawei's, and Solo's where it is the flavor's only name.
    fn counts_in_its_word(&self, suffix: &str, revision: &str) -> bool {
        match suffix {
            "r" => revision.split('-').next().and_then(number).is_some(),
            tag::PATCH => self.vendor_patch.is_none() && number(revision).is_some(),
            _ => false,
        }
    }

    /// Reads the version out of a container image reference. A digest alone has none.
    ///
    /// # Errors
    /// When the reference has no tag or its tag is not a version.
    pub fn from_image(image: &str) -> Result<Self, VersionError> {
        let without_digest = image.split('@').next().unwrap_or_default();
        let last = without_digest.rsplit('/').next().unwrap_or_default();
        match last.split_once(':') {
            Some((_, tag)) => tag.parse(),
            None => Err(VersionError {
                text: shorten(image),
                expected: "an image with a version tag, as istio/pilot:1.31.0",
            }),
        }
    }
}

impl FromStr for IstioVersion {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let error = || VersionError {
            text: shorten(text),
            expected: "MAJOR.MINOR.PATCH[-FLAVOR], as 1.31.0 or 1.31.0-mspider",
        };
        let text = text.trim();
        if text.len() > MAX_LENGTH {
            return Err(error());
        }
        let mut words = text.strip_prefix('v').unwrap_or(text).split('-');
        let mut numbers = words.next().unwrap_or_default().split('.').map(number);
        let (Some(Some(major)), Some(Some(minor)), Some(Some(patch)), None) =
            (numbers.next(), numbers.next(), numbers.next(), numbers.next())
        else {
            return Err(error());
        };
        let words = tag::Words::read(words).ok_or_else(error)?;
        Ok(Self {
            major,
            minor,
            patch,
            pre: words.pre,
            flavor: Flavor::from_suffix(words.flavor.as_deref()),
            vendor_patch: words.vendor_patch,
            vendor_revision: words.vendor_revision,
        })
    }
}

impl fmt::Display for IstioVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)?;
        if let Some(pre) = &self.pre {
            write!(f, "-{pre}")?;
        }
        if let Some(count) = self.vendor_patch {
            write!(f, "-{}{count}", tag::PATCH)?;
        }
        let Some(suffix) = self.flavor.suffix() else {
            return Ok(());
        };
        write!(f, "-{suffix}")?;
        match &self.vendor_revision {
            // Some count in the flavor's own word, as `r4` and `patch0`; others after a dot or a dash.
            Some(revision) if revision.starts_with('.') || self.counts_in_its_word(suffix, revision) => {
                write!(f, "{revision}")
            }
            Some(revision) => write!(f, "-{revision}"),
            None => Ok(()),
        }
    }
}

impl Serialize for IstioVersion {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for IstioVersion {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Version of a Kubernetes API server, from its `gitVersion`, as `v1.36.3-eks-1-30`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KubernetesVersion {
    /// Its minor.
    pub minor: Minor,
    /// As the server wrote it.
    pub git_version: String,
}

impl FromStr for KubernetesVersion {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let error = || VersionError {
            text: shorten(text),
            expected: "a Kubernetes version, as v1.36.3",
        };
        let mut numbers = text.strip_prefix('v').unwrap_or(text).splitn(3, '.');
        let mut next = || numbers.next().and_then(|word| number(word.trim_end_matches('+')));
        let (Some(major), Some(minor)) = (next(), next()) else {
            return Err(error());
        };
        Ok(Self {
            minor: Minor::new(major, minor),
            git_version: text.to_owned(),
        })
    }
}

impl fmt::Display for KubernetesVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.git_version.trim_start_matches('v'))
    }
}

/// What moving from one Istio version to another amounts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// The same version.
    None,
    /// Within a minor, forward.
    Patch,
    /// To the next minor.
    OneMinor,
    /// Over at least one minor.
    Skip,
    /// To something older.
    Downgrade,
    /// To another builder's Istio.
    OtherFlavor,
}

impl Move {
    /// What going from one version to the other amounts to; the flavor is judged first.
    #[must_use]
    pub fn between(from: &IstioVersion, to: &IstioVersion) -> Self {
        if from.flavor != to.flavor {
            return Self::OtherFlavor;
        }
        match (to.cmp_release(from), from.minor().distance(to.minor())) {
            (Ordering::Equal, _) => Self::None,
            (Ordering::Less, _) => Self::Downgrade,
            (Ordering::Greater, Some(0)) => Self::Patch,
            (Ordering::Greater, Some(1)) => Self::OneMinor,
            (Ordering::Greater, _) => Self::Skip,
        }
    }

    /// Whether an upgrade may make this move.
    #[must_use]
    pub fn is_allowed(self) -> bool {
        matches!(self, Self::None | Self::Patch | Self::OneMinor)
    }
}

/// A plain decimal number without sign or leading zero.
fn number(text: &str) -> Option<u64> {
    let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if plain { text.parse().ok() } else { None }
}

/// Compares dotted or dashed identifiers piece by piece, numbers as numbers: `rc.2` before `rc.10`, `v0` before `v1`.
fn compare_identifiers(a: Option<&str>, b: Option<&str>) -> Ordering {
    let pieces = |text: Option<&str>| -> Vec<(String, u64)> {
        text.unwrap_or_default()
            .split(['.', '-'])
            .filter(|piece| !piece.is_empty())
            .map(|piece| {
                let letters = piece.trim_end_matches(|c: char| c.is_ascii_digit());
                let digits = piece.get(letters.len()..).unwrap_or_default();
                (letters.to_owned(), digits.parse().unwrap_or(0))
            })
            .collect()
    };
    pieces(a).cmp(&pieces(b))
}

/// Keeps hostile input short in messages, and on one line.
fn shorten(text: &str) -> String {
    let mut short: String = text.chars().take(80).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests;
