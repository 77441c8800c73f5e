//! A cluster that begins again from what it once stored, at the same addresses: to install everything anew takes longer
//! than what many tests do with it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::cluster::Cluster;
use super::wait::wait_until;

/// istiod gives its leases back, which takes it a second.
const END_DEADLINE: Duration = Duration::from_secs(20);
const SERVING_DEADLINE: Duration = Duration::from_secs(90);

/// What acts in a cluster by itself, but for istiod.
const CONTROLLERS: [&str; 3] = ["kube-controller-manager", "kube-scheduler", "kwok"];

/// What a cluster stored at one moment. It lies in the cluster's folder, and goes with it.
#[derive(Debug)]
pub struct Snapshot {
    dir: PathBuf,
}

impl Cluster {
    /// Keeps a copy of all that is stored, made while nothing runs. Every process is started anew afterwards, and an istiod
    /// has to be among them.
    ///
    /// # Errors
    /// When a process does not end or start, or the copy cannot be made.
    pub fn snapshot(&self) -> Result<Snapshot> {
        let dir = self.dir().join("snapshot");
        self.halt()?;
        copy(&self.stored(), &dir)?;
        self.go_on()?;
        Ok(Snapshot { dir })
    }

    /// Ends every process, puts back what was stored, and starts them anew: nothing is left of what has happened since
    /// the copy was made, in no process' memory either. The audit log begins anew, too.
    ///
    /// # Errors
    /// When a process does not end or start, or the copy cannot be put back.
    pub fn restore(&self, snapshot: &Snapshot) -> Result<()> {
        self.halt()?;
        fs::remove_dir_all(self.stored()).context("remove what is stored")?;
        copy(&snapshot.dir, &self.stored())?;
        fs::remove_file(self.audit_log()).context("remove the audit log")?;
        self.go_on()
    }

    fn stored(&self) -> PathBuf {
        self.dir().join("etcd")
    }

    /// istiod first, which is the only one that ends with a word to the API server.
    fn halt(&self) -> Result<()> {
        self.remind_of_istiod(false);
        let status = self.control("status")?;
        let istiod = status.pointer("/pids/istiod").and_then(Value::as_u64);
        self.control("stop istiod")?;
        if let Some(istiod) = istiod {
            let process = PathBuf::from(format!("/proc/{istiod}"));
            wait_until("istiod to end", END_DEADLINE, || Ok((!process.exists()).then_some(())))?;
        }
        // Held, to be killed where they stand: the supervisor takes no start for done while one of its processes is dead.
        for name in CONTROLLERS {
            self.control(&format!("pause {name}"))?;
        }
        self.control("stop kube-apiserver")?;
        self.control("stop etcd").map(drop)
    }

    fn go_on(&self) -> Result<()> {
        // It starts, and the supervisor tells that the API server is away, whose turn is next.
        let _ = self.control("start etcd");
        self.control("start kube-apiserver")?;
        for name in CONTROLLERS {
            self.control(&format!("restart {name}"))?;
        }
        // The supervisor's own watches go on from where they were. That may be a later time than the one that all has been
        // put back to, and then they tell of nothing.
        self.remind_of_istiod(true);
        wait_until("istiod to serve", SERVING_DEADLINE, || {
            let shown = self.control("show istiod")?;
            let version = shown.get("istiodVersion").and_then(Value::as_str);
            Ok(version.is_some_and(|version| !version.is_empty()).then_some(()))
        })
    }
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    // Most of etcd's log is a hole.
    let copied = Command::new("cp")
        .args(["-a", "--sparse=always"])
        .args([from, to])
        .status()?;
    ensure!(copied.success(), "{} could not be copied", from.display());
    Ok(())
}
