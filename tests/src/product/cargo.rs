//! Has cargo build programs, and is told by cargo where they are: variables, configuration and targets all move them, and a
//! guess would find what an earlier build left there.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

/// Programs as cargo has just built them, or found fresh.
#[derive(Debug)]
pub struct Built(Vec<PathBuf>);

impl Built {
    /// Runs `cargo build` with these arguments, in the workspace's folder.
    ///
    /// # Errors
    /// When they do not compile.
    pub fn of(arguments: &[&str]) -> Result<Self> {
        Self::with(arguments, |_| ())
    }

    /// The same, with what is to be said to cargo beside.
    ///
    /// # Errors
    /// When they do not compile.
    pub fn with(arguments: &[&str], more: impl FnOnce(&mut Command)) -> Result<Self> {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
        let mut cargo = Command::new(env!("CARGO"));
        cargo
            .args(["build", "--message-format=json-render-diagnostics"])
            .args(arguments)
            .current_dir(workspace.context("the workspace's folder")?)
            .stdin(Stdio::null())
            .stderr(Stdio::inherit());
        // What cargo tells the running program about its own package would change the fingerprints of build scripts that
        // look at it, ring's above all, and everything on top would be built anew each time.
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
                cargo.env_remove(&name);
            }
        }
        more(&mut cargo);
        let output = cargo.output().context("run cargo")?;
        ensure!(output.status.success(), "cargo build failed");
        Ok(Self(programs(&String::from_utf8_lossy(&output.stdout))))
    }

    /// Where the program of this file name is.
    ///
    /// # Errors
    /// When it was not among what was to be built.
    pub fn program(&self, name: &str) -> Result<&Path> {
        let found = self
            .0
            .iter()
            .find(|program| program.file_name().is_some_and(|file| file == name));
        let found = found.with_context(|| format!("cargo built no {name}, but {:?}", self.0))?;
        Ok(found)
    }
}

/// The programs that cargo's messages tell of, a line of JSON each.
fn programs(messages: &str) -> Vec<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter_map(|message| Some(PathBuf::from(message.get("executable")?.as_str()?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_where_cargo_says() {
        let messages = r#"{"reason":"compiler-artifact","target":{"name":"plugin"},"executable":null,"fresh":true}
a build script may say this
{"reason":"compiler-artifact","target":{"name":"mesh-upgrade-webhook"},"executable":"/else/where/x/debug/mesh-upgrade-webhook"}
{"reason":"build-finished","success":true}
"#;
        let built = Built(programs(messages));
        let webhook = built.program("mesh-upgrade-webhook").unwrap();
        assert_eq!(webhook, Path::new("/else/where/x/debug/mesh-upgrade-webhook"));
        let missing = built.program("plugin").unwrap_err().to_string();
        assert!(missing.contains("cargo built no plugin"), "{missing}");
    }
}
