//! A finished program: how it ended and what it said.

use std::fmt;
use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, anyhow, bail};

/// What a program left behind.
#[derive(Debug, Clone)]
pub struct Run {
    /// The program and its arguments, for messages.
    pub command: String,
    /// The exit code; -1 if a signal ended the program.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Run {
    /// Runs a program to its end, with `stdin` as its standard input.
    pub fn of(mut command: Command, stdin: Option<&str>) -> Result<Self> {
        let shown = shown(&command);
        command.stdin(if stdin.is_some() { Stdio::piped() } else { Stdio::null() });
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("start {shown}"))?;
        let pipe = child.stdin.take();
        let output = std::thread::scope(|scope| {
            // Written beside the reading, because a program may answer before it has read everything.
            scope.spawn(move || {
                if let (Some(mut pipe), Some(text)) = (pipe, stdin) {
                    // A program may well end without reading its input.
                    let _ = pipe.write_all(text.as_bytes());
                }
            });
            child.wait_with_output()
        })
        .with_context(|| format!("wait for {shown}"))?;
        Ok(Self {
            command: shown,
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// Whether the program ended with 0.
    pub fn success(&self) -> bool {
        self.code == 0
    }

    /// Standard output without surrounding space, or an error with all that is known if the program failed.
    pub fn ok(&self) -> Result<&str> {
        if self.success() {
            Ok(self.stdout.trim())
        } else {
            Err(anyhow!("{self}"))
        }
    }

    /// Standard error if the program failed, and an error if it did not.
    pub fn refused(&self) -> Result<&str> {
        if self.success() {
            bail!("expected to fail: {self}");
        }
        Ok(self.stderr.trim())
    }

    /// Standard output of a successful program as JSON.
    pub fn json(&self) -> Result<serde_json::Value> {
        serde_json::from_str(self.ok()?).with_context(|| format!("JSON of {}", self.command))
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} ended with {}\n{}{}",
            self.command, self.code, self.stdout, self.stderr
        )
    }
}

/// A command line as one would type it, without the program's folder.
fn shown(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
    let mut shown = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
    for argument in command.get_args() {
        shown.push(' ');
        shown.push_str(&argument.to_string_lossy());
    }
    shown
}
