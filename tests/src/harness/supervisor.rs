//! The line protocol with the program that runs one cluster.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::wait::wait_until;

/// How long the supervisor may take to end everything. It normally takes a fraction of a second.
const END_DEADLINE: Duration = Duration::from_secs(20);

/// A running supervisor. It ends its cluster when its standard input is closed, which the kernel does for a process
/// that dies in whatever way.
#[derive(Debug)]
pub(super) struct Supervisor {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Supervisor {
    /// Starts a cluster; the value is its description, with its addresses and files.
    pub(super) fn start(program: &Path, arguments: &[String]) -> Result<(Self, Value)> {
        let mut child = Command::new(program)
            .arg("cluster")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // A group of its own: Ctrl-C in a terminal then ends the test alone, and the closed input the cluster.
            .process_group(0)
            .spawn()
            .with_context(|| format!("start {}", program.display()))?;
        let input = child.stdin.take();
        let output = child.stdout.take().context("the supervisor's standard output")?;
        let mut supervisor = Self {
            child,
            input,
            output: BufReader::new(output),
        };
        let description = supervisor.answer().context("start a cluster")?;
        Ok((supervisor, description))
    }

    /// Sends one command and waits until it is carried out.
    pub(super) fn command(&mut self, line: &str) -> Result<Value> {
        let input = self.input.as_mut().context("the supervisor has ended")?;
        writeln!(input, "{line}")
            .and_then(|()| input.flush())
            .with_context(|| format!("send {line:?}"))?;
        self.answer().with_context(|| line.to_owned())
    }

    fn answer(&mut self) -> Result<Value> {
        let mut line = String::new();
        if self
            .output
            .read_line(&mut line)
            .context("read the supervisor's answer")?
            == 0
        {
            bail!("the supervisor ended without an answer");
        }
        let answer: Value = serde_json::from_str(&line).with_context(|| format!("parse {line:?}"))?;
        if answer.get("ok") != Some(&Value::Bool(true)) {
            bail!("{}", answer.get("error").and_then(Value::as_str).unwrap_or(line.trim()));
        }
        Ok(answer)
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        drop(self.input.take());
        let ended = wait_until("the supervisor to end", END_DEADLINE, || Ok(self.child.try_wait()?));
        if ended.is_err() {
            // Its children die with it by their parent-death signal.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
