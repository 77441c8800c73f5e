//! A kubeconfig on disk that only the caller can read, for as long as a child process needs it; and what a process that was
//! killed has left of its own.

use super::error::ClusterError;
use std::{
    ffi::OsStr,
    fmt,
    fs::{self, File, Metadata},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::Once,
    time::{Duration, SystemTime},
};

const PREFIX: &str = "mesh-upgrade-kubeconfig-";
/// A file is written and locked within this time.
const YOUNG: Duration = Duration::from_secs(60);
static SWEPT: Once = Once::new();

/// A kubeconfig that only the caller can read and that is removed when this is dropped.
pub struct PrivateKubeconfig {
    /// Held as long as the process lives, which is how others know. It is a file of its own, since a lock of Windows keeps a
    /// child process from reading; and closed first, since an open file keeps its folder there.
    _lock: File,
    // Removed with everything in it.
    directory: tempfile::TempDir,
}

impl PrivateKubeconfig {
    const FILE: &str = "config";
    const LOCK: &str = "lock";

    pub(super) fn write(text: &[u8]) -> Result<Self, ClusterError> {
        let failed = |source| ClusterError::PrivateFile {
            path: std::env::temp_dir(),
            source,
        };
        // Both are created with owner-only permissions, so that there is no moment at which others can read.
        let mut builder = tempfile::Builder::new();
        builder.prefix(PREFIX);
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
        let directory = builder.tempdir().map_err(failed)?;
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let lock = options.open(directory.path().join(Self::LOCK)).map_err(failed)?;
        // Where locks are not to be had, nobody else has one either, and nothing is swept.
        lock.try_lock().ok();
        let mut file = options.open(directory.path().join(Self::FILE)).map_err(failed)?;
        file.write_all(text).map_err(failed)?;
        SWEPT.call_once(|| {
            sweep(directory.path(), SystemTime::now()).ok();
        });
        Ok(Self { directory, _lock: lock })
    }

    /// One that leads to a server through a proxy of this machine and holds no credentials but those in the proxy's address; its
    /// context is called as the cluster. What an engine keeps of a server, in folders that others may list, it keeps under the
    /// server's address alone (client-go, `computeDiscoverCacheDir`).
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn of_proxied(server: &str, proxy: &str, name: &str) -> Result<Self, ClusterError> {
        let text = serde_json::json!({
            "apiVersion": "v1", "kind": "Config", "current-context": name,
            "clusters": [{ "name": name, "cluster": { "server": server, "proxy-url": proxy } }],
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

/// Removes what processes of the same person that were killed have left beside this folder.
fn sweep(own: &Path, now: SystemTime) -> io::Result<()> {
    let (Some(beside), owner) = (own.parent(), fs::symlink_metadata(own)?) else {
        return Ok(());
    };
    for entry in fs::read_dir(beside)?.flatten() {
        let path = entry.path();
        if path != own && is_ours(&entry.file_name()) && is_abandoned(&path, &owner, now).unwrap_or(false) {
            fs::remove_dir_all(&path).ok();
        }
    }
    Ok(())
}

fn is_ours(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| name.starts_with(PREFIX))
}

/// Whether its process has ended: only then is its lock free.
fn is_abandoned(directory: &Path, owner: &Metadata, now: SystemTime) -> io::Result<bool> {
    let found = fs::symlink_metadata(directory)?;
    if !found.is_dir() || !same_owner(&found, owner) {
        return Ok(false);
    }
    let young = now.duration_since(found.modified()?).is_ok_and(|age| age < YOUNG);
    let lock = directory.join(PrivateKubeconfig::LOCK);
    Ok(!young && fs::symlink_metadata(&lock)?.is_file() && File::open(&lock)?.try_lock().is_ok())
}

#[cfg(unix)]
fn same_owner(one: &Metadata, other: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    one.uid() == other.uid()
}

/// A folder for temporary files is each person's own there.
#[cfg(not(unix))]
fn same_owner(_one: &Metadata, _other: &Metadata) -> bool {
    true
}

/// The path only: the file holds a secret.
impl fmt::Debug for PrivateKubeconfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PrivateKubeconfig").field(&self.path()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_dead_process_left_is_removed() {
        let beside = tempfile::tempdir().unwrap();
        let folder = |name: &str| {
            let path = beside.path().join(name);
            fs::create_dir(&path).unwrap();
            fs::write(path.join(PrivateKubeconfig::FILE), "token").unwrap();
            fs::write(path.join(PrivateKubeconfig::LOCK), "").unwrap();
            path
        };
        let own = folder(&format!("{PREFIX}own"));
        let dead = folder(&format!("{PREFIX}dead"));
        let alive = folder(&format!("{PREFIX}alive"));
        let foreign = folder("mesh-upgrade-foreign");
        let locked = File::open(alive.join(PrivateKubeconfig::LOCK)).unwrap();
        locked.try_lock().unwrap();

        // One that is being written is not locked yet.
        sweep(&own, SystemTime::now()).unwrap();
        assert!(dead.exists());

        sweep(&own, SystemTime::now() + YOUNG * 2).unwrap();
        assert!(!dead.exists());
        assert!(own.exists() && alive.exists() && foreign.exists());
    }

    #[test]
    fn it_is_locked_as_long_as_it_is_there() {
        let kubeconfig = PrivateKubeconfig::write(b"token").unwrap();
        let path = kubeconfig.path();
        // A child process reads it meanwhile.
        assert!(File::open(&path).unwrap().try_lock().is_ok());
        let lock = path.with_file_name(PrivateKubeconfig::LOCK);
        assert!(File::open(lock).unwrap().try_lock().is_err());
        drop(kubeconfig);
        assert!(!path.exists());
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_reads_it_and_a_print_does_not_show_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let kubeconfig =
            PrivateKubeconfig::of_proxied("http://east", "http://relay:s3cret@127.0.0.1:1", "east").unwrap();
        let path = kubeconfig.path();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        assert!(!format!("{kubeconfig:?}").contains("s3cret"));
    }

    #[cfg(unix)]
    #[test]
    fn nothing_is_followed_out_of_the_folder() {
        let (beside, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for file in [PrivateKubeconfig::FILE, PrivateKubeconfig::LOCK] {
            fs::write(elsewhere.path().join(file), "somebody's").unwrap();
        }
        let own = beside.path().join("own");
        fs::create_dir(&own).unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), beside.path().join(format!("{PREFIX}link"))).unwrap();
        sweep(&own, SystemTime::now() + YOUNG * 2).unwrap();
        assert!(elsewhere.path().join(PrivateKubeconfig::FILE).exists());
    }
}
