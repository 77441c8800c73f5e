//! Pictures of what a person sees, made from real runs: a shell on a pseudo-terminal, and its screen as an SVG.

mod svg;

pub use svg::svg;

use crate::{
    harness::{Cluster, Terminal},
    product::kubectl_command,
};
use anyhow::{Context as _, Result, ensure};
use std::{num::NonZeroU16, path::Path, process::Command, time::Duration};

/// How long a command may take.
const DEADLINE: Duration = Duration::from_secs(180);
/// A bold `$`, which no program here prints: where it stands, the shell waits.
const PROMPT: &str = "\x1b[1m$\x1b[0m ";
/// Rows of the drawn screen: more than any session here fills, so that nothing scrolls away.
const ROWS: u16 = 400;
/// What the folder of a session is called in its picture.
const HOME: &str = "/home/alice";

/// Somebody's shell on a terminal.
pub struct Session {
    terminal: Terminal,
    folder: String,
    columns: u16,
}

impl Session {
    /// Starts a shell as somebody in a cluster, in a folder, on a terminal of so many columns.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(cluster: &Cluster, user: &str, folder: &Path, columns: u16) -> Result<Self> {
        let mut shell = Command::new("/bin/sh");
        shell.arg("-i").current_dir(folder).env_clear();
        for (name, value) in kubectl_command(cluster, user)?.get_envs() {
            if let Some(value) = value {
                shell.env(name, value);
            }
        }
        shell
            .env("PS1", PROMPT)
            .env("TERM", "xterm-256color")
            .env("LC_ALL", "C.UTF-8");
        let mut session = Self {
            terminal: Terminal::start(shell, columns)?,
            folder: folder.display().to_string(),
            columns,
        };
        session.wait_for(PROMPT)?;
        Ok(session)
    }

    /// Types a line, a command or an answer.
    ///
    /// # Errors
    /// When the shell has ended.
    pub fn line(&mut self, text: &str) -> Result<()> {
        self.terminal.line(text)
    }

    /// Waits for a text that was not waited for before, and returns what came before it.
    ///
    /// # Errors
    /// When it does not come.
    pub fn wait_for(&mut self, text: &str) -> Result<String> {
        self.terminal.wait_for(text, DEADLINE)
    }

    /// Waits until the shell is ready for the next command.
    ///
    /// # Errors
    /// When the command does not end.
    pub fn wait_for_prompt(&mut self) -> Result<String> {
        self.wait_for(PROMPT)
    }

    /// Types a command and waits for its end.
    ///
    /// # Errors
    /// When it does not end.
    pub fn run(&mut self, command: &str) -> Result<()> {
        self.line(command)?;
        self.wait_for_prompt().map(drop)
    }

    /// Everything that was shown, as an SVG, with the folder that it was shown in called [`HOME`].
    ///
    /// # Errors
    /// When another path of this machine is in it.
    pub fn picture(&self, title: &str) -> Result<String> {
        let size = |number| NonZeroU16::new(number).context("a size of zero");
        let mut parser = vt100::Parser::new(size(ROWS)?, size(self.columns)?, 0);
        // The prompt that waits for the next command is not part of what was shown.
        let shown = self.terminal.shown().replace(&self.folder, HOME);
        parser.process(shown.strip_suffix(PROMPT).unwrap_or(&shown).as_bytes());
        let picture = svg(parser.screen(), title);
        for text in [&std::env::temp_dir().display().to_string(), "/root"] {
            ensure!(!picture.contains(text), "{text:?} is in the picture {title:?}");
        }
        Ok(picture)
    }
}
