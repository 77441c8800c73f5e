//! The platforms that are released for.

use anyhow::{Result, bail};

/// A platform, as krew and as Rust call it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Platform {
    /// Operating system in Go's words.
    pub os: &'static str,
    /// Processor in Go's words.
    pub arch: &'static str,
    /// Rust's target.
    pub target: &'static str,
}

/// All of them. On Linux static, so that any distribution runs it.
pub const PLATFORMS: [Platform; 5] = [
    Platform {
        os: "linux",
        arch: "amd64",
        target: "x86_64-unknown-linux-musl",
    },
    Platform {
        os: "linux",
        arch: "arm64",
        target: "aarch64-unknown-linux-musl",
    },
    Platform {
        os: "darwin",
        arch: "amd64",
        target: "x86_64-apple-darwin",
    },
    Platform {
        os: "darwin",
        arch: "arm64",
        target: "aarch64-apple-darwin",
    },
    Platform {
        os: "windows",
        arch: "amd64",
        target: "x86_64-pc-windows-msvc",
    },
];

impl Platform {
    /// The platform of a Rust target; another C library on Linux is the same platform.
    ///
    /// # Errors
    /// When nothing is released for it.
    pub fn of_target(target: &str) -> Result<Self> {
        let target = target.replace("-linux-gnu", "-linux-musl");
        match PLATFORMS.into_iter().find(|platform| platform.target == target) {
            Some(platform) => Ok(platform),
            None => {
                let known: Vec<&str> = PLATFORMS.iter().map(|platform| platform.target).collect();
                bail!("nothing is released for {target}; known: {}", known.join(", "))
            }
        }
    }

    /// The platform that this program runs on.
    ///
    /// # Errors
    /// When nothing is released for it.
    pub fn here() -> Result<Self> {
        let arch = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        };
        let os = match std::env::consts::OS {
            "macos" => "darwin",
            other => other,
        };
        match PLATFORMS.into_iter().find(|one| one.os == os && one.arch == arch) {
            Some(platform) => Ok(platform),
            None => bail!("nothing is released for {os} on {arch}"),
        }
    }

    /// File name of the plugin.
    #[must_use]
    pub fn program(self) -> String {
        let suffix = if self.os == "windows" { ".exe" } else { "" };
        format!("kubectl-mesh_upgrade{suffix}")
    }

    /// File name of the archive.
    #[must_use]
    pub fn archive(self, tag: &str) -> String {
        format!("kubectl-mesh_upgrade-{tag}-{}-{}.tar.gz", self.os, self.arch)
    }
}
