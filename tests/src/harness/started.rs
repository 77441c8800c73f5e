//! A program that runs beside a test, and what it has said so far.

use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};

/// A started program.
#[derive(Debug)]
pub struct Started {
    /// The program itself.
    pub child: Child,
    said: tempfile::NamedTempFile,
}

impl Started {
    /// Starts a program that gets no input.
    pub fn of(mut command: Command) -> Result<Self> {
        let said = tempfile::NamedTempFile::new()?;
        // One after the other in one file, as on a terminal.
        let file = said.reopen()?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        let child = command.spawn().with_context(|| format!("start {command:?}"))?;
        Ok(Self { child, said })
    }

    /// What it has said, on standard output and standard error.
    pub fn said(&self) -> String {
        std::fs::read_to_string(self.said.path()).unwrap_or_default()
    }
}
