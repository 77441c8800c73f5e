//! A program that runs beside a test, and what it has said so far.

use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};

use super::end;
use super::run::DEADLINE;
use super::wait::wait_until;

/// A started program. It ends with this value, and all that it has started with it.
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

    /// Waits until it ends by itself; an error says what it has said if it never does.
    pub fn ended(&mut self) -> Result<ExitStatus> {
        self.ended_within(DEADLINE)
    }

    fn ended_within(&mut self, deadline: Duration) -> Result<ExitStatus> {
        let ended = wait_until("a program to end", deadline, || Ok(self.child.try_wait()?));
        ended.with_context(|| self.said())
    }

    /// Kills it alone, as a lost machine would: what it has started stays.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait().map(drop).context("wait for a killed program")
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        end::with_children(&mut self.child);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::end::tests::has_ended;

    #[test]
    fn a_test_that_fails_leaves_neither_the_program_nor_its_children() {
        let mut command = Command::new("sh");
        command.args(["-c", "(sleep 1000 & echo $!; wait) & echo $!; wait"]);
        let started = Started::of(command).unwrap();
        let all = wait_until("its children", Duration::from_secs(20), || {
            let said = started.said();
            let all: Vec<String> = said.lines().map(str::to_owned).collect();
            Ok((all.len() == 2 && said.ends_with('\n')).then_some(all))
        });
        let mut all = all.unwrap();
        all.push(started.child.id().to_string());
        assert!(all.iter().all(|process| !has_ended(process)), "{all:?}");
        drop(started);
        wait_until("all to end", Duration::from_secs(20), || {
            Ok(all.iter().all(|process| has_ended(process)).then_some(()))
        })
        .unwrap();
    }

    #[test]
    fn one_that_never_ends_is_named_with_what_it_said() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo waits for the moon; exec sleep 1000"]);
        let mut started = Started::of(command).unwrap();
        wait_until("its word", Duration::from_secs(20), || {
            Ok((!started.said().is_empty()).then_some(()))
        })
        .unwrap();
        let error = started.ended_within(Duration::ZERO).unwrap_err();
        assert!(format!("{error:#}").contains("waits for the moon"), "{error:#}");
    }
}
