//! Proves that ended clusters left nothing behind.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Result, bail};

use super::wait::wait_until;

/// Ending takes a moment after a kill, when nobody waits for the supervisor.
const GONE_DEADLINE: Duration = Duration::from_secs(20);

/// Clusters of this process that were dropped.
static DROPPED: Mutex<Vec<Footprint>> = Mutex::new(Vec::new());

/// What a cluster takes up on the machine: its folder, and the processes that know it.
#[derive(Debug, Clone)]
pub struct Footprint {
    dir: PathBuf,
}

impl Footprint {
    /// The footprint of a cluster that uses this folder.
    pub fn of(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    /// An error that names the folder or the processes if they have not gone after a moment.
    pub fn gone(&self) -> Result<()> {
        wait_until("a cluster to be gone", GONE_DEADLINE, || {
            if self.dir.exists() {
                bail!("{} is still there", self.dir.display());
            }
            let processes = self.processes();
            if !processes.is_empty() {
                bail!("still running: {}", processes.join(", "));
            }
            Ok(Some(()))
        })
    }

    /// Processes that have the folder in their arguments or environment, as all of a cluster's have.
    fn processes(&self) -> Vec<String> {
        let needle = self.dir.to_string_lossy();
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else {
                continue;
            };
            if pid == std::process::id() {
                continue;
            }
            // A process may end between listing and reading; then it is gone, which is what is asked.
            let read = |name| fs::read(entry.path().join(name)).unwrap_or_default();
            let arguments = String::from_utf8_lossy(&read("cmdline")).replace('\0', " ");
            if arguments.contains(&*needle) || String::from_utf8_lossy(&read("environ")).contains(&*needle) {
                found.push(format!("{pid} {}", arguments.chars().take(120).collect::<String>()));
            }
        }
        found
    }
}

/// Remembers a cluster that was dropped, for [`no_leftovers`].
pub(super) fn dropped(footprint: Footprint) {
    DROPPED.lock().unwrap_or_else(PoisonError::into_inner).push(footprint);
}

/// Checks that no cluster that this process dropped has left a process or a folder.
pub fn no_leftovers() -> Result<()> {
    let all = DROPPED.lock().unwrap_or_else(PoisonError::into_inner).clone();
    all.iter().try_for_each(Footprint::gone)
}
