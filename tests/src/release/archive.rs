//! An archive: the plugin and its licence, as tar in gzip, which krew takes on every platform.

use super::{Platform, sha256, workspace};
use anyhow::{Context as _, Result};
use flate2::{Compression, GzBuilder};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Time of every file in it. Not 1970, of which tar warns.
const MODIFIED: u64 = 946_684_800;

/// A written archive.
#[derive(Debug)]
pub struct Archive {
    /// Where it is.
    pub path: PathBuf,
    /// Its checksum.
    pub sha256: String,
}

/// Packs a built plugin for a platform into a folder, with its checksum in a file beside it.
///
/// # Errors
/// When something cannot be read or written.
pub fn archive(plugin: &Path, platform: Platform, tag: &str, folder: &Path) -> Result<Archive> {
    let program = fs::read(plugin).with_context(|| format!("read {}", plugin.display()))?;
    let licence = fs::read(workspace()?.join("LICENSE")).context("read LICENSE")?;
    let tar = tar_of(&[
        ("LICENSE".to_owned(), 0o644, licence.as_slice()),
        (platform.program(), 0o755, program.as_slice()),
    ])?;
    let bytes = gzip(&tar)?;
    let name = platform.archive(tag);
    let sum = sha256(&bytes);
    fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    let path = folder.join(&name);
    fs::write(&path, bytes).with_context(|| format!("write {}", path.display()))?;
    // As sha256sum --check reads it.
    fs::write(folder.join(format!("{name}.sha256")), format!("{sum}  {name}\n"))?;
    Ok(Archive { path, sha256: sum })
}

/// A tar of files, each with its name, mode and contents, in this order: nothing in it tells who made it, or when.
pub(super) fn tar_of(files: &[(String, u32, &[u8])]) -> Result<Vec<u8>> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, mode, contents) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(u64::try_from(contents.len())?);
        header.set_mode(*mode);
        header.set_mtime(MODIFIED);
        header.set_uid(0);
        header.set_gid(0);
        builder.append_data(&mut header, name, *contents)?;
    }
    Ok(builder.into_inner()?)
}

/// The same bytes for the same input.
pub(super) fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    use std::io::Write as _;
    let mut encoder = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_plugin_gives_the_same_archive_wherever_it_lies() {
        let folder = tempfile::tempdir().unwrap();
        let platform = Platform::of_target("x86_64-unknown-linux-gnu").unwrap();
        let make = |name: &str| {
            let plugin = folder.path().join(name);
            fs::write(&plugin, "the program").unwrap();
            archive(&plugin, platform, "v0.1.0", &folder.path().join(format!("{name}-dist"))).unwrap()
        };
        let (one, other) = (make("one"), make("other"));
        assert_eq!(fs::read(&one.path).unwrap(), fs::read(&other.path).unwrap());
        assert_eq!(one.sha256, sha256(&fs::read(&one.path).unwrap()));
        let name = "kubectl-mesh_upgrade-v0.1.0-linux-amd64.tar.gz";
        assert_eq!(one.path.file_name().unwrap(), name);
        let sums = fs::read_to_string(one.path.with_file_name(format!("{name}.sha256"))).unwrap();
        assert_eq!(sums, format!("{}  {name}\n", one.sha256));
        let unpacked = flate2::read::GzDecoder::new(fs::File::open(&one.path).unwrap());
        let mut archive = tar::Archive::new(unpacked);
        let files: Vec<(String, u32)> = archive
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let path = entry.path().unwrap().display().to_string();
                (path, entry.header().mode().unwrap())
            })
            .collect();
        assert_eq!(
            files,
            [
                ("LICENSE".to_owned(), 0o644),
                ("kubectl-mesh_upgrade".to_owned(), 0o755)
            ]
        );
    }
}
