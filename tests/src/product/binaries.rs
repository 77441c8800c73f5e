//! Builds the plugin and the webhook as cargo builds the workspace, and runs the plugin as `kubectl mesh-upgrade`.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

use anyhow::{Context, Result, ensure};

use crate::harness::{Cluster, Run, Toolbox};

/// Where the two programs are.
#[derive(Debug)]
pub struct Binaries {
    folder: PathBuf,
}

impl Binaries {
    /// Builds them once in a process; cargo does nothing when they are fresh.
    ///
    /// # Errors
    /// When they do not compile.
    pub fn get() -> Result<&'static Self> {
        static BINARIES: OnceLock<Result<Binaries, String>> = OnceLock::new();
        BINARIES
            .get_or_init(|| Self::build().map_err(|error| format!("{error:#}")))
            .as_ref()
            .map_err(|error| anyhow::anyhow!(error.clone()))
    }

    fn build() -> Result<Self> {
        let folder = build_programs(&[])?.join("debug");
        // Under its other name the plugin answers what kubectl asks to complete a line.
        let completion = folder.join("kubectl_complete-mesh_upgrade");
        match std::os::unix::fs::symlink("kubectl-mesh_upgrade", &completion) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                Err(error).context("link the completion to the plugin")
            }
            _ => Ok(Self { folder }),
        }
    }

    /// Folder that holds `kubectl-mesh_upgrade`.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The webhook.
    #[must_use]
    pub fn webhook(&self) -> PathBuf {
        self.folder.join("mesh-upgrade-webhook")
    }
}

/// Has cargo build the programs of the workspace, `more` being further arguments for it, and returns the target folder.
///
/// # Errors
/// When they do not compile.
pub(crate) fn build_programs(more: &[&str]) -> Result<PathBuf> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .context("the workspace's folder")?;
    // Of the whole workspace, so that features are unified as in every other build and nothing is built twice; but not
    // the tests' own programs, which an optimised build takes minutes for.
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["build", "--quiet", "--workspace"])
        .args(["--bin", "kubectl-mesh_upgrade", "--bin", "mesh-upgrade-webhook"])
        .args(more)
        .current_dir(workspace)
        .stdin(Stdio::null());
    // What cargo tells the running program about its own package would change the fingerprints of build scripts that
    // look at it, ring's above all, and everything on top would be built anew each time.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            cargo.env_remove(&name);
        }
    }
    ensure!(cargo.status().context("run cargo")?.success(), "cargo build failed");
    Ok(std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), PathBuf::from))
}

/// `kubectl mesh-upgrade …`, ready to be started, as somebody in a cluster.
///
/// # Errors
/// When the programs cannot be built.
pub fn mesh_upgrade_command<S: AsRef<OsStr>>(cluster: &Cluster, user: &str, arguments: &[S]) -> Result<Command> {
    let mut command = kubectl_command(cluster, user)?;
    command.arg("mesh-upgrade").args(arguments);
    command.args(charts_for_check(arguments));
    Ok(command)
}

/// kubectl with the plugin on its PATH, as somebody in a cluster.
///
/// # Errors
/// When the programs cannot be built.
pub fn kubectl_command(cluster: &Cluster, user: &str) -> Result<Command> {
    let mut command = cluster.command("kubectl")?;
    let mut path = vec![
        Binaries::get()?.folder().to_owned(),
        Toolbox::get()?.bin_dir().to_owned(),
    ];
    path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    command
        .env("PATH", std::env::join_paths(path)?)
        .env("KUBECONFIG", cluster.kubeconfig_for(user)?);
    Ok(command)
}

/// A check looks for the target's charts where the catalog says, which is beyond loopback: tests that do not say where
/// look into the folder of the target's own.
fn charts_for_check<S: AsRef<OsStr>>(arguments: &[S]) -> Vec<String> {
    let texts: Vec<String> = arguments
        .iter()
        .map(|argument| argument.as_ref().to_string_lossy().into_owned())
        .collect();
    let to = texts
        .iter()
        .position(|text| text == "--to")
        .and_then(|at| texts.get(at + 1));
    let asks = texts.iter().any(|text| text == "check") && !texts.iter().any(|text| text == "--charts");
    // What is no version is refused before charts are looked for.
    let Some(folder) = to.filter(|_| asks).and_then(|to| Toolbox::get().ok()?.charts(to).ok()) else {
        return Vec::new();
    };
    vec!["--charts".to_owned(), folder.display().to_string()]
}

/// Runs `kubectl mesh-upgrade …` to its end as alice, who is an administrator.
///
/// # Errors
/// When it cannot be started; its own failure is in the result.
pub fn mesh_upgrade<S: AsRef<OsStr>>(cluster: &Cluster, arguments: &[S]) -> Result<Run> {
    Run::of(mesh_upgrade_command(cluster, "alice", arguments)?, None)
}
