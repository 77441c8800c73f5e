//! The krew manifest: the text in `manifests/krew` with the version and the archives, and krew's rules for it.

use super::{PLATFORMS, Platform, sha256, workspace};
use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};
use std::{collections::BTreeSet, fs, path::Path};

/// The plugin's name in krew's index.
pub const NAME: &str = "mesh-upgrade";
/// Where releases are.
const RELEASES: &str = "https://github.com/kubectl-mesh-upgrade/kubectl-mesh-upgrade/releases/download";

/// The manifest for the archives of a folder; of all platforms, or only of those whose archive is there.
///
/// # Errors
/// When an archive is missing, or the result breaks a rule of krew's.
pub fn manifest(folder: &Path, tag: &str, all: bool) -> Result<Value> {
    let template = workspace()?.join("manifests/krew").join(format!("{NAME}.yaml"));
    let text = fs::read_to_string(&template).with_context(|| format!("read {}", template.display()))?;
    let mut manifest: Value = serde_saphyr::from_str(&text).context("read the krew manifest")?;
    let mut platforms = Vec::new();
    for platform in PLATFORMS {
        let name = platform.archive(tag);
        match fs::read(folder.join(&name)) {
            Ok(archive) => platforms.push(entry(platform, tag, &name, &archive)),
            Err(error) if all => bail!("{name} is missing in {}: {error}", folder.display()),
            Err(_) => {}
        }
    }
    let spec = manifest.get_mut("spec").and_then(Value::as_object_mut);
    let spec = spec.context("the krew manifest has no spec")?;
    spec.insert("version".to_owned(), json!(tag));
    spec.insert("platforms".to_owned(), json!(platforms));
    validate(NAME, &manifest)?;
    Ok(manifest)
}

fn entry(platform: Platform, tag: &str, name: &str, archive: &[u8]) -> Value {
    json!({
        "selector": {"matchLabels": {"os": platform.os, "arch": platform.arch}},
        "uri": format!("{RELEASES}/{tag}/{name}"),
        "sha256": sha256(archive),
        "bin": platform.program(),
    })
}

/// Names that Windows keeps for itself.
const FORBIDDEN: [&str; 4] = ["con", "prn", "aux", "nul"];

/// Sees that a manifest keeps the rules of krew's own validator, and those that its index asks for beside them.
///
/// # Errors
/// The first rule that is broken.
pub fn validate(name: &str, manifest: &Value) -> Result<()> {
    let text = |pointer: &str| manifest.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    ensure!(
        text("/apiVersion") == "krew.googlecontainertools.github.com/v1alpha2",
        "apiVersion {:?} is not krew's",
        text("/apiVersion")
    );
    ensure!(text("/kind") == "Plugin", "kind {:?} is not Plugin", text("/kind"));
    let safe = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    ensure!(
        !name.is_empty() && name.chars().all(safe),
        "the name {name:?} is not in kebab case"
    );
    ensure!(!FORBIDDEN.contains(&name), "the name {name:?} is Windows' own");
    ensure!(
        text("/metadata/name") == name,
        "the plugin is called {:?}, not {name:?}",
        text("/metadata/name")
    );
    let short = text("/spec/shortDescription");
    ensure!(!short.is_empty(), "shortDescription is missing");
    ensure!(!short.contains(['\r', '\n']), "shortDescription has several lines");
    ensure!(
        short.len() <= 80 && !short.ends_with('.'),
        "shortDescription is longer than a line of krew's list, or ends with a full stop"
    );
    let version = text("/spec/version");
    let number = version
        .strip_prefix('v')
        .with_context(|| format!("version {version:?} does not begin with v"))?;
    number
        .parse::<semver::Version>()
        .with_context(|| format!("version {version:?} is no semantic version"))?;
    ensure!(
        text("/spec/homepage").starts_with("https://"),
        "homepage is no https:// address"
    );
    let platforms = manifest.pointer("/spec/platforms").and_then(Value::as_array);
    let platforms = platforms.context("platforms are missing")?;
    ensure!(!platforms.is_empty(), "platforms are empty");
    let mut seen = BTreeSet::new();
    for platform in platforms {
        let chosen = valid_platform(platform).with_context(|| format!("platform {platform}"))?;
        ensure!(seen.insert(chosen.clone()), "two platforms are for {chosen}");
    }
    Ok(())
}

/// The rules for one platform; returns what it is for.
fn valid_platform(platform: &Value) -> Result<String> {
    let text = |pointer: &str| platform.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let uri = text("/uri");
    ensure!(uri.starts_with("https://"), "uri {uri:?} is no https:// address");
    ensure!(
        uri.ends_with(".tar.gz") || uri.ends_with(".zip"),
        "uri {uri:?} is no tar.gz and no zip"
    );
    let sum = text("/sha256");
    let digit = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    ensure!(sum.len() == 64 && sum.chars().all(digit), "sha256 {sum:?} is none");
    let program = text("/bin");
    ensure!(!program.is_empty(), "bin is missing");
    let inside = Path::new(program).components();
    ensure!(
        inside
            .into_iter()
            .all(|part| matches!(part, std::path::Component::Normal(_))),
        "bin {program:?} leads out of the archive"
    );
    let labels = platform.pointer("/selector/matchLabels").and_then(Value::as_object);
    let labels = labels.context("the selector has no matchLabels")?;
    let unknown = labels.keys().find(|key| !["os", "arch"].contains(&key.as_str()));
    ensure!(unknown.is_none(), "the selector asks for {unknown:?}");
    let (os, arch) = (text("/selector/matchLabels/os"), text("/selector/matchLabels/arch"));
    ensure!(
        ["linux", "darwin", "windows"].contains(&os) && ["amd64", "arm64", "386", "arm"].contains(&arch),
        "krew knows no platform {os}/{arch}"
    );
    let executable = program.to_ascii_lowercase().ends_with(".exe");
    ensure!(executable == (os == "windows"), "bin {program:?} does not run on {os}");
    Ok(format!("{os}/{arch}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn valid() -> Value {
        let folder = tempfile::tempdir().unwrap();
        for platform in PLATFORMS {
            fs::write(folder.path().join(platform.archive("v0.1.0")), platform.target).unwrap();
        }
        manifest(folder.path(), "v0.1.0", true).unwrap()
    }

    #[test]
    fn the_manifest_keeps_the_rules_and_names_every_platform() {
        let manifest = valid();
        assert_eq!(manifest["spec"]["platforms"].as_array().unwrap().len(), PLATFORMS.len());
        assert_eq!(manifest["spec"]["version"], "v0.1.0");
    }

    #[test]
    fn an_archive_that_is_missing_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = manifest(folder.path(), "v0.1.0", true).unwrap_err().to_string();
        assert!(
            error.contains("kubectl-mesh_upgrade-v0.1.0-linux-amd64.tar.gz"),
            "{error}"
        );
        assert!(
            manifest(folder.path(), "v0.1.0", false).is_err(),
            "a manifest without platforms"
        );
    }

    #[test]
    fn each_rule_is_kept() {
        for (pointer, value, part) in [
            ("/apiVersion", json!("v1"), "apiVersion"),
            ("/kind", json!("plugin"), "kind"),
            ("/metadata/name", json!("mesh"), "is called"),
            ("/spec/shortDescription", json!(""), "missing"),
            ("/spec/shortDescription", json!("a\nb"), "several lines"),
            ("/spec/shortDescription", json!("x".repeat(81)), "longer"),
            ("/spec/version", json!("0.1.0"), "begin with v"),
            ("/spec/version", json!("v1"), "semantic"),
            ("/spec/homepage", json!("http://example.com"), "homepage"),
            ("/spec/platforms", json!([]), "empty"),
            ("/spec/platforms/0/uri", json!("http://example.com/a.tar.gz"), "https"),
            ("/spec/platforms/0/uri", json!("https://example.com/a.exe"), "tar.gz"),
            ("/spec/platforms/0/sha256", json!("ABC"), "sha256"),
            ("/spec/platforms/0/bin", json!("../kubectl-mesh_upgrade"), "leads out"),
            ("/spec/platforms/0/bin", json!("/bin/sh"), "leads out"),
            (
                "/spec/platforms/0/bin",
                json!("kubectl-mesh_upgrade.exe"),
                "does not run",
            ),
            ("/spec/platforms/0/selector", json!({}), "matchLabels"),
            (
                "/spec/platforms/0/selector/matchLabels",
                json!({"os": "linux", "libc": "musl"}),
                "asks for",
            ),
            (
                "/spec/platforms/0/selector/matchLabels/os",
                json!("plan9"),
                "knows no platform",
            ),
            (
                "/spec/platforms/1/selector/matchLabels/arch",
                json!("amd64"),
                "two platforms",
            ),
        ] {
            let mut manifest = valid();
            *manifest.pointer_mut(pointer).unwrap() = value.clone();
            let error = format!("{:#}", validate(NAME, &manifest).expect_err(pointer));
            assert!(error.contains(part), "{pointer} = {value}: {error}");
        }
    }
}
