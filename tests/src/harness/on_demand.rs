//! Programs that only few tests need, each built when it is first asked for and kept beside the test control plane:
//! API servers of other Kubernetes versions (4 to 6 minutes each on two cores, once), istioctl, and krew.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use sha2::{Digest as _, Sha256};

use super::build::progress;
use super::cache::ON_DEMAND;
use super::recipe::Part;
use super::toolbox::Toolbox;

/// A program that is built on demand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDemand {
    /// kube-apiserver of Kubernetes 1.34.
    KubeApiServer134,
    /// kube-apiserver of Kubernetes 1.37.
    KubeApiServer137,
    /// istioctl of Istio 1.31.
    Istioctl131,
    /// krew, kubectl's plugin manager.
    Krew,
    /// What krew's index judges manifests with.
    ValidateKrewManifest,
}

const KUBE_API_SERVER: &str = "k8s.io/kubernetes/cmd/kube-apiserver";

const KUBE_API_SERVER_134: Part = Part {
    module: "kube-apiserver-1.34",
    program: "kube-apiserver",
    package: KUBE_API_SERVER,
    variables: &[
        ("k8s.io/component-base/version.gitVersion", "v1.34.4"),
        ("k8s.io/component-base/version.gitMajor", "1"),
        ("k8s.io/component-base/version.gitMinor", "34"),
    ],
};

const KUBE_API_SERVER_137: Part = Part {
    module: "kube-apiserver-1.37",
    program: "kube-apiserver",
    package: KUBE_API_SERVER,
    variables: &[
        ("k8s.io/component-base/version.gitVersion", "v1.37.2"),
        ("k8s.io/component-base/version.gitMajor", "1"),
        ("k8s.io/component-base/version.gitMinor", "37"),
    ],
};

const ISTIOCTL_131: Part = Part {
    module: "istioctl-1.31",
    program: "istioctl",
    package: "istio.io/istio/istioctl/cmd/istioctl",
    variables: &[
        ("istio.io/istio/pkg/version.buildVersion", "1.31.0"),
        ("istio.io/istio/pkg/version.buildGitRevision", "eed52ebb66ad"),
        ("istio.io/istio/pkg/version.buildStatus", "Clean"),
        ("istio.io/istio/pkg/version.buildTag", "1.31.0"),
    ],
};

const KREW: Part = Part {
    module: "krew",
    program: "kubectl-krew",
    package: "sigs.k8s.io/krew/cmd/krew",
    variables: &[],
};

const VALIDATE_KREW_MANIFEST: Part = Part {
    module: "krew",
    program: "validate-krew-manifest",
    package: "sigs.k8s.io/krew/cmd/validate-krew-manifest",
    variables: &[],
};

impl OnDemand {
    /// The built program, built first if it is not there.
    pub fn program(self) -> Result<PathBuf> {
        let part = match self {
            Self::KubeApiServer134 => KUBE_API_SERVER_134,
            Self::KubeApiServer137 => KUBE_API_SERVER_137,
            Self::Istioctl131 => ISTIOCTL_131,
            Self::Krew => KREW,
            Self::ValidateKrewManifest => VALIDATE_KREW_MANIFEST,
        };
        let built = Toolbox::get()?.bin_dir();
        let cache = built.ancestors().nth(2).context("the folder of all built programs")?;
        let sources = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("controlplane")
            .join(part.module);
        let name = format!("{}-{}", part.module, key(&part, &sources)?);
        let waiting = || progress("waiting for another build on demand");
        let done = ON_DEMAND.kept(cache, &name, waiting, |to| build(&part, &sources, to))?;
        Ok(done.join(part.program))
    }
}

/// A folder with all programs of the test control plane, one of them played by another; it goes when it is dropped.
pub(super) fn with_program(name: &str, played_by: &Path) -> Result<tempfile::TempDir> {
    let folder = tempfile::Builder::new().prefix("mesh-upgrade-programs-").tempdir()?;
    for entry in fs::read_dir(Toolbox::get()?.bin_dir())? {
        let entry = entry?;
        let at = folder.path().join(entry.file_name());
        let original = if entry.file_name() == name {
            played_by.to_path_buf()
        } else {
            entry.path()
        };
        std::os::unix::fs::symlink(original, at)?;
    }
    Ok(folder)
}

/// A digest of what the program depends on.
fn key(part: &Part, sources: &Path) -> Result<String> {
    let mut digest = Sha256::new();
    digest.update(part.package);
    for (name, value) in part.variables {
        digest.update(format!("{name}={value}\n"));
    }
    for file in ["go.mod", "go.sum"] {
        digest.update(fs::read(sources.join(file)).with_context(|| format!("{file} of {}", part.module))?);
    }
    Ok(digest
        .finalize()
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

fn build(part: &Part, sources: &Path, to: &Path) -> Result<()> {
    progress(&format!("building {}, once for this machine", part.module));
    let mut link = String::from("-s -w");
    for (name, value) in part.variables {
        link.push_str(&format!(" -X {name}={value}"));
    }
    let output = Command::new("go")
        .current_dir(sources)
        .env("CGO_ENABLED", "0")
        .env("GOWORK", "off")
        .args(["build", "-trimpath", "-buildvcs=false", "-ldflags", &link, "-o"])
        .arg(to.join(part.program))
        .arg(part.package)
        .stdin(Stdio::null())
        .output()
        .context("start go build")?;
    if !output.status.success() {
        bail!(
            "go build of {} failed: {}",
            part.module,
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(())
}
