//! A helm that waits before one of its upgrades, so that a test can act between two components, and no earlier or later.

use std::{
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Child,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};

use crate::harness::{Signal, Toolbox, signal, wait_until};

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
        Self::at("", release)
    }

    /// One that holds before the upgrade of this release in the cluster of this name, and nowhere else. It is
    /// told by the context of the private kubeconfig that helm is given.
    ///
    /// # Errors
    /// When the script cannot be written.
    pub fn at(cluster: &str, release: &str) -> Result<Self> {
        Self::of(&Toolbox::get()?.helm(), cluster, release)
    }

    fn of(helm: &Path, cluster: &str, release: &str) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        // Where a test fails, its folder goes, and nobody is there any more who would let it go on.
        let script = format!(
            "#!/bin/sh\n\
             for argument in \"$@\"; do\n\
               [ \"$before\" = --kubeconfig ] && kubeconfig=$argument\n\
               before=$argument\n\
             done\n\
             if [ \"$1 $2\" = \"upgrade {release}\" ] && [ ! -e {dir}/go ] && grep -q '\"current-context\":\"{cluster}' \"$kubeconfig\"; then\n\
               echo $$ > {dir}/reached\n\
               while [ ! -e {dir}/go ]; do [ -d {dir} ] || exit 1; sleep 0.05; done\n\
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
        wait_until("helm to be held", deadline, || Ok(self.is_reached().then_some(())))
    }

    /// The same, unless the program that was to call helm ends before.
    ///
    /// # Errors
    /// When it is not within the deadline, or never will be.
    pub fn wait_until_reached_by(&self, caller: &mut Child, deadline: Duration) -> Result<()> {
        let ended = wait_until("helm to be held", deadline, || {
            let ended = caller.try_wait()?;
            Ok((ended.is_some() || self.is_reached()).then_some(ended))
        })?;
        match ended {
            Some(status) if !self.is_reached() => bail!("it ended with {status} before helm was called"),
            Some(_) | None => Ok(()),
        }
    }

    fn is_reached(&self) -> bool {
        self.dir.path().join("reached").exists()
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
        signal(self.process()?, Signal::KILL).context("the held helm is not there")
    }

    /// The held script, which leads a group of processes; once it is let go it is helm itself.
    ///
    /// # Errors
    /// When nothing is held.
    pub fn process(&self) -> Result<u32> {
        let pid = std::fs::read_to_string(self.dir.path().join("reached"))?;
        pid.trim().parse().with_context(|| pid.clone())
    }

    /// Folder for whatever else the test writes.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::Started;

    #[test]
    fn what_is_held_ends_when_the_test_does_and_helm_is_not_called() {
        let beside = tempfile::tempdir().unwrap();
        let called = beside.path().join("called");
        let helm = beside.path().join("helm");
        std::fs::write(&helm, format!("#!/bin/sh\ntouch {}\n", called.display())).unwrap();
        std::fs::set_permissions(&helm, std::fs::Permissions::from_mode(0o755)).unwrap();
        let kubeconfig = beside.path().join("kubeconfig");
        std::fs::write(&kubeconfig, r#"{"current-context":"east"}"#).unwrap();

        let held = HeldHelm::of(&helm, "", "istiod").unwrap();
        let mut command = std::process::Command::new(held.program());
        command.args(["upgrade", "istiod", "--kubeconfig"]).arg(kubeconfig);
        let mut script = Started::of(command).unwrap();
        held.wait_until_reached_by(&mut script.child, Duration::from_secs(20))
            .unwrap();
        drop(held);
        let ended = wait_until("the script to end", Duration::from_secs(20), || {
            Ok(script.child.try_wait()?)
        });
        assert!(!ended.unwrap().success());
        assert!(!called.exists(), "helm was called");
    }
}
