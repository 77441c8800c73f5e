//! What stands behind the numbers of a version: a pre-release, the vendor's flavor, and its counts.

use super::number;

/// Image variants of the same build; not part of the version.
const VARIANTS: [&str; 2] = ["distroless", "debug"];
/// First words of a pre-release; not flavors.
const PRE_RELEASES: [&str; 3] = ["alpha", "beta", "rc"];
/// With which Solo's count begins, as in `1.22.3-patch0-solo`, `1.22.3-patch0-fips` and `1.22.3-patch0`. The latter has no
/// word but this for its flavor, and needs one: it is not the community's build.
pub(super) const PATCH: &str = "patch";

/// The words of a version, each as what it is.
#[derive(Default)]
pub(super) struct Words {
    pub(super) pre: Option<String>,
    pub(super) flavor: Option<String>,
    pub(super) vendor_patch: Option<u64>,
    pub(super) vendor_revision: Option<String>,
}

impl Words {
    /// Reads them one after the other; `None` where they are none of a version.
    pub(super) fn read<'a>(words: impl Iterator<Item = &'a str>) -> Option<Self> {
        let mut read = Self::default();
        for word in words {
            if !is_identifier(word) {
                return None;
            }
            if !VARIANTS.contains(&word) {
                read.take(word);
            }
        }
        if read.flavor.is_none() && read.vendor_revision.is_some() {
            return None;
        }
        if read.flavor.is_none() && read.vendor_patch.is_some() {
            read.flavor = Some(PATCH.to_owned());
            read.vendor_revision = read.vendor_patch.take().map(|count| count.to_string());
        }
        Some(read)
    }

    fn take(&mut self, word: &str) {
        let (name, rest) = word
            .split_once('.')
            .map_or((word, None), |(name, rest)| (name, Some(rest)));
        let is_pre = PRE_RELEASES.contains(&name);
        let is_first = self.flavor.is_none() && self.vendor_patch.is_none();
        let count = word.strip_prefix(PATCH).and_then(number).filter(|_| is_first);
        if is_first && self.pre.is_none() && is_pre {
            self.pre = Some(word.to_owned());
        } else if count.is_some() {
            self.vendor_patch = count;
        } else if self.flavor.is_none() && !starts_with_digit(name) && (is_first || !is_pre) {
            let (name, revision) = split_revision(name, rest);
            self.flavor = Some(name.to_owned());
            self.vendor_revision = revision;
        } else if let Some(flavor) = self
            .flavor
            .as_mut()
            .filter(|_| self.vendor_revision.is_none() && is_of_a_flavor(word))
        {
            flavor.push('-');
            flavor.push_str(word);
        } else {
            let revision = self.vendor_revision.get_or_insert_with(String::new);
            if !revision.is_empty() {
                revision.push('-');
            }
            revision.push_str(word);
        }
    }
}

fn is_identifier(word: &str) -> bool {
    !word.is_empty()
        && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.')
        && !word.starts_with('.')
        && !word.ends_with('.')
}

fn starts_with_digit(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_digit())
}

/// Whether a word behind a flavor's first belongs to it, as the `fips` of `-solo-fips`: what counts has a number.
fn is_of_a_flavor(word: &str) -> bool {
    word.bytes().all(|b| b.is_ascii_alphabetic()) && !PRE_RELEASES.contains(&word)
}

/// Splits the vendor's count off its word: `asm` + `.9` for `asm.9`, `r` + `4` for Huawei's `r4`.
fn split_revision<'a>(name: &'a str, rest: Option<&str>) -> (&'a str, Option<String>) {
    match (rest, name.strip_prefix('r')) {
        (Some(rest), _) => (name, Some(format!(".{rest}"))),
        (None, Some(count)) if number(count).is_some() => ("r", Some(count.to_owned())),
        (None, _) => (name, None),
    }
}
