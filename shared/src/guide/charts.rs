//! Where the charts of the way are.

use crate::{api::Component, version::IstioVersion};

/// Where the charts of the way are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Charts {
    /// A chart repository or a registry, `https://…` or `oci://…`.
    Remote(String),
    /// A folder, and the names of the packaged charts in it.
    Folder(String, Vec<String>),
}

impl Charts {
    /// The chart of a component as helm's arguments name it.
    pub(super) fn words(&self, component: Component, version: &IstioVersion) -> Vec<String> {
        let chart = component.as_str();
        match self {
            Self::Remote(url) if url.starts_with("oci://") => {
                vec![
                    format!("{}/{chart}", url.trim_end_matches('/')),
                    format!("--version={version}"),
                ]
            }
            Self::Remote(url) => vec![
                chart.to_owned(),
                format!("--repo={url}"),
                format!("--version={version}"),
            ],
            Self::Folder(folder, packaged) => {
                let package = format!("{chart}-{version}.tgz");
                let name = if packaged.contains(&package) { &package } else { chart };
                vec![format!("{}/{name}", folder.trim_end_matches('/'))]
            }
        }
    }

    /// As people say it.
    pub(super) fn told(&self) -> &str {
        match self {
            Self::Remote(place) | Self::Folder(place, _) => place,
        }
    }
}
