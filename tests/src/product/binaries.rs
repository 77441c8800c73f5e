//! Builds the plugin and the webhook as cargo builds the workspace, and runs the plugin as `kubectl mesh-upgrade`.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use anyhow::{Context, Result};

use super::cargo::Built;
use crate::harness::{Cluster, Run, Toolbox};

const PLUGIN: &str = "kubectl-mesh_upgrade";
const WEBHOOK: &str = "mesh-upgrade-webhook";

/// Where the two programs are.
#[derive(Debug)]
pub struct Binaries {
    folder: PathBuf,
    webhook: PathBuf,
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
        let built = build_programs(&[])?;
        let folder = built.program(PLUGIN)?.parent().context("the plugin's folder")?;
        // Under its other name the plugin answers what kubectl asks to complete a line.
        let completion = folder.join("kubectl_complete-mesh_upgrade");
        match std::os::unix::fs::symlink(PLUGIN, &completion) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                Err(error).context("link the completion to the plugin")
            }
            _ => Ok(Self {
                folder: folder.to_owned(),
                webhook: built.program(WEBHOOK)?.to_owned(),
            }),
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
        self.webhook.clone()
    }
}

/// Has cargo build the programs of the workspace, `more` being further arguments for it.
///
/// # Errors
/// When they do not compile.
pub(crate) fn build_programs(more: &[&str]) -> Result<Built> {
    // Of the whole workspace, so that features are unified as in every other build and nothing is built twice; but not
    // the tests' own programs, which an optimised build takes minutes for.
    let workspace = ["--quiet", "--workspace", "--bin", PLUGIN, "--bin", WEBHOOK];
    Built::of(&[&workspace, more].concat())
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
