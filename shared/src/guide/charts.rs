//! Where the charts of the way are.

use crate::{
    api::Component,
    charts::{Location, package},
    version::IstioVersion,
};

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
        let (chart, version) = (component.as_str(), version.to_string());
        let (place, packaged) = match self {
            Self::Remote(url) => (url, false),
            Self::Folder(folder, packaged) => (folder, packaged.contains(&package(chart, &version))),
        };
        Location::read(place).helm_arguments(chart, &version, packaged)
    }

    /// As people say it.
    pub(super) fn told(&self) -> &str {
        match self {
            Self::Remote(place) | Self::Folder(place, _) => place,
        }
    }
}
