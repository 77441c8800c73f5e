//! Istio's own charts, stamped the way Istio's release builder stamps them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::build::copy_folder;
use super::recipe::CHARTS;

/// A folder with the charts of a version. `built` is the control plane's cache, where they are kept once stamped.
pub(super) fn stamped(built: &Path, version: &str) -> Result<PathBuf> {
    let minor = minor_of(version)?;
    let done = built.join("stamped-charts").join(version);
    if done.is_dir() {
        return Ok(done);
    }
    // Charts of two minors are there; each stands in for its neighbours.
    let source = built.join("charts").join(if minor <= 30 { "1.30" } else { "1.31" });
    let parent = built.join("stamped-charts");
    fs::create_dir_all(&parent)?;
    let unfinished = tempfile::Builder::new().prefix("unfinished-").tempdir_in(&parent)?;
    // 1.30 was the only minor to take its images from this registry.
    let hub = if minor == 30 {
        "registry.istio.io/release"
    } else {
        "docker.io/istio"
    };
    for (name, _) in CHARTS {
        let chart = unfinished.path().join(name);
        copy_folder(&source.join(name), &chart)?;
        stamp(&chart.join("Chart.yaml"), |line| match line.split_once(": ") {
            Some((key @ ("version" | "appVersion"), _)) => Some(format!("{key}: {version}")),
            _ => None,
        })?;
        stamp(&chart.join("values.yaml"), |line| {
            let indent = &line[..line.len() - line.trim_start().len()];
            match line.trim() {
                "tag: latest" => Some(format!("{indent}tag: {version}")),
                "hub: registry.istio.io/testing" => Some(format!("{indent}hub: {hub}")),
                _ => None,
            }
        })?;
    }
    match fs::rename(unfinished.path(), &done) {
        // Another test may have been quicker with the same result.
        Err(_) if done.is_dir() => Ok(done),
        result => result.map(|()| done.clone()).context("move the charts to their place"),
    }
}

/// A copy of stamped charts in a folder of the test's own, whose istiod takes its image from another registry.
pub(super) fn from_hub(charts: &Path, hub: &str, to: &Path) -> Result<()> {
    copy_folder(charts, to)?;
    let values = to.join("istiod/values.yaml");
    let before = fs::read_to_string(&values)?;
    stamp(&values, |line| {
        let (key, own) = line.split_once("hub: ")?;
        own.contains('/').then(|| format!("{key}hub: {hub}"))
    })?;
    if before == fs::read_to_string(&values)? {
        bail!("{} names no hub", values.display());
    }
    Ok(())
}

/// Replaces the lines for which `change` gives another one.
fn stamp(file: &Path, change: impl Fn(&str) -> Option<String>) -> Result<()> {
    let before = fs::read_to_string(file).with_context(|| format!("read {}", file.display()))?;
    let mut after = String::with_capacity(before.len());
    for line in before.lines() {
        after.push_str(change(line).as_deref().unwrap_or(line));
        after.push('\n');
    }
    fs::write(file, after).with_context(|| format!("write {}", file.display()))
}

/// The minor of a version such as `1.30.3` or `1.30.3-mspider`. Refuses what could not be a folder's name.
fn minor_of(version: &str) -> Result<u32> {
    let clean = version
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'));
    match version.split('.').collect::<Vec<_>>().as_slice() {
        ["1", minor, _, ..] if clean => minor.parse().with_context(|| format!("minor of version {version:?}")),
        _ => bail!("{version:?} is no Istio version"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_minors_of_every_flavor() {
        assert_eq!(minor_of("1.29.8").unwrap(), 29);
        assert_eq!(minor_of("1.31.4-mspider").unwrap(), 31);
        for wrong in ["", "1.31", "2.1.0", "1.x.0", "1.31.0/../.."] {
            assert!(minor_of(wrong).is_err(), "{wrong}");
        }
    }
}
