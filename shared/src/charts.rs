//! Where charts are: what a flag, a catalog or a journal says, read in one place, and said as helm takes it.

use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, path::Path};

/// What tells contents apart, as `sha256:…`: of a packaged chart, of the files of one that is not, or of a registry's manifest.
/// By the chart's [`name`].
pub type Digests = BTreeMap<String, String>;

/// How a digest begins.
const SHA_256: &str = "sha256:";

/// A place of charts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Location<'a> {
    /// None is named, as no chart is taken.
    None,
    /// An OCI registry, `oci://…`.
    Registry(&'a str),
    /// A chart repository: `https://…`, or by whatever else the user's helm asks for one, as `s3://…` by a plugin.
    Repository(&'a str),
    /// A folder that holds base, istiod, … unpacked or packaged.
    Folder(&'a str),
}

impl<'a> Location<'a> {
    /// Reads a place as it is written down.
    #[must_use]
    pub fn read(text: &'a str) -> Self {
        if text.is_empty() {
            Self::None
        } else if text.starts_with("oci://") {
            Self::Registry(text)
        } else if text.contains("://") {
            Self::Repository(text)
        } else {
            Self::Folder(text)
        }
    }

    /// Whether it is a folder, whose charts tell their version themselves.
    #[must_use]
    pub fn is_folder(self) -> bool {
        matches!(self, Self::Folder(_))
    }

    /// Whether it is an address, under which every version has its own charts.
    #[must_use]
    pub fn is_address(self) -> bool {
        matches!(self, Self::Registry(_) | Self::Repository(_))
    }

    /// Whether it says who asks: a user, a password or a token in front of the host.
    #[must_use]
    pub fn carries_credentials(self) -> bool {
        let (Self::Registry(url) | Self::Repository(url)) = self else {
            return false;
        };
        let rest = url.split_once("://").map_or("", |(_, rest)| rest);
        rest.split(['/', '?', '#'])
            .next()
            .is_some_and(|host| host.contains('@'))
    }

    /// A chart in helm's own words: a path, an OCI reference, or a name in a repository. Of a folder the caller looks whether
    /// it holds the chart as a [`package`].
    #[must_use]
    pub fn helm_arguments(self, chart: &str, version: &str, packaged: bool) -> Vec<String> {
        match self {
            Self::Registry(url) => vec![
                format!("{}/{chart}", url.trim_end_matches('/')),
                format!("--version={version}"),
            ],
            Self::Repository(url) => vec![
                chart.to_owned(),
                format!("--repo={}", url.trim_end_matches('/')),
                format!("--version={version}"),
            ],
            Self::Folder(folder) => {
                let name = if packaged {
                    package(chart, version)
                } else {
                    chart.to_owned()
                };
                let trimmed = folder.trim_end_matches('/');
                let folder = Path::new(if trimmed.is_empty() { folder } else { trimmed });
                vec![folder.join(name).display().to_string()]
            }
            Self::None => vec![chart.to_owned()],
        }
    }
}

/// The file that `helm package` and `helm pull` make of a chart.
#[must_use]
pub fn package(chart: &str, version: &str) -> String {
    format!("{}.tgz", name(chart, version))
}

/// A chart of a version, as its package is called.
#[must_use]
pub fn name(chart: &str, version: &str) -> String {
    format!("{chart}-{version}")
}

/// Of a packaged chart.
#[must_use]
pub fn digest_of_package(bytes: &[u8]) -> String {
    told(Sha256::new_with_prefix(bytes))
}

/// Of a chart's files, by their paths in its folder. Times and rights are left out: a folder is copied, and checked out elsewhere.
#[must_use]
pub fn digest_of_files(files: &BTreeMap<String, Vec<u8>>) -> String {
    let mut hasher = Sha256::new();
    for (path, bytes) in files {
        // With their lengths, so that no byte can move from one to the next.
        for part in [path.as_bytes(), bytes] {
            hasher.update(part.len().to_be_bytes());
            hasher.update(part);
        }
    }
    told(hasher)
}

fn told(hasher: Sha256) -> String {
    let digest = hasher.finalize();
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{SHA_256}{hex}")
}

/// What helm says of a chart that it has just pulled from a registry, on standard error; nothing where it took it from its cache, or
/// from a repository.
#[must_use]
pub fn digest_of_pull(said: &str) -> Option<String> {
    let mut said = said.lines().filter_map(|line| line.strip_prefix("Digest: "));
    let digest = said.next_back()?.trim();
    let hex = digest.strip_prefix(SHA_256)?;
    let is_digest = hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_digest.then(|| digest.to_owned())
}

/// Charts that are at hand with other contents than were recorded, in order. What was never recorded is no other.
#[must_use]
pub fn others<'c>(recorded: &Digests, at_hand: &'c Digests) -> Vec<&'c str> {
    let is_other = |(name, digest): &(&String, &String)| recorded.get(*name).is_some_and(|known| known != *digest);
    let others = at_hand.iter().filter(is_other);
    others.map(|(name, _)| name.as_str()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_is_named_as_helm_takes_it() {
        let cases: [(&str, bool, &[&str]); 11] = [
            ("oci://x/charts", false, &["oci://x/charts/istiod", "--version=1.31.0"]),
            ("oci://x/charts/", false, &["oci://x/charts/istiod", "--version=1.31.0"]),
            (
                "https://x/c",
                false,
                &["istiod", "--repo=https://x/c", "--version=1.31.0"],
            ),
            (
                "https://x/c/",
                false,
                &["istiod", "--repo=https://x/c", "--version=1.31.0"],
            ),
            (
                "http://x/c",
                false,
                &["istiod", "--repo=http://x/c", "--version=1.31.0"],
            ),
            ("s3://x/c", false, &["istiod", "--repo=s3://x/c", "--version=1.31.0"]),
            ("charts", false, &["charts/istiod"]),
            ("/srv/charts/", false, &["/srv/charts/istiod"]),
            ("/srv/charts", true, &["/srv/charts/istiod-1.31.0.tgz"]),
            ("/", false, &["/istiod"]),
            ("", false, &["istiod"]),
        ];
        for (place, packaged, expected) in cases {
            let place = Location::read(place);
            assert_eq!(
                place.helm_arguments("istiod", "1.31.0", packaged),
                expected,
                "{place:?}"
            );
        }
    }

    #[test]
    fn contents_are_told_apart_file_by_file() {
        let files = |files: &[(&str, &str)]| {
            let files = files
                .iter()
                .map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec()));
            digest_of_files(&files.collect())
        };
        let chart = files(&[("Chart.yaml", "name: istiod"), ("templates/a.yaml", "a")]);
        assert_eq!(chart.len(), SHA_256.len() + 64);
        assert_eq!(
            chart,
            files(&[("templates/a.yaml", "a"), ("Chart.yaml", "name: istiod")])
        );
        for other in [
            &[("Chart.yaml", "name: istiod"), ("templates/a.yaml", "b")][..],
            &[("Chart.yaml", "name: istiod"), ("templates/b.yaml", "a")],
            &[("Chart.yaml", "name: istiod")],
            &[("Chart.yaml", "name: istio"), ("dtemplates/a.yaml", "a")],
            &[("Chart.yaml", "name: istiod"), ("templates/a.yaml", "a"), ("b", "")],
        ] {
            assert_ne!(chart, files(other), "{other:?}");
        }
        assert_ne!(digest_of_package(b"a"), digest_of_package(b"b"));
        assert_eq!(
            digest_of_package(b""),
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }

    #[test]
    fn what_helm_says_of_a_pull_is_read() {
        let digest = digest_of_package(b"");
        for (said, expected) in [
            (
                format!("Pulled: x/charts/istiod:1.31.0\nDigest: {digest}\n"),
                Some(&digest),
            ),
            (format!("Digest: {digest}\r\n"), Some(&digest)),
            (format!("WARNING: Digest: {digest}\n"), None),
            ("Digest: sha256:abc\n".to_owned(), None),
            (String::new(), None),
        ] {
            assert_eq!(digest_of_pull(&said).as_ref(), expected, "{said}");
        }
    }

    #[test]
    fn only_what_was_recorded_can_be_another() {
        let digests = |all: &[(&str, &str)]| -> Digests {
            let all = all
                .iter()
                .map(|(name, digest)| ((*name).to_owned(), (*digest).to_owned()));
            all.collect()
        };
        let recorded = digests(&[("base-1.31.0", "b"), ("istiod-1.31.0", "i")]);
        let at_hand = digests(&[("cni-1.31.0", "c"), ("istiod-1.31.0", "x")]);
        assert_eq!(others(&recorded, &at_hand), ["istiod-1.31.0"]);
        assert_eq!(others(&recorded, &recorded), [""; 0]);
        assert_eq!(others(&Digests::new(), &at_hand), [""; 0]);
    }

    #[test]
    fn a_place_is_a_folder_an_address_or_none() {
        for (place, folder, address) in [
            ("", false, false),
            ("charts", true, false),
            ("/srv/charts@2026", true, false),
            ("oci://x/charts", false, true),
            ("https://x/c", false, true),
            ("s3://x/c", false, true),
        ] {
            let read = Location::read(place);
            assert_eq!((read.is_folder(), read.is_address()), (folder, address), "{place}");
        }
    }

    #[test]
    fn who_asks_stands_in_front_of_the_host() {
        for (place, expected) in [
            ("https://charts.example.com/istio", false),
            ("https://charts.example.com/a@b", false),
            ("https://charts.example.com?a@b", false),
            ("/srv/charts@2026", false),
            ("https://user:hunter2@charts.example.com/istio", true),
            ("https://hunter2@charts.example.com", true),
            ("oci://user:hunter2@registry.example.com?x", true),
        ] {
            assert_eq!(Location::read(place).carries_credentials(), expected, "{place}");
        }
    }
}
