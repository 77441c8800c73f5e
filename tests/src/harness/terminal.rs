//! A program on a pseudo-terminal: what it shows, and keys for it.

use std::io::{Read as _, Write as _};
use std::num::NonZeroU16;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use pty_process::{Size, blocking};
use tokio::signal::unix::{SignalKind, signal};

use super::wait::wait_until;

const END_DEADLINE: Duration = Duration::from_secs(30);
/// Lines of the terminal.
const ROWS: u16 = 50;

/// A running program and its terminal; dropped, the program is killed.
pub struct Terminal {
    child: Child,
    pty: Arc<blocking::Pty>,
    columns: u16,
    shown: Arc<Mutex<String>>,
    /// How much of what was shown has been waited for.
    read: usize,
}

impl Terminal {
    /// Starts a program on a terminal of so many columns.
    ///
    /// # Errors
    /// When there is no pseudo-terminal to be had, or the program does not start.
    pub fn start(mut command: Command, columns: u16) -> Result<Self> {
        // Without a word for what it can do nothing is drawn anew on it.
        command.env("TERM", "xterm-256color");
        let (pty, other_end) = blocking::open().context("open a pseudo-terminal")?;
        let_programs_be_interrupted()?;
        pty.resize(Size::new(ROWS, columns))
            .context("size the pseudo-terminal")?;
        let child = blocking::Command::from(command)
            .spawn(other_end)
            .context("start the program")?;
        let pty = Arc::new(pty);
        let shown = Arc::new(Mutex::new(String::new()));
        let (from, to) = (Arc::clone(&pty), Arc::clone(&shown));
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            let mut buffer = [0; 4096];
            // The end of the program ends the reading, with an error on Linux.
            while let Ok(count @ 1..) = (&*from).read(&mut buffer) {
                bytes.extend_from_slice(buffer.get(..count).unwrap_or_default());
                *to.lock().unwrap_or_else(PoisonError::into_inner) = String::from_utf8_lossy(&bytes).into_owned();
            }
        });
        Ok(Self {
            child,
            pty,
            columns,
            shown,
            read: 0,
        })
    }

    /// Everything that was shown so far.
    #[must_use]
    pub fn shown(&self) -> String {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until a text is shown that was not waited for before, and returns what came before it.
    ///
    /// # Errors
    /// When it does not come in time, with everything that was shown.
    pub fn wait_for(&mut self, text: &str, deadline: Duration) -> Result<String> {
        let found = wait_until(&format!("{text:?} on the terminal"), deadline, || {
            let shown = self.shown();
            let rest = shown.get(self.read..).unwrap_or_default();
            Ok(rest
                .find(text)
                .map(|at| (rest.get(..at).unwrap_or_default().to_owned(), at)))
        });
        let (before, at) = found.with_context(|| self.shown())?;
        self.read += at + text.len();
        Ok(before)
    }

    /// The words that stand on the terminal now, in one line: of what is drawn anew again and again the last state alone.
    ///
    /// # Errors
    /// When the terminal has no size.
    pub fn screen(&self) -> Result<String> {
        let size = |number| NonZeroU16::new(number).context("a size of zero");
        let mut parser = vt100::Parser::new(size(ROWS)?, size(self.columns)?, 0);
        parser.process(self.shown().as_bytes());
        let words: Vec<String> = parser
            .screen()
            .contents()
            .split_whitespace()
            .map(str::to_owned)
            .collect();
        Ok(words.join(" "))
    }

    /// Waits until this stands on the terminal, all at once and in this order, and returns what does.
    ///
    /// # Errors
    /// When it does not in time, with what stands there.
    pub fn wait_for_screen(&self, parts: &[&str], deadline: Duration) -> Result<String> {
        let found = wait_until(&format!("{parts:?} on the terminal"), deadline, || {
            let screen = self.screen()?;
            let mut rest = screen.as_str();
            for part in parts {
                let Some((_, after)) = rest.split_once(part) else {
                    return Ok(None);
                };
                rest = after;
            }
            Ok(Some(screen))
        });
        found.with_context(|| self.screen().unwrap_or_default())
    }

    /// Types a line.
    ///
    /// # Errors
    /// When the program has ended.
    pub fn line(&mut self, text: &str) -> Result<()> {
        self.keys(&format!("{text}\r"))
    }

    /// Presses Ctrl-C.
    ///
    /// # Errors
    /// When the program has ended.
    pub fn interrupt(&mut self) -> Result<()> {
        self.keys("\x03")
    }

    fn keys(&mut self, keys: &str) -> Result<()> {
        (&*self.pty).write_all(keys.as_bytes()).with_context(|| self.shown())
    }

    /// Waits until the program has ended.
    ///
    /// # Errors
    /// When it does not end, with everything that was shown.
    pub fn end(mut self) -> Result<(ExitStatus, String)> {
        let ended = wait_until("the program to end", END_DEADLINE, || Ok(self.child.try_wait()?));
        let shown = self.shown();
        Ok((ended.with_context(|| shown.clone())?, shown))
    }
}

/// Ctrl-C ends a program whoever started the tests. A shell has what it runs in the background ignore that signal, and what is
/// ignored is inherited; what is handled is not. So this process handles it where it would ignore it.
fn let_programs_be_interrupted() -> Result<()> {
    const SIGINT: u64 = 1 << 1;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    if ignored.unwrap_or_default() & SIGINT != 0 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let _inside = runtime.enter();
        // Stays for as long as this process runs.
        drop(signal(SignalKind::interrupt()).context("handle SIGINT")?);
    }
    Ok(())
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
