//! A helm that does part of its work, or none.

use std::{os::unix::fs::PermissionsExt as _, time::Duration};

use anyhow::Result;
use mesh_upgrade_tests::harness::Toolbox;

/// A script in the place of helm that fails at `upgrade`, and is helm otherwise.
pub struct HelmThatFails(tempfile::TempDir);

impl HelmThatFails {
    /// The real one, killed so long after an upgrade began.
    pub fn killed_after(time: Duration) -> Result<Self> {
        let helm = Toolbox::get()?.helm();
        let helm = helm.display();
        let seconds = time.as_secs_f32();
        Self::with(&format!(
            "{helm} \"$@\" & helm=$!; sleep {seconds}; kill -9 $helm; wait $helm; kill -9 $$"
        ))
    }

    /// One that says this and does nothing.
    pub fn saying(what: &str) -> Result<Self> {
        Self::with(&format!("echo '{what}' >&2; exit 1"))
    }

    fn with(upgrade: &str) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("helm");
        let helm = Toolbox::get()?.helm();
        let script = format!(
            "#!/bin/sh\nif [ \"$1\" = upgrade ]; then {upgrade}; fi\nexec {} \"$@\"\n",
            helm.display()
        );
        std::fs::write(&path, script)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?;
        Ok(Self(dir))
    }

    /// To be given as `--helm`.
    pub fn program(&self) -> String {
        self.0.path().join("helm").display().to_string()
    }
}
