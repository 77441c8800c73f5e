//! Where built programs are kept, for every checkout on the machine: each built once, and removed when nobody has used it
//! for long.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};

/// A build takes up to 350 MB, so those of sources that nobody has any more go after two weeks.
const UNUSED: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// One kind of what is built. Each has a lock of its own, and cleans up after its own builds alone: those of another kind
/// may be under way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shelf(&'static str);

/// The test control plane.
pub(super) const CONTROL_PLANE: Shelf = Shelf("controlplane");
/// What only few tests need.
pub(super) const ON_DEMAND: Shelf = Shelf("on-demand");

impl Shelf {
    /// The folder of this name below `root`, filled by `build` if it is not there yet. `waiting` is called when another
    /// build has to end before.
    pub(super) fn kept(
        self,
        root: &Path,
        name: &str,
        waiting: impl FnOnce(),
        build: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<PathBuf> {
        fs::create_dir_all(root).with_context(|| format!("create {}", root.display()))?;
        let done = root.join(format!("{}-{name}", self.0));
        if done.is_dir() {
            mark_used(&done);
            return Ok(done);
        }
        let lock = File::create(root.join(format!("{}.lock", self.0))).context("create the build's lock")?;
        if lock.try_lock().is_err() {
            waiting();
            lock.lock().context("lock the build")?;
        }
        // Somebody else may have built it while this process waited.
        if done.is_dir() {
            return Ok(done);
        }
        self.remove_unused(root)?;
        let unfinished = tempfile::Builder::new().prefix(&self.unfinished()).tempdir_in(root)?;
        build(unfinished.path())?;
        fs::rename(unfinished.path(), &done).context("move the build to its place")?;
        Ok(done)
    }

    /// How the folder of a build that is not done begins.
    fn unfinished(self) -> String {
        format!("{}.unfinished-", self.0)
    }

    /// Removes what killed builds of this kind left, and those that no test has used for long. To be called with the lock
    /// held.
    fn remove_unused(self, root: &Path) -> Result<()> {
        let built = format!("{}-", self.0);
        for entry in fs::read_dir(root)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let age = entry.metadata()?.modified()?.elapsed().unwrap_or_default();
            let old = name.starts_with(&built) && entry.file_type()?.is_dir() && age > UNUSED;
            if name.starts_with(&self.unfinished()) || old {
                fs::remove_dir_all(entry.path()).with_context(|| format!("remove {}", entry.path().display()))?;
            }
        }
        Ok(())
    }
}

/// Lets [`Shelf::remove_unused`] see that somebody needs this one.
fn mark_used(built: &Path) {
    // Only a hint: a cache that may not be touched still serves.
    let _ = File::open(built).and_then(|folder| folder.set_modified(SystemTime::now()));
}

/// The folder that holds all of them.
pub(super) fn root() -> Result<PathBuf> {
    let variable = |name| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let cache = variable("XDG_CACHE_HOME").or_else(|| variable("HOME").map(|home| home.join(".cache")));
    Ok(cache
        .context("neither XDG_CACHE_HOME nor HOME is set")?
        .join("mesh-upgrade"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(shelf: Shelf, root: &Path, name: &str) -> PathBuf {
        shelf
            .kept(root, name, || (), |folder| Ok(fs::write(folder.join("program"), name)?))
            .unwrap()
    }

    fn unused_for_long(folder: &Path) {
        let long_ago = SystemTime::now() - UNUSED - Duration::from_secs(60);
        File::open(folder).unwrap().set_modified(long_ago).unwrap();
    }

    #[test]
    fn a_build_of_another_kind_that_is_under_way_is_left_alone() {
        let root = tempfile::tempdir().unwrap();
        for (running, other) in [(ON_DEMAND, CONTROL_PLANE), (CONTROL_PLANE, ON_DEMAND)] {
            let done = running.kept(
                root.path(),
                "slow",
                || panic!("it waits"),
                |folder| {
                    put(other, root.path(), "meanwhile");
                    Ok(fs::write(folder.join("program"), "")?)
                },
            );
            assert!(done.unwrap().join("program").is_file());
            fs::remove_dir_all(root.path()).unwrap();
        }
    }

    #[test]
    fn what_a_killed_build_left_and_what_is_unused_goes_and_what_is_used_stays() {
        for shelf in [CONTROL_PLANE, ON_DEMAND] {
            let root = tempfile::tempdir().unwrap();
            let killed = root.path().join(format!("{}killed", shelf.unfinished()));
            fs::create_dir(&killed).unwrap();
            let [used, unused] = ["used", "unused"].map(|name| put(shelf, root.path(), name));
            unused_for_long(&used);
            unused_for_long(&unused);
            // Whoever asks for it needs it.
            assert_eq!(put(shelf, root.path(), "used"), used);
            put(shelf, root.path(), "new");
            assert!(used.is_dir(), "{shelf:?}");
            assert!(!unused.exists() && !killed.exists(), "{shelf:?}");
        }
    }

    #[test]
    fn a_build_that_fails_leaves_nothing() {
        let root = tempfile::tempdir().unwrap();
        let failed = ON_DEMAND.kept(root.path(), "broken", || (), |_| anyhow::bail!("no compiler"));
        assert_eq!(failed.unwrap_err().to_string(), "no compiler");
        let left: Vec<_> = fs::read_dir(root.path()).unwrap().flatten().collect();
        assert!(
            left.iter().all(|entry| entry.file_name() == "on-demand.lock"),
            "{left:?}"
        );
    }
}
