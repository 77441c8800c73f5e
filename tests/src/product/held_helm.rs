//! A helm that waits before one of its upgrades, so that a test can act between two components, and no earlier or later.

use std::{
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Result;

use crate::harness::{Toolbox, wait_until};

/// The real helm behind a script that holds `helm upgrade RELEASE` until it is let go.
#[derive(Debug)]
pub struct HeldHelm {
    dir: tempfile::TempDir,
}

impl HeldHelm {
    /// One that holds before the upgrade of this release.
    ///
    /// # Errors
    /// When the script cannot be written.
    pub fn before(release: &str) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let helm = Toolbox::get()?.helm();
        let script = format!(
            "#!/bin/sh\n\
             if [ \"$1 $2\" = \"upgrade {release}\" ] && [ ! -e {dir}/go ]; then\n\
               echo $$ > {dir}/reached\n\
               while [ ! -e {dir}/go ]; do sleep 0.05; done\n\
             fi\n\
             exec {helm} \"$@\"\n",
            dir = dir.path().display(),
            helm = helm.display()
        );
        let path = dir.path().join("helm");
        std::fs::write(&path, script)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?;
        Ok(Self { dir })
    }

    /// The program to give as `--helm`.
    #[must_use]
    pub fn program(&self) -> PathBuf {
        self.dir.path().join("helm")
    }

    /// Waits until the upgrade is held.
    ///
    /// # Errors
    /// When it is not within the deadline.
    pub fn wait_until_reached(&self, deadline: Duration) -> Result<()> {
        let reached = self.dir.path().join("reached");
        wait_until("helm to be held", deadline, || Ok(reached.exists().then_some(())))
    }

    /// Lets the held upgrade go, and every later one.
    ///
    /// # Errors
    /// When the file that lets it go cannot be written.
    pub fn release(&self) -> Result<()> {
        Ok(std::fs::write(self.dir.path().join("go"), "")?)
    }

    /// Ends the held script before it has become helm, as if the machine had gone.
    ///
    /// # Errors
    /// When it is not held.
    pub fn kill(&self) -> Result<()> {
        let pid = std::fs::read_to_string(self.dir.path().join("reached"))?;
        let status = std::process::Command::new("kill").args(["-9", pid.trim()]).status()?;
        anyhow::ensure!(status.success(), "the held helm {} is not there", pid.trim());
        Ok(())
    }

    /// Folder for whatever else the test writes.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }
}
