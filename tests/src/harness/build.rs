//! Builds the test control plane into a cache that every checkout on the machine shares.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use super::cache::{self, CONTROL_PLANE};
use super::recipe::{CHART_MODULES, CHARTS, KWOK_MODULE, KWOK_STAGES, MULTI_CALL, OWN_STAGE, PARTS, Part};

/// How often a long build shows that it is alive.
const PROGRESS_EVERY: Duration = Duration::from_secs(30);

/// Where the Go modules are.
fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("controlplane")
}

/// The folder with the built control plane, built first if it is not there.
pub(super) fn cached() -> Result<PathBuf> {
    let waiting = || progress("waiting for another build of the test control plane");
    CONTROL_PLANE.kept(&cache::root()?, &key()?, waiting, build)
}

/// A digest of everything the result depends on.
fn key() -> Result<String> {
    let mut digest = Sha256::new();
    digest.update(include_str!("recipe.rs"));
    digest.update(include_str!("build.rs"));
    for part in &PARTS {
        let folder = sources().join(part.module);
        let mut files: Vec<PathBuf> = fs::read_dir(&folder)
            .with_context(|| format!("read {}", folder.display()))?
            .map(|entry| Ok(entry?.path()))
            .collect::<io::Result<_>>()?;
        files.sort();
        for file in files {
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if [".go", ".yaml", ".mod", ".sum"].iter().any(|kind| name.ends_with(kind)) {
                digest.update(part.module);
                digest.update(&name);
                digest.update(fs::read(&file)?);
            }
        }
    }
    Ok(digest
        .finalize()
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

fn build(to: &Path) -> Result<()> {
    let began = Instant::now();
    progress("building the test control plane, once for this machine: 10 to 20 minutes on two cores");
    require_go()?;
    let bin = to.join("bin");
    fs::create_dir_all(&bin)?;
    for (index, part) in PARTS.iter().enumerate() {
        let step = format!("part {} of {}, {}", index + 1, PARTS.len(), part.module);
        build_part(part, &bin.join(part.program), &step, began)?;
    }
    for name in MULTI_CALL {
        std::os::unix::fs::symlink("controlplane", bin.join(name))?;
    }
    copy_stages(&bin.join("kwok-stages.yaml"))?;
    for (minor, module) in CHART_MODULES {
        let charts = module_folder(module, "istio.io/istio")?.join("manifests/charts");
        for (name, folder) in CHARTS {
            copy_folder(&charts.join(folder), &to.join("charts").join(minor).join(name))?;
        }
    }
    progress(&format!(
        "built the test control plane in {} s",
        began.elapsed().as_secs()
    ));
    Ok(())
}

/// CGO stays off, so a C compiler is not needed: Go is all there is to check.
fn require_go() -> Result<()> {
    match Command::new("go").arg("version").stdin(Stdio::null()).output() {
        Ok(output) if output.status.success() => Ok(()),
        _ => bail!("missing: go (1.26 or newer, in PATH), which builds the test control plane"),
    }
}

fn build_part(part: &Part, program: &Path, step: &str, began: Instant) -> Result<()> {
    progress(&format!("{step}, {} s so far", began.elapsed().as_secs()));
    let mut link = String::from("-s -w");
    for (name, value) in part.variables {
        link.push_str(&format!(" -X {name}={value}"));
    }
    let mut go = go_in(part.module);
    go.args(["build", "-trimpath", "-buildvcs=false", "-ldflags", &link, "-o"])
        .arg(program)
        .arg(part.package);
    let mut child = go.stderr(Stdio::piped()).spawn().context("start go build")?;
    let complaints = child.stderr.take().context("go build's standard error")?;
    let reader = std::thread::spawn(move || io::read_to_string(complaints).unwrap_or_default());
    let status = wait_and_tell(&mut child, step, began)?;
    let complaints = reader.join().unwrap_or_default();
    if !status.success() {
        bail!("go build of {step} failed: {}", complaints.trim());
    }
    Ok(())
}

fn wait_and_tell(child: &mut std::process::Child, step: &str, began: Instant) -> Result<ExitStatus> {
    let mut told = Instant::now();
    loop {
        if let Some(status) = child.try_wait().context("wait for go build")? {
            return Ok(status);
        }
        if told.elapsed() >= PROGRESS_EVERY {
            told = Instant::now();
            progress(&format!("{step}, {} s so far", began.elapsed().as_secs()));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn go_in(module: &str) -> Command {
    let mut go = Command::new("go");
    go.current_dir(sources().join(module))
        .env("CGO_ENABLED", "0")
        .env("GOWORK", "off")
        .stdin(Stdio::null());
    go
}

/// Where Go keeps a module that the given module of ours requires.
pub(super) fn module_folder(ours: &str, theirs: &str) -> Result<PathBuf> {
    let output = go_in(ours)
        .args(["list", "-m", "-f", "{{.Dir}}", theirs])
        .output()
        .context("start go list")?;
    let folder = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if !output.status.success() || folder.is_empty() {
        bail!(
            "go list -m {theirs}: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(PathBuf::from(folder))
}

fn copy_stages(to: &Path) -> Result<()> {
    let stages = module_folder(KWOK_MODULE.0, KWOK_MODULE.1)?.join("kustomize/stage");
    let mut files: Vec<PathBuf> = KWOK_STAGES.iter().map(|name| stages.join(name)).collect();
    files.push(sources().join(OWN_STAGE));
    let mut all = String::new();
    for file in files {
        all.push_str("---\n");
        all.push_str(&fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))?);
        all.push('\n');
    }
    fs::write(to, all).context("write kwok's stages")
}

/// Copies a folder's content. Go's module cache is read-only; the copies are not, so that they can be stamped.
///
/// # Errors
/// When something cannot be read, or written.
pub fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("create {}", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("read {}", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::write(&target, fs::read(entry.path())?).with_context(|| format!("write {}", target.display()))?;
        }
    }
    Ok(())
}

/// Tells the person on standard error, past the test runner's capture: a first build takes minutes.
pub(super) fn progress(message: &str) {
    // A closed standard error is no reason to stop building.
    let _ = writeln!(io::stderr(), "controlplane: {message}");
}
