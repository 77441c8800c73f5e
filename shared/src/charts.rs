//! Where charts are: what a flag, a catalog or a journal says, read in one place, and said as helm takes it.

use std::path::Path;

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
    format!("{chart}-{version}.tgz")
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
