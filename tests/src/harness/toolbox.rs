//! The built programs and charts.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::{Result, anyhow};

use super::{build, charts};

/// A registry that has nothing.
pub const UNPULLABLE_HUB: &str = "registry.invalid/unpullable";

/// Everything a test needs from outside this project, built once for the machine.
#[derive(Debug)]
pub struct Toolbox {
    built: PathBuf,
    bin: PathBuf,
}

impl Toolbox {
    /// Finds the toolbox, and builds it if it is not there yet.
    pub fn get() -> Result<&'static Self> {
        static TOOLBOX: OnceLock<Result<Toolbox, String>> = OnceLock::new();
        TOOLBOX
            .get_or_init(|| {
                let built = build::cached().map_err(|error| format!("{error:#}"))?;
                Ok(Self {
                    bin: built.join("bin"),
                    built,
                })
            })
            .as_ref()
            .map_err(|error| anyhow!("{error}"))
    }

    /// The folder with all programs, to be put in front of `PATH`.
    pub fn bin_dir(&self) -> &Path {
        &self.bin
    }

    /// kubectl of the control plane's version.
    pub fn kubectl(&self) -> PathBuf {
        self.program("kubectl")
    }

    /// helm 4.
    pub fn helm(&self) -> PathBuf {
        self.program("helm")
    }

    /// helm 3.
    pub fn helm_3(&self) -> PathBuf {
        self.program("helm-3")
    }

    /// Any of the programs by its name.
    pub fn program(&self, name: &str) -> PathBuf {
        self.bin.join(name)
    }

    /// A folder with the charts `base`, `istiod`, `cni`, `ztunnel` and `gateway`, stamped with any version. 1.30 and
    /// older are Istio 1.30's charts, 1.31 and newer are 1.31's; a flavor is kept in the version and in the images' tag.
    pub fn charts(&self, version: &str) -> Result<PathBuf> {
        charts::stamped(&self.built, version)
    }

    /// The same in a new folder, with istiod's image from a registry that cannot be pulled from: a pod with the word
    /// `unpullable` in an image's name stays in `ImagePullBackOff` in the test clusters.
    pub fn unpullable_charts(&self, version: &str, to: &Path) -> Result<()> {
        charts::from_hub(&self.charts(version)?, UNPULLABLE_HUB, to)
    }

    /// The folder with the charts and profiles of 1.30 as istioctl takes them; their images are named by the caller.
    pub fn manifests_130(&self) -> Result<PathBuf> {
        Ok(Self::istio_sources("1.30")?.join("manifests"))
    }

    /// The folder with Istio's own sources of 1.30 or 1.31, out of which the test control plane is built.
    pub fn istio_sources(minor: &str) -> Result<PathBuf> {
        build::module_folder(&format!("istio-{minor}"), "istio.io/istio")
    }

    /// The folder with the Gateway API's own CRDs, of the version that Istio 1.31 is built with.
    pub fn gateway_api_crds(&self) -> Result<PathBuf> {
        let (ours, theirs) = ("istio-1.31", "sigs.k8s.io/gateway-api");
        Ok(build::module_folder(ours, theirs)?.join("config/crd/standard"))
    }
}
