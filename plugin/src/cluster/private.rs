//! A kubeconfig on disk that only the caller can read, for as long as a child process needs it.

use super::error::ClusterError;
use std::{fmt, io::Write as _, path::PathBuf};

/// A kubeconfig that only the caller can read and that is removed when this is dropped.
pub struct PrivateKubeconfig {
    // Removed with everything in it.
    directory: tempfile::TempDir,
}

impl PrivateKubeconfig {
    const FILE: &str = "config";

    pub(super) fn write(text: &[u8]) -> Result<Self, ClusterError> {
        let failed = |source| ClusterError::PrivateFile {
            path: std::env::temp_dir(),
            source,
        };
        // Both are created with owner-only permissions, so that there is no moment at which others can read.
        let mut builder = tempfile::Builder::new();
        builder.prefix("mesh-upgrade-");
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
        let directory = builder.tempdir().map_err(failed)?;
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(directory.path().join(Self::FILE)).map_err(failed)?;
        file.write_all(text).map_err(failed)?;
        Ok(Self { directory })
    }

    /// One that leads to a server of this machine and holds no credentials but those in its address.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn of_server(server: &str) -> Result<Self, ClusterError> {
        let name = "relay";
        let text = serde_json::json!({
            "apiVersion": "v1", "kind": "Config", "current-context": name,
            "clusters": [{ "name": name, "cluster": { "server": server } }],
            "users": [{ "name": name, "user": {} }],
            "contexts": [{ "name": name, "context": { "cluster": name, "user": name } }],
        });
        Self::write(text.to_string().as_bytes())
    }

    /// Path of the file, for `KUBECONFIG` or `--kubeconfig` of a child process.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.directory.path().join(Self::FILE)
    }
}

/// The path only: the file holds credentials.
impl fmt::Debug for PrivateKubeconfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PrivateKubeconfig").field(&self.path()).finish()
    }
}
