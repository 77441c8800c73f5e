//! From the archive alone: krew itself takes the manifest and installs the plugin, and in a clean home with a clean PATH it
//! completes, lists, checks and upgrades a mesh on the real control plane.
//!
//! The plugin in the archive is the one that the tests build; `cargo artifacts archive` builds the released one.

use std::{
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};
use mesh_upgrade_tests::{
    harness::{Cluster, ClusterOptions, Istio, IstioOptions, OnDemand, Run, Toolbox},
    product::{Binaries, Guard},
    release::{Platform, archive, krew, tag},
};

/// Somebody's machine: a home, krew's folder in it, and on the PATH only kubectl, helm and what krew installed.
struct Home {
    dir: tempfile::TempDir,
    tools: PathBuf,
}

impl Home {
    fn new() -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let tools = dir.path().join("tools");
        std::fs::create_dir(&tools)?;
        for tool in ["kubectl", "helm"] {
            symlink(Toolbox::get()?.program(tool), tools.join(tool))?;
        }
        symlink(OnDemand::Krew.program()?, tools.join("kubectl-krew"))?;
        Ok(Self { dir, tools })
    }

    fn krew_root(&self) -> PathBuf {
        self.dir.path().join("krew")
    }

    fn kubectl(&self, kubeconfig: &Path, arguments: &[&str]) -> Result<Run> {
        let mut command = Command::new(self.tools.join("kubectl"));
        command
            .env_clear()
            .env("HOME", self.dir.path())
            .env("KREW_ROOT", self.krew_root())
            .env("KUBECONFIG", kubeconfig)
            .env(
                "PATH",
                std::env::join_paths([self.krew_root().join("bin"), self.tools.clone()])?,
            )
            .current_dir(self.dir.path())
            .args(arguments);
        Run::of(command, None)
    }
}

#[test]
fn krew_installs_the_archive_and_it_upgrades_a_mesh() -> Result<()> {
    let dist = tempfile::tempdir()?;
    let plugin = Binaries::get()?.folder().join("kubectl-mesh_upgrade");
    let archive = archive(&plugin, Platform::here()?, &tag(), dist.path())?;
    let manifest = dist.path().join(format!("{}.yaml", krew::NAME));
    let described = krew::manifest(dist.path(), &tag(), false)?;
    std::fs::write(&manifest, serde_saphyr::to_string(&described)?)?;

    let (manifest, archive) = (manifest.display().to_string(), archive.path.display().to_string());
    let mut validate = Command::new(OnDemand::ValidateKrewManifest.program()?);
    validate.args(["-skip-install", "-manifest", &manifest]);
    Run::of(validate, None)?.ok()?;

    let home = Home::new()?;
    let nowhere = home.dir.path().join("no-kubeconfig");
    let install = ["krew", "install", "--manifest", &manifest, "--archive", &archive];
    home.kubectl(&nowhere, &install)?.ok()?;
    let client = home.kubectl(&nowhere, &["mesh-upgrade", "version", "--client"])?;
    ensure!(
        client.ok()? == format!("Client Version: {}", tag().trim_start_matches('v')),
        "{client}"
    );
    // What the manifest's caveats tell.
    let bin = home.krew_root().join("bin");
    symlink(
        bin.join("kubectl-mesh_upgrade"),
        bin.join("kubectl_complete-mesh_upgrade"),
    )?;
    let licence = Run::of(
        {
            let mut find = Command::new("find");
            find.arg(home.krew_root()).args(["-name", "LICENSE"]);
            find
        },
        None,
    )?;
    ensure!(
        licence.ok()?.contains("store/mesh-upgrade"),
        "krew unpacked no licence: {licence}"
    );

    let cluster = Cluster::start(ClusterOptions::named("east"))?;
    let istio = Istio::install(&cluster, IstioOptions::version("1.30.3"))?;
    let _guard = Guard::install(&cluster)?;
    let alice = cluster.kubeconfig_for("alice")?;
    let run = |arguments: &[&str]| home.kubectl(&alice, arguments);
    let completed = run(&["__complete", "mesh-upgrade", "check", ""])?;
    ensure!(completed.ok()?.starts_with("default\t1.30.3 in east"), "{completed}");
    let list = run(&["mesh-upgrade", "list"])?;
    ensure!(list.ok()?.contains("1.30.3"), "{list}");
    let charts = Toolbox::get()?.charts("1.31.0")?;
    let charts = charts.to_str().context("the charts' folder")?;
    run(&["mesh-upgrade", "check", "--to", "1.31.0", "--charts", charts])?.ok()?;
    let applied = run(&["mesh-upgrade", "apply", "--to", "1.31.0", "--charts", charts, "--yes"])?;
    ensure!(applied.ok()?.contains("Mesh default runs 1.31.0"), "{applied}");
    istio.wait_serving(&cluster, "1.31.0")?;
    Ok(())
}
