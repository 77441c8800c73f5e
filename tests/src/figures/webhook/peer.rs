//! The webhook of controller-runtime, built once for its sources beside the test control plane.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};

use crate::harness::Toolbox;

/// The built program.
pub(super) fn program() -> Result<PathBuf> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("benchmark/controller-runtime");
    let mut digest = Sha256::new();
    for file in ["go.mod", "go.sum", "guard.go", "main.go"] {
        digest.update(fs::read(sources.join(file)).with_context(|| format!("read {file}"))?);
    }
    let key: String = digest
        .finalize()
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    // Beside the control plane, whose folder is `CACHE/controlplane-KEY/bin`.
    let cache = Toolbox::get()?.bin_dir().ancestors().nth(2).context("the cache")?;
    let program = cache.join(format!("benchmark-{key}"));
    if !program.is_file() {
        let unfinished = tempfile::Builder::new().prefix("unfinished-").tempdir_in(cache)?;
        let built = unfinished.path().join("webhook");
        let status = Command::new("go")
            .args(["build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o"])
            .arg(&built)
            .arg(".")
            .current_dir(&sources)
            .env("CGO_ENABLED", "0")
            .env("GOWORK", "off")
            .stdin(Stdio::null())
            .status()
            .context("run go")?;
        ensure!(status.success(), "go build of {} failed", sources.display());
        fs::rename(&built, &program)?;
    }
    Ok(program)
}
