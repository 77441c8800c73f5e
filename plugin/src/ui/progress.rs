//! What tells how far something is. On a terminal it stays below everything that is told; elsewhere there is none.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::{
    io::IsTerminal as _,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
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
        Self::begun_before(Duration::ZERO)
    }

    /// Nothing yet, and the time since what is told of began.
    #[must_use]
    pub fn begun_before(elapsed: Duration) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self(ProgressBar::hidden());
        }
        // Where the clock does not reach back as far, which the bar would not bear, it counts from now.
        let reaches = Instant::now().checked_sub(elapsed.saturating_add(TICK)).is_some();
        let elapsed = if reaches { elapsed } else { Duration::ZERO };
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()).with_elapsed(elapsed);
        if let Ok(style) = ProgressStyle::with_template("{prefix}\n{spinner} {msg} {elapsed}") {
            // The last of them is for what has ended.
            bar.set_style(style.tick_chars("-\\|/ "));
        }
        bar.enable_steady_tick(TICK);
        *SHOWN.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar.clone());
        Self(bar)
    }

    /// Changes what it says: the way as a whole, what is done now, and what that waits for.
    pub fn set(&self, way: &str, now: &str, waits: Option<&str>) {
        let choice = anstream::AutoStream::choice(&std::io::stderr());
        let now = beside_spinner(now, waits, super::columns_beside());
        self.0.set_prefix(coloured(way, choice));
        self.0.set_message(coloured(&now, choice));
    }

    /// Whether it is shown; what it would say is said in lines elsewhere.
    #[must_use]
    pub fn is_shown(&self) -> bool {
        !self.0.is_hidden()
    }
}

/// A text with its colours, or without where none are wanted: what draws it here prints it as it is.
fn coloured(text: &str, choice: anstream::ColorChoice) -> String {
    let text = super::visible(text);
    match choice {
        anstream::ColorChoice::Never => anstream::adapter::strip_str(&text).to_string(),
        _ => text.into_owned(),
    }
}

/// What is done now and what it waits for, between the spinner and the time: a line that the terminal broke itself would be
/// drawn anew below what is left of it.
fn beside_spinner(now: &str, waits: Option<&str>, columns: Option<usize>) -> String {
    const SPINNER: usize = "| ".len();
    const TIME: usize = " 1000m".len();
    let within = |text: &str| match columns {
        Some(columns) => super::wrap::within(text, SPINNER, columns.saturating_sub(TIME)),
        None => text.to_owned(),
    };
    let lines = std::iter::once(now).chain(waits).map(within);
    lines.collect::<Vec<_>>().join("\n  ")
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::width;

    #[test]
    fn the_live_line_has_colours_only_where_they_are_wanted() {
        let way = format!("{} Checking", super::super::strong("ok"));
        assert_eq!(coloured(&way, anstream::ColorChoice::Never), "ok Checking");
        assert_eq!(coloured(&way, anstream::ColorChoice::Always), way);
        let hostile = coloured("a\u{1b}[2Jb", anstream::ColorChoice::Always);
        assert_eq!(hostile, "a\\u001b[2Jb");
    }

    #[test]
    fn what_is_done_now_leaves_room_for_the_spinner_and_the_time() {
        let now =
            "Upgrading: 1 of 3 components done, istiod istio-system/istiod of cluster east under way, driven by alice";
        let waits = "waiting for Deployment istio-system/istiod to roll out (0/1 pods ready and new)";
        for columns in [60, 80, 200] {
            let shown = beside_spinner(now, Some(waits), Some(columns));
            for (index, line) in shown.lines().enumerate() {
                let before = if index == 0 { 2 } else { 0 };
                assert!(before + width(line) + 6 <= columns, "{columns}: {line}");
                // Below each other, beside the spinner.
                assert!(index == 0 || line.starts_with("  "), "{columns}: {line}");
            }
            assert!(shown.contains("\n  waiting for"), "{shown}");
            let words: Vec<&str> = shown.split_whitespace().collect();
            assert_eq!(words.join(" "), format!("{now} {waits}"));
        }
        assert_eq!(beside_spinner(now, None, None), now);
    }
}
