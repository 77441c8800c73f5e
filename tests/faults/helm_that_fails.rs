//! A helm that does part of its work, or none.

use std::os::unix::fs::PermissionsExt as _;

use anyhow::Result;
use mesh_upgrade_tests::harness::Toolbox;

/// A script in the place of helm that fails at `upgrade`, and is helm otherwise.
pub struct HelmThatFails(tempfile::TempDir);

impl HelmThatFails {
    /// The real one, killed as soon as it has stored a revision as pending.
    pub fn killed_once_stored(release: &str) -> Result<Self> {
        let toolbox = Toolbox::get()?;
        let (helm, kubectl) = (toolbox.helm(), toolbox.program("kubectl"));
        let (helm, kubectl) = (helm.display(), kubectl.display());
        let pending = format!("get secrets -l owner=helm,name={release},status=pending-upgrade -o name");
        // Of the arguments, those that say where the release is stored.
        let found =
            "for it in \"$@\"; do case $last in --kubeconfig|--namespace) at=\"$at $last $it\";; esac; last=$it; done";
        Self::with(&format!(
            "{found}; {helm} \"$@\" & helm=$!; until [ \"$({kubectl} $at {pending})\" ]; do kill -0 $helm || break; done; \
             kill -9 $helm; wait $helm; kill -9 $$"
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
