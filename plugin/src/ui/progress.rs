//! What tells how far something is. On a terminal it stays below everything that is told; elsewhere there is none.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::{
    io::IsTerminal as _,
    sync::{Mutex, PoisonError},
    time::Duration,
};

const TICK: Duration = Duration::from_millis(120);

/// The one that is shown: whoever prints prints above it, and a terminal has one lower end.
static SHOWN: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// How far something is, with the time since it was made; gone when it is dropped.
#[derive(Debug)]
pub struct HowFar(ProgressBar);

impl HowFar {
    /// Nothing yet, and the time since now.
    #[must_use]
    pub fn new() -> Self {
        if !std::io::stderr().is_terminal() {
            return Self(ProgressBar::hidden());
        }
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{wide_msg}\n{spinner} {prefix} {elapsed}") {
            // The last of them is for what has ended.
            bar.set_style(style.tick_chars("-\\|/ "));
        }
        bar.enable_steady_tick(TICK);
        *SHOWN.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar.clone());
        Self(bar)
    }

    /// Changes what it says: the way as a whole, and what is done now.
    pub fn set(&self, way: &str, now: &str) {
        self.0.set_message(way.to_owned());
        self.0.set_prefix(now.to_owned());
    }
}

impl Default for HowFar {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for HowFar {
    fn drop(&mut self) {
        *SHOWN.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.0.finish_and_clear();
    }
}

/// Prints what is to stay, above what is shown.
pub(super) fn above<T>(print: impl FnOnce() -> T) -> T {
    // Not held while it is printed: printing may end what is shown.
    let shown = SHOWN.lock().unwrap_or_else(PoisonError::into_inner).clone();
    match shown {
        Some(bar) => bar.suspend(print),
        None => print(),
    }
}
