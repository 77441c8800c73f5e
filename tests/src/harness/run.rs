//! A finished program: how it ended and what it said.

use std::fmt;
use std::io::{Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};

use super::end;

/// How long a program may take, whatever it does: longer than any upgrade here, and shorter than anybody's patience.
pub(super) const DEADLINE: Duration = Duration::from_secs(15 * 60);

/// For the last words of a program that was killed.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// Between an output's end and the program's own there is next to nothing.
const PAUSE: Duration = Duration::from_millis(1);

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
    /// Runs a program to its end, with `stdin` as its standard input. One that has not ended after a quarter of an hour is
    /// killed, and the error tells what it has said so far.
    pub fn of(command: Command, stdin: Option<&str>) -> Result<Self> {
        Self::within(DEADLINE, command, stdin)
    }

    fn within(deadline: Duration, mut command: Command, stdin: Option<&str>) -> Result<Self> {
        let began = Instant::now();
        let shown = shown(&command);
        command.stdin(if stdin.is_some() { Stdio::piped() } else { Stdio::null() });
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("start {shown}"))?;
        if let (Some(mut pipe), Some(text)) = (child.stdin.take(), stdin.map(str::to_owned)) {
            // Written beside the reading, because a program may answer before it has read everything.
            std::thread::spawn(move || {
                // A program may well end without reading its input.
                let _ = pipe.write_all(text.as_bytes());
            });
        }
        let (open, outputs) = mpsc::channel();
        let stdout = gathered(child.stdout.take(), open.clone());
        let stderr = gathered(child.stderr.take(), open);
        let status = match outputs.recv_timeout(deadline) {
            Err(RecvTimeoutError::Timeout) => None,
            Ok(()) | Err(RecvTimeoutError::Disconnected) => {
                ended(&mut child, began + deadline).with_context(|| format!("wait for {shown}"))?
            }
        };
        let Some(status) = status else {
            end::with_children(&mut child);
            let _ = outputs.recv_timeout(LAST_WORDS);
            let said = [stdout, stderr].map(|output| text(&output)).concat();
            bail!("{shown} had not ended after {deadline:?} and was killed; it said\n{said}");
        };
        Ok(Self {
            command: shown,
            code: status.code().unwrap_or(-1),
            stdout: text(&stdout),
            stderr: text(&stderr),
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

    /// An error unless the program failed and named one of these codes of the guard: a failure of another kind proves nothing.
    pub fn refused_by(&self, codes: &[&str]) -> Result<()> {
        let is_named = |code: &&str| self.stdout.contains(code) || self.stderr.contains(code);
        if self.success() || !codes.iter().any(is_named) {
            bail!("not refused by any of {codes:?}: {self}");
        }
        Ok(())
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

/// What a pipe gives, to its end. Nothing is ever sent: the channel ends when all that is gathered has.
fn gathered(pipe: Option<impl Read + Send + 'static>, open: Sender<()>) -> Arc<Mutex<Vec<u8>>> {
    let all = Arc::new(Mutex::new(Vec::new()));
    let gathered = Arc::clone(&all);
    std::thread::spawn(move || {
        let mut part = vec![0; 64 * 1024];
        if let Some(mut pipe) = pipe {
            while let Some(read) = pipe.read(&mut part).ok().and_then(|count| part.get(..count))
                && !read.is_empty()
            {
                gathered.lock().unwrap_or_else(PoisonError::into_inner).extend(read);
            }
        }
        drop(open);
    });
    all
}

fn text(gathered: &Mutex<Vec<u8>>) -> String {
    String::from_utf8_lossy(&gathered.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
}

/// How a program ended whose outputs have; none when it goes on beyond `latest`.
fn ended(child: &mut Child, latest: Instant) -> std::io::Result<Option<ExitStatus>> {
    loop {
        let status = child.try_wait()?;
        if status.is_some() || Instant::now() >= latest {
            return Ok(status);
        }
        std::thread::sleep(PAUSE);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::end::tests::has_ended;

    fn shell(script: &str) -> Command {
        let mut shell = Command::new("sh");
        shell.args(["-c", script]);
        shell
    }

    #[test]
    fn all_of_both_outputs_and_the_code_are_told() {
        let long = "x".repeat(300_000);
        let run = Run::of(shell("cat; echo bad >&2; exit 7"), Some(&long)).unwrap();
        assert_eq!((run.code, run.stderr.as_str()), (7, "bad\n"));
        assert_eq!(run.stdout.len(), long.len());
    }

    #[test]
    fn a_refusal_is_one_that_names_its_code() {
        let refused = |script: &str| Run::of(shell(script), None).unwrap().refused_by(&["MG001", "MG002"]);
        for script in ["echo MG002; exit 1", "echo MG001 >&2; exit 1"] {
            refused(script).unwrap();
        }
        for script in ["echo MG001", "echo MG003 >&2; exit 1", "exit 1"] {
            assert!(refused(script).is_err(), "{script}");
        }
    }

    #[test]
    fn one_that_hangs_is_killed_with_its_children_and_what_it_said_is_told() {
        let hangs = "sleep 1000 & echo \"child $!\"; wait";
        for script in [hangs, "echo child $$; exec >&- 2>&-; sleep 1000"] {
            let error = Run::within(Duration::from_secs(2), shell(script), None).unwrap_err();
            let said = format!("{error:#}");
            assert!(said.contains("had not ended"), "{said}");
            let child = said.lines().find_map(|line| line.strip_prefix("child "));
            assert!(has_ended(child.unwrap()), "{said}");
        }
    }
}
