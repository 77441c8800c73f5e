//! The guard's image: one layer with one file, the static webhook, as an OCI image layout; no container engine is needed.

use super::{
    archive::{gzip, tar_of},
    sha256,
};
use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The program's name in the root of the image.
const PROGRAM: &str = "mesh-upgrade-webhook";
/// Neither root nor a user of a distribution; the same as in the guard's Deployment.
const USER: &str = "65532:65532";
/// Day of every image: what it is made of has none.
const CREATED: &str = "2000-01-01T00:00:00Z";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// A written image.
#[derive(Debug)]
pub struct Image {
    /// Folder of the OCI image layout.
    pub layout: PathBuf,
    /// Digest of the index, by which the image is deployed.
    pub digest: String,
}

/// Writes an image for one or more processors, each given as Go calls it with its webhook.
///
/// # Errors
/// When a webhook is not a static program for its processor, or something cannot be written.
pub fn image(webhooks: &[(String, PathBuf)], tag: &str, layout: &Path) -> Result<Image> {
    ensure!(!webhooks.is_empty(), "an image needs a program");
    let blobs = layout.join("blobs/sha256");
    fs::create_dir_all(&blobs).with_context(|| format!("create {}", blobs.display()))?;
    let mut manifests = Vec::new();
    for (arch, webhook) in webhooks {
        let program = fs::read(webhook).with_context(|| format!("read {}", webhook.display()))?;
        check_program(&program, arch).with_context(|| format!("{} for {arch}", webhook.display()))?;
        let mut manifest = one(&program, arch, tag, &blobs)?;
        if let Some(manifest) = manifest.as_object_mut() {
            manifest.insert("platform".to_owned(), json!({"architecture": arch, "os": "linux"}));
        }
        manifests.push(manifest);
    }
    let index = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": manifests,
        "annotations": annotations(tag),
    });
    let index_blob = blob(
        &blobs,
        &serde_json::to_vec(&index)?,
        "application/vnd.oci.image.index.v1+json",
    )?;
    let digest = index_blob
        .get("digest")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    let mut named = index_blob;
    if let Some(named) = named.as_object_mut() {
        named.insert(
            "annotations".to_owned(),
            json!({"org.opencontainers.image.ref.name": tag}),
        );
    }
    let top = json!({"schemaVersion": 2, "manifests": [named]});
    fs::write(layout.join("index.json"), serde_json::to_vec(&top)?)?;
    fs::write(layout.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)?;
    Ok(Image {
        layout: layout.to_owned(),
        digest,
    })
}

/// Layer, configuration and manifest for one processor; returns the manifest's descriptor.
fn one(program: &[u8], arch: &str, tag: &str, blobs: &Path) -> Result<Value> {
    let tar = tar_of(&[(PROGRAM.to_owned(), 0o555, program)])?;
    let layer = blob(blobs, &gzip(&tar)?, "application/vnd.oci.image.layer.v1.tar+gzip")?;
    let config = json!({
        "created": CREATED,
        "architecture": arch,
        "os": "linux",
        "config": {
            "User": USER,
            "Entrypoint": [format!("/{PROGRAM}")],
            "WorkingDir": "/",
            "Labels": annotations(tag),
        },
        "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{}", sha256(&tar))]},
        "history": [{"created": CREATED, "created_by": "cargo artifacts image"}],
    });
    let config = blob(
        blobs,
        &serde_json::to_vec(&config)?,
        "application/vnd.oci.image.config.v1+json",
    )?;
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": config,
        "layers": [layer],
        "annotations": annotations(tag),
    });
    blob(blobs, &serde_json::to_vec(&manifest)?, MANIFEST)
}

fn annotations(tag: &str) -> Value {
    json!({
        "org.opencontainers.image.title": PROGRAM,
        "org.opencontainers.image.description": "Guard of kubectl mesh-upgrade: the admission webhook",
        "org.opencontainers.image.version": tag,
        "org.opencontainers.image.licenses": "Apache-2.0",
        "org.opencontainers.image.source": env!("CARGO_PKG_REPOSITORY"),
    })
}

/// Writes a blob under its digest and returns its descriptor.
fn blob(blobs: &Path, bytes: &[u8], media_type: &str) -> Result<Value> {
    let sum = sha256(bytes);
    let path = blobs.join(&sum);
    fs::write(&path, bytes).with_context(|| format!("write {}", path.display()))?;
    Ok(json!({"mediaType": media_type, "digest": format!("sha256:{sum}"), "size": bytes.len()}))
}

/// Beginning of every ELF file of 64 bits and little endian.
const ELF: &[u8] = b"\x7fELF\x02\x01";
/// Type of the program header that names the dynamic loader.
const INTERPRETER: u32 = 3;

/// Sees that a program needs nothing of the root file system: there is nothing beside it.
fn check_program(program: &[u8], arch: &str) -> Result<()> {
    ensure!(program.starts_with(ELF), "it is no program for Linux on 64 bits");
    let machine = match number::<2>(program, 0x12)? {
        0x3e => "amd64",
        0xb7 => "arm64",
        other => bail!("it is for a processor of ELF's number {other}"),
    };
    ensure!(machine == arch, "it is for {machine}");
    let table = usize::try_from(number::<8>(program, 0x20)?)?;
    let (size, count) = (number::<2>(program, 0x36)?, number::<2>(program, 0x38)?);
    for index in 0..count {
        let at = table.saturating_add(usize::try_from(index * size)?);
        let kind = number::<4>(program, at)?;
        ensure!(
            kind != u64::from(INTERPRETER),
            "it is linked dynamically: build it for a musl target, whose programs are static"
        );
    }
    Ok(())
}

/// A little-endian number of so many bytes.
fn number<const BYTES: usize>(program: &[u8], at: usize) -> Result<u64> {
    let bytes = at.checked_add(BYTES).and_then(|end| program.get(at..end));
    let bytes = bytes.context("it is cut short")?;
    Ok(bytes.iter().rev().fold(0, |sum, byte| (sum << 8) | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program of one program header.
    fn program(machine: u8, header: u8) -> Vec<u8> {
        let mut bytes = vec![0; 0x48];
        bytes[..6].copy_from_slice(ELF);
        (bytes[0x12], bytes[0x20], bytes[0x36], bytes[0x38]) = (machine, 0x40, 56, 1);
        bytes[0x40] = header;
        bytes
    }

    #[test]
    fn only_a_static_program_for_the_processor_is_taken() {
        assert!(check_program(&program(0x3e, 1), "amd64").is_ok());
        for (bytes, arch, part) in [
            (program(0x3e, 3), "amd64", "dynamically"),
            (program(0xb7, 1), "amd64", "it is for arm64"),
            (program(0x03, 1), "amd64", "number 3"),
            (b"#!/bin/sh".to_vec(), "amd64", "no program"),
            (program(0x3e, 1)[..0x40].to_vec(), "amd64", "cut short"),
        ] {
            let error = check_program(&bytes, arch).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn the_layout_is_whole_and_made_twice_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let webhook = folder.path().join("webhook");
        fs::write(&webhook, program(0x3e, 1)).unwrap();
        let make = |name: &str| {
            image(
                &[("amd64".to_owned(), webhook.clone())],
                "v0.1.0",
                &folder.path().join(name),
            )
            .unwrap()
        };
        let (one, other) = (make("one"), make("other"));
        assert_eq!(one.digest, other.digest);
        let read = |digest: &str| -> Vec<u8> {
            let sum = digest.strip_prefix("sha256:").unwrap();
            let bytes = fs::read(one.layout.join("blobs/sha256").join(sum)).unwrap();
            assert_eq!(sha256(&bytes), sum);
            bytes
        };
        let json = |digest: &str| -> Value { serde_json::from_slice(&read(digest)).unwrap() };
        let index = json(&one.digest);
        let manifest = json(index["manifests"][0]["digest"].as_str().unwrap());
        let config = json(manifest["config"]["digest"].as_str().unwrap());
        assert_eq!(config["config"]["User"], USER);
        let layer = read(manifest["layers"][0]["digest"].as_str().unwrap());
        let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(layer.as_slice()));
        let files: Vec<String> = tar
            .entries()
            .unwrap()
            .map(|entry| entry.unwrap().path().unwrap().display().to_string())
            .collect();
        assert_eq!(files, [PROGRAM]);
    }
}
