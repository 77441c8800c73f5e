//! The guard's image, built without a container engine: unpacked, its root holds the webhook and nothing else, and in that
//! root, read-only and as its own user, it serves the real API server.
//!
//! Needs root, for a mount namespace and chroot, which stand in for a container engine, and Rust's musl target.

use std::{ffi::OsString, fs, os::unix::fs::PermissionsExt as _, path::PathBuf, process::Command};

use anyhow::{Context as _, Result, ensure};
use mesh_upgrade_tests::{
    harness::{Cluster, ClusterOptions, Istio, IstioOptions, Run},
    product::{Built, Guard, kubectl_command},
    release::{image, tag},
};
use serde_json::Value;

const TARGET: &str = "x86_64-unknown-linux-musl";
/// What a container engine does: a root of its own, read-only but for what is mounted into it, and the image's user. The
/// kubeconfig's folder is where the service account's would be.
const RUN: &str = "set -e
root=$1 user=$2 folder=$3; shift 3
/bin/chmod 755 \"$folder\"; /bin/chmod 644 \"$folder/kubeconfig\"
/bin/mount --bind \"$root\" \"$root\"
/bin/mount --bind \"$folder\" \"$root$folder\"
/bin/mount -o remount,bind,ro \"$root$folder\"
/bin/mount -o remount,bind,ro \"$root\"
exec /usr/sbin/chroot --userspec=\"$user\" \"$root\" \"$@\"";

#[test]
fn the_image_holds_the_webhook_alone_and_serves_the_api_server() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let webhook = static_webhook()?;
    let image = image(&[("amd64".to_owned(), webhook)], &tag(), &folder.path().join("image"))?;

    // Unpacked as an engine would: index, manifest, configuration, layer.
    let blob = |value: &Value, pointer: &str| -> Result<Vec<u8>> {
        let digest = value.pointer(pointer).and_then(Value::as_str).context("a digest")?;
        let sum = digest.strip_prefix("sha256:").context("a SHA-256")?;
        Ok(fs::read(image.layout.join("blobs/sha256").join(sum))?)
    };
    let top: Value = serde_json::from_slice(&fs::read(image.layout.join("index.json"))?)?;
    let index: Value = serde_json::from_slice(&blob(&top, "/manifests/0/digest")?)?;
    let manifest: Value = serde_json::from_slice(&blob(&index, "/manifests/0/digest")?)?;
    let config: Value = serde_json::from_slice(&blob(&manifest, "/config/digest")?)?;
    let root = folder.path().join("root");
    fs::create_dir(&root)?;
    let layer = blob(&manifest, "/layers/0/digest")?;
    tar::Archive::new(flate2::read::GzDecoder::new(layer.as_slice())).unpack(&root)?;
    let files: Vec<OsString> = fs::read_dir(&root)?
        .map(|entry| Ok(entry?.file_name()))
        .collect::<Result<_>>()?;
    ensure!(files == ["mesh-upgrade-webhook"], "{files:?}");
    let user = config
        .pointer("/config/User")
        .and_then(Value::as_str)
        .context("a user")?;
    let entrypoint = config
        .pointer("/config/Entrypoint/0")
        .and_then(Value::as_str)
        .context("an entrypoint")?;

    // Everybody may pass through the folder of the test, as through an engine's.
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
    let cluster = Cluster::start(ClusterOptions::named("east"))?;
    // The guard on versions is proved against what runs.
    Istio::install(&cluster, IstioOptions::version("1.30.3"))?;
    let guard = Guard::install_started_with(&cluster, |kubeconfig| {
        let mounted = root.join(kubeconfig.strip_prefix("/").unwrap_or(kubeconfig));
        fs::create_dir_all(mounted).ok();
        let words = ["/usr/bin/unshare", "--mount", "/bin/sh", "-c", RUN, "run"];
        let mut words: Vec<OsString> = words.map(OsString::from).into();
        words.extend([root.clone().into(), user.into(), kubeconfig.into(), entrypoint.into()]);
        words
    })?;
    let status = fs::read_to_string(format!("/proc/{}/status", guard.process()?))?;
    let uid = status.lines().find(|line| line.starts_with("Uid:")).context("Uid")?;
    ensure!(uid.split_whitespace().skip(1).all(|id| id == "65532"), "{uid}");
    let proved = {
        let mut command = kubectl_command(&cluster, "alice")?;
        command.args(["mesh-upgrade", "guard", "status"]);
        Run::of(command, None)?
    };
    proved.ok()?;
    ensure!(guard.reviews()? > 0, "it was not asked");
    Ok(())
}

/// The webhook for the image, without optimisation: built like the released one in all else.
fn static_webhook() -> Result<PathBuf> {
    let webhook = ["--package", "mesh-upgrade-webhook", "--bins"];
    let built = Built::with(&[&["--locked", "--target", TARGET], &webhook[..]].concat(), |cargo| {
        if Run::of(Command::new("musl-gcc"), None).is_err() {
            // Nothing of the C library is used by what ring compiles.
            cargo.env("CC_x86_64_unknown_linux_musl", "cc");
        }
    });
    let built = built.with_context(|| format!("is the target there? rustup target add {TARGET}"))?;
    Ok(built.program("mesh-upgrade-webhook")?.to_owned())
}
