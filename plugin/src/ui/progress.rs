//! A line that tells how far something is. On a terminal it stays below what is told; elsewhere there is none.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::{io::IsTerminal as _, time::Duration};

const TICK: Duration = Duration::from_millis(120);

/// The line, gone when it is dropped.
#[derive(Debug)]
pub struct Line(ProgressBar);

impl Line {
    /// An empty line, with the time since now.
    #[must_use]
    pub fn new() -> Self {
        if !std::io::stderr().is_terminal() {
            return Self(ProgressBar::hidden());
        }
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg} {elapsed}") {
            // The last of them is for what has ended.
            bar.set_style(style.tick_chars("-\\|/ "));
        }
        bar.enable_steady_tick(TICK);
        Self(bar)
    }

    /// Changes what it says.
    pub fn set(&self, text: &str) {
        self.0.set_message(text.to_owned());
    }

    /// Prints what is to stay, above it.
    pub fn above<T>(&self, print: impl FnOnce() -> T) -> T {
        self.0.suspend(print)
    }
}

impl Default for Line {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
