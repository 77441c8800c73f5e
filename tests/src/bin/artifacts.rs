//! `cargo artifacts`: what is released, made on this machine. Nothing is sent anywhere.

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};
use mesh_upgrade_tests::{
    product::Built,
    release::{Platform, archive, image, krew, tag},
};

/// Makes archives, the krew manifest and the guard's image; the same input gives the same bytes.
#[derive(Parser)]
#[command(bin_name = "cargo artifacts")]
struct Arguments {
    /// Folder for the results
    #[arg(long, global = true, value_name = "DIR", default_value = "dist")]
    out: PathBuf,
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// The plugin's archive for one platform, with LICENSE and a checksum; builds the plugin unless one is given
    Archive {
        /// Rust target to build for [default: this machine's own]
        #[arg(long, value_name = "TRIPLE")]
        target: Option<String>,
        /// A plugin that was built already
        #[arg(long, value_name = "FILE")]
        plugin: Option<PathBuf>,
    },
    /// The krew manifest for the archives in the folder
    Krew {
        /// Fail when the archive of a platform is missing
        #[arg(long)]
        all: bool,
    },
    /// The guard's image as an OCI layout, of static webhooks that were built already
    Image {
        /// A webhook and its processor, as amd64=target/x86_64-unknown-linux-musl/release/mesh-upgrade-webhook
        #[arg(long = "webhook", value_name = "ARCH=FILE", required = true, value_parser = webhook)]
        webhooks: Vec<(String, PathBuf)>,
    },
}

fn webhook(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((arch, file)) if !file.is_empty() => Ok((arch.to_owned(), file.into())),
        _ => Err("expected ARCH=FILE, as amd64=mesh-upgrade-webhook".to_owned()),
    }
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<()> {
    let Arguments { out, what } = arguments;
    match what {
        What::Archive { target, plugin } => {
            let platform = match &target {
                Some(target) => Platform::of_target(target)?,
                None => Platform::here()?,
            };
            let plugin = match plugin {
                Some(plugin) => plugin,
                None => build(target.as_deref(), platform)?,
            };
            let written = archive(&plugin, platform, &tag(), &out)?;
            say(&format!("{}  {}", written.sha256, written.path.display()));
        }
        What::Krew { all } => {
            let manifest = krew::manifest(&out, &tag(), all)?;
            let path = out.join(format!("{}.yaml", krew::NAME));
            let text = serde_saphyr::to_string(&manifest)?;
            std::fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
            say(&path.display().to_string());
        }
        What::Image { webhooks } => {
            let written = image(&webhooks, &tag(), &out.join("image"))?;
            say(&format!("{}  {}", written.digest, written.layout.display()));
        }
    }
    Ok(())
}

/// Builds the plugin as it is released, without the paths of this machine in it.
fn build(target: Option<&str>, platform: Platform) -> Result<PathBuf> {
    let mut arguments = vec!["--release", "--locked", "--package", "kubectl-mesh-upgrade"];
    arguments.extend(["--bin", "kubectl-mesh_upgrade"]);
    if let Some(target) = target {
        arguments.extend(["--target", target]);
    }
    let built = Built::of(&arguments)?;
    Ok(built.program(&platform.program())?.to_owned())
}

#[expect(clippy::print_stdout, reason = "what was made is the result")]
fn say(text: &str) {
    println!("{text}");
}

#[expect(clippy::print_stderr, reason = "a program of its own")]
fn complain(text: &str) {
    eprintln!("{text}");
}
